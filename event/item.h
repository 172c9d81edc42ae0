#ifndef EVENT_ITEM_H
#define EVENT_ITEM_H

/*
 * What an event carries besides its fixed fields: a list of items, encoded one
 * after the other in event.payload. Ids are stored: append-only.
 *
 * Writers append to a buf with item_put_*; readers walk with item_next, which
 * borrows from the payload. Payloads are hostile input when they come from a
 * database: item_next fails with E_FORMAT rather than read past the end.
 */
#include "base/buf.h"
#include "base/err.h"
#include "event/regs.h"
#include <stdbool.h>

enum item_kind {
	ITEM_MEM = 1, /* addr, bytes: memory of the task's space is now so */
	ITEM_MEM_BLOB = 2, /* addr, len, ids: the same, contents in blobs of
			      BLOB_PIECE */
	ITEM_IN = 3, /* num = argument index, bytes: input shown to people */
	ITEM_IN_BLOB = 4, /* num, len, ids */
	ITEM_REGS = 5,	  /* bytes = struct regs: all registers are now so */
	ITEM_XSTATE = 6,  /* bytes = xsave area (NT_X86_XSTATE) is now so */
	ITEM_SIGINFO = 7, /* bytes = kernel siginfo, 128 */
	ITEM_MAP = 8,	/* bytes = struct map_rec: a mapping that now exists */
	ITEM_FILE = 9,	/* bytes = struct file_rec + path; ids = contents */
	ITEM_KV = 10,	/* bytes = key NUL value: header facts, exec facts */
	ITEM_TEXT = 11, /* bytes = text for people */
	ITEM_MEM_TASK = 12, /* num = task, addr, bytes: memory of another task's
			       space */
	ITEM_FD = 13, /* num = fd, bytes = what it refers to: new descriptors */
	ITEM_REGION =
		14, /* addr, len, num = xxh64 of the region: checksum events */
	ITEM_ZERO = 15,	 /* addr, len: memory is now zero */
	ITEM_PATCH = 16, /* addr, bytes: pastime replaced code bytes (int3 at a
			    trapped insn) */
	ITEM_POINT =
		17, /* bytes: an execution point, as tracee/point.h stores it */
	ITEM_PAGES = 18, /* num = address of a region, bytes: u16 per page of
			    it, a hash that is not 0, or 0 when it is zero */
};

#define BLOB_PIECE (256u * 1024u) /* large contents are cut into pieces of this */

struct blob_id {
	uint8_t b[16]; /* XXH3-128 of the bytes, canonical (big endian) form; all zero = none */
};

/* The id of len <= BLOB_PIECE bytes. */
void blob_id_of(struct span bytes, struct blob_id *out);

struct item {
	unsigned kind;
	uint64_t addr;
	uint64_t len;	   /* of the memory described; = bytes.len when inline */
	uint64_t num;
	struct span bytes; /* inline bytes, or the ids (16 bytes each) of a blob item */
};

/* A mapping as the kernel made it; file 0 = anonymous. Little endian, packed
 * by hand in item.c, so this struct may grow at its end. */
struct map_rec {
	uint64_t start, len;
	uint32_t prot;	     /* PROT_* in effect */
	uint32_t flags;	     /* MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, ... */
	uint64_t file;	     /* file number of a file event, 0 = none */
	uint64_t offset;     /* in the file, bytes */
	uint64_t shared_id;  /* shared memory object number, 0 = private */
};

/* A file whose contents were captured. Number is dense per recording. */
struct file_rec {
	uint64_t number;
	uint64_t dev, ino, size;
	uint64_t mtime_ns, ctime_ns;
	uint32_t mode;
	uint32_t whole;	     /* 1: all of it was captured; 0: [from, from+ids*BLOB_PIECE) */
	uint64_t from;	     /* first captured byte, multiple of BLOB_PIECE */
};

void item_put_mem(struct buf *b, uint64_t addr, struct span bytes);
void item_put_mem_task(struct buf *b, uint64_t task, uint64_t addr, struct span bytes);
void item_put_zero(struct buf *b, uint64_t addr, uint64_t len);
void item_put_blobs(struct buf *b, enum item_kind kind, uint64_t addr_or_num,
		    uint64_t len, const struct blob_id *ids, size_t n);
/* ITEM_IN, ITEM_REGS, ITEM_XSTATE, ITEM_SIGINFO, ITEM_TEXT, ITEM_FD,
 * ITEM_POINT, ITEM_PATCH, ITEM_PAGES (num = addr) */
void item_put_bytes(struct buf *b, enum item_kind kind, uint64_t num, struct span bytes);
void item_put_kv(struct buf *b, const char *key, struct span value);
void item_put_map(struct buf *b, const struct map_rec *m);
void item_put_file(struct buf *b, const struct file_rec *f, const char *path,
		   const struct blob_id *ids, size_t n);
void item_put_region(struct buf *b, uint64_t addr, uint64_t len, uint64_t hash);

struct item_reader {
	struct reader r;
};
void item_reader_init(struct item_reader *ir, struct span payload);
/* 1 and *out, 0 at the end, -E_FORMAT. Unknown kinds are returned as they
 * are (kind, bytes), for the caller to ignore. */
int item_next(struct item_reader *ir, struct item *out, struct err *err);

int item_get_map(const struct item *it, struct map_rec *out, struct err *err);
/* path is NUL-terminated inside the payload; ids borrowed, *out_n of them. */
int item_get_file(const struct item *it, struct file_rec *out, const char **out_path,
		  const struct blob_id **out_ids, size_t *out_n, struct err *err);
int item_get_kv(const struct item *it, const char **key, struct span *value);
/* The first item of a kind (and num, unless num is UINT64_MAX); false = none. */
bool item_find(struct span payload, enum item_kind kind, uint64_t num, struct item *out);

#endif
