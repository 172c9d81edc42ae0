#include "recorder/nondet_code.h"

#include "agent/abi.h"
#include "tracee/mem.h"

#define PAGE 4096u

/* In place of an RDTSC whose value is for statistics alone: mov %eax, %eax. The
 * time is then what these registers happen to hold, the same in replay. */
static const uint8_t quiet[2] = { 0x89, 0xc0 };

/* Sites that lie close together: one read, one write. */
struct cluster {
	const struct code_patcher *c;
	struct space *space;
	const struct mem *mem;
	struct overlay *o;
	const struct patch_site *first;
	size_t n;
	uint64_t base;	     /* address of the file's offset 0 */
	uint64_t addr;	     /* of code[0] */
	bool fresh, quiet, changed; /* changed: code has to be written */
	unsigned stubs;	     /* numbers given out, the space's included */
	struct buf stub;     /* the new ones */
	uint8_t code[PAGE];
	size_t len;
};

bool
code_traps(const struct code_patcher *c, const struct patch_site *s)
{
	return s->cls != PATCH_CPUID || !c->faulting;
}

static uint8_t *
code_of(struct cluster *k, const struct patch_site *s)
{
	return k->code + (k->base + s->offset - k->addr);
}

static void
put_patch(const struct cluster *k, const uint8_t *at, size_t len,
	  struct buf *items)
{
	item_put_bytes(items, ITEM_PATCH, k->addr + (uint64_t)(at - k->code),
		       span_of(at, len));
}

/* The jump in place of s and what is before it. */
static bool
put_jump(struct cluster *k, const struct patch_site *s, struct buf *items)
{
	uint8_t *at = code_of(k, s) - s->pre;
	size_t len = s->pre + (size_t)s->len;

	if (!k->fresh || !k->c->has_stubs ||
	    k->stubs == AGENT_CPUID_STUBS_MAX || memcmp(at, s->room, len) != 0)
		return false;
	cpuid_stub_put(&k->c->stubs, k->stubs, span_of(s->room, s->pre),
		       k->base + s->offset + s->len, &k->stub);
	cpuid_stub_jump(k->stubs++, at, len);
	put_patch(k, at, len, items);
	k->changed = true;
	return true;
}

static bool
put_quiet(struct cluster *k, const struct patch_site *s, struct buf *items)
{
	uint8_t *at = code_of(k, s);

	if (s->cls != PATCH_RDTSC)
		return false;
	if (memcmp(at, quiet, sizeof(quiet)) == 0)
		return true; /* in place already */
	if (!k->quiet || *at != s->first)
		return false;
	memcpy(at, quiet, sizeof(quiet));
	put_patch(k, at, sizeof(quiet), items);
	k->changed = true;
	return true;
}

/* false: it is not what the file says. */
static bool
put_trap(struct cluster *k, const struct patch_site *s, struct buf *items)
{
	uint8_t *at = code_of(k, s);

	if (!code_traps(k->c, s) || *at == PATCH_INT3)
		return true; /* or in place already */
	if (*at != s->first)
		return false;
	*at = PATCH_INT3;
	put_patch(k, at, 1, items);
	k->changed = true;
	return true;
}

static bool
put_site(struct cluster *k, const struct patch_site *s, struct buf *items)
{
	/* Before the room is in this mapping, too. */
	bool room = s->pre != 0 && k->base + s->offset - k->addr >= s->pre;

	if (room && (cpuid_stub_is_jump(code_of(k, s) - s->pre) ||
		     put_jump(k, s, items)))
		return true;
	return put_quiet(k, s, items) || put_trap(k, s, items);
}

static bool
write_patch(const struct cluster *k, uint64_t addr, struct span bytes,
	    struct buf *items)
{
	item_put_bytes(items, ITEM_PATCH, addr, bytes);
	return mem_write_all(k->mem, addr, bytes.p, bytes.len) == 0;
}

/* The stubs before the jumps to them. */
static bool
write_back(struct cluster *k, struct buf *items)
{
	unsigned had = (unsigned)k->space->cpuid_stubs;

	if (!k->changed)
		return true;
	if (k->stubs > 0 && had == 0 &&
	    !write_patch(k, AGENT_CPUID_TABLE, buf_span(&k->c->stubs.table),
			 items))
		return false;
	if (k->stub.len > 0 &&
	    !write_patch(k, AGENT_CPUID_STUBS + had * AGENT_CPUID_STUB_SIZE,
			 buf_span(&k->stub), items))
		return false;
	if (overlay_write(k->o, k->addr, k->code, k->len) < 0)
		return false;
	k->space->cpuid_stubs = (int)k->stubs;
	return true;
}

static bool
patch_cluster(struct cluster *k, struct buf *items)
{
	const size_t items_len = items->len;
	bool as_expected = true;

	k->stubs = (unsigned)k->space->cpuid_stubs;
	k->changed = false;
	buf_clear(&k->stub);
	if (overlay_read(k->o, k->addr, k->code, k->len) < 0)
		return false;
	for (size_t i = 0; i < k->n; i++)
		as_expected &= put_site(k, &k->first[i], items);
	if (write_back(k, items))
		return as_expected;
	items->len = items_len;
	return false;
}

bool
code_patch(const struct code_patcher *c, struct task *t, const struct vma *vma,
	   const struct patch_list *l, uint64_t start, uint64_t end, bool fresh,
	   bool is_quiet, struct overlay *o, struct buf *items)
{
	const struct mem m = mem_of_task(&t->proc->space->mem, t->tid);
	const struct patch_site *s, *last;
	const uint64_t base = vma->start - vma->offset;
	struct cluster k = { .c = c,
			     .space = t->proc->space,
			     .mem = &m,
			     .o = o,
			     .base = base,
			     .fresh = fresh,
			     .quiet = fresh && is_quiet };
	bool ok = !l->unsure;

	s = patch_from(l, start - base);
	/* v is NULL in an empty list */
	last = s != NULL ? l->v + l->len : NULL;
	while (s != NULL && s < last && base + s->offset < end) {
		uint64_t at = base + s->offset;

		k.addr = at - start < s->pre ? at : at - s->pre;
		k.first = s;
		for (k.n = 0; s < last && base + s->offset < end; s++, k.n++) {
			uint64_t to = base + s->offset + s->len;

			to = to < end ? to : end;
			if (to - k.addr > sizeof(k.code))
				break;
			k.len = (size_t)(to - k.addr);
		}
		ok &= patch_cluster(&k, items);
	}
	buf_free(&k.stub);
	return ok;
}

/* Register number as in instruction encodings. */
static uint64_t *
reg_of(struct regs *r, unsigned number)
{
	uint64_t *const table[16] = {
		&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
		&r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
		&r->r12, &r->r13, &r->r14, &r->r15,
	};

	return table[number & 15];
}

uint64_t
code_put_reg(struct regs *r, unsigned number, unsigned bits, uint64_t v)
{
	uint64_t *to = reg_of(r, number);

	if (bits == 16)
		v = (*to & ~0xffffull) | (v & 0xffff);
	else if (bits == 32)
		v &= 0xffffffffu;
	*to = v;
	return v;
}
