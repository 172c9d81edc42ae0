#include "sql/fdw/fdw.h"

#include <executor/executor.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <port/atomics.h>
#include <storage/shm_toc.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/ruleutils.h>

#include "event/codec.h"
#include "sql/fdw/blobs.h"
#include "sql/fdw/decode.h"
#include "sql/fdw/events.h"

#define LOOK_UP_EVERY 1024u /* events between looks at interrupts */

/* What the processes of a parallel scan share. */
struct shared {
	pg_atomic_uint64 next; /* the chunk that is to be taken next, from 0 */
	pg_atomic_uint64 read;
};

struct scan {
	MemoryContext context;
	int64 recording;
	bool back;
	uint32_t wanted, tested; /* attributes */

	struct qual *quals;
	int n_quals;
	List *values;	     /* ExprState, one for each of them */
	MemoryContext bound; /* what they compare with */

	struct chunk_table *table; /* NULL: not begun */
	uint64 ordinal;		   /* of the next chunk */
	struct decoder decoder;
	struct event_row row;
	struct blobs *blobs;
	struct blob_fetch fetch;
	bool running, nothing; /* nothing: no event can match */
	int64 lo, hi;	 /* seq */
	int32 next, end; /* in decoder.ev */
	/* What decoder.ev holds; n 0: nothing. */
	int64 held_first;
	int32 held_n;
	uint32_t held_cols;

	struct shared *shared;
	int64 starts, read; /* for EXPLAIN */
};

static int
get_blob(void *ctx, const struct blob_id *id, struct buf *out)
{
	return blobs_get(ctx, id, out);
}

static void
read_plan(struct scan *s, const ForeignScan *plan)
{
	List *atts = list_nth(plan->fdw_private, PLAN_ATTS);
	List *ops = list_nth(plan->fdw_private, PLAN_OPS);
	ListCell *lc;

	s->n_quals = list_length(atts);
	s->quals = palloc0(((Size)s->n_quals + 1) * sizeof(*s->quals));
	for (int i = 0; i < s->n_quals; i++) {
		s->quals[i].att = list_nth_int(atts, i);
		s->quals[i].op = (enum qual_op)list_nth_int(ops, i);
	}
	foreach (lc, (List *)list_nth(plan->fdw_private, PLAN_WANTED))
		s->wanted |= ATT_BIT(lfirst_int(lc));
	s->tested = quals_atts(s->quals, s->n_quals);
	s->back = linitial_int(list_nth(plan->fdw_private, PLAN_BACK)) != 0;
}

void
scan_begin(ForeignScanState *node, int flags)
{
	ForeignScan *plan = (ForeignScan *)node->ss.ps.plan;
	Relation rel = node->ss.ss_currentRelation;
	struct scan *s = palloc0(sizeof(*s));

	s->context = CurrentMemoryContext;
	node->fdw_state = s;
	read_plan(s, plan);
	if (flags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	events_check(RelationGetDescr(rel));
	s->recording = fdw_recording(RelationGetRelid(rel));
	s->values = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	s->bound = AllocSetContextCreate(s->context, "pastime conditions",
					 ALLOCSET_SMALL_SIZES);
	s->row = (struct event_row){
		.atts = s->wanted,
		.recording = s->recording,
		.context = s->context,
		.blobs = &s->fetch,
	};
	s->fetch = (struct blob_fetch){ get_blob, NULL };
}

static void
open_tables(struct scan *s, Snapshot snapshot)
{
	MemoryContext was = MemoryContextSwitchTo(s->context);

	s->table = chunk_table_open(s->recording, snapshot);
	decoder_init(&s->decoder);
	if (s->wanted & ATT_BIT(ATT_DATA)) {
		s->blobs = blobs_open(snapshot);
		s->fetch.ctx = s->blobs;
	}
	MemoryContextSwitchTo(was);
}

/* What the conditions compare with, now. */
static void
bind(struct scan *s, ExprContext *econtext)
{
	MemoryContext was;

	MemoryContextReset(s->bound);
	was = MemoryContextSwitchTo(s->bound);
	for (int i = 0; i < s->n_quals; i++) {
		ExprState *state = list_nth(s->values, i);
		struct qual *q = &s->quals[i];
		bool isnull;
		Datum d;

		if (q->op == QUAL_NULL || q->op == QUAL_NOT_NULL)
			continue;
		d = ExecEvalExpr(state, econtext, &isnull);
		qual_bind(q, d, isnull, exprType((Node *)state->expr));
	}
	MemoryContextSwitchTo(was);
}

static void
start(struct scan *s, ForeignScanState *node)
{
	s->ordinal = 0;
	s->next = s->end = 0;
	s->running = true;
	s->starts++;
	bind(s, node->ss.ps.ps_ExprContext);
	quals_range(s->quals, s->n_quals, &s->lo, &s->hi);
	s->nothing = s->lo > s->hi ||
		     !quals_want_recording(s->quals, s->n_quals, s->recording);
	if (s->nothing)
		return;
	if (!s->table)
		open_tables(s, node->ss.ps.state->es_snapshot);
	chunk_table_seek(s->table, s->lo, s->hi,
			 s->back ? BackwardScanDirection
				 : ForwardScanDirection);
}

/*
 * Processes of a parallel scan see the same chunks in the same order, because
 * they have one snapshot. Each takes the next number that nobody has taken and
 * goes on to the chunk which has it.
 */
static bool
take_chunk(struct scan *s, struct chunk_meta *c)
{
	uint64 mine = s->ordinal;

	if (s->shared)
		mine = pg_atomic_fetch_add_u64(&s->shared->next, 1);
	do {
		if (!chunk_table_next(s->table, c))
			return false;
	} while (s->ordinal++ < mine);
	return true;
}

static uint32_t
columns_for(const struct scan *s, const struct chunk_meta *c)
{
	uint32_t atts = s->wanted | s->tested;
	uint32_t cols = events_columns(atts);
	int n = atts & ATT_BIT(ATT_FD) ? c->n_calls : 0;

	for (int i = 0; i < n; i++) {
		if (facts_fd_moves(c->calls[i]))
			cols |= EVENT_COL_PAYLOAD;
	}
	return cols;
}

static void
decode(struct scan *s, const struct chunk_meta *c)
{
	uint32_t cols = columns_for(s, c);

	if (s->held_n == c->n && s->held_first == c->first_seq &&
	    s->held_cols == cols)
		return;
	s->held_n = 0;
	decoder_chunk(&s->decoder, s->table, s->recording, c, cols);
	s->held_first = c->first_seq;
	s->held_n = c->n;
	s->held_cols = cols;
}

static void
count(struct scan *s)
{
	if (s->shared)
		pg_atomic_fetch_add_u64(&s->shared->read, 1);
	else
		s->read++;
}

static bool
next_chunk(struct scan *s, MemoryContext once)
{
	struct chunk_meta c;

	for (;;) {
		MemoryContext was = MemoryContextSwitchTo(once);
		bool some = take_chunk(s, &c), wanted;

		CHECK_FOR_INTERRUPTS();
		wanted = some && quals_want_chunk(s->quals, s->n_quals, &c);
		if (wanted) {
			count(s);
			decode(s, &c);
		}
		MemoryContextSwitchTo(was);
		MemoryContextReset(once);
		if (!some)
			return false;
		if (!wanted)
			continue;
		/* The others of the chunk are not looked at. */
		s->next =
			s->lo > c.first_seq ? (int32)(s->lo - c.first_seq) : 0;
		s->end = s->hi - c.first_seq < c.n
				 ? (int32)(s->hi - c.first_seq + 1)
				 : c.n;
		return true;
	}
}

/* The next event that the conditions let through, or NULL. */
static const struct event *
next_event(struct scan *s, MemoryContext once)
{
	for (;;) {
		const struct event *ev;

		if (s->next >= s->end && !next_chunk(s, once))
			return NULL;
		if (s->next >= s->end)
			continue;
		ev = &s->decoder.ev[s->back ? --s->end : s->next++];
		if (quals_match(s->quals, s->n_quals, s->recording, ev))
			return ev;
		if (ev->seq % LOOK_UP_EVERY == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

TupleTableSlot *
scan_next(ForeignScanState *node)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	struct scan *s = node->fdw_state;
	const struct event *ev;

	ExecClearTuple(slot);
	if (!s->running)
		start(s, node);
	if (s->nothing)
		return slot;
	ev = next_event(s, s->decoder.once);
	if (!ev)
		return slot;
	events_row(&s->row, ev, slot->tts_values, slot->tts_isnull);
	return ExecStoreVirtualTuple(slot);
}

void
scan_again(ForeignScanState *node)
{
	struct scan *s = node->fdw_state;

	s->running = false;
}

void
scan_end(ForeignScanState *node)
{
	struct scan *s = node->fdw_state;

	if (!s)
		return;
	chunk_table_close(s->table);
	blobs_close(s->blobs);
}

/* ---- parallel scans */

Size
scan_dsm_size(ForeignScanState *node, ParallelContext *pcxt)
{
	return sizeof(struct shared);
}

void
scan_dsm_init(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	struct scan *s = node->fdw_state;

	s->shared = coordinate;
	pg_atomic_init_u64(&s->shared->next, 0);
	pg_atomic_init_u64(&s->shared->read, 0);
}

void
scan_dsm_again(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	struct shared *shared = coordinate;

	pg_atomic_write_u64(&shared->next, 0);
}

void
scan_dsm_worker(ForeignScanState *node, shm_toc *toc, void *coordinate)
{
	struct scan *s = node->fdw_state;

	s->shared = coordinate;
}

/* The shared memory goes away; what was counted stays. */
void
scan_shutdown(ForeignScanState *node)
{
	struct scan *s = node->fdw_state;

	if (!s || !s->shared)
		return;
	s->read += (int64)pg_atomic_read_u64(&s->shared->read);
	s->starts = Max(s->starts, 1);
	s->shared = NULL;
}

/* ---- EXPLAIN */

static void
explain_quals(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *)node->ss.ps.plan;
	List *context;
	Node *all;

	if (!plan->fdw_recheck_quals)
		return;
	all = (Node *)make_ands_explicit(plan->fdw_recheck_quals);
	context = set_deparse_context_plan(es->deparse_cxt, (Plan *)plan, NIL);
	ExplainPropertyText(
		"Chunk Filter",
		deparse_expression(all, context,
				   list_length(es->rtable) > 1 || es->verbose,
				   false),
		es);
}

void
scan_explain(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *)node->ss.ps.plan;
	List *chunks = list_nth(plan->fdw_private, PLAN_CHUNKS);
	struct scan *s = node->fdw_state;
	int64 pruned;

	explain_quals(node, es);
	if (s->back)
		ExplainPropertyText("Direction", "backward", es);
	ExplainPropertyInteger("Chunks Planned", NULL, linitial_int(chunks),
			       es);
	ExplainPropertyInteger("Chunks Stored", NULL, lsecond_int(chunks), es);
	if (!es->analyze)
		return;
	pruned = s->starts * lsecond_int(chunks) - s->read;
	ExplainPropertyInteger("Chunks Read", NULL, s->read, es);
	ExplainPropertyInteger("Chunks Pruned", NULL, Max(pruned, 0), es);
}
