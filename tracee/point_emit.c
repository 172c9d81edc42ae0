/*
 * The hot code of a stub: what each visit runs. It depends on what tells visits
 * apart (a register, or a word of memory), on whether visits are counted, and
 * on whether the program still needs its flags there. When it does, the only
 * branch that leaves flags alone tests rcx, which has to be saved and
 * restored, and that costs as much as a tight loop's whole turn:
 *
 *	flags dead			flags live
 *	incq visits			mov %rcx, rcx
 *	cmp $want, REG			mov visits, %rcx
 *	je word_dead			lea 1(%rcx), %rcx; mov ...
 *	moved instructions		lea -want(REG), %ecx
 *					jrcxz near_word
 *					mov rcx, %rcx
 *					moved instructions
 *
 * Only the low half of the register or word is looked at: what agrees there is
 * compared in full behind.
 */
#include <string.h>

#include "base/mem.h"
#include "tracee/point_priv.h"

#define RCX 1u
#define RSP 4u
/* Before the entry when no part of a loop is there: jumps that a short branch
 * at the entry reaches. */
#define NEAR_STOP 8u
#define NEAR_WORD 16u
#define NEAR_MEND 32u

struct emitter {
	const struct stub *s;
	uint8_t *p;
	uint64_t at; /* the address of p */
	size_t len;
	bool far;
};

static void
put(struct emitter *e, const void *p, size_t n)
{
	ASSERT(e->len + n <= STUB_HOT);
	memcpy(e->p + e->len, p, n);
	e->len += n;
}

static void
put_byte(struct emitter *e, unsigned v)
{
	uint8_t b = (uint8_t)v;

	put(e, &b, 1);
}

static void
put_u32(struct emitter *e, uint32_t v)
{
	put(e, &v, sizeof(v));
}

static uint64_t
here(const struct emitter *e)
{
	return e->at + e->len;
}

/* 4 bytes that lead to target from the end of the instruction, tail bytes on.
 */
static void
put_rel(struct emitter *e, uint64_t target, unsigned tail)
{
	int64_t d = (int64_t)(target - (here(e) + 4 + tail));
	int32_t rel = (int32_t)d;

	if (rel != d)
		e->far = true;
	put_u32(e, (uint32_t)rel);
}

/* mov between rcx and a field of the data. */
static void
put_mov_rcx(struct emitter *e, unsigned opcode, size_t field)
{
	put_byte(e, 0x48);
	put_byte(e, opcode);
	put_byte(e, RCX << 3 | 5);
	put_rel(e, stub_field(e->s, field), 0);
}

#define LOAD_RCX(e, f) put_mov_rcx(e, 0x8b, offsetof(struct stub_data, f))
#define STORE_RCX(e, f) put_mov_rcx(e, 0x89, offsetof(struct stub_data, f))

/* Does the comparison need rcx? Then it is saved before. */
static bool
needs_rcx(const struct stub_first *f)
{
	return f->how == FIRST_FAR || f->how == FIRST_XMM;
}

/* pextrd $part, REG, ... */
static void
put_pextrd(struct emitter *e)
{
	put_byte(e, 0x66);
	if (e->s->first.reg >= 8)
		put_byte(e, 0x44);
	put_byte(e, 0x0f);
	put_byte(e, 0x3a);
	put_byte(e, 0x16);
}

/* What a comparison needs in rcx: the address of a far word, or the part of a
 * vector register itself. */
static void
put_into_rcx(struct emitter *e)
{
	const struct stub_first *f = &e->s->first;

	if (f->how == FIRST_FAR) {
		put_byte(e, 0x48);
		put_byte(e, 0xb8 | RCX);
		put(e, &f->word, 8);
		return;
	}
	put_pextrd(e);
	put_byte(e, 0xc0u | (f->reg & 7u) << 3 | RCX);
	put_byte(e, f->part);
}

/* ModRM and displacement of the word; reg is the other operand, tail what
 * follows in the instruction. */
static void
put_operand(struct emitter *e, unsigned reg, unsigned tail)
{
	const struct stub_first *f = &e->s->first;

	switch (f->how) {
	case FIRST_REGISTER:
		put_byte(e, 0xc0 | reg << 3 | (f->reg & 7));
		break;
	case FIRST_NEAR:
		put_byte(e, reg << 3 | 5);
		put_rel(e, f->word, tail);
		break;
	case FIRST_RSP:
		put_byte(e, 0x80 | reg << 3 | RSP);
		put_byte(e, 0x24);
		put_u32(e, (uint32_t)(f->word - f->rsp));
		break;
	case FIRST_FAR:
		put_byte(e, reg << 3 | RCX);
		break;
	case FIRST_XMM:
		put_byte(e, 0xc0 | reg << 3 | RCX);
		break;
	}
}

/* incq visits */
static void
put_count_dead(struct emitter *e)
{
	put_byte(e, 0x48);
	put_byte(e, 0xff);
	put_byte(e, 0x05);
	put_rel(e, stub_field(e->s, offsetof(struct stub_data, visits)), 0);
}

/* pextrd $part, REG, rax; cmp $want, rax: where the program's rax is saved
 * later on. */
static void
put_compare_xmm(struct emitter *e)
{
	uint64_t rax = stub_field(e->s, offsetof(struct stub_data, rax));

	put_pextrd(e);
	put_byte(e, (e->s->first.reg & 7u) << 3 | 5);
	put_rel(e, rax, 1);
	put_byte(e, e->s->first.part);
	put_byte(e, 0x81);
	put_byte(e, 7 << 3 | 5);
	put_rel(e, rax, 4);
	put_u32(e, e->s->first.want);
}

static void
put_compare(struct emitter *e)
{
	const struct stub_first *f = &e->s->first;

	if (f->how == FIRST_FAR) {
		STORE_RCX(e, rcx);
		put_into_rcx(e);
	}
	if (f->how == FIRST_REGISTER && f->reg >= 8)
		put_byte(e, 0x41);
	put_byte(e, 0x81); /* cmp $want, ... */
	put_operand(e, 7, 4);
	put_u32(e, f->want);
	if (f->how == FIRST_FAR)
		LOAD_RCX(e, rcx);
}

static void
put_dead(struct emitter *e)
{
	if (e->s->count)
		put_count_dead(e);
	if (e->s->first.how == FIRST_XMM)
		put_compare_xmm(e);
	else
		put_compare(e);
	put_byte(e, 0x0f); /* je */
	put_byte(e, 0x84);
	put_rel(e, stub_code(e->s, stub_head()->word_dead), 0);
}

static void
put_jrcxz(struct emitter *e, unsigned before)
{
	int64_t d;

	put_byte(e, 0xe3);
	d = -(int64_t)(before + e->len + 1);
	ASSERT(d >= -128);
	put_byte(e, (unsigned)d & 0xff);
}

/* lea -want(REG), %ecx */
static void
put_difference(struct emitter *e, unsigned reg)
{
	if (reg >= 8)
		put_byte(e, 0x41);
	put_byte(e, 0x8d);
	put_byte(e, 0x80 | RCX << 3 | (reg & 7));
	if ((reg & 7) == RSP)
		put_byte(e, 0x24);
	put_u32(e, 0 - e->s->first.want);
}

/* lea by(%rcx), %rcx */
static void
put_add_rcx(struct emitter *e, uint32_t by)
{
	put_byte(e, 0x48);
	put_byte(e, 0x8d);
	put_byte(e, 0x80 | RCX << 3 | RCX);
	put_u32(e, by);
}

/* rcx itself is compared, all of it: it need not be saved. */
static bool
is_rcx_alone(const struct stub *s)
{
	return !s->count && s->first.how == FIRST_REGISTER &&
	       s->first.reg == RCX && s->first.small;
}

static void
put_live(struct emitter *e)
{
	const struct stub_first *f = &e->s->first;

	if (is_rcx_alone(e->s)) {
		put_add_rcx(e, 0 - f->want);
		put_jrcxz(e, NEAR_MEND);
		put_add_rcx(e, f->want);
		return;
	}
	STORE_RCX(e, rcx);
	if (e->s->count) {
		LOAD_RCX(e, visits);
		put_byte(e, 0x48); /* lea 1(%rcx), %rcx */
		put_byte(e, 0x8d);
		put_byte(e, 0x49);
		put_byte(e, 1);
		STORE_RCX(e, visits);
	}
	if (f->how == FIRST_REGISTER) {
		if (f->reg == RCX && e->s->count)
			LOAD_RCX(e, rcx);
		put_difference(e, f->reg);
	} else {
		if (needs_rcx(f))
			put_into_rcx(e);
		if (f->how != FIRST_XMM) {
			put_byte(e, 0x8b); /* mov word, %ecx */
			put_operand(e, RCX, 0);
		}
		put_difference(e, RCX);
	}
	put_jrcxz(e, NEAR_WORD);
	LOAD_RCX(e, rcx);
}

/* Stop at the visit at which left reaches zero. */
static void
put_countdown(struct emitter *e)
{
	STORE_RCX(e, rcx);
	LOAD_RCX(e, left);
	put_byte(e, 0x48); /* lea -1(%rcx), %rcx */
	put_byte(e, 0x8d);
	put_byte(e, 0x49);
	put_byte(e, 0xff);
	STORE_RCX(e, left);
	put_jrcxz(e, NEAR_STOP);
	LOAD_RCX(e, rcx);
}

/* mov between rax and the word at an address anywhere. */
static void
put_mov_rax_far(struct emitter *e, unsigned opcode, uint64_t addr)
{
	put_byte(e, 0x48);
	put_byte(e, opcode);
	put(e, &addr, sizeof(addr));
}

/* One more visit of those that share the tick, and this is its number. */
static void
put_tick(struct emitter *e)
{
	uint64_t tick = e->s->tick;
	uint64_t rax = stub_field(e->s, offsetof(struct stub_data, rax));
	uint64_t last = stub_field(e->s, offsetof(struct stub_data, last));

	put_mov_rax_far(e, 0xa3, rax);
	put_mov_rax_far(e, 0xa1, tick);
	put_byte(e, 0x48); /* lea 1(%rax), %rax */
	put_byte(e, 0x8d);
	put_byte(e, 0x40);
	put_byte(e, 1);
	put_mov_rax_far(e, 0xa3, tick);
	put_mov_rax_far(e, 0xa3, last);
	put_mov_rax_far(e, 0xa1, rax);
}

/* A jump before the entry. */
static void
put_before(struct emitter *e, uint8_t *entry, unsigned before, uint32_t to)
{
	struct emitter at = *e;

	at.p = entry - before;
	at.at = stub_code(e->s, stub_head()->entry) - before;
	at.len = 0;
	if (before == NEAR_MEND)
		put_add_rcx(&at, e->s->first.want);
	put_byte(&at, 0xe9);
	put_rel(&at, stub_code(e->s, to), 0);
	e->far |= at.far;
}

/* Flags that matter take branches that are short: there is no room before the
 * entry then. */
static bool
put_moved_loop(struct emitter *e, struct stub *s, uint8_t *entry)
{
	struct moved_code first, rest = { .to = here(e) };

	if (!loop_move(&s->loop, stub_code(s, stub_head()->entry),
		       !s->flags_dead, &first, &rest) ||
	    e->len + rest.len + first.len > STUB_HOT ||
	    (s->flags_dead && first.len > STUB_LEAD))
		return false;
	put(e, rest.bytes, rest.len);
	if (s->flags_dead)
		memcpy(entry - first.len, first.bytes, first.len);
	else
		put(e, first.bytes, first.len);
	return true;
}

static bool
put_moved(struct emitter *e, struct stub *s, uint8_t *entry)
{
	if (s->loop.count > 0)
		return put_moved_loop(e, s, entry);
	if (!window_move(&s->window, here(e), stub_code(s, stub_head()->entry),
			 stub_field(s, offsetof(struct stub_data, slot)),
			 &s->moved))
		return false;
	put(e, s->moved.bytes, s->moved.len);
	return true;
}

bool
stub_emit(struct stub *s, uint8_t out[STUB_LEAD + STUB_HOT])
{
	const struct stub_head *h = stub_head();
	uint8_t *entry = out + STUB_LEAD;
	struct emitter e = { .s = s, .p = entry, .at = stub_code(s, h->entry) };

	memset(out, 0xcc, STUB_LEAD + STUB_HOT);
	if (s->countdown != 0 || !s->flags_dead) {
		put_before(&e, entry, NEAR_STOP, h->stop);
		put_before(&e, entry, NEAR_WORD, h->word);
		put_before(&e, entry, NEAR_MEND, h->word_dead);
	}
	if (s->countdown != 0) {
		put_countdown(&e);
		if (s->tick != 0)
			put_tick(&e);
	} else if (s->flags_dead)
		put_dead(&e);
	else
		put_live(&e);
	s->moved_at = (uint32_t)(h->entry + e.len);
	return put_moved(&e, s, entry) && !e.far;
}

bool
stub_is_cheap(const struct stub *s)
{
	return s->loop.count > 0 && s->flags_dead && s->first.how != FIRST_FAR;
}
