#ifndef SQL_FDW_EVENTS_H
#define SQL_FDW_EVENTS_H

/* The columns of pastime.event, and which parts of a chunk each is made of. */
#include "sql/fdw/server.h"

#include <access/tupdesc.h>

#include "event/event.h"
#include "event/facts.h"

/* In the order of the table. */
enum event_att {
	ATT_RECORDING = 1,
	ATT_SEQ,
	ATT_TIME,
	ATT_DUR,
	ATT_A0,
	ATT_A5 = ATT_A0 + 5,
	ATT_RET,
	ATT_PC,
	ATT_SP,
	ATT_TASK,
	ATT_FLAGS,
	ATT_FD,
	ATT_KIND,
	ATT_CALL,
	ATT_ERROR,
	ATT_PATH,
	ATT_PATH2,
	ATT_ADDR,
	ATT_DATA,
	ATT_NOTE,
	ATT_END,
};
#define ATT_BIT(att) (UINT32_C(1) << (att))
#define ATT_ALL (ATT_BIT(ATT_END) - ATT_BIT(ATT_RECORDING))
/* Made of the table of calls. */
#define ATT_FACTS                                                              \
	(ATT_BIT(ATT_RET + 1) - ATT_BIT(ATT_A0) + ATT_BIT(ATT_FD) +            \
	 ATT_BIT(ATT_ERROR))
/* Made of payloads. */
#define ATT_TEXTS (ATT_BIT(ATT_END) - ATT_BIT(ATT_PATH))

/* An error when the table has not these columns. */
void events_check(TupleDesc desc);
/* EVENT_COL_ bits that a set of attributes needs. */
uint32_t events_columns(uint32_t atts);

/* What those need; memory of a is only needed while the bytes of ev are. */
void events_facts(const struct event *ev, uint32_t atts,
		  const struct blob_fetch *blobs, struct arena *a,
		  struct facts *out);
/* An attribute up to ATT_ERROR as a number; false: null. q is what facts_quick
 * or facts_of said. */
bool events_number(const struct event *ev, const struct facts *q,
		   int64 recording, int att, int64 *out);

struct event_row {
	uint32_t atts; /* wanted; the others are null */
	int64 recording;
	const struct blob_fetch *blobs;
	struct arena arena; /* of the row before; in this context: */
	MemoryContext context;
};
/* Values are good until the next call. */
void events_row(struct event_row *r, const struct event *ev, Datum *values,
		bool *nulls);

#endif
