#include "tracee/patch.h"

#include <elf.h>
#include <string.h>

#include "base/fd.h"
#include "base/vec.h"
#include "sym/decode.h"
#include "tracee/cpuid_stub.h"
#include "tracee/patch_room.h"

/* .eh_frame_hdr with the encodings that every linker writes: pc-relative
 * pointer, count, table of 32-bit offsets relative to the header. */
#define HDR_SIZE 12u
static const uint8_t hdr_magic[4] = { 1, 0x1b, 0x03, 0x3b };

/* Decoding starts so far before a place, to see how it falls into step. */
#define SYNC_FAR 96u
#define SYNC_NEAR 48u

struct elf {
	struct span file;
	const Elf64_Ehdr *eh;
	const Elf64_Phdr *ph;
	uint64_t hdr;	      /* vaddr of .eh_frame_hdr, 0 = none */
	const int32_t *table; /* pairs: function, FDE, relative to hdr */
	size_t len;
};

struct scan {
	struct elf elf;
	VEC(struct patch_site) sites;
	bool unsure;
};

/* What decoding to an address has shown. */
enum found {
	FOUND_SITE,    /* one of ours */
	FOUND_OTHER,   /* part of another instruction */
	FOUND_NOTHING, /* something on the way does not decode */
};

/* The file's bytes at vaddr, at least n; NULL when there are not so many. */
static const uint8_t *
at_vaddr(const struct elf *e, uint64_t vaddr, size_t n)
{
	size_t i;

	for (i = 0; i < e->eh->e_phnum; i++) {
		const Elf64_Phdr *p = &e->ph[i];
		uint64_t skip = vaddr - p->p_vaddr;

		if (p->p_type != PT_LOAD || vaddr < p->p_vaddr ||
		    skip >= p->p_filesz || p->p_filesz - skip < n ||
		    p->p_offset > e->file.len ||
		    e->file.len - p->p_offset < skip + n)
			continue;
		return e->file.p + p->p_offset + skip;
	}
	return NULL;
}

static void
find_table(struct elf *e)
{
	const uint8_t *hdr, *table;
	uint32_t n;
	size_t i;

	for (i = 0; i < e->eh->e_phnum; i++)
		if (e->ph[i].p_type == PT_GNU_EH_FRAME)
			break;
	if (i == e->eh->e_phnum)
		return;
	hdr = at_vaddr(e, e->ph[i].p_vaddr, HDR_SIZE);
	if (hdr == NULL || memcmp(hdr, hdr_magic, sizeof(hdr_magic)) != 0)
		return;
	memcpy(&n, hdr + 8, sizeof(n));
	table = at_vaddr(e, e->ph[i].p_vaddr + HDR_SIZE, (size_t)n * 8);
	if (n == 0 || table == NULL || (uintptr_t)table % 4 != 0)
		return;
	e->hdr = e->ph[i].p_vaddr;
	e->table = (const int32_t *)(const void *)table;
	e->len = n;
}

static bool
elf_init(struct elf *e, struct span file)
{
	*e = (struct elf){ .file = file };
	e->eh = (const Elf64_Ehdr *)(const void *)file.p;
	if (file.len < sizeof(*e->eh) ||
	    memcmp(e->eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    e->eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->eh->e_machine != EM_X86_64 ||
	    e->eh->e_phentsize != sizeof(Elf64_Phdr) ||
	    e->eh->e_phoff % 8 != 0 || e->eh->e_phoff > file.len ||
	    (file.len - e->eh->e_phoff) / sizeof(Elf64_Phdr) < e->eh->e_phnum)
		return false;
	e->ph = (const Elf64_Phdr *)(const void *)(file.p + e->eh->e_phoff);
	find_table(e);
	return true;
}

/* The function of .eh_frame that covers vaddr: its start and length, or 0. */
static uint64_t
function_at(const struct elf *e, uint64_t vaddr, uint32_t *len)
{
	size_t lo = 0, hi = e->len;
	uint64_t start, fde;
	const uint8_t *p;
	int32_t begin;
	uint32_t range;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->hdr + (uint64_t)(int64_t)e->table[mid * 2] <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return 0;
	start = e->hdr + (uint64_t)(int64_t)e->table[lo * 2 - 2];
	fde = e->hdr + (uint64_t)(int64_t)e->table[lo * 2 - 1];
	/* length, CIE, first address (pc-relative), number of bytes */
	p = at_vaddr(e, fde, 16);
	if (p == NULL)
		return 0;
	memcpy(&begin, p + 8, 4);
	memcpy(&range, p + 12, 4);
	if (fde + 8 + (uint64_t)(int64_t)begin != start ||
	    vaddr - start >= range)
		return 0;
	*len = range;
	return start;
}

static const uint8_t class_of[] = {
	[INSN_OTHER] = 0,
	[INSN_RDTSC] = PATCH_RDTSC,
	[INSN_RDTSCP] = PATCH_RDTSCP,
	[INSN_CPUID] = PATCH_CPUID,
	[INSN_RDRAND] = PATCH_RDRAND,
	[INSN_RDSEED] = PATCH_RDSEED,
	[INSN_RDPID] = PATCH_RDPID,
	[INSN_INVALID] = 0,
};

static bool
is_wanted(const struct insn *in)
{
	return class_of[in->cls] != 0;
}

static struct patch_site
site_of(const struct insn *in, const uint8_t *code)
{
	return (struct patch_site){
		.len = in->len,
		.cls = class_of[in->cls],
		.reg = in->reg,
		.bits = in->bits,
		.first = code[0],
	};
}

bool
patch_decode(struct span code, struct patch_site *out)
{
	struct insn in;

	if (code.len == 0)
		return false;
	decode_insn(code, &in);
	if (class_of[in.cls] == 0)
		return false;
	*out = site_of(&in, code.p);
	return true;
}

static void
add(struct scan *s, uint64_t offset, const struct insn *in)
{
	struct patch_site site = site_of(in, s->elf.file.p + offset);

	site.offset = offset;
	if (s->sites.len == 0 || s->sites.v[s->sites.len - 1].offset != offset)
		vec_push(&s->sites, site);
}

/* Decode from to the instruction that covers at. */
static enum found
decode_to(struct span code, size_t from, size_t at, size_t *out,
	  struct insn *in)
{
	while (from <= at) {
		decode_insn(span_of(code.p + from, code.len - from), in);
		if (in->cls == INSN_INVALID)
			return FOUND_NOTHING;
		if (from + in->len > at) {
			*out = from;
			return is_wanted(in) ? FOUND_SITE : FOUND_OTHER;
		}
		from += in->len;
	}
	return FOUND_NOTHING;
}

/* What follows must decode, too: what is there when it is data rarely does. */
static bool
makes_sense(struct span code, size_t at, unsigned count)
{
	struct insn in;

	for (; count > 0 && at < code.len; count--) {
		decode_insn(span_of(code.p + at, code.len - at), &in);
		if (in.cls == INSN_INVALID)
			return false;
		at += in.len;
	}
	return true;
}

static bool
is_tsc(const uint8_t *c, const uint8_t *end)
{
	return c[1] == 0x31 || (end - c >= 3 && c[1] == 0x01 && c[2] == 0xf9);
}

static bool
is_candidate(const uint8_t *c, const uint8_t *end)
{
	return end - c >= 2 && (c[1] == 0xa2 || is_tsc(c, end) ||
				(c[1] == 0xc7 && end - c >= 3 && c[2] >= 0xf0));
}

/*
 * May the bytes at at be an instruction, where no function is known? Decoding
 * from anywhere before falls into step with the code within a few instructions,
 * so of many starts at least one comes to it when it is one.
 */
static bool
may_begin(struct span code, size_t at)
{
	size_t from = at > SYNC_FAR ? at - SYNC_FAR : 0;
	size_t upto = at > SYNC_NEAR ? at - SYNC_NEAR : at;

	for (; from <= upto; from++) {
		struct insn in;
		size_t start;

		if (decode_to(code, from, at, &start, &in) == FOUND_SITE)
			return true;
	}
	return false;
}

/* A candidate outside of the functions that are known, or in one that does not
 * decode: is it an RDTSC that would go unnoticed? */
static void
doubt(struct scan *s, struct span code, size_t at)
{
	if (!s->unsure && is_tsc(code.p + at, code.p + code.len))
		s->unsure = makes_sense(code, at, 2) && may_begin(code, at);
}

/* ---- room for a jump */

static const uint8_t *
room_at(const void *ctx, uint64_t vaddr, size_t n)
{
	return at_vaddr(ctx, vaddr, n);
}

/* Windows that a branch from another function leads into are none. */
static void
check_rooms(struct scan *s, size_t first, const Elf64_Phdr *p, struct span code)
{
	uint8_t *marks = mem_zalloc(code.len / 8 + 1);
	size_t i;

	for (i = first; i < s->sites.len; i++) {
		struct patch_site *site = &s->sites.v[i];
		size_t at = (size_t)(site->offset - p->p_offset);

		room_mark(marks, at - site->pre, at);
	}
	room_unmark(code, marks);
	for (i = first; i < s->sites.len; i++) {
		struct patch_site *site = &s->sites.v[i];
		size_t at = (size_t)(site->offset - p->p_offset);

		if (!room_is_marked(marks, at - site->pre, at))
			site->pre = 0;
	}
	mem_free(marks);
}

/* Find room for the CPUIDs among the sites from first on. */
static void
find_rooms(struct scan *s, size_t first, const Elf64_Phdr *p, struct span code)
{
	struct room r = { .code = code,
			  .vaddr = p->p_vaddr,
			  .bytes = room_at,
			  .ctx = &s->elf };
	uint64_t func, last = 0;
	bool any = false;

	for (size_t i = first; i < s->sites.len; i++) {
		struct patch_site *site = &s->sites.v[i];
		size_t at = (size_t)(site->offset - p->p_offset);
		uint32_t len = 0;

		func = function_at(&s->elf, p->p_vaddr + at, &len);
		if (site->cls != PATCH_CPUID || func < p->p_vaddr)
			continue;
		if (func != last)
			room_function(&r, (size_t)(func - p->p_vaddr),
				      (size_t)(func - p->p_vaddr) + len);
		last = func;
		site->pre = (uint8_t)room_before(
			&r, at, site->len, CPUID_STUB_JUMP, PATCH_PRE_MAX);
		memcpy(site->room, code.p + at - site->pre,
		       site->pre + (size_t)site->len);
		any |= site->pre != 0;
	}
	room_free(&r);
	if (any)
		check_rooms(s, first, p, code);
}

static void
by_functions(struct scan *s, const Elf64_Phdr *p, struct span code)
{
	const uint8_t *end = code.p + code.len, *c = code.p;
	const size_t first = s->sites.len;
	uint64_t func, last = 0;
	uint32_t len;
	size_t start = 0;

	for (; c < end && (c = memchr(c, 0x0f, (size_t)(end - c))) != NULL;
	     c++) {
		size_t at = (size_t)(c - code.p);
		enum found found = FOUND_NOTHING;
		struct insn in;

		if (!is_candidate(c, end))
			continue;
		func = function_at(&s->elf, p->p_vaddr + at, &len);
		if (func >= p->p_vaddr && func != 0) {
			/* Further candidates go on where the last was. */
			if (func != last)
				start = (size_t)(func - p->p_vaddr);
			last = func;
			found = decode_to(code, start, at, &start, &in);
		}
		if (found == FOUND_SITE)
			add(s, p->p_offset + start, &in);
		else if (found == FOUND_NOTHING)
			doubt(s, code, at);
	}
	find_rooms(s, first, p, code);
}

static void
by_sweep(struct scan *s, const Elf64_Phdr *p, struct span code)
{
	const uint8_t *end = code.p + code.len, *c = code.p;
	struct insn_site *sites = NULL;
	size_t n = 0, i, next = 0;

	decode_find_sites(code, NULL, 0, &sites, &n);
	for (i = 0; i < n; i++)
		if (makes_sense(code, (size_t)sites[i].offset, 8))
			add(s, p->p_offset + sites[i].offset, &sites[i].insn);
	for (; c < end && (c = memchr(c, 0x0f, (size_t)(end - c))) != NULL;
	     c++) {
		size_t at = (size_t)(c - code.p);

		while (next < s->sites.len &&
		       s->sites.v[next].offset < p->p_offset + at)
			next++;
		if (is_candidate(c, end) &&
		    (next == s->sites.len ||
		     s->sites.v[next].offset != p->p_offset + at))
			doubt(s, code, at);
	}
	mem_free(sites);
}

static void
scan_file(struct scan *s)
{
	const struct elf *e = &s->elf;
	size_t i;

	for (i = 0; i < e->eh->e_phnum; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0 ||
		    p->p_offset > e->file.len ||
		    p->p_filesz > e->file.len - p->p_offset)
			continue;
		if (e->len > 0)
			by_functions(s, p,
				     span_of(e->file.p + p->p_offset,
					     (size_t)p->p_filesz));
		else
			by_sweep(s, p,
				 span_of(e->file.p + p->p_offset,
					 (size_t)p->p_filesz));
	}
}

int
patch_scan(int fd, struct patch_list *out, struct err *err)
{
	struct scan s = { 0 };
	struct span file;
	int ret = fd_map(fd, &file);

	if (ret < 0)
		return err_set(err, -ret, "cannot map an executable: %s",
			       strerror(-ret));
	*out = (struct patch_list){ .unsure = true };
	if (file.len == 0)
		return 0;
	if (elf_init(&s.elf, file))
		scan_file(&s);
	else
		s.unsure = true;
	fd_unmap(&file);
	out->v = s.sites.v;
	out->len = s.sites.len;
	out->unsure = s.unsure;
	return 0;
}

void
patch_free(struct patch_list *l)
{
	mem_free(l->v);
	*l = (struct patch_list){ 0 };
}

/* With its room behind it. */
#define SAVED_SITE (sizeof(uint64_t) + 6)

void
patch_save(const struct patch_list *l, struct buf *out)
{
	buf_u8(out, l->unsure);
	for (size_t i = 0; i < l->len; i++) {
		const struct patch_site *s = &l->v[i];

		buf_u64(out, s->offset);
		buf_u8(out, s->len);
		buf_u8(out, s->cls);
		buf_u8(out, s->reg);
		buf_u8(out, s->bits);
		buf_u8(out, s->first);
		buf_u8(out, s->pre);
		if (s->pre != 0)
			buf_put(out, s->room, s->pre + (size_t)s->len);
	}
}

/* One site from the front of bytes. */
static bool
load_site(struct span *bytes, struct patch_site *s)
{
	const uint8_t *p = bytes->p;
	size_t room;

	if (bytes->len < SAVED_SITE)
		return false;
	memcpy(&s->offset, p, sizeof(s->offset));
	s->len = p[8];
	s->cls = p[9];
	s->reg = p[10];
	s->bits = p[11];
	s->first = p[12];
	s->pre = p[13];
	room = s->pre != 0 ? s->pre + (size_t)s->len : 0;
	if (room > sizeof(s->room) || bytes->len - SAVED_SITE < room)
		return false;
	memcpy(s->room, p + SAVED_SITE, room);
	*bytes = span_of(p + SAVED_SITE + room, bytes->len - SAVED_SITE - room);
	return true;
}

bool
patch_load(struct patch_list *out, struct span bytes)
{
	VEC(struct patch_site) v = { 0 };
	struct patch_site s = { 0 };
	struct span left;

	if (bytes.len == 0)
		return false;
	left = span_of(bytes.p + 1, bytes.len - 1);
	while (left.len > 0) {
		if (!load_site(&left, &s)) {
			vec_free(&v);
			return false;
		}
		vec_push(&v, s);
	}
	*out = (struct patch_list){ .v = v.v,
				    .len = v.len,
				    .unsure = bytes.p[0] != 0 };
	return true;
}

const struct patch_site *
patch_from(const struct patch_list *l, uint64_t offset)
{
	size_t lo = 0, hi = l->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->v[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->len ? &l->v[lo] : NULL;
}
