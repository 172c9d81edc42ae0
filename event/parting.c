#include "event/parting.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#define PROGRESS_EVERY 4096u

/* One place of the tree: the two tasks that stand there. */
struct lane {
	VEC(struct alike_sig) ahead; /* what one of them is ahead, */
	size_t head;		     /* from here on */
	int side;		     /* which */
	uint32_t task[2];
	uint64_t last[2]; /* the last pair that was alike */
	bool closed;	  /* it has parted, or does not matter any more */
};

struct finder {
	struct source *const *src;
	struct alike *alike[2];
	struct map by_place;
	VEC(struct lane *) lanes;
	uint64_t ahead[2]; /* events kept */
	uint64_t read[2];  /* the last seq that was read */
	bool done[2], ended[2];
	uint64_t compared;
	/* The first parting so far, and the place of it in recording 0. */
	bool found;
	struct parting best;
	uint64_t rank;
	/* Events of recording 0 before it that have no partner yet. */
	uint64_t open;
};

static size_t
lane_ahead(const struct lane *l)
{
	return l->ahead.len - l->head;
}

static void
lane_close(struct finder *f, struct lane *l)
{
	f->ahead[l->side] -= lane_ahead(l);
	vec_free(&l->ahead);
	l->head = 0;
	l->closed = true;
}

static struct lane *
lane_of(struct finder *f, uint64_t place)
{
	struct lane *l = map_get(&f->by_place, place);

	if (!l) {
		l = mem_zalloc(sizeof(*l));
		vec_push(&f->lanes, l);
		map_set(&f->by_place, place, l);
	}
	return l;
}

/* Recount what may still part before the best one. */
static void
count_open(struct finder *f)
{
	f->open = 0;
	for (size_t i = 0; i < f->lanes.len; i++) {
		const struct lane *l = f->lanes.v[i];

		if (l->closed || l->side != 0)
			continue;
		for (size_t k = l->head; k < l->ahead.len; k++)
			f->open += l->ahead.v[k].seq < f->rank;
	}
}

/* seq: of the events that differ, 0 = there is none. */
static void
part(struct finder *f, struct lane *l, const uint64_t seq[2], unsigned parts)
{
	/* Where recording 0 has nothing: after its last event there. */
	uint64_t rank = seq[0]	     ? seq[0]
			: l->last[0] ? l->last[0] + 1
				     : UINT64_MAX;

	if (!f->found || rank < f->rank) {
		f->found = true;
		f->rank = rank;
		f->best = (struct parting){ .parts = parts };
		for (int i = 0; i < 2; i++) {
			f->best.seq[i] = seq[i];
			f->best.task[i] = l->task[i];
			f->best.alike[i] = l->last[i];
		}
	}
	lane_close(f, l);
	count_open(f);
}

static void
pair(struct finder *f, struct lane *l, int side, const struct alike_sig *sig)
{
	const struct alike_sig *other = &l->ahead.v[l->head];
	uint64_t seq[2];
	unsigned parts = alike_compare(other, sig);

	seq[side] = sig->seq;
	seq[!side] = other->seq;
	f->compared++;
	if (parts) {
		part(f, l, seq, parts);
		return;
	}
	if (sig->what == 0 || other->what == 0) {
		lane_close(f, l);
		if (f->found)
			count_open(f);
		return;
	}
	if (f->found && side == 1 && other->seq < f->rank)
		f->open--;
	l->last[0] = seq[0];
	l->last[1] = seq[1];
	f->ahead[!side]--;
	if (++l->head == l->ahead.len) {
		vec_clear(&l->ahead);
		l->head = 0;
	}
}

static void
keep(struct finder *f, struct lane *l, int side, const struct alike_sig *sig)
{
	/* Past the best one nothing is looked for. */
	if (f->found && (side == 1 || sig->seq > f->rank))
		return;
	/* What was paired makes room. */
	if (l->head > 64 && l->head > l->ahead.len / 2) {
		memmove(l->ahead.v, l->ahead.v + l->head,
			lane_ahead(l) * sizeof(*sig));
		l->ahead.len -= l->head;
		l->head = 0;
	}
	l->side = side;
	vec_push(&l->ahead, *sig);
	f->ahead[side]++;
	if (f->found)
		f->open++;
}

static int
step(struct finder *f, int side, struct err *err)
{
	struct alike_sig sig;
	struct event ev;
	uint64_t place;
	struct lane *l;
	int rc = source_next(f->src[side], &ev, err);

	if (rc <= 0) {
		f->done[side] = true;
		return rc;
	}
	f->read[side] = ev.seq;
	if (ev.kind == EV_end)
		f->ended[side] = true;
	if (!alike_event(f->alike[side], &ev, &place, &sig))
		return 0;
	l = lane_of(f, place);
	l->task[side] = ev.task;
	if (l->closed)
		return 0;
	if (lane_ahead(l) && l->side != side)
		pair(f, l, side, &sig);
	else
		keep(f, l, side, &sig);
	return 0;
}

/* Which one to read next: 0, 1, or -1: nothing is left to be learned. */
static int
next_side(const struct finder *f)
{
	if (f->found) {
		if (!f->done[0] && f->read[0] < f->rank)
			return 0;
		return f->open && !f->done[1] ? 1 : -1;
	}
	if (f->done[0] || f->done[1])
		return f->done[0] ? (f->done[1] ? -1 : 1) : 0;
	return f->ahead[0] > f->ahead[1] ||
	       (f->ahead[0] == f->ahead[1] && f->read[1] < f->read[0]);
}

/* What one has and the other has not. */
static void
look_at_rest(struct finder *f)
{
	for (size_t i = 0; i < f->lanes.len; i++) {
		struct lane *l = f->lanes.v[i];
		const struct alike_sig *sig;
		uint64_t seq[2] = { 0, 0 };

		if (l->closed || !lane_ahead(l) || !f->done[!l->side] ||
		    !f->ended[!l->side])
			continue;
		sig = &l->ahead.v[l->head];
		if (sig->what == 0)
			continue;
		seq[l->side] = sig->seq;
		part(f, l, seq, 0);
	}
}

static int
run(struct finder *f, bool (*progress)(void *, uint64_t, uint64_t), void *ctx,
    struct err *err)
{
	uint64_t to = f->src[0]->ops->last_seq(f->src[0]) +
		      f->src[1]->ops->last_seq(f->src[1]);
	uint64_t n = 0;
	int side, rc;

	while ((side = next_side(f)) >= 0) {
		rc = step(f, side, err);
		if (rc < 0)
			return rc;
		if (++n % PROGRESS_EVERY == 0 && progress &&
		    !progress(ctx, f->read[0] + f->read[1], to))
			return err_set(err, E_CANCELLED, "cancelled");
	}
	look_at_rest(f);
	return 0;
}

int
parting_find(struct source *const src[2],
	     bool (*progress)(void *ctx, uint64_t at, uint64_t to), void *ctx,
	     struct parting *out, struct err *err)
{
	struct finder f = { .src = src, .alike = { alike_new(), alike_new() } };
	int rc = run(&f, progress, ctx, err);

	if (rc == 0) {
		*out = f.best;
		out->compared = f.compared;
		for (int i = 0; i < 2; i++)
			out->cut[i] = f.done[i] && !f.ended[i];
		rc = f.found;
	}
	for (size_t i = 0; i < f.lanes.len; i++) {
		vec_free(&f.lanes.v[i]->ahead);
		mem_free(f.lanes.v[i]);
	}
	vec_free(&f.lanes);
	map_free(&f.by_place);
	alike_free(f.alike[0]);
	alike_free(f.alike[1]);
	return rc;
}
