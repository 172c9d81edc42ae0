#ifndef STORE_COPY_H
#define STORE_COPY_H

/*
 * Rows in PostgreSQL's binary COPY format, appended to a buf: copy_start once,
 * copy_row before the fields of each row, copy_finish once. Big endian. The
 * types must be exactly those of the columns.
 */
#include "base/buf.h"
#include <endian.h>

static inline void
copy_be16(struct buf *b, uint16_t v)
{
	v = htobe16(v);
	buf_put(b, &v, 2);
}

static inline void
copy_be32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_put(b, &v, 4);
}

static inline void
copy_be64(struct buf *b, uint64_t v)
{
	v = htobe64(v);
	buf_put(b, &v, 8);
}

static inline void
copy_start(struct buf *b)
{
	buf_put(b, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
}

static inline void
copy_finish(struct buf *b)
{
	copy_be16(b, UINT16_MAX);
}

static inline void
copy_row(struct buf *b, unsigned fields)
{
	copy_be16(b, (uint16_t)fields);
}

static inline void
copy_null(struct buf *b)
{
	copy_be32(b, UINT32_MAX);
}

static inline void
copy_bool(struct buf *b, bool v)
{
	copy_be32(b, 1);
	buf_u8(b, v);
}

static inline void
copy_int2(struct buf *b, int16_t v)
{
	copy_be32(b, 2);
	copy_be16(b, (uint16_t)v);
}

static inline void
copy_int4(struct buf *b, int32_t v)
{
	copy_be32(b, 4);
	copy_be32(b, (uint32_t)v);
}

static inline void
copy_int8(struct buf *b, int64_t v)
{
	copy_be32(b, 8);
	copy_be64(b, (uint64_t)v);
}

/* bytea, text, uuid */
static inline void
copy_bytes(struct buf *b, struct span s)
{
	copy_be32(b, (uint32_t)s.len);
	buf_put(b, s.p, s.len);
}

/* The head of a one-dimensional array without nulls; then n elements, each as
 * a field. size is that of one element, with its length word. */
static inline void
copy_array(struct buf *b, uint32_t elem_oid, size_t n, size_t size)
{
	copy_be32(b, (uint32_t)(n ? 20 + n * size : 12));
	copy_be32(b, n ? 1 : 0);
	copy_be32(b, 0);
	copy_be32(b, elem_oid);
	if (n) {
		copy_be32(b, (uint32_t)n);
		copy_be32(b, 1);
	}
}

/* Text that PostgreSQL accepts: no NUL, valid UTF-8; other bytes as \xHH. */
void copy_text(struct buf *b, struct span s);

static inline void
copy_int8_or_null(struct buf *b, bool has, uint64_t v)
{
	if (has)
		copy_int8(b, (int64_t)v);
	else
		copy_null(b);
}

static inline void
copy_int4_or_null(struct buf *b, bool has, int64_t v)
{
	if (has)
		copy_int4(b, (int32_t)v);
	else
		copy_null(b);
}

#endif
