#ifndef SQL_FDW_QUALS_H
#define SQL_FDW_QUALS_H

/*
 * Conditions that the scan decides by itself: a column that is a number,
 * compared with something that is the same for a whole scan, or asked for null.
 * They say which chunks need not be read, and are tested before a row is made.
 */
#include "sql/fdw/server.h"

#include <nodes/pathnodes.h>

#include "event/event.h"
#include "event/facts.h"
#include "sql/fdw/chunks.h"

enum qual_op {
	/* The strategies of b-trees. */
	QUAL_LT = 1,
	QUAL_LE = 2,
	QUAL_EQ = 3,
	QUAL_GE = 4,
	QUAL_GT = 5,
	QUAL_ANY = 6, /* = any (array) */
	QUAL_NULL = 7,
	QUAL_NOT_NULL = 8,
};

struct qual {
	int att; /* enum event_att, up to ATT_ERROR */
	enum qual_op op;
	bool never; /* compared with null */
	int64 *v;   /* one; QUAL_ANY: n */
	int n;
};

/*
 * Is clause such a condition on the relation relid? Then what it compares with,
 * an expression without columns of relid, or NULL for tests for null.
 */
bool qual_recognise(Expr *clause, Index relid, int *out_att,
		    enum qual_op *out_op, Expr **out_value);
/* Set q->v and q->never from a value of type. Memory: the current context. */
void qual_bind(struct qual *q, Datum value, bool isnull, Oid type);

/* The seq that may match: *lo to *hi. */
void quals_range(const struct qual *q, int n, int64 *lo, int64 *hi);
/* False: no recording but another matches. */
bool quals_want_recording(const struct qual *q, int n, int64 recording);
/* False: no event of the chunk matches. */
bool quals_want_chunk(const struct qual *q, int n, const struct chunk_meta *c);
/* The attributes that testing needs, as ATT_BIT. */
uint32_t quals_atts(const struct qual *q, int n);
bool quals_match(const struct qual *q, int n, int64 recording,
		 const struct event *ev);

#endif
