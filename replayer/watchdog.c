/*
 * The replaying thread waits in waitpid() for a puppet that runs user code.
 * Should it never stop (its memory differs from the recording and it waits for
 * something that does not come), this thread stops it: SIGSTOP cannot be
 * blocked, and the replaying thread sees it and asks.
 */
#include "replayer/internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define TICK_MS 500u
#define TICKS_TO_SLEEP 4u /* without any work, before it sleeps for good */

struct watchdog {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool quit, asleep, barked;
	pid_t pid; /* 0 = nothing to watch */
	uint64_t runs;
	uint64_t since_ns, limit_ns; /* since 0: this run was not seen yet */
};

/* Returns false when nothing has happened since the last tick. */
static bool
look(struct watchdog *w, uint64_t *seen)
{
	bool busy = w->pid || w->runs != *seen;
	uint64_t now = clock_now_ns();

	*seen = w->runs;
	if (!w->pid)
		return busy;
	if (w->since_ns == 0)
		w->since_ns = now;
	else if (!w->barked && now - w->since_ns > w->limit_ns) {
		w->barked = true;
		kill(w->pid, SIGSTOP);
	}
	return busy;
}

static void *
watch(void *arg)
{
	struct watchdog *w = arg;
	unsigned idle = 0;
	uint64_t seen = 0;

	pthread_mutex_lock(&w->lock);
	while (!w->quit) {
		struct timespec ts;

		if (look(w, &seen))
			idle = 0;
		else if (++idle >= TICKS_TO_SLEEP) {
			w->asleep = true;
			pthread_cond_wait(&w->wake, &w->lock);
			w->asleep = false;
			idle = 0;
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += (long)TICK_MS * 1000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->wake, &w->lock, &ts);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct watchdog *
watchdog_new(struct err *err)
{
	struct watchdog *w = mem_zalloc(sizeof(*w));
	pthread_condattr_t attr;
	sigset_t all, old;
	int ret;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are for the threads of the program we are part of. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&w->thread, NULL, watch, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret != 0) {
		pthread_cond_destroy(&w->wake);
		pthread_mutex_destroy(&w->lock);
		mem_free(w);
		err_set(err, ret, "cannot start a thread: %s",
			strerrordesc_np(ret));
		return NULL;
	}
	return w;
}

void
watchdog_free(struct watchdog *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

void
watchdog_arm(struct watchdog *w, pid_t pid, uint64_t limit_ns)
{
	pthread_mutex_lock(&w->lock);
	w->pid = pid;
	w->runs++;
	w->since_ns = 0;
	w->limit_ns = limit_ns;
	w->barked = false;
	if (w->asleep)
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

bool
watchdog_disarm(struct watchdog *w)
{
	bool barked;

	pthread_mutex_lock(&w->lock);
	w->pid = 0;
	barked = w->barked;
	pthread_mutex_unlock(&w->lock);
	return barked;
}
