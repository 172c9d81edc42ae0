#ifndef STORE_PARTITION_H
#define STORE_PARTITION_H

/*
 * The partition of pastime.event that a recording has: a table of rows
 * (rows.c), or a foreign table over its chunks, which needs no filling.
 */
#include "base/err.h"
#include <stdint.h>

struct db;

enum partition_kind { PARTITION_NONE, PARTITION_ROWS, PARTITION_CHUNKS };

/* What is there, and what pastime.recording says about it. */
struct partition {
	enum partition_kind kind;
	uint64_t upto;	  /* rows: filled; chunks: statistics are of then */
	uint64_t events;  /* stored */
	char library[32]; /* setting of store/wrapper.h */
};
int partition_look(struct db *db, uint64_t rec, struct partition *out,
		   struct err *err);
/* The statement between before and after, about the partition's table. */
int partition_sql(struct db *db, uint64_t rec, const char *before,
		  const char *after, struct err *err);
/* Whatever it is. Inside a transaction. */
int partition_drop(struct db *db, uint64_t rec, struct err *err);
int partition_attach(struct db *db, uint64_t rec, struct err *err);
/*
 * Make it a foreign table over chunks, in place of what is there; with
 * statistics, made again when the recording has grown to twice its size.
 * -E_BUSY: there are rows, which somebody reads.
 */
int partition_chunks(struct db *db, uint64_t rec, struct err *err);

#endif
