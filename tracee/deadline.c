#include "tracee/deadline.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "tracee/ptrace.h"

#define DEADLINE_SIGNAL (SIGRTMAX - 3)
#define SECOND 1000000000ull

static void
on_time(int signo, siginfo_t *si, void *context)
{
	struct deadline *d = si->si_value.sival_ptr;

	/* A plain system call. The task may be gone by now. */
	if (si->si_code == SI_TIMER && d->tid > 0)
		d->fired = ptrace_interrupt(d->tid) == 0;
}

int
deadline_open(struct deadline *d, struct err *err)
{
	struct sigaction sa = { .sa_sigaction = on_time,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = DEADLINE_SIGNAL };

	*d = (struct deadline){ 0 };
	ev.sigev_value.sival_ptr = d;
	ev._sigev_un._tid = gettid();
	sigemptyset(&sa.sa_mask);
	if (sigaction(DEADLINE_SIGNAL, &sa, NULL) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &ev, &d->timer) < 0)
		return err_errno(err, "cannot make a timer");
	d->open = true;
	return 0;
}

void
deadline_close(struct deadline *d)
{
	if (!d->open)
		return;
	/* First the task: a signal may be on its way. */
	d->tid = 0;
	timer_delete(d->timer);
	d->open = false;
}

void
deadline_arm(struct deadline *d, pid_t tid, uint64_t ns)
{
	struct itimerspec it = { 0 };

	if (ns == 0)
		ns = 1;
	it.it_value.tv_sec = (time_t)(ns / SECOND);
	it.it_value.tv_nsec = (long)(ns % SECOND);
	d->fired = false;
	d->tid = tid;
	timer_settime(d->timer, 0, &it, NULL);
}

void
deadline_disarm(struct deadline *d)
{
	const struct itimerspec off = { 0 };

	d->tid = 0;
	timer_settime(d->timer, 0, &off, NULL);
}

static uint64_t
read_clock(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static uint64_t
from_clock(pid_t tid)
{
	clockid_t clock;

	return clock_getcpuclockid(tid, &clock) == 0 ? read_clock(clock) : 0;
}

uint64_t
cputime_own_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t
cputime_ns(pid_t tid)
{
	char path[64], text[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) /* no CONFIG_SCHED_INFO: of the whole process */
		return from_clock(tid);
	n = fd_read_full(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}
