#include "sql/fdw/quals.h"

#include <access/stratnum.h>
#include <catalog/pg_am.h>
#include <catalog/pg_opfamily.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <utils/lsyscache.h>

#include "sql/fdw/events.h"

static Node *
strip(Node *n)
{
	while (n && IsA(n, RelabelType))
		n = (Node *)((RelabelType *)n)->arg;
	return n;
}

/* The attribute when n is a column of relid that is a number, or 0. */
static int
column_of(Node *n, Index relid)
{
	const Var *v = (const Var *)strip(n);

	if (!v || !IsA(v, Var) || (Index)v->varno != relid ||
	    v->varlevelsup != 0 || v->varattno < ATT_RECORDING ||
	    v->varattno > ATT_ERROR)
		return 0;
	return v->varattno;
}

static bool
is_fixed(Node *n, Index relid)
{
	return !bms_is_member((int)relid, pull_varnos(NULL, n)) &&
	       !contain_volatile_functions(n) && !contain_subplans(n);
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
comparison(OpExpr *e, Index relid, int *out_att, enum qual_op *out_op,
	   Expr **out_value)
{
	Node *left, *right;
	Oid op = e->opno;
	int strategy;

	if (list_length(e->args) != 2)
		return false;
	left = linitial(e->args);
	right = lsecond(e->args);
	*out_att = column_of(left, relid);
	if (!*out_att) {
		op = get_commutator(op);
		*out_att = column_of(right, relid);
		right = left;
	}
	if (!*out_att || !OidIsValid(op) || !is_integer(exprType(right)) ||
	    !is_fixed(right, relid))
		return false;
	strategy = get_op_opfamily_strategy(op, INTEGER_BTREE_FAM_OID);
	if (strategy < BTLessStrategyNumber ||
	    strategy > BTGreaterStrategyNumber)
		return false;
	*out_op = (enum qual_op)strategy;
	*out_value = (Expr *)right;
	return true;
}

static bool
any_of(ScalarArrayOpExpr *e, Index relid, int *out_att, Expr **out_value)
{
	Node *array = lsecond(e->args);

	*out_att = column_of(linitial(e->args), relid);
	if (!*out_att || !e->useOr ||
	    get_op_opfamily_strategy(e->opno, INTEGER_BTREE_FAM_OID) !=
		    BTEqualStrategyNumber ||
	    !is_integer(get_element_type(exprType(array))) ||
	    !is_fixed(array, relid))
		return false;
	*out_value = (Expr *)array;
	return true;
}

bool
qual_recognise(Expr *clause, Index relid, int *out_att, enum qual_op *out_op,
	       Expr **out_value)
{
	const NullTest *t;

	if (IsA(clause, OpExpr))
		return comparison((OpExpr *)clause, relid, out_att, out_op,
				  out_value);
	*out_op = QUAL_ANY;
	if (IsA(clause, ScalarArrayOpExpr))
		return any_of((ScalarArrayOpExpr *)clause, relid, out_att,
			      out_value);
	if (!IsA(clause, NullTest))
		return false;
	t = (const NullTest *)clause;
	*out_att = column_of((Node *)t->arg, relid);
	*out_op = t->nulltesttype == IS_NULL ? QUAL_NULL : QUAL_NOT_NULL;
	*out_value = NULL;
	return *out_att != 0;
}

static int64
integer(Datum d, Oid type)
{
	return type == INT2OID	 ? DatumGetInt16(d)
	       : type == INT4OID ? DatumGetInt32(d)
				 : DatumGetInt64(d);
}

void
qual_bind(struct qual *q, Datum value, bool isnull, Oid type)
{
	Oid elem = get_element_type(type);
	bool *nulls, byval;
	int16 len;
	char align;
	Datum *d;
	int n;

	q->never = isnull;
	q->n = 0;
	if (isnull)
		return;
	if (q->op != QUAL_ANY) {
		q->v = palloc(sizeof(*q->v));
		q->v[q->n++] = integer(value, type);
		return;
	}
	get_typlenbyvalalign(elem, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(value), elem, len, byval, align,
			  &d, &nulls, &n);
	q->v = palloc(((Size)n + 1) * sizeof(*q->v));
	for (int i = 0; i < n; i++) {
		if (!nulls[i])
			q->v[q->n++] = integer(d[i], elem);
	}
	q->never = q->n == 0;
}

static bool
compare(const struct qual *q, int64 v)
{
	switch (q->op) {
	case QUAL_LT:
		return v < q->v[0];
	case QUAL_LE:
		return v <= q->v[0];
	case QUAL_EQ:
		return v == q->v[0];
	case QUAL_GE:
		return v >= q->v[0];
	case QUAL_GT:
		return v > q->v[0];
	case QUAL_ANY:
		for (int i = 0; i < q->n; i++) {
			if (q->v[i] == v)
				return true;
		}
		return false;
	case QUAL_NULL:
		return false;
	case QUAL_NOT_NULL:
		return true;
	}
	return true;
}

/* Can a value from lo to hi match? */
static bool
between(const struct qual *q, int64 lo, int64 hi)
{
	switch (q->op) {
	case QUAL_LT:
	case QUAL_LE:
		return compare(q, lo);
	case QUAL_GE:
	case QUAL_GT:
		return compare(q, hi);
	case QUAL_EQ:
	case QUAL_ANY:
		for (int i = 0; i < q->n; i++) {
			if (q->v[i] >= lo && q->v[i] <= hi)
				return true;
		}
		return false;
	case QUAL_NULL:
		return false;
	case QUAL_NOT_NULL:
		return true;
	}
	return true;
}

static int64
least(const struct qual *q)
{
	int64 v = q->v[0];

	for (int i = 1; i < q->n; i++)
		v = Min(v, q->v[i]);
	return v;
}

static int64
greatest(const struct qual *q)
{
	int64 v = q->v[0];

	for (int i = 1; i < q->n; i++)
		v = Max(v, q->v[i]);
	return v;
}

void
quals_range(const struct qual *q, int n, int64 *lo, int64 *hi)
{
	*lo = 1;
	*hi = PG_INT64_MAX;
	for (int i = 0; i < n; i++, q++) {
		if (q->never || (q->op == QUAL_NULL && q->att == ATT_SEQ)) {
			*hi = 0;
			return;
		}
		if (q->att != ATT_SEQ)
			continue;
		switch (q->op) {
		case QUAL_EQ:
		case QUAL_ANY:
			*lo = Max(*lo, least(q));
			*hi = Min(*hi, greatest(q));
			break;
		case QUAL_LT:
		case QUAL_LE:
			*hi = Min(*hi, q->v[0]);
			break;
		case QUAL_GE:
		case QUAL_GT:
			*lo = Max(*lo, q->v[0]);
			break;
		case QUAL_NULL:
		case QUAL_NOT_NULL:
			break;
		}
	}
}

bool
quals_want_recording(const struct qual *q, int n, int64 recording)
{
	for (int i = 0; i < n; i++) {
		if (q[i].never ||
		    (q[i].att == ATT_RECORDING && !compare(&q[i], recording)))
			return false;
	}
	return true;
}

/* v: n numbers of size bytes, NULL = not known. */
static bool
some_match(const struct qual *q, const void *v, int n, size_t size)
{
	const int16 *narrow = v;
	const int32 *wide = v;

	if (!v)
		return true;
	for (int i = 0; i < n; i++) {
		if (compare(q, size == sizeof(*wide) ? wide[i] : narrow[i]))
			return true;
	}
	return false;
}

static bool
want_chunk(const struct qual *q, const struct chunk_meta *c)
{
	switch ((enum event_att)q->att) {
	case ATT_SEQ:
		return between(q, c->first_seq, c->first_seq + c->n - 1);
	case ATT_TIME:
		return between(q, c->t_min, c->t_max);
	case ATT_KIND:
		return some_match(q, c->kinds, c->n_kinds, sizeof(*c->kinds));
	case ATT_CALL:
		return q->op == QUAL_NULL ||
		       some_match(q, c->calls, c->n_calls, sizeof(*c->calls));
	case ATT_TASK:
		return some_match(q, c->tasks, c->n_tasks, sizeof(*c->tasks));
	case ATT_ERROR:
		return q->op == QUAL_NULL || c->n_errors > 0;
	default:
		return true;
	}
}

bool
quals_want_chunk(const struct qual *q, int n, const struct chunk_meta *c)
{
	for (int i = 0; i < n; i++) {
		if (!want_chunk(&q[i], c))
			return false;
	}
	return true;
}

uint32_t
quals_atts(const struct qual *q, int n)
{
	uint32_t atts = 0;

	for (int i = 0; i < n; i++)
		atts |= ATT_BIT(q[i].att);
	return atts;
}

bool
quals_match(const struct qual *q, int n, int64 recording,
	    const struct event *ev)
{
	struct arena a = { 0 };
	struct facts f;
	bool known = false, hit = true;

	for (int i = 0; hit && i < n; i++) {
		bool some;
		int64 v;

		/* The same for all events: quals_want_recording. */
		if (q[i].att == ATT_RECORDING)
			continue;
		if (!known && (ATT_BIT(q[i].att) & ATT_FACTS)) {
			events_facts(ev, quals_atts(q, n), NULL, &a, &f);
			known = true;
		}
		some = events_number(ev, &f, recording, q[i].att, &v);
		hit = some ? compare(&q[i], v) : q[i].op == QUAL_NULL;
	}
	arena_free(&a);
	return hit;
}
