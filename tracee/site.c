/*
 * A site is patched when a call has come from it, so that its bytes are known
 * to be an instruction. What has to be found out is where the instructions
 * before it begin, and that nobody branches into them.
 *
 * Boundaries: decoding from each of many places before the site, the chains
 * that come to it must agree. The true one is among them, because no
 * instruction is longer than the stretch that is tried.
 *
 * Branches: those with 32-bit displacements are looked for at every byte of the
 * file's code (site_scan), the short ones along those chains.
 */
#include "tracee/site.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"
#include "sym/move.h"
#include "tracee/patch_room.h"

#define SYSCALL_LEN 2u
#define TRIED_FROM 64u	/* chains begin so many bytes before the site ... */
#define TRIED_TO 40u	/* ... down to so many */
#define SHORT_FROM 176u /* likewise, for short branches */
#define SHORT_TO 160u
#define SHORT_REACH 130u

#define ALIGNED 16u /* functions are */
#define BYTE_BITS 8u

_Static_assert(TRIED_FROM - TRIED_TO > CODE_LEN_MAX, "one is the true chain");
_Static_assert(TRIED_TO >= SITE_PRE_MAX + CODE_LEN_MAX, "chains have merged");
_Static_assert(SHORT_FROM - SHORT_TO > CODE_LEN_MAX, "one is the true chain");

/* ---- branches to near a syscall instruction */

struct found {
	VEC(uint64_t) v;
};

static bool
is_marked(const uint8_t *marks, size_t at)
{
	return marks[at / BYTE_BITS] >> at % BYTE_BITS & 1;
}

/* The bytes at which a jump may stand instead of each syscall instruction. */
static uint8_t *
mark_windows(struct span code)
{
	uint8_t *marks = mem_zalloc(code.len / BYTE_BITS + 1);
	const uint8_t *end = code.p + code.len, *c = code.p;

	while (c < end && (c = memchr(c, 0x0f, (size_t)(end - c))) != NULL) {
		size_t at = (size_t)(c - code.p);
		size_t from = at > SITE_PRE_MAX ? at - SITE_PRE_MAX : 0;

		c++;
		if (c == end || *c != 0x05)
			continue;
		for (; from <= at; from++)
			marks[from / BYTE_BITS] |=
				(uint8_t)(1u << from % BYTE_BITS);
	}
	return marks;
}

static void
find_far(struct found *f, struct span code, uint64_t offset)
{
	uint8_t *marks = mark_windows(code);

	for (size_t i = 1; i + 5 <= code.len; i++) {
		size_t to;

		if (room_branch_to(code, i, &to) && is_marked(marks, to))
			vec_push(&f->v, offset + to);
	}
	mem_free(marks);
}

static int
by_offset(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
scan_elf(struct found *f, struct span file)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)(const void *)file.p;
	const Elf64_Phdr *ph;

	if (file.len < sizeof(*eh) ||
	    memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phoff % 8 != 0 ||
	    eh->e_phoff > file.len || eh->e_phentsize != sizeof(*ph) ||
	    (file.len - eh->e_phoff) / sizeof(*ph) < eh->e_phnum)
		return;
	ph = (const Elf64_Phdr *)(const void *)(file.p + eh->e_phoff);
	for (size_t i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD || (ph[i].p_flags & PF_X) == 0 ||
		    ph[i].p_offset > file.len ||
		    ph[i].p_filesz > file.len - ph[i].p_offset)
			continue;
		find_far(f,
			 span_of(file.p + ph[i].p_offset,
				 (size_t)ph[i].p_filesz),
			 ph[i].p_offset);
	}
}

int
site_scan(int fd, struct site_targets *out, struct err *err)
{
	struct found f = { 0 };
	struct span file;
	int ret = fd_map(fd, &file);

	*out = (struct site_targets){ 0 };
	if (ret < 0)
		return err_set(err, -ret, "cannot map an executable: %s",
			       strerror(-ret));
	if (file.len == 0)
		return 0;
	scan_elf(&f, file);
	fd_unmap(&file);
	if (f.v.len > 0)
		qsort(f.v.v, f.v.len, sizeof(*f.v.v), by_offset);
	out->v = f.v.v;
	out->len = f.v.len;
	return 0;
}

void
site_free(struct site_targets *t)
{
	mem_free(t->v);
	*t = (struct site_targets){ 0 };
}

/* Is there one in (from, to]? */
static bool
has_far(const struct site_targets *t, uint64_t from, uint64_t to)
{
	size_t lo = 0, hi = t->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->v[mid] <= from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->len && t->v[lo] <= to;
}

/* ---- chains */

static bool
decode_at(struct span code, size_t at, struct code *out)
{
	size_t left = code.len - at;

	return at < code.len &&
	       code_decode(span_of(code.p + at,
				   left < CODE_LEN_MAX ? left : CODE_LEN_MAX),
			   at, out);
}

/*
 * Decode from from to the site; false when that is not come to. *bounds: bit n,
 * an instruction begins n bytes before the site.
 */
static bool
chain_to(struct span code, size_t from, size_t at, uint32_t *bounds)
{
	struct code c;

	*bounds = 0;
	while (from < at) {
		if (at - from < 32)
			*bounds |= 1u << (at - from);
		if (!decode_at(code, from, &c))
			return false;
		from += c.len;
	}
	return from == at;
}

/* Where instructions begin, as all chains say. */
static uint32_t
agreed_bounds(struct span code, size_t at)
{
	size_t from = at > TRIED_FROM ? at - TRIED_FROM : 0;
	uint32_t agreed = 0, one;
	bool any = false;

	for (; from + TRIED_TO <= at; from++) {
		if (!chain_to(code, from, at, &one))
			continue;
		agreed = any ? agreed & one : one;
		any = true;
	}
	return agreed;
}

/* Instructions [from, at) do the same elsewhere, and go on behind each other.
 * A fault in one is told as one of where it was (agent_faulted). */
static bool
can_move(struct span code, size_t from, size_t at)
{
	struct code c;

	for (; from < at; from += c.len) {
		if (!decode_at(code, from, &c) || c.flow != FLOW_NEXT ||
		    c.disp_at != 0 || c.rep || c.gather || c.pushf)
			return false;
		/* The stack, strings; of constants only those to a register. */
		if (!c.nop && c.modrm_at == 0 && (c.opcode & 0xf8) != 0xb8)
			return false;
	}
	return from == at;
}

/* Does a branch with a target lead into (from, to]? */
static bool
leads_into(const struct code *c, size_t from, size_t to)
{
	return (c->flow == FLOW_JCC || c->flow == FLOW_LOOP ||
		c->flow == FLOW_JMP) &&
	       c->target > from && c->target <= to;
}

static bool
chain_branches(struct span code, size_t start, size_t from, size_t at)
{
	struct code c;
	uint32_t bounds;

	if (!chain_to(code, start, at, &bounds))
		return false;
	for (size_t i = start; i < at; i += c.len)
		if (!decode_at(code, i, &c) || leads_into(&c, from, at))
			return true;
	return false;
}

static bool
has_short(struct span code, size_t from, size_t at)
{
	size_t start = at > SHORT_FROM ? at - SHORT_FROM : 0;
	size_t last = at > SHORT_TO ? at - SHORT_TO : 0;
	struct code c;

	for (; start <= last; start++)
		if (chain_branches(code, start, from, at))
			return true;
	for (size_t i = at + SYSCALL_LEN; i < at + SHORT_REACH; i += c.len)
		if (!decode_at(code, i, &c))
			break; /* the end of the code */
		else if (leads_into(&c, from, at))
			return true;
	return false;
}

/* ---- windows and holes */

/* Bytes before the site that make room; 0 = there are none that can move. */
static unsigned
find_window(struct span code, size_t at, uint64_t offset,
	    const struct site_targets *t)
{
	uint32_t bounds = agreed_bounds(code, at);
	unsigned pre = SITE_JUMP - SYSCALL_LEN;

	for (; pre <= SITE_PRE_MAX; pre++)
		if (bounds >> pre & 1)
			break;
	if (pre > SITE_PRE_MAX || !can_move(code, at - pre, at) ||
	    has_far(t, offset - pre, offset) || has_short(code, at - pre, at))
		return 0;
	return pre;
}

/*
 * Padding behind an instruction that ends at from and goes nowhere from there,
 * as far as the next place that functions are aligned to. Its length.
 */
static size_t
padding(struct span code, size_t from, uint64_t skew)
{
	size_t end = from;
	struct code c;

	while (end < code.len && (end == from || (end + skew) % ALIGNED != 0)) {
		if (code.p[end] == 0xcc) {
			end++;
			continue;
		}
		if (!decode_at(code, end, &c) || !c.nop)
			break;
		end += c.len;
	}
	return (end + skew) % ALIGNED == 0 ? end - from : 0;
}

/* Does any instruction of [from, to) branch into the hole? */
static bool
branches_to_hole(struct span code, size_t from, size_t to, size_t hole)
{
	struct code c;

	for (; from < to && decode_at(code, from, &c); from += c.len)
		if (leads_into(&c, hole - 1, hole + SITE_JUMP - 1))
			return true;
	return false;
}

/* The first hole among the instructions of [from, to) that a short jump at at
 * reaches. 0 = none. start: where the code before at can be decoded from. */
static size_t
find_hole(struct span code, size_t from, size_t to, size_t start, size_t at,
	  uint64_t skew)
{
	struct code c;

	for (; from < to && decode_at(code, from, &c); from += c.len) {
		size_t end = from + c.len;

		if ((c.flow == FLOW_RET || c.flow == FLOW_JMP) &&
		    end + SITE_JUMP <= at + SYSCALL_LEN + 127 &&
		    end + 128 >= at + SYSCALL_LEN &&
		    padding(code, end, skew) >= SITE_JUMP &&
		    !branches_to_hole(code, start, at, end) &&
		    !branches_to_hole(code, at + SYSCALL_LEN, code.len, end))
			return end;
	}
	return 0;
}

/* Where the chains from before the site have come together. */
static size_t
common_start(struct span code, size_t at)
{
	bool agreed[SHORT_FROM + 1], any = false;
	size_t lo = at > SHORT_FROM ? at - SHORT_FROM : 0;
	size_t last = at > SHORT_TO ? at - SHORT_TO : 0;

	memset(agreed, true, sizeof(agreed));
	for (size_t start = lo; start <= last; start++) {
		bool one[SHORT_FROM + 1] = { false };
		size_t i = start;
		struct code c;

		for (; i < at && decode_at(code, i, &c); i += c.len)
			one[at - i] = true;
		if (i != at)
			continue;
		any = true;
		for (size_t k = 0; k <= SHORT_FROM; k++)
			agreed[k] &= one[k];
	}
	for (size_t k = SHORT_FROM; any && k > 0; k--)
		if (agreed[k])
			return at - k;
	return at;
}

bool
site_plan(struct span code, size_t at, uint64_t offset,
	  const struct site_targets *t, struct site_plan *out)
{
	uint64_t skew = offset - at;
	size_t start, hole;

	*out = (struct site_plan){ .pre = find_window(code, at, offset, t) };
	if (out->pre != 0)
		return true;
	start = common_start(code, at);
	hole = find_hole(code, at + SYSCALL_LEN, code.len, start, at, skew);
	if (hole == 0)
		hole = find_hole(code, start, at, start, at, skew);
	if (hole == 0)
		return false;
	out->hole = (int)(hole - at);
	return true;
}

/* ---- what is written */

void
site_short(const struct site_plan *p, uint8_t out[2])
{
	out[0] = 0xeb;
	out[1] = (uint8_t)(p->hole - (int)SYSCALL_LEN);
}

void
site_jump(uint32_t stub, uint8_t *out, unsigned len)
{
	static const uint8_t jump[] = { 0xff, 0x24, 0x25 };

	memcpy(out, jump, sizeof(jump));
	memcpy(out + sizeof(jump), &stub, sizeof(stub));
	memset(out + SITE_JUMP, 0xcc, len - SITE_JUMP);
}

uint64_t
site_stub(uint64_t at, struct span pre, uint64_t after, uint8_t *out)
{
	static const uint8_t jump_data[] = { 0xff, 0x24, 0x25 };
	static const uint8_t own_call[] = {
		0x0f, 0x05, 0xff, 0x25, 0, 0, 0, 0
	};
	uint64_t code = at + 8, insn;
	uint32_t word;
	size_t n = 0;

	memset(out, 0xcc, AGENT_SITE_SIZE);
	memcpy(out, &code, 8);
	n = 8;
	memcpy(out + n, pre.p, pre.len);
	n += pre.len;
	out[n++] = 0xb9; /* mov $insn, %ecx */
	insn = at + n + 4 + 7;
	word = (uint32_t)insn;
	memcpy(out + n, &word, 4);
	n += 4;
	memcpy(out + n, jump_data, sizeof(jump_data));
	n += sizeof(jump_data);
	word = (uint32_t)AGENT_DATA;
	memcpy(out + n, &word, 4);
	n += 4;
	memcpy(out + n, own_call, sizeof(own_call));
	n += sizeof(own_call);
	memcpy(out + n, &after, 8);
	return insn;
}
