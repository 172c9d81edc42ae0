#include "tui/worker.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct shared {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool gate;   /* jobs may end */
	bool inside; /* a job is running */
	int ran, interrupts, closed;
};

struct test_job {
	struct job job;
	struct shared *s;
	int id;
	bool wait, spurious;
};

static int log_ids[256], log_rcs[256], log_len;

static int
run(struct job *job, void *data)
{
	struct test_job *j = (struct test_job *)job;
	struct shared *s = data;

	cr_assert_eq(s, j->s);
	pthread_mutex_lock(&s->lock);
	s->ran++;
	s->inside = true;
	pthread_cond_broadcast(&s->cond);
	while (j->wait && !s->gate && !atomic_load(&job->stop))
		pthread_cond_wait(&s->cond, &s->lock);
	s->inside = false;
	pthread_mutex_unlock(&s->lock);
	if (atomic_load(&job->stop))
		return err_set(&job->err, E_CANCELLED, "stopped");
	if (j->spurious) {
		j->spurious = false;
		return err_set(&job->err, E_CANCELLED, "not meant for me");
	}
	return arena_strdup(&job->arena, "result") ? 0 : -1;
}

static void
done(struct job *job, void *owner)
{
	struct test_job *j = (struct test_job *)job;

	cr_assert_eq(owner, j->s);
	log_ids[log_len] = j->id;
	log_rcs[log_len++] = job->rc;
}

static void
interrupt(void *data)
{
	struct shared *s = data;

	pthread_mutex_lock(&s->lock);
	s->interrupts++;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

static void
closed(void *data)
{
	((struct shared *)data)->closed++;
}

static struct worker *
start(struct shared *s, int *fd)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	*fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	log_len = 0;
	return worker_start(
		&(struct worker_opts){ "test", s, interrupt, closed, *fd });
}

static struct test_job *
submit(struct worker *w, struct shared *s, unsigned key, int id, bool wait)
{
	struct test_job *j = job_new(sizeof(*j), key, run, done, s);

	j->s = s;
	j->id = id;
	j->wait = wait;
	worker_submit(w, &j->job);
	return j;
}

static void
until_inside(struct shared *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->inside)
		pthread_cond_wait(&s->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void
open_gate(struct shared *s)
{
	pthread_mutex_lock(&s->lock);
	s->gate = true;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

/* Until everything was delivered; woken by the descriptor only. */
static void
drain(struct worker *w, int fd)
{
	do {
		struct pollfd p = { fd, POLLIN, 0 };
		uint64_t n;

		worker_deliver(w);
		if (!worker_busy(w))
			return;
		cr_assert_eq(poll(&p, 1, 10000), 1, "nobody woke us");
		cr_assert_eq(read(fd, &n, sizeof(n)), (ssize_t)sizeof(n));
	} while (true);
}

Test(tui_worker, jobs_run_in_order_and_wake_their_owner)
{
	struct shared s = { 0 };
	int fd;
	struct worker *w = start(&s, &fd);

	for (int i = 0; i < 10; i++)
		submit(w, &s, (unsigned)i, i, false);
	drain(w, fd);
	cr_assert_eq(log_len, 10);
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(log_ids[i], i);
		cr_assert_eq(log_rcs[i], 0);
	}
	worker_stop(w);
	cr_assert_eq(s.closed, 1);
	close(fd);
}

Test(tui_worker, a_newer_job_replaces_those_that_wait)
{
	struct shared s = { 0 };
	int fd;
	struct worker *w = start(&s, &fd);
	struct test_job *first = submit(w, &s, 1, 0, true);

	until_inside(&s);
	for (int i = 1; i <= 100; i++)
		submit(w, &s, 1, i, false);
	cr_assert(atomic_load(&first->job.replaced), "it may give up");
	cr_assert_not(atomic_load(&first->job.stop), "but need not");
	log_len = 0;
	worker_deliver(w);
	cr_assert_eq(log_len, 99, "1 to 99 never ran");
	for (int i = 0; i < 99; i++)
		cr_assert_eq(log_rcs[i], -E_CANCELLED);
	log_len = 0;
	open_gate(&s);
	drain(w, fd);
	cr_assert_eq(log_len, 2);
	cr_assert_eq(log_ids[0], 0);
	cr_assert_eq(log_ids[1], 100);
	cr_assert_eq(s.ran, 2);
	cr_assert_eq(s.interrupts, 0);
	worker_stop(w);
	close(fd);
}

Test(tui_worker, cancelling_interrupts_what_runs_and_drops_the_rest)
{
	struct shared s = { 0 };
	int fd;
	struct worker *w = start(&s, &fd);

	submit(w, &s, 1, 1, true);
	until_inside(&s);
	submit(w, &s, 2, 2, false);
	submit(w, &s, 3, 3, false);
	worker_cancel(w, 2);
	cr_assert_eq(s.interrupts, 0, "2 was not running");
	worker_cancel(w, WORKER_ALL);
	drain(w, fd);
	cr_assert_eq(s.interrupts, 1);
	cr_assert_eq(s.ran, 1);
	cr_assert_eq(log_len, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(log_rcs[i], -E_CANCELLED);
	worker_stop(w);
	close(fd);
}

Test(tui_worker, an_interrupt_for_another_job_is_not_an_answer)
{
	struct shared s = { 0 };
	int fd;
	struct worker *w = start(&s, &fd);
	struct test_job *j;

	worker_hold(w, true);
	j = submit(w, &s, 1, 1, false);
	j->spurious = true;
	worker_hold(w, false);
	drain(w, fd);
	cr_assert_eq(s.ran, 2, "run again");
	cr_assert_eq(log_rcs[0], 0);
	worker_stop(w);
	close(fd);
}

Test(tui_worker, a_held_worker_begins_nothing)
{
	struct shared s = { 0 };
	uint64_t since, at, to;
	unsigned key = 0;
	int fd;
	struct worker *w = start(&s, &fd);

	worker_hold(w, true);
	submit(w, &s, 7, 1, false);
	cr_assert_not(worker_busy(w));
	cr_assert(worker_running(w, &key, &since, &at, &to));
	cr_assert_eq(key, 7);
	worker_hold(w, false);
	drain(w, fd);
	cr_assert_eq(s.ran, 1);
	cr_assert_not(worker_running(w, &key, &since, &at, &to));
	worker_stop(w);
	close(fd);
}

Test(tui_worker, stopping_ends_a_job_that_would_wait_for_ever)
{
	struct shared s = { 0 };
	int fd;
	struct worker *w = start(&s, &fd);

	submit(w, &s, 1, 1, true);
	until_inside(&s);
	submit(w, &s, 2, 2, false);
	worker_stop(w);
	cr_assert_eq(s.closed, 1);
	cr_assert_eq(log_len, 2, "done is called for every job");
	close(fd);
}
