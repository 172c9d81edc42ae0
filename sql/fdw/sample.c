/* ANALYZE: some events of some chunks, evenly. */
#include "sql/fdw/fdw.h"

#include <access/htup_details.h>
#include <commands/vacuum.h>
#include <miscadmin.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>

#include "event/codec.h"
#include "sql/fdw/decode.h"
#include "sql/fdw/events.h"

#define SAMPLE_CHUNKS 64
/* Large and never compared. */
#define NOT_SAMPLED ATT_BIT(ATT_DATA)

struct sample {
	HeapTuple *rows;
	int n, max;
};

static void
take(struct sample *s, Relation table, struct event_row *row,
     const struct event *ev, int n, int want)
{
	Datum values[ATT_END];
	bool nulls[ATT_END];

	for (int i = 0; i < want && s->n < s->max; i++) {
		events_row(row, &ev[(int64)i * n / want], values, nulls);
		s->rows[s->n++] =
			heap_form_tuple(RelationGetDescr(table), values, nulls);
	}
}

static int
count_chunks(struct chunk_table *t, double *out_events)
{
	struct chunk_meta c;
	int n = 0;

	*out_events = 0;
	chunk_table_seek(t, 1, PG_INT64_MAX, ForwardScanDirection);
	while (chunk_table_next(t, &c)) {
		*out_events += c.n;
		n++;
	}
	return n;
}

static int
acquire(Relation table, int elevel, HeapTuple *rows, int max,
	double *total_rows, double *dead_rows)
{
	int64 recording = fdw_recording(RelationGetRelid(table));
	Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
	struct chunk_table *t = chunk_table_open(recording, snapshot);
	struct sample s = { .rows = rows, .max = max };
	struct event_row row = { .atts = ATT_ALL & ~NOT_SAMPLED,
				 .recording = recording,
				 .context = CurrentMemoryContext };
	struct decoder d;
	struct chunk_meta c;
	int chunks = count_chunks(t, total_rows),
	    of = Min(chunks, SAMPLE_CHUNKS);

	events_check(RelationGetDescr(table));
	decoder_init(&d);
	*dead_rows = 0;
	chunk_table_seek(t, 1, PG_INT64_MAX, ForwardScanDirection);
	for (int i = 0, taken = 0; chunk_table_next(t, &c); i++) {
		CHECK_FOR_INTERRUPTS();
		if ((int64)taken * chunks > (int64)i * of || taken == of)
			continue;
		decoder_chunk(&d, t, recording, &c,
			      events_columns(ATT_ALL & ~NOT_SAMPLED));
		take(&s, table, &row, d.ev, c.n,
		     Min(c.n, (max - s.n) / (of - taken)));
		taken++;
	}
	chunk_table_close(t);
	UnregisterSnapshot(snapshot);
	return s.n;
}

bool
sample_table(Relation table, AcquireSampleRowsFunc *func, BlockNumber *pages)
{
	*func = acquire;
	*pages = 1;
	return true;
}
