/*
 * An item is: kind (varint), length of its body (varint), body. Every body
 * begins with the numbers that its kind has, as varints, so that a reader can
 * step over kinds it does not know.
 */
#include "event/item.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAP_REC_LEN 48u
#define FILE_REC_LEN 64u

static size_t
varint_len(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

#define HEAD_MAX 20u /* kind and length */

/* Room for a head and a body is reserved. */
static inline void
put_varint(struct buf *b, uint64_t v)
{
	uint8_t *p = b->p + b->len;

	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	b->len = (size_t)(p - b->p);
}

static void
put_head(struct buf *b, enum item_kind kind, size_t body)
{
	buf_reserve(b, body + HEAD_MAX);
	put_varint(b, kind);
	put_varint(b, body);
}

static inline void
put_bytes(struct buf *b, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(b->p + b->len, bytes.p, bytes.len);
	b->len += bytes.len;
}

/* kind, one number, bytes. */
static void
put_1(struct buf *b, enum item_kind kind, uint64_t v, struct span bytes)
{
	put_head(b, kind, varint_len(v) + bytes.len);
	put_varint(b, v);
	put_bytes(b, bytes);
}

/* kind, two numbers, bytes. */
static void
put_2(struct buf *b, enum item_kind kind, uint64_t v, uint64_t w,
      struct span bytes)
{
	put_head(b, kind, varint_len(v) + varint_len(w) + bytes.len);
	put_varint(b, v);
	put_varint(b, w);
	put_bytes(b, bytes);
}

void
item_put_mem(struct buf *b, uint64_t addr, struct span bytes)
{
	put_1(b, ITEM_MEM, addr, bytes);
}

void
item_put_mem_task(struct buf *b, uint64_t task, uint64_t addr,
		  struct span bytes)
{
	put_2(b, ITEM_MEM_TASK, task, addr, bytes);
}

void
item_put_zero(struct buf *b, uint64_t addr, uint64_t len)
{
	put_2(b, ITEM_ZERO, addr, len, (struct span){ 0 });
}

void
item_put_blobs(struct buf *b, enum item_kind kind, uint64_t addr_or_num,
	       uint64_t len, const struct blob_id *ids, size_t n)
{
	put_2(b, kind, addr_or_num, len, span_of(ids, n * sizeof(*ids)));
}

void
item_put_bytes(struct buf *b, enum item_kind kind, uint64_t num,
	       struct span bytes)
{
	put_1(b, kind, num, bytes);
}

void
item_put_kv(struct buf *b, const char *key, struct span value)
{
	size_t key_len = strlen(key) + 1;

	put_head(b, ITEM_KV, key_len + value.len);
	buf_put(b, key, key_len);
	buf_put(b, value.p, value.len);
}

void
item_put_map(struct buf *b, const struct map_rec *m)
{
	put_head(b, ITEM_MAP, MAP_REC_LEN);
	buf_u64(b, m->start);
	buf_u64(b, m->len);
	buf_u32(b, m->prot);
	buf_u32(b, m->flags);
	buf_u64(b, m->file);
	buf_u64(b, m->offset);
	buf_u64(b, m->shared_id);
}

void
item_put_file(struct buf *b, const struct file_rec *f, const char *path,
	      const struct blob_id *ids, size_t n)
{
	size_t path_len = strlen(path) + 1;

	put_head(b, ITEM_FILE,
		 varint_len(FILE_REC_LEN) + FILE_REC_LEN + path_len +
			 n * sizeof(*ids));
	buf_varint(b, FILE_REC_LEN);
	buf_u64(b, f->number);
	buf_u64(b, f->dev);
	buf_u64(b, f->ino);
	buf_u64(b, f->size);
	buf_u64(b, f->mtime_ns);
	buf_u64(b, f->ctime_ns);
	buf_u32(b, f->mode);
	buf_u32(b, f->whole);
	buf_u64(b, f->from);
	buf_put(b, path, path_len);
	buf_put(b, ids, n * sizeof(*ids));
}

void
item_put_region(struct buf *b, uint64_t addr, uint64_t len, uint64_t hash)
{
	put_head(b, ITEM_REGION, varint_len(addr) + varint_len(len) + 8);
	buf_varint(b, addr);
	buf_varint(b, len);
	buf_u64(b, hash);
}

void
item_reader_init(struct item_reader *ir, struct span payload)
{
	reader_init(&ir->r, payload);
}

static struct span
rest(struct reader *r)
{
	return reader_bytes(r, (size_t)(r->end - r->p));
}

static bool
wraps(uint64_t addr, uint64_t len)
{
	uint64_t end;

	return __builtin_add_overflow(addr, len, &end);
}

static bool
blobs_fit(const struct item *it)
{
	uint64_t pieces = it->len / BLOB_PIECE + (it->len % BLOB_PIECE != 0);

	return it->bytes.len % sizeof(struct blob_id) == 0 &&
	       it->bytes.len / sizeof(struct blob_id) == pieces;
}

/* The body of an item whose kind we know. False: it does not make sense. */
static bool
read_body(struct reader *r, struct item *it)
{
	switch ((enum item_kind)it->kind) {
	case ITEM_MEM:
	case ITEM_PATCH:
		it->addr = reader_varint(r);
		it->bytes = rest(r);
		it->len = it->bytes.len;
		return !wraps(it->addr, it->len);
	case ITEM_MEM_TASK:
		it->num = reader_varint(r);
		it->addr = reader_varint(r);
		it->bytes = rest(r);
		it->len = it->bytes.len;
		return !wraps(it->addr, it->len);
	case ITEM_MEM_BLOB:
		it->addr = reader_varint(r);
		it->len = reader_varint(r);
		it->bytes = rest(r);
		return blobs_fit(it) && !wraps(it->addr, it->len);
	case ITEM_IN_BLOB:
		it->num = reader_varint(r);
		it->len = reader_varint(r);
		it->bytes = rest(r);
		return blobs_fit(it);
	case ITEM_ZERO:
		it->addr = reader_varint(r);
		it->len = reader_varint(r);
		return !wraps(it->addr, it->len);
	case ITEM_REGION:
		it->addr = reader_varint(r);
		it->len = reader_varint(r);
		it->num = reader_u64(r);
		return !wraps(it->addr, it->len);
	case ITEM_IN:
	case ITEM_REGS:
	case ITEM_XSTATE:
	case ITEM_SIGINFO:
	case ITEM_TEXT:
	case ITEM_FD:
	case ITEM_POINT:
	case ITEM_PAGES:
		it->num = reader_varint(r);
		break;
	case ITEM_MAP:
	case ITEM_FILE:
	case ITEM_KV:
		break;
	}
	it->bytes = rest(r); /* an unknown kind comes here, too */
	it->len = it->bytes.len;
	return true;
}

int
item_next(struct item_reader *ir, struct item *out, struct err *err)
{
	struct item it = { 0 };
	struct reader body;
	uint64_t kind, len;

	if (ir->r.bad)
		return err_set(err, E_FORMAT,
			       "an item of the event is cut off");
	if (reader_done(&ir->r))
		return 0;
	kind = reader_varint(&ir->r);
	len = reader_varint(&ir->r);
	if (kind > UINT32_MAX || len > (uint64_t)(ir->r.end - ir->r.p))
		ir->r.bad = true;
	reader_init(&body, reader_bytes(&ir->r, (size_t)len));
	if (ir->r.bad)
		return err_set(err, E_FORMAT,
			       "an item of the event is cut off");
	it.kind = (unsigned)kind;
	if (!read_body(&body, &it) || body.bad) {
		ir->r.bad = true;
		return err_set(err, E_FORMAT, "item of kind %u is damaged",
			       it.kind);
	}
	*out = it;
	return 1;
}

int
item_get_map(const struct item *it, struct map_rec *out, struct err *err)
{
	struct map_rec m;
	struct reader r;

	reader_init(&r, it->bytes);
	m.start = reader_u64(&r);
	m.len = reader_u64(&r);
	m.prot = reader_u32(&r);
	m.flags = reader_u32(&r);
	m.file = reader_u64(&r);
	m.offset = reader_u64(&r);
	m.shared_id = reader_u64(&r);
	if (it->kind != ITEM_MAP || r.bad || wraps(m.start, m.len))
		return err_set(err, E_FORMAT, "a mapping's record is damaged");
	*out = m;
	return 0;
}

int
item_get_file(const struct item *it, struct file_rec *out,
	      const char **out_path, const struct blob_id **out_ids,
	      size_t *out_n, struct err *err)
{
	struct file_rec f;
	struct reader r, rec;
	struct span tail;
	const uint8_t *nul;
	size_t ids;

	reader_init(&r, it->bytes);
	reader_init(&rec, reader_bytes(&r, (size_t)reader_varint(&r)));
	f.number = reader_u64(&rec);
	f.dev = reader_u64(&rec);
	f.ino = reader_u64(&rec);
	f.size = reader_u64(&rec);
	f.mtime_ns = reader_u64(&rec);
	f.ctime_ns = reader_u64(&rec);
	f.mode = reader_u32(&rec);
	f.whole = reader_u32(&rec);
	f.from = reader_u64(&rec);
	tail = rest(&r);
	nul = tail.len ? memchr(tail.p, '\0', tail.len) : NULL;
	if (it->kind != ITEM_FILE || r.bad || rec.bad || !nul)
		return err_set(err, E_FORMAT, "a file's record is damaged");
	ids = tail.len - (size_t)(nul + 1 - tail.p);
	if (ids % sizeof(struct blob_id) != 0)
		return err_set(err, E_FORMAT, "a file's record is damaged");
	*out = f;
	*out_path = (const char *)tail.p;
	*out_ids = (const struct blob_id *)(nul + 1);
	*out_n = ids / sizeof(struct blob_id);
	return 0;
}

int
item_get_kv(const struct item *it, const char **key, struct span *value)
{
	const uint8_t *nul = NULL;
	size_t key_len;

	if (it->kind == ITEM_KV && it->bytes.len > 0)
		nul = memchr(it->bytes.p, '\0', it->bytes.len);
	if (!nul)
		return -E_FORMAT;
	key_len = (size_t)(nul + 1 - it->bytes.p);
	*key = (const char *)it->bytes.p;
	*value = span_of(nul + 1, it->bytes.len - key_len);
	return 0;
}

bool
item_find(struct span payload, enum item_kind kind, uint64_t num,
	  struct item *out)
{
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == (unsigned)kind &&
		    (num == UINT64_MAX || it.num == num)) {
			*out = it;
			return true;
		}
	}
	return false;
}

void
blob_id_of(struct span bytes, struct blob_id *out)
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits(bytes.p, bytes.len));
	memcpy(out->b, c.digest, sizeof(out->b));
}
