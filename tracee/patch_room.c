#include "tracee/patch_room.h"

#include "base/mem.h"
#include "sym/move.h"

#define BYTE_BITS 8u
#define OPCODE_LEA 0x8du
#define RM_SIB 4u /* the addressing byte follows */
#define SIB_RSP 0x24u

static bool
get(const uint8_t *bits, size_t i)
{
	return bits[i / BYTE_BITS] >> i % BYTE_BITS & 1;
}

static void
set(uint8_t *bits, size_t i)
{
	bits[i / BYTE_BITS] |= (uint8_t)(1u << i % BYTE_BITS);
}

static bool
decode(const struct room *r, size_t at, size_t end, struct code *out)
{
	size_t left = end - at;

	return at < end &&
	       code_decode(span_of(r->code.p + at,
				   left < CODE_LEN_MAX ? left : CODE_LEN_MAX),
			   at, out);
}

static void
enter(struct room *r, uint64_t to)
{
	if (to >= r->start && to < r->end)
		set(r->entered, (size_t)to - r->start);
}

/*
 * A switch: distances from the table's own address, as long as they lead into
 * the function. Whether it is one is not known: what is taken for one by
 * mistake only takes room away. True: it leads here.
 */
static bool
enter_table(struct room *r, uint64_t table)
{
	uint64_t base = r->vaddr + r->start, len = r->end - r->start, n;

	for (n = 0;; n++) {
		const uint8_t *p = r->bytes(r->ctx, table + n * 4, 4);
		int32_t disp;
		uint64_t to;

		if (p == NULL)
			break;
		memcpy(&disp, p, sizeof(disp));
		to = table + (uint64_t)(int64_t)disp - base;
		if (to >= len)
			break;
		set(r->entered, (size_t)to);
	}
	return n > 1;
}

/* Every branch of the function; false: something is not understood. */
static bool
look(struct room *r)
{
	bool indirect = false, tables = false;
	struct code c;
	size_t i;

	for (i = r->start; i < r->end; i += c.len) {
		int32_t disp;

		if (!decode(r, i, r->end, &c))
			return false;
		set(r->begins, i - r->start);
		if (c.flow == FLOW_JCC || c.flow == FLOW_LOOP ||
		    c.flow == FLOW_JMP || c.flow == FLOW_CALL)
			enter(r, c.target);
		/* By way of memory: another function. */
		indirect |= c.flow == FLOW_JMP_IND && c.disp_at == 0;
		if (c.opcode != OPCODE_LEA || c.disp_at == 0)
			continue;
		memcpy(&disp, c.bytes + c.disp_at, sizeof(disp));
		tables |= enter_table(r, r->vaddr + i + c.len +
						 (uint64_t)(int64_t)disp);
	}
	return i == r->end && (!indirect || tables);
}

void
room_function(struct room *r, size_t start, size_t end)
{
	size_t n = (end - start) / BYTE_BITS + 1;

	room_free(r);
	r->start = start;
	r->end = end;
	r->begins = mem_zalloc(n);
	r->entered = mem_zalloc(n);
	r->clear = end <= r->code.len && start < end && look(r);
}

void
room_free(struct room *r)
{
	mem_free(r->begins);
	mem_free(r->entered);
	r->begins = r->entered = NULL;
	r->clear = false;
}

/* Registers and constants, or a store or load by the stack pointer: nothing
 * depends on where it stands. */
static bool
can_move(const struct code *c)
{
	const uint8_t *m = c->bytes + c->modrm_at;

	if (c->flow != FLOW_NEXT || c->disp_at != 0 || c->rep || c->gather ||
	    c->pushf)
		return false;
	if (c->nop)
		return true;
	if (c->modrm_at == 0) /* mov constant, register */
		return (c->opcode & 0xf8) == 0xb8;
	if (m[0] >= 0xc0)
		return true;
	for (const uint8_t *p = c->bytes; p < m; p++)
		if ((*p & 0xf1) == 0x41)
			return false; /* REX.B: not rsp but r12 */
	return (m[0] & 7) == RM_SIB && m[1] == SIB_RSP;
}

unsigned
room_before(const struct room *r, size_t at, unsigned len, unsigned jump,
	    unsigned max)
{
	size_t from = at;
	struct code c;

	if (!r->clear || at < r->start || !get(r->begins, at - r->start))
		return 0;
	while (at - from + len < jump) {
		/* The branch may lead to the first of them, not past it. */
		if (from == r->start || get(r->entered, from - r->start))
			return 0;
		do
			from--;
		while (from > r->start && !get(r->begins, from - r->start));
		if (at - from > max || !decode(r, from, r->end, &c) ||
		    !can_move(&c))
			return 0;
	}
	return (unsigned)(at - from);
}

/* jmp, call: e9, e8; jcc: 0f 80 to 0f 8f. */
bool
room_branch_to(struct span code, size_t i, size_t *out)
{
	const uint8_t *p = code.p + i;
	int32_t disp;
	uint64_t to;

	if (p[0] != 0xe9 && p[0] != 0xe8 &&
	    ((p[0] & 0xf0) != 0x80 || p[-1] != 0x0f))
		return false;
	memcpy(&disp, p + 1, sizeof(disp));
	to = i + 5 + (uint64_t)(int64_t)disp;
	*out = (size_t)to;
	return to < code.len;
}

void
room_unmark(struct span code, uint8_t *marks)
{
	size_t to;

	for (size_t i = 1; i + 5 <= code.len; i++)
		if (room_branch_to(code, i, &to))
			marks[to / BYTE_BITS] &=
				(uint8_t) ~(1u << to % BYTE_BITS);
}

void
room_mark(uint8_t *marks, size_t from, size_t to)
{
	while (from++ < to)
		set(marks, from);
}

bool
room_is_marked(const uint8_t *marks, size_t from, size_t to)
{
	while (from++ < to)
		if (!get(marks, from))
			return false;
	return true;
}
