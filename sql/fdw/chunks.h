#ifndef SQL_FDW_CHUNKS_H
#define SQL_FDW_CHUNKS_H

/*
 * pastime.chunk, read by its primary key: first what the index columns of a
 * chunk say, then, only when it is wanted, its bytes.
 */
#include "sql/fdw/server.h"

#include <access/sdir.h>
#include <utils/snapshot.h>

#include "base/span.h"

/* Borrowed until the next call. */
struct chunk_meta {
	int64 first_seq, t_min, t_max, crc;
	int32 n, n_errors;
	int32 codec;
	/* What occurs in it, ascending; NULL: not known. */
	const int16 *kinds, *calls;
	const int32 *tasks;
	int n_kinds, n_calls, n_tasks;
};

struct chunk_table;
/* Of one recording, as snapshot sees it. Memory: the current context. */
struct chunk_table *chunk_table_open(int64 recording, Snapshot snapshot);
void chunk_table_close(struct chunk_table *t);
/* Begin with the chunks that may hold events lo to hi. */
void chunk_table_seek(struct chunk_table *t, int64 lo, int64 hi,
		      ScanDirection direction);
bool chunk_table_next(struct chunk_table *t, struct chunk_meta *out);
/* The bytes of the chunk that next gave, in the current context. */
struct span chunk_table_data(struct chunk_table *t);

#endif
