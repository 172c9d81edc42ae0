#include "sql/fdw/blobs.h"

#include <catalog/pg_type.h>
#include <utils/fmgroids.h>
#include <utils/memutils.h>
#include <utils/uuid.h>

#include <zstd.h>

#include "base/mem.h"
#include "sql/fdw/relation.h"

#define PACKS 8 /* that are kept unpacked, of up to 256 KB as a rule */
#define RAW_MAX (64 * 1024 * 1024)
#define PACK_STORED 0
#define PACK_ZSTD 1

struct held {
	struct blob_id id;
	uint8_t *raw; /* NULL: nothing */
	int32 len;
	uint64 used;
};

enum { BLOB_BLOB, BLOB_PACK, BLOB_AT, BLOB_LEN, BLOB_COLUMNS };
static const struct column blob_columns[] = {
	{ "blob", UUIDOID },
	{ "pack", UUIDOID },
	{ "at", INT4OID },
	{ "len", INT4OID },
};

enum { PACK_PACK, PACK_CODEC, PACK_RAW_LEN, PACK_DATA, PACK_COLUMNS };
static const struct column pack_columns[] = {
	{ "pack", UUIDOID },
	{ "codec", INT2OID },
	{ "raw_len", INT4OID },
	{ "data", BYTEAOID },
};

struct blobs {
	MemoryContext context;
	Snapshot snapshot;
	bool open;
	struct relation blob, pack;
	AttrNumber blob_at[BLOB_COLUMNS], pack_at[PACK_COLUMNS];
	struct held held[PACKS];
	uint64 clock;
};

struct blobs *
blobs_open(Snapshot snapshot)
{
	struct blobs *b = palloc0(sizeof(*b));

	b->context = CurrentMemoryContext;
	b->snapshot = snapshot;
	return b;
}

void
blobs_close(struct blobs *b)
{
	if (!b || !b->open)
		return;
	relation_close_keyed(&b->blob);
	relation_close_keyed(&b->pack);
	b->open = false;
}

static void
open_tables(struct blobs *b)
{
	relation_open_keyed(&b->blob, "blob", 1, b->snapshot);
	relation_columns(&b->blob, blob_columns, BLOB_COLUMNS, b->blob_at);
	relation_open_keyed(&b->pack, "pack", 1, b->snapshot);
	relation_columns(&b->pack, pack_columns, PACK_COLUMNS, b->pack_at);
	b->open = true;
}

static bool
find(struct relation *r, const struct blob_id *id)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ,
		    UUIDPGetDatum((const pg_uuid_t *)id->b));
	relation_rescan(r, &key, 1);
	return relation_next(r, ForwardScanDirection);
}

/* Columns of these tables are not null. */
static Datum
get(struct relation *r, AttrNumber at)
{
	bool isnull;

	return slot_getattr(r->slot, at, &isnull);
}

static struct held *
place(struct blobs *b)
{
	struct held *h = &b->held[0];

	for (int i = 1; i < PACKS; i++) {
		if (b->held[i].used < h->used)
			h = &b->held[i];
	}
	if (h->raw)
		pfree(h->raw);
	*h = (struct held){ 0 };
	return h;
}

static struct held *
fetch(struct blobs *b, const struct blob_id *id)
{
	struct varlena *data;
	struct held *h;
	int32 codec, len;
	struct span z;
	size_t n;
	Datum stored;

	if (!find(&b->pack, id))
		return NULL;
	codec = DatumGetInt16(get(&b->pack, b->pack_at[PACK_CODEC]));
	len = DatumGetInt32(get(&b->pack, b->pack_at[PACK_RAW_LEN]));
	if (len < 0 || len > RAW_MAX)
		return NULL;
	stored = get(&b->pack, b->pack_at[PACK_DATA]);
	data = PG_DETOAST_DATUM_PACKED(stored);
	z = varlena_span(data);
	h = place(b);
	h->raw = palloc((Size)len + 1);
	if (codec == PACK_ZSTD) {
		n = ZSTD_decompress(h->raw, (size_t)len, z.p, z.len);
	} else {
		n = codec == PACK_STORED && z.len == (size_t)len ? z.len : 0;
		memcpy(h->raw, z.p, n);
	}
	if (data != (struct varlena *)DatumGetPointer(stored))
		pfree(data);
	if (n != (size_t)len) {
		pfree(h->raw);
		h->raw = NULL;
		return NULL;
	}
	h->id = *id;
	h->len = len;
	return h;
}

static struct held *
pack(struct blobs *b, const struct blob_id *id)
{
	for (int i = 0; i < PACKS; i++) {
		if (b->held[i].raw &&
		    memcmp(&b->held[i].id, id, sizeof(*id)) == 0)
			return &b->held[i];
	}
	return fetch(b, id);
}

static int
append(struct blobs *b, const struct blob_id *id, struct buf *out)
{
	struct blob_id in, found;
	struct held *h;
	int32 at, len;

	if (!find(&b->blob, id))
		return -1;
	memcpy(in.b, DatumGetUUIDP(get(&b->blob, b->blob_at[BLOB_PACK]))->data,
	       sizeof(in.b));
	at = DatumGetInt32(get(&b->blob, b->blob_at[BLOB_AT]));
	len = DatumGetInt32(get(&b->blob, b->blob_at[BLOB_LEN]));
	h = pack(b, &in);
	if (!h || at < 0 || len < 0 || at > h->len || len > h->len - at)
		return -1;
	h->used = ++b->clock;
	blob_id_of(span_of(h->raw + at, (size_t)len), &found);
	if (memcmp(&found, id, sizeof(found)) != 0)
		return -1;
	buf_put(out, h->raw + at, (size_t)len);
	return 0;
}

int
blobs_get(struct blobs *b, const struct blob_id *id, struct buf *out)
{
	MemoryContext was = MemoryContextSwitchTo(b->context);
	int rc;

	if (!b->open)
		open_tables(b);
	rc = append(b, id, out);
	MemoryContextSwitchTo(was);
	return rc;
}
