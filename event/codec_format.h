#ifndef EVENT_CODEC_FORMAT_H
#define EVENT_CODEC_FORMAT_H

/*
 * The bytes of a chunk, for the two halves of the codec only.
 *
 *	header	64 bytes, little endian, see enum chunk_at
 *	columns	zstd frame: a u32 length per column, then the columns
 *	payload	zstd frame: the payloads one after the other
 *
 * Columns and payloads are apart, so that a query over the fields does not
 * unpack what the calls wrote. Every column has one entry per event. Changing
 * anything here needs a new CHUNK_CODEC.
 */
#include <stdint.h>

#define CHUNK_MAGIC 0x43505450u /* "PTPC" */
#define CHUNK_HEADER 64u

enum chunk_at {
	AT_MAGIC = 0,
	AT_CHECK = 4, /* low half of XXH3-64 of all that follows */
	AT_CODEC = 8, /* from here on covered by the check */
	AT_N = 12,
	AT_ERRORS = 16,
	AT_COLS_RAW = 20,
	AT_COLS_LEN = 24,
	AT_PAY_RAW = 28,
	AT_PAY_LEN = 32,
	AT_FIRST_SEQ = 40,
	AT_T_MIN = 48,
	AT_T_MAX = 56,
};

enum chunk_col {
	COL_TIME,    /* zigzag difference from the event before */
	COL_TASK,    /* zigzag difference from the event before */
	COL_KIND,    /* varint */
	COL_CALL,    /* varint of call + 1, as 16 bits */
	COL_FLAGS,   /* varint, xor with the predicted */
	COL_REGHASH, /* 4 bytes, xor with the predicted */
	COL_DUR,     /* varint */
	COL_PAYLOAD, /* varint, its length */
	COL_VALUE,   /* from here: zigzag differences from the predicted */
	COL_PC = COL_VALUE,
	COL_SP,
	COL_ARG,
	COL_RET = COL_ARG + 6,
	COL_COUNT,
};

#define N_VALUES (COL_COUNT - COL_VALUE)
#define V_RET (COL_RET - COL_VALUE)

/* What an event is predicted from. */
struct predict_row {
	uint64_t v[N_VALUES];
	uint32_t flags;
	uint32_t reghash;
};

#define PREDICT_ROWS 1024u
#define PREDICT_TASKS 256u

struct predict {
	struct predict_row rows[PREDICT_ROWS];	   /* by kind and call */
	struct predict_row entered[PREDICT_TASKS]; /* last enter by task */
	uint64_t time_ns;
	uint32_t task;
};

/* Two kinds or calls with one index only predict each other badly. */
static inline unsigned
predict_index(unsigned kind, int call)
{
	return ((unsigned)call + 1 + kind * 149u) % PREDICT_ROWS;
}

#endif
