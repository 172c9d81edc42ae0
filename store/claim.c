#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/ship.h"
#include "store/spool.h"

/* A server that runs answers in a few ms. */
#define PATIENCE_NS UINT64_C(100000000)
/* So many files are kept open. */
#define CLAIMS_MAX 512

enum claim_state {
	CLAIM_OPEN,
	CLAIM_HELD,
	CLAIM_ABSENT,
	CLAIM_SPOOLED,
};

struct claim {
	int fd;
	enum claim_state state;
	size_t n;
	struct blob_id ids[];
};

typedef int piece_fn(void *ctx, const struct blob_id *id, struct span bytes,
		     struct err *err);

void
claims_init(struct claims *c)
{
	pthread_condattr_t mono;

	*c = (struct claims){ 0 };
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->answered, &mono);
	pthread_condattr_destroy(&mono);
}

void
claims_release(struct claims *c)
{
	for (size_t i = 0; i < c->v.len; i++)
		claim_free(c->v.v[i]);
	vec_free(&c->v);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->answered);
}

struct claim *
claim_new(int fd, const struct blob_id *ids, size_t n)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct claim *c;

	if (own < 0)
		return NULL;
	c = mem_alloc(sizeof(*c) + n * sizeof(*ids));
	c->fd = own;
	c->state = CLAIM_OPEN;
	c->n = n;
	memcpy(c->ids, ids, n * sizeof(*ids));
	return c;
}

void
claim_free(struct claim *c)
{
	if (!c)
		return;
	fd_close(&c->fd);
	mem_free(c);
}

static bool
is_none(const struct blob_id *id)
{
	static const struct blob_id none;

	return memcmp(id, &none, sizeof(none)) == 0;
}

/* Hand out what the file contains, each piece only as what it was claimed to
 * be. */
static int
claim_read(const struct claim *c, piece_fn *fn, void *ctx, struct err *err)
{
	uint8_t *bytes = mem_alloc(BLOB_PIECE);
	struct blob_id found;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		ssize_t n;

		if (is_none(&c->ids[i]))
			continue;
		n = fd_pread_full(c->fd, bytes, BLOB_PIECE,
				  (off_t)(i * BLOB_PIECE));
		if (n < 0) {
			errno = (int)-n;
			rc = err_errno(err, "cannot read a mapped file");
			break;
		}
		blob_id_of(span_of(bytes, (size_t)n), &found);
		if (memcmp(&found, &c->ids[i], sizeof(found)) != 0)
			rc = err_set(err, E_SPOOL,
				     "a mapped file does not contain any more "
				     "what it did");
		else
			rc = fn(ctx, &found, span_of(bytes, (size_t)n), err);
	}
	mem_free(bytes);
	return rc;
}

/* ---- the writer */

void
claims_add(struct claims *c, struct claim *new_claim)
{
	pthread_mutex_lock(&c->lock);
	vec_push(&c->v, new_claim);
	pthread_mutex_unlock(&c->lock);
}

/* Until the server has answered, or it is clear that it will not soon. */
static void
wait_for_answers(struct claims *c)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct timespec t = { .tv_sec = (time_t)(until / 1000000000u),
			      .tv_nsec = (long)(until % 1000000000u) };

	while (c->asked < c->v.len && !c->away)
		if (pthread_cond_timedwait(&c->answered, &c->lock, &t) ==
		    ETIMEDOUT)
			c->away = true;
}

static int
to_spool(void *ctx, const struct blob_id *id, struct span bytes,
	 struct err *err)
{
	return spool_append(ctx, FRAME_BLOB, span_of(id, sizeof(*id)), bytes,
			    err);
}

int
claims_settle(struct claims *c, struct spool *spool, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	wait_for_answers(c);
	for (size_t i = 0; rc == 0 && i < c->v.len; i++) {
		struct claim *one = c->v.v[i];
		bool kept = one->state == CLAIM_HELD && i < CLAIMS_MAX;

		if (kept || one->fd < 0)
			continue;
		if (one->state != CLAIM_HELD) {
			/* Whoever asks meanwhile finds nothing to ask for. */
			one->state = CLAIM_SPOOLED;
			pthread_mutex_unlock(&c->lock);
			rc = claim_read(one, to_spool, spool, err);
			pthread_mutex_lock(&c->lock);
		}
		fd_close(&one->fd);
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* ---- the shipper */

bool
claims_are_open(struct claims *c)
{
	bool any;

	pthread_mutex_lock(&c->lock);
	any = c->asked < c->v.len;
	pthread_mutex_unlock(&c->lock);
	return any;
}

void
claims_server_is_away(struct claims *c)
{
	pthread_mutex_lock(&c->lock);
	c->away = true;
	pthread_cond_broadcast(&c->answered);
	pthread_mutex_unlock(&c->lock);
}

/* Claims [from, upto), in one transaction. Locked but for the questions. */
static int
ask(struct claims *c, struct shipper *sh, size_t from, size_t upto, bool *held,
    struct err *err)
{
	int rc;

	pthread_mutex_unlock(&c->lock);
	rc = ship_hold_begin(sh, err);
	pthread_mutex_lock(&c->lock);
	for (size_t i = from; rc == 0 && i < upto; i++) {
		struct claim *one = c->v.v[i];

		if (one->state != CLAIM_OPEN)
			continue;
		pthread_mutex_unlock(&c->lock);
		rc = ship_hold(sh, one->ids, one->n, &held[i - from], err);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	rc = ship_hold_end(sh, rc, err);
	pthread_mutex_lock(&c->lock);
	return rc;
}

int
claims_ask(struct claims *c, struct shipper *sh, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	c->away = false;
	while (rc == 0 && c->asked < c->v.len) {
		size_t from = c->asked, upto = c->v.len;
		bool *held = mem_calloc(upto - from, sizeof(*held));

		rc = ask(c, sh, from, upto, held, err);
		for (size_t i = from; rc == 0 && i < upto; i++) {
			struct claim *one = c->v.v[i];

			if (one->state == CLAIM_OPEN)
				one->state = held[i - from] ? CLAIM_HELD
							    : CLAIM_ABSENT;
		}
		if (rc == 0)
			c->asked = upto;
		mem_free(held);
	}
	c->away |= rc < 0;
	pthread_cond_broadcast(&c->answered);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* Again, alone. */
static int
hold(struct shipper *sh, const struct claim *one, bool *held, struct err *err)
{
	int rc = ship_hold_begin(sh, err);

	if (rc == 0)
		rc = ship_hold(sh, one->ids, one->n, held, err);
	rc = ship_hold_end(sh, rc, err);
	*held &= rc == 0;
	return rc;
}

static int
to_server(void *ctx, const struct blob_id *id, struct span bytes,
	  struct err *err)
{
	return ship_blob(ctx, id, bytes, err);
}

int
claims_renew(struct claims *c, struct shipper *sh, struct err *err)
{
	size_t asked, i;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	asked = c->asked;
	for (i = 0; rc == 0 && i < asked; i++) {
		struct claim *one = c->v.v[i];
		bool held = true;

		if (one->state != CLAIM_HELD)
			continue;
		pthread_mutex_unlock(&c->lock);
		rc = hold(sh, one, &held, err);
		if (rc == 0 && !held && one->fd >= 0)
			rc = claim_read(one, to_server, sh, err);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}
