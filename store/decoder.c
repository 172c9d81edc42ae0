#include "store/decoder.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

#include <xxhash.h>

#include "base/mem.h"
#include "event/codec.h"

struct job {
	struct raw_chunk raw;
	struct buf data;
	struct decoded_chunk *to;
	int rc;
	struct err how;
};

struct decoder {
	pthread_t thread;
	bool has_thread, no_thread;
	/* Whoever replays stays on one CPU; the thread goes where it can. */
	cpu_set_t allowed;
	pthread_mutex_t lock; /* for what follows, but for jobs in hand */
	pthread_cond_t work, done;
	struct job job[DECODER_DEPTH]; /* number modulo DECODER_DEPTH */
	uint64_t given, decoded, taken;
	bool closing;
};

static void
room_for(void **p, size_t *room, size_t n)
{
	if (*room >= n)
		return;
	mem_free(*p);
	*p = mem_alloc(n);
	*room = n;
}

int
decoded_chunk_fill(struct decoded_chunk *to, const struct raw_chunk *raw,
		   struct err *how)
{
	return decoded_chunk_some(to, raw, UINT32_MAX, how);
}

int
decoded_chunk_some(struct decoded_chunk *to, const struct raw_chunk *raw,
		   uint32_t cols, struct err *how)
{
	struct chunk_info info;
	void *ev = to->ev, *scratch = to->scratch;
	size_t need;
	int rc;

	if (raw->codec != CHUNK_CODEC)
		return err_set(how, E_FORMAT,
			       "have a form that a newer pastime wrote");
	if (XXH3_64bits(raw->data.p, raw->data.len) != raw->crc)
		return err_set(how, E_FORMAT, "have a wrong checksum");
	rc = chunk_peek(raw->data, &info, &need, how);
	if (rc < 0)
		return rc;
	if (info.first_seq != raw->first_seq || info.n != raw->n)
		return err_set(how, E_FORMAT, "contradict their index");
	room_for(&ev, &to->ev_room, info.n * sizeof(*to->ev));
	to->ev = ev;
	room_for(&scratch, &to->scratch_room, need + 1);
	to->scratch = scratch;
	return cols == UINT32_MAX
		       ? chunk_decode(raw->data, to->ev, info.n, to->scratch,
				      need, how)
		       : chunk_decode_some(raw->data, cols, to->ev, info.n,
					   to->scratch, need, how);
}

void
decoded_chunk_free(struct decoded_chunk *c)
{
	mem_free(c->ev);
	mem_free(c->scratch);
	*c = (struct decoded_chunk){ 0 };
}

struct decoder *
decoder_new(void)
{
	struct decoder *d = mem_zalloc(sizeof(*d));

	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_cond_init(&d->done, NULL);
	if (sched_getaffinity(0, sizeof(d->allowed), &d->allowed) < 0)
		CPU_ZERO(&d->allowed);
	return d;
}

static struct job *
job_of(struct decoder *d, uint64_t number)
{
	return &d->job[number % DECODER_DEPTH];
}

static void
do_job(struct job *j)
{
	err_clear(&j->how);
	j->rc = decoded_chunk_fill(j->to, &j->raw, &j->how);
}

static void *
decoder_main(void *arg)
{
	struct decoder *d = arg;

	if (CPU_COUNT(&d->allowed) > 0)
		sched_setaffinity(0, sizeof(d->allowed), &d->allowed);
	pthread_mutex_lock(&d->lock);
	for (;;) {
		while (!d->closing && d->decoded == d->given)
			pthread_cond_wait(&d->work, &d->lock);
		if (d->closing)
			break;
		pthread_mutex_unlock(&d->lock);
		do_job(job_of(d, d->decoded));
		pthread_mutex_lock(&d->lock);
		d->decoded++;
		pthread_cond_signal(&d->done);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* Signals are for other threads. */
static void
start_thread(struct decoder *d)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	d->has_thread = pthread_create(&d->thread, NULL, decoder_main, d) == 0;
	d->no_thread = !d->has_thread;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
decoder_free(struct decoder *d)
{
	if (!d)
		return;
	if (d->has_thread) {
		pthread_mutex_lock(&d->lock);
		d->closing = true;
		pthread_cond_signal(&d->work);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
	}
	for (size_t i = 0; i < DECODER_DEPTH; i++)
		buf_free(&d->job[i].data);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->work);
	pthread_cond_destroy(&d->done);
	mem_free(d);
}

size_t
decoder_given(const struct decoder *d)
{
	return (size_t)(d->given - d->taken);
}

const struct raw_chunk *
decoder_oldest(const struct decoder *d)
{
	return &d->job[d->taken % DECODER_DEPTH].raw;
}

void
decoder_give(struct decoder *d, const struct raw_chunk *raw,
	     struct decoded_chunk *to)
{
	struct job *j = job_of(d, d->given);

	ASSERT(decoder_given(d) < DECODER_DEPTH);
	if (!d->has_thread && !d->no_thread)
		start_thread(d);
	buf_clear(&j->data);
	buf_put(&j->data, raw->data.p, raw->data.len);
	j->raw = *raw;
	j->raw.data = buf_span(&j->data);
	j->to = to;
	if (d->no_thread)
		do_job(j);
	pthread_mutex_lock(&d->lock);
	d->given++;
	if (d->no_thread)
		d->decoded++;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

int
decoder_take(struct decoder *d, struct decoded_chunk **out, struct err *how)
{
	struct job *j = job_of(d, d->taken);

	ASSERT(decoder_given(d) > 0);
	d->taken++;
	pthread_mutex_lock(&d->lock);
	while (d->decoded < d->taken)
		pthread_cond_wait(&d->done, &d->lock);
	pthread_mutex_unlock(&d->lock);
	*out = j->to;
	if (j->rc < 0 && how)
		*how = j->how;
	return j->rc;
}
