/*
 * A sink that records.
 *
 *	tracer thread          writer thread              shipper thread
 *	put, blob -> queue --> encode, append to spool --> COPY to the server
 *
 * The queue is bounded: a full one makes the tracer wait for the spool, never
 * for the server. The shipper reads the spool back, which is in the page cache:
 * the spool is the only thing between it and the writer, so shipping a live
 * recording and one left by a killed recorder are the same code.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "event/codec.h"
#include "store/blobset.h"
#include "store/claim.h"
#include "store/cluster.h"
#include "store/db.h"
#include "store/frame.h"
#include "store/meta.h"
#include "store/open.h"
#include "store/ship.h"
#include "store/starter.h"
#define LOG_DOMAIN "store"
#include "base/log.h"

#define QUEUE_BYTES (64u * 1024 * 1024)
#define FLUSH_MS 200
#define RETRY_NS UINT64_C(500000000)
#define LAST_TRIES 3

/* Events of one future chunk; payloads one after the other. */
struct batch {
	struct event ev[CHUNK_EVENTS];
	size_t n;
	struct buf payload;
	uint64_t opened_ns;
};

/* A batch, or a blob, in the order in which they were given. */
struct job {
	struct job *next;
	struct batch *batch;
	struct claim *claim; /* of a file, in place of its contents */
	bool sync;	     /* neither: make the spool durable */
	struct blob_id id;
	size_t len;
	uint8_t bytes[];
};

struct store_sink {
	struct sink sink;
	struct store_where where;
	char *where_key, *dir;
	char uuid[37];
	uint64_t flush_ns;
	struct spool *spool;
	int starter; /* reads the outcome of starting the server; -1 = none */

	/* The tracer's own. */
	uint64_t next_seq;
	struct blobset seen;
	bool finished;

	struct claims claims;
	pthread_t writer, shipper;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t work;  /* for the writer: jobs, or a batch that ages */
	pthread_cond_t room;  /* for the tracer: less in the queue */
	pthread_cond_t news; /* for the shipper: more in the spool, or sealed */
	struct batch *open;  /* being filled */
	struct batch *spare;
	struct job *head, **tail;
	size_t queued;
	bool busy;    /* the writer has a job in hand */
	bool closing; /* no more will be put */
	bool sealed;  /* the writer has ended */
	bool failed;
	struct err failure; /* of the spool */
	bool has_problem;
	struct err problem; /* of the server */
	bool stored;	    /* the server has everything */
	bool has_events;    /* in the spool */

	/* The writer's own. */
	struct encoder *encoder;
	struct buf chunk;
	uint32_t tasks_seen;
	bool has_status;
	int status;

	_Atomic uint64_t recording;
};

static struct store_sink *
of_sink(struct sink *s)
{
	return (struct store_sink *)((char *)s -
				     offsetof(struct store_sink, sink));
}

static struct timespec
after(uint64_t ns)
{
	uint64_t t = clock_now_ns() + ns;

	return (struct timespec){ .tv_sec = (time_t)(t / 1000000000u),
				  .tv_nsec = (long)(t % 1000000000u) };
}

/* ---- the tracer's side */

static void
push_job(struct store_sink *s, struct job *j)
{
	j->next = NULL;
	*s->tail = j;
	s->tail = &j->next;
	s->queued += j->len;
	pthread_cond_signal(&s->work);
}

static void
push_open(struct store_sink *s)
{
	struct job *j;

	if (!s->open)
		return;
	j = mem_zalloc(sizeof(*j));
	j->batch = s->open;
	j->len = s->open->payload.len + s->open->n * sizeof(struct event);
	s->open = NULL;
	push_job(s, j);
}

static int
wait_for_room(struct store_sink *s, struct err *err)
{
	while (s->queued > QUEUE_BYTES && !s->failed)
		pthread_cond_wait(&s->room, &s->lock);
	if (s->failed && err)
		*err = s->failure;
	return s->failed ? s->failure.code : 0;
}

static void
open_batch(struct store_sink *s)
{
	s->open = s->spare ? s->spare : mem_alloc(sizeof(*s->open));
	if (!s->spare)
		s->open->payload = (struct buf){ 0 };
	s->spare = NULL;
	s->open->n = 0;
	buf_clear(&s->open->payload);
	s->open->opened_ns = clock_now_ns();
	pthread_cond_signal(&s->work); /* it ages from now on */
}

static void
add_event(struct store_sink *s, const struct event *ev)
{
	struct batch *b;

	if (!s->open)
		open_batch(s);
	b = s->open;
	b->ev[b->n++] = *ev;
	buf_put(&b->payload, ev->payload.p, ev->payload.len);
	if (b->n == CHUNK_EVENTS || b->payload.len >= CHUNK_PAYLOAD)
		push_open(s);
	s->next_seq++;
}

static int
sink_put_events(struct sink *sink, const struct event *ev, size_t n,
		struct err *err)
{
	struct store_sink *s = of_sink(sink);
	int rc;

	if (ev->seq != s->next_seq)
		return err_set(err, EINVAL, "event %lu where %lu was expected",
			       (unsigned long)ev->seq,
			       (unsigned long)s->next_seq);
	pthread_mutex_lock(&s->lock);
	rc = wait_for_room(s, err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		add_event(s, &ev[i]);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int
sink_put_event(struct sink *sink, const struct event *ev, struct err *err)
{
	return sink_put_events(sink, ev, 1, err);
}

/* On failure j is still the caller's. */
static int
give_job(struct store_sink *s, struct job *j, struct err *err)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = wait_for_room(s, err);
	if (rc == 0)
		push_job(s, j);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int
sink_put_blob(struct sink *sink, struct span bytes, struct blob_id *out,
	      struct err *err)
{
	struct store_sink *s = of_sink(sink);
	struct job *j;
	int rc;

	if (bytes.len > BLOB_PIECE)
		return err_set(err, EINVAL, "a blob of %zu bytes", bytes.len);
	blob_id_of(bytes, out);
	if (!blobset_add(&s->seen, out, 0, NULL))
		return 0;
	j = mem_alloc(sizeof(*j) + bytes.len);
	*j = (struct job){ .id = *out, .len = bytes.len };
	memcpy(j->bytes, bytes.p, bytes.len);
	rc = give_job(s, j, err);
	if (rc < 0)
		mem_free(j);
	return rc;
}

static int
sink_put_file(struct sink *sink, int fd, const struct blob_id *ids, size_t n,
	      struct err *err)
{
	struct store_sink *s = of_sink(sink);
	struct claim *c = claim_new(fd, ids, n);
	struct job *j;
	int rc;

	if (!c)
		return -E_UNSUPPORTED;
	j = mem_zalloc(sizeof(*j));
	j->claim = c;
	rc = give_job(s, j, err);
	if (rc < 0) {
		claim_free(c);
		mem_free(j);
	}
	return rc;
}

static int
sink_flush_all(struct sink *sink, struct err *err)
{
	struct store_sink *s = of_sink(sink);
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	push_open(s);
	while ((s->head || s->busy) && !s->failed)
		pthread_cond_wait(&s->room, &s->lock);
	if (s->failed) {
		rc = s->failure.code;
		if (err)
			*err = s->failure;
	}
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? rc : spool_sync(s->spool, err);
}

static void
sink_flush_soon(struct sink *sink)
{
	struct store_sink *s = of_sink(sink);
	struct job *j = mem_zalloc(sizeof(*j));

	j->sync = true;
	pthread_mutex_lock(&s->lock);
	push_open(s);
	push_job(s, j);
	pthread_mutex_unlock(&s->lock);
}

/* ---- the writer thread */

static int
write_batch(struct store_sink *s, struct batch *b, struct err *err)
{
	struct chunk_head h = { .codec = CHUNK_CODEC };
	struct buf head = { 0 };
	struct arena a = { 0 };
	size_t at = 0;
	int rc;

	for (size_t i = 0; i < b->n; i++) {
		struct event *ev = &b->ev[i];

		ev->payload.p = b->payload.p + at;
		at += ev->payload.len;
		if (ev->task > s->tasks_seen)
			s->tasks_seen = ev->task;
		if (ev->kind == EV_end) {
			s->has_status = true;
			s->status = (int)ev->args[0];
		}
	}
	buf_clear(&s->chunk);
	rc = claims_settle(&s->claims, s->spool, err);
	if (rc == 0)
		rc = encoder_chunk(s->encoder, b->ev, b->n, &s->chunk, &h.info,
				   err);
	if (rc == 0) {
		chunk_head_of(b->ev, b->n, &a, &h);
		h.tasks_seen = s->tasks_seen;
		chunk_head_put(&head, &h);
		rc = spool_append(s->spool, FRAME_CHUNK, buf_span(&head),
				  buf_span(&s->chunk), err);
	}
	arena_free(&a);
	buf_free(&head);
	if (rc == 0) {
		pthread_mutex_lock(&s->lock);
		s->has_events = true;
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}

static int
write_end(struct store_sink *s, struct err *err)
{
	struct buf facts = { 0 };
	char text[16];
	int rc;

	snprintf(text, sizeof(text), "%d", s->status);
	if (s->has_status)
		facts_put(&facts, "status", text);
	rc = spool_append(s->spool, FRAME_END, buf_span(&facts),
			  (struct span){ 0 }, err);
	buf_free(&facts);
	return rc;
}

/* The next job, a batch that is old enough as one; NULL: closing. Locked. */
static struct job *
next_job(struct store_sink *s)
{
	for (;;) {
		struct job *j = s->head;
		uint64_t age;

		if (j) {
			s->head = j->next;
			if (!s->head)
				s->tail = &s->head;
			return j;
		}
		age = s->open ? clock_now_ns() - s->open->opened_ns : 0;
		if (s->open && (s->closing || age >= s->flush_ns)) {
			push_open(s);
		} else if (s->closing) {
			return NULL;
		} else if (s->open) {
			struct timespec t = after(s->flush_ns - age);

			pthread_cond_timedwait(&s->work, &s->lock, &t);
		} else {
			pthread_cond_wait(&s->work, &s->lock);
		}
	}
}

static void
done_job(struct store_sink *s, struct job *j)
{
	s->queued -= j->len;
	if (j->batch && !s->spare) {
		s->spare = j->batch;
	} else if (j->batch) {
		buf_free(&j->batch->payload);
		mem_free(j->batch);
	}
	mem_free(j);
	pthread_cond_broadcast(&s->room);
	pthread_cond_signal(&s->news);
}

static int
write_job(struct store_sink *s, struct job *j, struct err *err)
{
	if (j->sync)
		return spool_sync(s->spool, err);
	if (j->batch)
		return write_batch(s, j->batch, err);
	if (j->claim) {
		claims_add(&s->claims, j->claim);
		return 0;
	}
	return spool_append(s->spool, FRAME_BLOB,
			    span_of(&j->id, sizeof(j->id)),
			    span_of(j->bytes, j->len), err);
}

static void *
writer_main(void *arg)
{
	struct store_sink *s = arg;
	struct err err = { 0 };
	struct job *j;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while ((j = next_job(s))) {
		s->busy = true;
		pthread_mutex_unlock(&s->lock);
		/* After a failure jobs are only taken away. */
		if (rc == 0)
			rc = write_job(s, j, &err);
		else
			claim_free(j->claim);
		pthread_mutex_lock(&s->lock);
		if (rc < 0 && !s->failed) {
			s->failed = true;
			s->failure = err;
		}
		s->busy = false;
		done_job(s, j);
	}
	if (rc == 0 && write_end(s, &err) < 0) {
		s->failed = true;
		s->failure = err;
	}
	s->sealed = true;
	pthread_cond_signal(&s->news);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- the shipper thread */

/* Wait for more to ship; *out_upto is the end of the spool. True: that is all
 * there will be. */
static bool
wait_for_news(struct store_sink *s, uint64_t at, uint64_t *out_upto)
{
	bool sealed;

	pthread_mutex_lock(&s->lock);
	while (!s->sealed && spool_end(s->spool) <= at &&
	       !claims_are_open(&s->claims))
		pthread_cond_wait(&s->news, &s->lock);
	sealed = s->sealed;
	*out_upto = spool_end(s->spool);
	pthread_mutex_unlock(&s->lock);
	return sealed;
}

/* A recording is made known with its first events, or to hold what the server
 * has; false: there are none and will be none. */
static bool
wait_for_events(struct store_sink *s)
{
	bool any;

	pthread_mutex_lock(&s->lock);
	while (!s->sealed && !s->has_events && !claims_are_open(&s->claims))
		pthread_cond_wait(&s->news, &s->lock);
	any = s->has_events || !s->sealed;
	pthread_mutex_unlock(&s->lock);
	return any;
}

/* Wait a moment before another try, less when the recording ends. */
static bool
wait_to_retry(struct store_sink *s)
{
	struct timespec t = after(RETRY_NS);
	bool sealed;

	pthread_mutex_lock(&s->lock);
	while (!s->sealed &&
	       pthread_cond_timedwait(&s->news, &s->lock, &t) != ETIMEDOUT)
		;
	sealed = s->sealed;
	pthread_mutex_unlock(&s->lock);
	return sealed;
}

static void
set_problem(struct store_sink *s, const struct err *err)
{
	pthread_mutex_lock(&s->lock);
	s->has_problem = err != NULL;
	if (err)
		s->problem = *err;
	pthread_mutex_unlock(&s->lock);
}

/* Everything until the end, over one connection. 0: the server has it all. */
static int
ship_all(struct store_sink *s, struct db *db, struct err *err)
{
	struct shipper *sh = NULL;
	uint64_t at = spool_start(s->spool), upto;
	int rc;

	ship_leftovers(db, s->dir, s->where_key, NULL);
	if (!wait_for_events(s))
		return 0;
	rc = ship_open(db, s->spool, true, &sh, err);
	if (rc < 0)
		return rc;
	atomic_store(&s->recording, ship_recording(sh));
	set_problem(s, NULL);
	rc = claims_renew(&s->claims, sh, err);
	for (bool sealed = false; rc == 0 && !sealed; at = upto) {
		sealed = wait_for_news(s, at, &upto);
		rc = claims_ask(&s->claims, sh, err);
		while (rc >= 0 && (rc = ship_step(sh, upto, sealed, err)) > 0)
			;
	}
	if (rc == 0)
		rc = s->has_events ? ship_rest(sh, err) : ship_forget(sh, err);
	ship_close(sh);
	return rc;
}

static int
connect_and_ship(struct store_sink *s, bool last, struct err *err)
{
	struct db *db = NULL;
	int rc;

	rc = starter_wait(&s->starter, err);
	if (rc == 0)
		rc = store_connect(&s->where, &db, err);
	/* While it runs a stopped server stays stopped: somebody may want
	 * that. At the end the recording wants to be stored. */
	if (rc == -E_DB_UNREACHABLE && last && s->where.embedded) {
		rc = cluster_start(err);
		if (rc == 0)
			rc = store_connect(&s->where, &db, err);
	}
	if (rc == 0)
		rc = ship_all(s, db, err);
	db_close(db);
	return rc;
}

static void *
shipper_main(void *arg)
{
	struct store_sink *s = arg;
	struct err err = { 0 };
	int tries = 0;

	while (connect_and_ship(s, tries > 0, &err) < 0) {
		bool last;

		log_debug("shipping: %s", err.text);
		set_problem(s, &err);
		claims_server_is_away(&s->claims);
		last = wait_to_retry(s);
		if (last && !wait_for_events(s))
			break;
		if (last && ++tries > LAST_TRIES)
			return NULL;
	}
	s->stored = true; /* read after the join */
	return NULL;
}

/* ---- opening and closing */

static int
start_thread(pthread_t *t, void *(*main)(void *), void *arg, struct err *err)
{
	sigset_t all, old;
	int rc;

	/* Signals are for the tracer thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(t, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0 ? 0
		       : err_set(err, rc, "cannot start a thread: %s",
				 strerror(rc));
}

static void
end_writer(struct store_sink *s)
{
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->writer, NULL);
}

int
store_sink_finish(struct sink *sink, struct err *err)
{
	struct store_sink *s = of_sink(sink);

	if (!s->finished) {
		s->finished = true;
		end_writer(s);
		pthread_join(s->shipper, NULL);
		if (!s->stored && !s->failed)
			spool_sync(s->spool, NULL);
		spool_close(s->spool, s->stored);
		s->spool = NULL;
	}
	if (s->failed && err)
		*err = s->failure;
	return s->failed ? s->failure.code : 0;
}

static void
sink_free(struct store_sink *s)
{
	spool_close(s->spool, true);
	fd_close(&s->starter);
	encoder_free(s->encoder);
	claims_release(&s->claims);
	buf_free(&s->chunk);
	blobset_free(&s->seen);
	if (s->spare) {
		buf_free(&s->spare->payload);
		mem_free(s->spare);
	}
	store_where_free(&s->where);
	mem_free(s->where_key);
	mem_free(s->dir);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->room);
	pthread_cond_destroy(&s->news);
	mem_free(s);
}

static int
sink_close(struct sink *sink, struct err *err)
{
	int rc = store_sink_finish(sink, err);

	sink_free(of_sink(sink));
	return rc;
}

static const struct sink_ops ops = {
	.put = sink_put_event,
	.put_many = sink_put_events,
	.blob = sink_put_blob,
	.file = sink_put_file,
	.flush = sink_flush_all,
	.flush_soon = sink_flush_soon,
	.close = sink_close,
};

static void
init_threads(struct store_sink *s)
{
	pthread_condattr_t mono;

	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, &mono);
	pthread_cond_init(&s->room, &mono);
	pthread_cond_init(&s->news, &mono);
	pthread_condattr_destroy(&mono);
}

int
store_sink_open(const struct store_sink_opts *o, struct sink **out,
		struct err *err)
{
	struct store_sink *s = mem_zalloc(sizeof(*s));
	struct buf meta = { 0 };
	int rc;

	s->sink.ops = &ops;
	s->starter = -1;
	s->next_seq = 1;
	s->tail = &s->head;
	s->flush_ns = (o->flush_ms ? o->flush_ms : FLUSH_MS) * 1000000u;
	s->encoder = encoder_new();
	claims_init(&s->claims);
	init_threads(s);
	meta_uuid(s->uuid);
	rc = store_where(o->url, &s->where, err);
	if (rc == 0)
		rc = store_spool_dir(&s->dir, err);
	if (rc == 0) {
		if (s->where.embedded)
			s->starter = starter_fork();
		s->where_key = store_where_key(&s->where);
		meta_put(&meta, o, s->uuid, s->where_key);
		rc = spool_create(s->dir, s->uuid, buf_span(&meta), &s->spool,
				  err);
	}
	buf_free(&meta);
	if (rc == 0)
		rc = start_thread(&s->writer, writer_main, s, err);
	if (rc == 0) {
		rc = start_thread(&s->shipper, shipper_main, s, err);
		if (rc < 0)
			end_writer(s);
	}
	if (rc < 0) {
		sink_free(s);
		return rc;
	}
	*out = &s->sink;
	return 0;
}

uint64_t
store_sink_recording(struct sink *sink)
{
	return atomic_load(&of_sink(sink)->recording);
}

const char *
store_sink_uuid(struct sink *sink)
{
	return of_sink(sink)->uuid;
}

const char *
store_sink_problem(struct sink *sink)
{
	struct store_sink *s = of_sink(sink);
	const char *text = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->failed)
		text = s->failure.text;
	else if (s->has_problem)
		text = s->problem.text;
	pthread_mutex_unlock(&s->lock);
	return text;
}
