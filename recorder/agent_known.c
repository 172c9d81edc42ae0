/*
 * Where calls come from is found out by calls that trap, and a file's branches
 * by looking at all of its code. Both are kept for the next recording
 * (recorder/known.h): then nothing is looked at, and a program's sites are
 * patched before it has made its first call.
 */
#include "recorder/agent_priv.h"

#include "base/fd.h"
#include "recorder/known.h"

/* Another number when sites are planned or patched in another way. */
#define FORMAT 2u
#define SITES_MAX 65536u

static void
put_sites(const struct agent_file *f, struct buf *out)
{
	buf_u8(out, FORMAT);
	buf_varint(out, f->targets.len);
	for (size_t i = 0; i < f->targets.len; i++)
		buf_u64(out, f->targets.v[i]);
	for (size_t i = 0; i < f->known.len; i++) {
		const struct agent_known *k = &f->known.v[i];

		buf_u64(out, k->after);
		buf_u8(out, (uint8_t)k->plan.pre);
		buf_zigzag(out, k->plan.hole);
		buf_put(out, k->code, k->plan.pre + 2);
		if (k->plan.pre == 0)
			buf_put(out, k->hole, sizeof(k->hole));
	}
}

static bool
get_site(struct reader *in, struct agent_known *k)
{
	struct span code, hole = { 0 };

	*k = (struct agent_known){ .after = reader_u64(in) };
	k->plan.pre = reader_u8(in);
	k->plan.hole = (int)reader_zigzag(in);
	if (k->plan.pre > SITE_PRE_MAX)
		return false;
	code = reader_bytes(in, k->plan.pre + 2);
	if (k->plan.pre == 0)
		hole = reader_bytes(in, sizeof(k->hole));
	if (in->bad)
		return false;
	memcpy(k->code, code.p, code.len);
	if (hole.len > 0)
		memcpy(k->hole, hole.p, hole.len);
	return true;
}

/* False: these are not such bytes. */
static bool
get_sites(struct agent_file *f, struct span fact)
{
	struct reader in;
	uint64_t n;

	reader_init(&in, fact);
	if (reader_u8(&in) != FORMAT)
		return false;
	n = reader_varint(&in);
	if (in.bad || n > fact.len / sizeof(uint64_t))
		return false;
	f->targets.v = mem_calloc((size_t)n + 1, sizeof(uint64_t));
	for (f->targets.len = 0; f->targets.len < n; f->targets.len++)
		f->targets.v[f->targets.len] = reader_u64(&in);
	while (!reader_done(&in) && f->known.len < SITES_MAX) {
		struct agent_known k;

		if (!get_site(&in, &k))
			return false;
		vec_push(&f->known, k);
	}
	return !in.bad;
}

struct agent_file *
agent_file_load(const struct recorder *r, int fd)
{
	struct agent_file *f = mem_zalloc(sizeof(*f));
	struct buf fact = { 0 };

	f->fd = fd;
	if (fstat(fd, &f->st) == 0 && !known_is_racy(&f->st) &&
	    known_get(r->opts.known_dir, KNOWN_CALLS, &f->st, &fact)) {
		f->scanned = get_sites(f, buf_span(&fact));
		if (!f->scanned) {
			site_free(&f->targets);
			vec_clear(&f->known);
		}
	}
	buf_free(&fact);
	return f;
}

void
agent_file_free(const struct recorder *r, struct agent_file *f)
{
	struct buf fact = { 0 };

	if (f->grown) {
		put_sites(f, &fact);
		known_put(r->opts.known_dir, KNOWN_CALLS, f->fd, &f->st,
			  buf_span(&fact));
		buf_free(&fact);
	}
	fd_close(&f->fd);
	site_free(&f->targets);
	map_free(&f->count);
	vec_free(&f->known);
	mem_free(f);
}
