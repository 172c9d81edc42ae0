/*
 * What the planner asks. Numbers of rows come from the index columns of chunks,
 * which tell exactly how many events a range of seq has, closely how many a
 * range of time has, and which chunks can hold a call, task, kind or error at
 * all; how frequent those are in them, ANALYZE has found out (sample.c).
 */
#include "sql/fdw/fdw.h"

#include <access/stratnum.h>
#include <catalog/pg_type.h>
#include <commands/defrem.h>
#include <foreign/foreign.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/cost.h>
#include <optimizer/optimizer.h>
#include <optimizer/paths.h>
#include <optimizer/planmain.h>
#include <optimizer/restrictinfo.h>
#include <utils/snapmgr.h>

#include "event/codec.h"
#include "sql/fdw/chunks.h"
#include "sql/fdw/events.h"

/*
 * Measured, where a row through the executor (cpu_tuple_cost) is 43 ns: an
 * event decoded 42 ns, with its payload 210 ns more, the index columns of a
 * chunk 1 us; the bytes of a chunk are pages.
 */
#define COST_EVENT 0.01
#define COST_PAYLOAD 0.05
#define COST_META 0.2
#define COST_CHUNK 6 /* pages of its bytes */

/* What plan_size found out for the others. */
struct plan {
	double events; /* in chunks that must be read */
	int chunks, stored;
	double tests; /* cost of the conditions that are left, for each row */
};

int64
fdw_recording(Oid table)
{
	ForeignTable *t = GetForeignTable(table);
	ListCell *lc;

	foreach (lc, t->options) {
		const DefElem *d = lfirst_node(DefElem, lc);

		if (strcmp(d->defname, "recording") == 0)
			return strtoll(defGetString((DefElem *)lfirst(lc)),
				       NULL, 10);
	}
	ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
			errmsg("a table over chunks needs the option "
			       "recording")));
}

/* A condition, as far as it is known when planning. */
static bool
known_qual(PlannerInfo *root, Expr *clause, Index relid, struct qual *q)
{
	Expr *value;
	Const *c;

	*q = (struct qual){ 0 };
	if (!qual_recognise(clause, relid, &q->att, &q->op, &value))
		return false;
	if (!value)
		return true;
	c = (Const *)estimate_expression_value(root, (Node *)value);
	if (!IsA(c, Const))
		return false;
	qual_bind(q, c->constvalue, c->constisnull, c->consttype);
	return true;
}

/* The part of values from lo to hi that conditions on att let through. */
static double
part_of(const struct qual *q, int n, int att, int64 lo, int64 hi)
{
	double width = (double)hi - (double)lo + 1, from = 0, to = width;
	bool points = false;
	double hits = 0;

	for (int i = 0; i < n; i++, q++) {
		double at;

		if (q->att != att || q->never || q->n == 0)
			continue;
		at = (double)q->v[0] - (double)lo;
		if (q->op == QUAL_GE || q->op == QUAL_GT)
			from = Max(from, at + (q->op == QUAL_GT));
		else if (q->op == QUAL_LE || q->op == QUAL_LT)
			to = Min(to, at + (q->op == QUAL_LE));
		for (int k = 0; q->op == QUAL_EQ || q->op == QUAL_ANY; k++) {
			points = true;
			if (k == q->n)
				break;
			hits += q->v[k] >= lo && q->v[k] <= hi;
		}
	}
	if (points)
		to = Min(to, from + hits);
	return to <= from ? 0 : (to - from) / width;
}

struct counts {
	double all;	 /* events there are */
	double ranged;	 /* by conditions on seq and time */
	double read;	 /* in chunks that may match */
	double possible; /* of those, by conditions on seq and time */
	int chunks, stored;
};

static void
look_at_chunks(int64 recording, const struct qual *q, int n, struct counts *out)
{
	struct chunk_table *t =
		chunk_table_open(recording, GetActiveSnapshot());
	struct chunk_meta c;

	*out = (struct counts){ 0 };
	chunk_table_seek(t, 1, PG_INT64_MAX, ForwardScanDirection);
	while (chunk_table_next(t, &c)) {
		double part = part_of(q, n, ATT_SEQ, c.first_seq,
				      c.first_seq + c.n - 1) *
			      part_of(q, n, ATT_TIME, c.t_min, c.t_max);

		out->all += c.n;
		out->ranged += part * c.n;
		out->stored++;
		if (!quals_want_chunk(q, n, &c))
			continue;
		out->read += c.n;
		out->possible += part * c.n;
		out->chunks++;
	}
	chunk_table_close(t);
}

void
plan_size(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	int64 recording = fdw_recording(table);
	int len = list_length(rel->baserestrictinfo), n = 0;
	struct qual *q = palloc0(((Size)len + 1) * sizeof(*q));
	struct plan *p = palloc0(sizeof(*p));
	struct counts counts = { 0 };
	List *others = NIL, *tested = NIL;
	QualCost tests;
	double rows;
	ListCell *lc;

	foreach (lc, rel->baserestrictinfo) {
		RestrictInfo *ri = lfirst_node(RestrictInfo, lc);
		bool known = known_qual(root, ri->clause, rel->relid, &q[n]);
		enum qual_op op;
		Expr *value;
		int att;

		if (!known || (q[n].att != ATT_RECORDING &&
			       q[n].att != ATT_SEQ && q[n].att != ATT_TIME))
			others = lappend(others, ri);
		n += known;
		if (!qual_recognise(ri->clause, rel->relid, &att, &op, &value))
			tested = lappend(tested, ri);
	}
	if (quals_want_recording(q, n, recording))
		look_at_chunks(recording, q, n, &counts);
	rows = counts.ranged *
	       clauselist_selectivity(root, others, 0, JOIN_INNER, NULL);
	cost_qual_eval(&tests, tested, root);
	p->events = counts.read;
	p->chunks = counts.chunks;
	p->stored = counts.stored;
	p->tests = tests.per_tuple;
	rel->tuples = Max(counts.all, 1);
	rel->pages = (BlockNumber)counts.stored * COST_CHUNK;
	rel->rows = clamp_row_est(Min(rows, counts.possible));
	rel->fdw_private = p;
}

/* Attributes that a scan must give. */
static uint32_t
wanted(RelOptInfo *rel, List *clauses)
{
	Bitmapset *set = NULL;
	uint32_t atts = 0;
	int at = -1;

	pull_varattnos((Node *)rel->reltarget->exprs, rel->relid, &set);
	pull_varattnos((Node *)clauses, rel->relid, &set);
	while ((at = bms_next_member(set, at)) >= 0) {
		int att = at + FirstLowInvalidHeapAttributeNumber;

		if (att == 0)
			atts |= ATT_ALL;
		else if (att > 0 && att < ATT_END)
			atts |= ATT_BIT(att);
	}
	return atts;
}

static double
event_cost(RelOptInfo *rel)
{
	uint32_t atts = wanted(
		rel, extract_actual_clauses(rel->baserestrictinfo, false));

	return atts & ATT_TEXTS ? COST_PAYLOAD : COST_EVENT;
}

/* To look at the index columns of some chunks, read some of these, and give
 * rows. */
static void
costs(RelOptInfo *rel, double looked_at, double chunks, double events,
      double rows, Cost *out_start, Cost *out_total)
{
	const struct plan *p = rel->fdw_private;

	*out_start = COST_META * looked_at + rel->reltarget->cost.startup;
	*out_total = *out_start + COST_CHUNK * chunks +
		     events * event_cost(rel) +
		     rows * (cpu_tuple_cost + p->tests +
			     rel->reltarget->cost.per_tuple);
}

/* ---- paths */

/* The query's first sort key, when it is seq; *back: from the end. */
static PathKey *
seq_key(PlannerInfo *root, RelOptInfo *rel, bool *back)
{
	PathKey *key;
	ListCell *lc;

	if (!root->query_pathkeys)
		return NULL;
	key = linitial_node(PathKey, root->query_pathkeys);
	foreach (lc, key->pk_eclass->ec_members) {
		const EquivalenceMember *em = lfirst(lc);
		const Var *v = (const Var *)em->em_expr;

		if (!bms_equal(em->em_relids, rel->relids) || !IsA(v, Var) ||
		    v->varattno != ATT_SEQ || key->pk_eclass->ec_has_volatile)
			continue;
		*back = key->pk_strategy == BTGreaterStrategyNumber;
		return key;
	}
	return NULL;
}

static void
add_parallel_path(PlannerInfo *root, RelOptInfo *rel, Cost start, Cost total)
{
	const struct plan *p = rel->fdw_private;
	int workers =
		compute_parallel_worker(rel, p->chunks * COST_CHUNK * 16, -1,
					max_parallel_workers_per_gather);
	ForeignPath *path;
	double shares;

	workers = Min(workers, p->chunks - 1);
	if (!rel->consider_parallel || workers <= 0 ||
	    !bms_is_empty(rel->lateral_relids))
		return;
	/* As for other scans: the leader helps, the less the more there are. */
	shares = workers + (parallel_leader_participation && workers < 4
				    ? 1.0 - 0.3 * workers
				    : 0);
	shares = Max(shares, workers);
	path = FOREIGNSCAN_PATH(root, rel, clamp_row_est(rel->rows / shares),
				start, start + (total - start) / shares, NIL,
				NULL, list_make1_int(0));
	path->path.parallel_aware = true;
	path->path.parallel_workers = workers;
	add_partial_path(rel, (Path *)path);
}

static bool
is_seq(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
       EquivalenceMember *em, void *arg)
{
	const Var *v = (const Var *)em->em_expr;

	return IsA(v, Var) && (Index)v->varno == rel->relid &&
	       v->varattno == ATT_SEQ;
}

/* The inner side of a nested loop, for one seq at a time. */
static void
add_inner_path(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *ri)
{
	Cost start, total;
	ParamPathInfo *ppi;
	enum qual_op op;
	Relids outer;
	Expr *value;
	int att;

	if (!join_clause_is_movable_to(ri, rel) ||
	    !qual_recognise(ri->clause, rel->relid, &att, &op, &value) ||
	    att != ATT_SEQ || op != QUAL_EQ)
		return;
	outer = bms_union(ri->clause_relids, rel->lateral_relids);
	outer = bms_del_member(outer, (int)rel->relid);
	if (bms_is_empty(outer))
		return;
	ppi = get_baserel_parampathinfo(root, rel, outer);
	costs(rel, 1, 1, CHUNK_EVENTS, ppi->ppi_rows, &start, &total);
	add_path(rel, (Path *)FOREIGNSCAN_PATH(root, rel, ppi->ppi_rows, start,
					       total, NIL, outer,
					       list_make1_int(0)));
}

static void
add_inner_paths(PlannerInfo *root, RelOptInfo *rel)
{
	List *clauses = list_copy(rel->joininfo);
	ListCell *lc;

	if (rel->has_eclass_joins)
		clauses = list_concat(clauses,
				      generate_implied_equalities_for_column(
					      root, rel, is_seq, NULL,
					      rel->lateral_referencers));
	foreach (lc, clauses)
		add_inner_path(root, rel, lfirst_node(RestrictInfo, lc));
}

void
plan_paths(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	const struct plan *p = rel->fdw_private;
	Cost start, total;
	bool back = false;
	PathKey *key = seq_key(root, rel, &back);

	costs(rel, p->stored, p->chunks, p->events, rel->rows, &start, &total);
	add_path(rel,
		 (Path *)FOREIGNSCAN_PATH(root, rel, rel->rows, start, total,
					  NIL, NULL, list_make1_int(0)));
	/* Chunks are read in order of seq, forwards or backwards. */
	if (key)
		add_path(rel,
			 (Path *)FOREIGNSCAN_PATH(root, rel, rel->rows, start,
						  total, list_make1(key), NULL,
						  list_make1_int(back)));
	add_parallel_path(root, rel, start, total);
	if (p->chunks > 0)
		add_inner_paths(root, rel);
}

/* ---- the plan */

static void
split_clauses(RelOptInfo *rel, List *clauses, List **out_ours,
	      List **out_values, List **out_atts, List **out_ops,
	      List **out_others)
{
	ListCell *lc;

	foreach (lc, clauses) {
		Expr *clause = lfirst(lc), *value;
		enum qual_op op;
		int att;

		if (!qual_recognise(clause, rel->relid, &att, &op, &value)) {
			*out_others = lappend(*out_others, clause);
			continue;
		}
		if (!value)
			value = (Expr *)makeNullConst(INT4OID, -1, InvalidOid);
		*out_ours = lappend(*out_ours, clause);
		*out_values = lappend(*out_values, value);
		*out_atts = lappend_int(*out_atts, att);
		*out_ops = lappend_int(*out_ops, (int)op);
	}
}

static List *
attribute_list(uint32_t atts)
{
	List *l = NIL;

	for (int att = 1; att < ATT_END; att++) {
		if (atts & ATT_BIT(att))
			l = lappend_int(l, att);
	}
	return l;
}

ForeignScan *
plan_scan(PlannerInfo *root, RelOptInfo *rel, Oid table, ForeignPath *path,
	  List *tlist, List *clauses, Plan *outer)
{
	const struct plan *p = rel->fdw_private;
	List *ours = NIL, *values = NIL, *atts = NIL, *ops = NIL, *others = NIL;
	List *private;

	clauses = extract_actual_clauses(clauses, false);
	split_clauses(rel, clauses, &ours, &values, &atts, &ops, &others);
	private = list_make5(atts, ops, attribute_list(wanted(rel, others)),
			     path->fdw_private,
			     list_make2_int(p->chunks, p->stored));
	return make_foreignscan(tlist, others, rel->relid, values, private, NIL,
				ours, outer);
}
