#include "tui/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

struct worker {
	struct worker_opts o;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under lock. */
	struct job *queue;    /* oldest first */
	struct job *finished; /* oldest first */
	struct job *running;
	bool hold, quit;
};

void *
job_new(size_t size, unsigned key, int (*run)(struct job *, void *),
	void (*done)(struct job *, void *), void *owner)
{
	struct job *job = mem_zalloc(size);

	ASSERT(size >= sizeof(*job));
	job->key = key;
	job->run = run;
	job->done = done;
	job->owner = owner;
	return job;
}

struct arena
job_take_arena(struct job *job)
{
	struct arena a = job->arena;

	job->arena = (struct arena){ 0 };
	return a;
}

static void
job_free(struct job *job)
{
	arena_free(&job->arena);
	mem_free(job);
}

static void
append(struct job **list, struct job *job)
{
	while (*list)
		list = &(*list)->next;
	job->next = NULL;
	*list = job;
}

/* Under lock: move queued jobs of a key to the finished ones. */
static void
drop_queued(struct worker *w, unsigned key, bool replaced)
{
	struct job **at = &w->queue;

	while (*at) {
		struct job *job = *at;

		if (key != WORKER_ALL && job->key != key) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		job->rc = err_set(&job->err, E_CANCELLED, "cancelled");
		atomic_store(&job->replaced, replaced);
		atomic_store(&job->stop, !replaced);
		append(&w->finished, job);
	}
}

static void
tell_owner(const struct worker *w)
{
	uint64_t one = 1;
	ssize_t n = write(w->o.wake_fd, &one, sizeof(one));

	/* A full counter wakes the owner as well. */
	ASSERT(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

/*
 * An interrupt may hit the job after the one it was meant for: that one
 * fails as cancelled although nobody asked for it, and is run again.
 */
static void
run_job(struct job *job, void *data)
{
	for (int tries = 0; tries < 3; tries++) {
		err_clear(&job->err);
		arena_clear(&job->arena);
		job->rc = job->run(job, data);
		if (job->rc != -E_CANCELLED || atomic_load(&job->stop) ||
		    atomic_load(&job->replaced))
			break;
	}
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->quit) {
		struct job *job = w->queue;

		if (!job || w->hold) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		w->queue = job->next;
		w->running = job;
		job->started_ns = clock_now_ns();
		pthread_mutex_unlock(&w->lock);
		run_job(job, w->o.data);
		pthread_mutex_lock(&w->lock);
		w->running = NULL;
		append(&w->finished, job);
		tell_owner(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (w->o.close)
		w->o.close(w->o.data);
	return NULL;
}

struct worker *
worker_start(const struct worker_opts *o)
{
	struct worker *w = mem_zalloc(sizeof(*w));
	sigset_t ours, before;
	int rc;

	w->o = *o;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	/* The terminal's signals belong to the thread that draws. */
	sigemptyset(&ours);
	for (const int *s = (const int[]){ SIGINT, SIGTERM, SIGHUP, SIGWINCH,
					   SIGQUIT, SIGTSTP, SIGCONT, 0 };
	     *s; s++)
		sigaddset(&ours, *s);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		die("cannot create a thread: error %d", rc);
	pthread_setname_np(w->thread, o->name);
	return w;
}

void
worker_stop(struct worker *w)
{
	struct timespec until;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	w->hold = false;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	worker_cancel(w, WORKER_ALL);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2;
	if (pthread_timedjoin_np(w->thread, NULL, &until)) {
		pthread_detach(w->thread);
		return;
	}
	worker_deliver(w);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	mem_free(w);
}

void
worker_submit(struct worker *w, struct job *job)
{
	job->started_ns = clock_now_ns();
	pthread_mutex_lock(&w->lock);
	drop_queued(w, job->key, true);
	if (w->running && w->running->key == job->key)
		atomic_store(&w->running->replaced, true);
	append(&w->queue, job);
	if (w->finished)
		tell_owner(w);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void
worker_cancel(struct worker *w, unsigned key)
{
	bool interrupt = false;

	pthread_mutex_lock(&w->lock);
	drop_queued(w, key, false);
	if (w->running && (key == WORKER_ALL || w->running->key == key)) {
		atomic_store(&w->running->stop, true);
		interrupt = w->o.interrupt != NULL;
	}
	if (w->finished)
		tell_owner(w);
	/* Under lock, so that the job it is meant for is still the one. */
	if (interrupt)
		w->o.interrupt(w->o.data);
	pthread_mutex_unlock(&w->lock);
}

int
worker_deliver(struct worker *w)
{
	struct job *list;
	int n = 0;

	pthread_mutex_lock(&w->lock);
	list = w->finished;
	w->finished = NULL;
	pthread_mutex_unlock(&w->lock);
	while (list) {
		struct job *job = list;

		list = job->next;
		job->done(job, job->owner);
		job_free(job);
		n++;
	}
	return n;
}

bool
worker_busy(struct worker *w)
{
	bool busy;

	pthread_mutex_lock(&w->lock);
	busy = w->running || w->finished || (w->queue && !w->hold);
	pthread_mutex_unlock(&w->lock);
	return busy;
}

bool
worker_running(struct worker *w, unsigned *key, uint64_t *since_ns,
	       uint64_t *at, uint64_t *to)
{
	const struct job *job;

	pthread_mutex_lock(&w->lock);
	job = w->running ? w->running : w->queue;
	if (job) {
		*key = job->key;
		*since_ns = job->started_ns;
		*at = atomic_load(&job->at);
		*to = atomic_load(&job->to);
	}
	pthread_mutex_unlock(&w->lock);
	return job != NULL;
}

void
worker_hold(struct worker *w, bool hold)
{
	pthread_mutex_lock(&w->lock);
	w->hold = hold;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
