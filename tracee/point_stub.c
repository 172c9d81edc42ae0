/*
 * Placing the stub of agent/stub.h in a stopped space:
 *
 *   program                      mapping near it
 *   pc: jmp entry  ------------> entry: count, compare
 *       (WINDOW_JUMP bytes)        moved: the covered instructions
 *   pc+len:  <------------------   jmp pc+len
 *
 * The jump's displacement holds bytes that trap where covered instructions
 * began, which leaves few addresses for the stub; it lies where nothing is
 * mapped and no stack grows.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "agent/abi.h"
#include "agent/blob.h"
#include "base/arena.h"
#include "base/mem.h"
#include "tracee/cpuid.h"
#include "tracee/point_priv.h"
#include "tracee/ptrace.h"
#include "tracee/remote.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define LOWEST 0x10000u
#define HIGHEST 0x7fffffff0000u
#define KEEP_OFF (64u * 1024u)		 /* from other mappings */
#define STACK_ROOM (64u * 1024u * 1024u) /* below a stack */
#define FLAGS_NEAR 512u /* code that is read around the point */
#define FIRST_INSNS 16u /* looked at for a register that changes */
#define WORD_ABOVE_RSP (1u << 20)
#define TUNE_MIN 1000u /* visits that got past the first comparison */

const struct stub_head *
stub_head(void)
{
	return (const struct stub_head *)(const void *)agent_stub;
}

uint64_t
stub_code(const struct stub *s, uint32_t offset)
{
	return s->base + offset;
}

uint64_t
stub_field(const struct stub *s, size_t offset)
{
	return s->base + STUB_DATA + offset;
}

/* ---- a place */

struct place {
	const struct maps *maps;
	struct stub *stub;
	uint8_t rel[4]; /* the jump's displacement */
};

static bool
is_stack(const struct vma *v)
{
	return strncmp(v->name, "[stack", 6) == 0;
}

/* Nothing is mapped in or close to [start, end). */
static bool
is_free(const struct maps *m, uint64_t start, uint64_t end)
{
	size_t lo = 0, hi = m->len;

	if (start < LOWEST + KEEP_OFF || end > HIGHEST || end < start)
		return false;
	/* The first mapping that ends above what comes before start. */
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->v[mid].end + KEEP_OFF <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < m->len && m->v[lo].start < end + STACK_ROOM; lo++) {
		const struct vma *v = &m->v[lo];
		uint64_t room = is_stack(v) ? STACK_ROOM : KEEP_OFF;

		if (v->start < end + room)
			return false;
	}
	return start >= AGENT_BASE
		       ? start >= AGENT_SCRATCH + AGENT_SCRATCH_SLOTS *
							  AGENT_SCRATCH_STRIDE
		       : end <= AGENT_BASE;
}

/* Does the stub fit where the displacement leads? */
static bool
try_place(struct place *p)
{
	struct stub *s = p->stub;
	uint8_t hot[STUB_LEAD + STUB_HOT];
	uint64_t entry, base, map, end;
	int32_t rel;

	memcpy(&rel, p->rel, sizeof(rel));
	entry = s->pc + WINDOW_JUMP + (uint64_t)(int64_t)rel;
	base = entry - stub_head()->entry;
	map = base & ~(uint64_t)(POINT_PAGE - 1);
	end = (base + STUB_SIZE + POINT_PAGE - 1) & ~(uint64_t)(POINT_PAGE - 1);
	if (base % 8 != 0 || !is_free(p->maps, map, end))
		return false;
	s->base = base;
	s->map = map;
	s->len = end - map;
	return stub_emit(s, hot);
}

/* Where a covered instruction began the byte must trap; what else may be
 * there are a few values. Byte 0 moves the stub by bytes, byte 3 by 16 MB. */
static bool
try_bytes(struct place *p, int byte)
{
	bool trap = (p->stub->window.inner >> (byte + 1) & 1) != 0;
	/* clang-format off */
	static const uint8_t high[] = {
		0xf0, 0x10, 0xe0, 0x20, 0xd0, 0x30, 0xc0, 0x40, 0xb0, 0x50,
		0xa0, 0x60, 0x90, 0x70, 0xf8, 0x08, 0xfc, 0x04, 0xfe, 0x02,
		0xff, 0x01, 0x00, 0x84, 0x7c,
	};
	/* clang-format on */

	if (byte < 0)
		return try_place(p);
	for (unsigned i = 0;; i++) {
		int v;

		if (trap)
			v = window_trap_byte(i);
		else if (byte == 3)
			v = i < ARRAY_LEN(high) ? high[i] : -1;
		else if (byte == 0)
			/* Aligned: one of eight fits. */
			v = i < 8 ? (int)((0 - (uint32_t)p->stub->pc -
					   WINDOW_JUMP + i) &
					  0xff)
				  : -1;
		else
			v = i < 4 ? (int)(0x40 * i + 0x10) : -1;
		if (v < 0)
			return false;
		p->rel[byte] = (uint8_t)v;
		if (try_bytes(p, byte - 1))
			return true;
	}
}

/* ---- filling it */

/* A register that the code from pc on writes, which is likely to tell visits
 * apart. code: what is near, at code_pc. */
static uint8_t
likely_register(struct span code, uint64_t code_pc, uint64_t pc)
{
	size_t at = (size_t)(pc - code_pc);

	for (unsigned i = 0; i < FIRST_INSNS && at < code.len; i++) {
		struct code c;
		unsigned set;

		if (!code_decode(span_of(code.p + at, code.len - at),
				 code_pc + at, &c))
			break;
		set = c.writes & ~(1u << 4); /* not rsp */
		if (set != 0)
			return (uint8_t)__builtin_ctz(set);
		at += c.len;
		/* Round the loop. */
		if ((c.flow == FLOW_JCC || c.flow == FLOW_JMP) &&
		    c.target < c.pc && c.target - code_pc < code.len)
			at = (size_t)(c.target - code_pc);
		else if (c.flow != FLOW_NEXT && c.flow != FLOW_JCC)
			break;
	}
	return 0;
}

static void
want_register(struct stub *s, const struct point *p, unsigned n)
{
	int64_t v = (int64_t)point_gpr(&p->regs, n);

	s->first = (struct stub_first){
		.reg = (uint8_t)n,
		.want = (uint32_t)v,
		.small = v == (int32_t)v && v != INT32_MIN,
	};
}

/* The vector registers' part of the xsave area: xmm, and the components that
 * XSAVE puts where cpuid says. */
static void
fill_vectors(const struct stub *s, const struct point *p, struct stub_data *d)
{
	static const uint8_t components[] = { 2, 5, 6, 7 }; /* AVX, AVX-512 */
	uint64_t area = (s->base + STUB_VECTOR + 63) & ~63ull;
	uint64_t want = s->base + STUB_WANT;

	if (p->xstate.len < POINT_XMM_END || cpuid_xcr0() == 0)
		return;
	d->xsave = area;
	d->xsave_mask = 2; /* xmm */
	d->vector[d->n_vectors++] =
		(struct stub_range){ area + POINT_XMM, want + POINT_XMM,
				     (POINT_XMM_END - POINT_XMM) / 8 };
	for (unsigned i = 0; i < ARRAY_LEN(components); i++) {
		unsigned eax = 0, ebx = 0, ecx, edx, n = components[i];

		if (!(cpuid_xcr0() >> n & 1))
			continue;
		__cpuid_count(0xd, n, eax, ebx, ecx, edx);
		if (ebx + eax > p->xstate.len ||
		    ebx + eax > STUB_VECTOR_SIZE - 64)
			continue;
		d->xsave_mask |= 1ull << n;
		d->vector[d->n_vectors++] =
			(struct stub_range){ area + ebx, want + ebx, eax / 8 };
	}
}

static void
fill_data(const struct stub *s, const struct point *p, struct stub_data *d)
{
	uint64_t want = s->base + STUB_WANT_RANGES;

	*d = (struct stub_data){ .slot = s->moved.ret, .left = s->countdown };
	d->word = stub_field(s, offsetof(struct stub_data, dummy));
	if (p == NULL)
		return;
	for (unsigned n = 0; n < 16; n++)
		d->neg[n] = 0 - point_gpr(&p->regs, n);
	d->want_flags = p->regs.eflags;
	d->flags_mask = POINT_FLAGS;
	if (s->flags_dead)
		d->flags_mask &= ~(uint64_t)POINT_ARITHMETIC;
	fill_vectors(s, p, d);
	for (size_t i = 0; i < p->ranges.len; i++) {
		const struct point_range *r = &p->ranges.v[i];

		d->range[d->n_ranges++] = (struct stub_range){
			.addr = r->addr,
			.want = want + r->at,
			.words = r->len / 8,
		};
	}
}

int
stub_install(struct stub *s, const struct point_run *run)
{
	const struct stub_head *h = stub_head();
	size_t word = offsetof(struct stub_data, word);
	uint8_t hot[STUB_LEAD + STUB_HOT], jump[WINDOW_JUMP] = { 0xe9 };
	uint64_t learned[2] = { s->word, 0 - s->word_want };
	const uint64_t kills[ARRAY_LEN(((struct stub_data *)0)->kills)] = { 0 };
	int32_t rel;

	if (!stub_emit(s, hot))
		return -ERANGE;
	rel = (int32_t)(s->moved_at - (h->out_jump + WINDOW_JUMP));
	memcpy(jump + 1, &rel, sizeof(rel));
	if (mem_write_all(&run->mem, stub_code(s, h->entry - STUB_LEAD), hot,
			  sizeof(hot)) < 0 ||
	    mem_write_all(&run->mem, stub_code(s, h->out_jump), jump,
			  sizeof(jump)) < 0 ||
	    mem_write_all(&run->mem,
			  stub_field(s, offsetof(struct stub_data, kills)),
			  kills, sizeof(kills)) < 0 ||
	    (s->word != 0 && mem_write_all(&run->mem, stub_field(s, word),
					   learned, sizeof(learned)) < 0))
		return -EFAULT;
	return 0;
}

/* The jump, as the program's memory has it while it is armed. */
void
stub_jump(const struct stub *s, uint8_t out[WINDOW_JUMP])
{
	int32_t rel = (int32_t)(stub_code(s, stub_head()->entry) -
				(s->pc + WINDOW_JUMP));

	out[0] = 0xe9;
	memcpy(out + 1, &rel, sizeof(rel));
}

/* The expected bytes of the ranges: with the jump, where it lies in one. */
static int
fill_ranges(const struct stub *s, const struct point_run *run,
	    const struct point *p)
{
	struct buf want = { 0 };
	uint8_t jump[WINDOW_JUMP];
	int ret;

	stub_jump(s, jump);
	buf_put(&want, p->bytes.p, p->bytes.len);
	for (size_t i = 0; i < p->ranges.len; i++) {
		const struct point_range *r = &p->ranges.v[i];

		for (unsigned k = 0; k < WINDOW_JUMP; k++)
			if (s->pc + k - r->addr < r->len)
				want.p[r->at + (s->pc + k - r->addr)] = jump[k];
	}
	ret = mem_write_all(&run->mem, s->base + STUB_WANT_RANGES, want.p,
			    want.len);
	buf_free(&want);
	return ret;
}

static int
fill(struct stub *s, const struct point_run *run, const struct point *p,
     struct err *err)
{
	const struct mem *m = &run->mem;
	struct stub_data d;
	size_t vectors = 0;

	if (p != NULL)
		vectors = p->xstate.len < STUB_VECTOR_SIZE ? p->xstate.len
							   : STUB_VECTOR_SIZE;
	ASSERT(agent_stub_len <= STUB_DATA);
	fill_data(s, p, &d);
	if (mem_write_all(m, s->base, agent_stub, agent_stub_len) < 0 ||
	    mem_write_all(m, s->base + STUB_DATA, &d, sizeof(d)) < 0 ||
	    stub_install(s, run) < 0 ||
	    (vectors > 0 &&
	     mem_write_all(m, s->base + STUB_WANT, p->xstate.p, vectors) < 0) ||
	    (p != NULL && fill_ranges(s, run, p) < 0))
		return err_set(err, EFAULT, "cannot write a stub at %#llx",
			       (unsigned long long)s->base);
	return 0;
}

/* May the program have changed the code there in the interval? The moved one is
 * as it is now. */
static bool
is_written(const struct point *p, uint64_t start, uint64_t end)
{
	return !p->complete || point_wrote(p, start) || point_wrote(p, end - 1);
}

/* rep movs and the like; other bytes may look like one. */
static bool
has_strings(struct span code)
{
	for (size_t i = 0; i + 2 < code.len; i++) {
		uint8_t op = code.p[i + 1];

		if ((code.p[i] & 0xfe) != 0xf2)
			continue;
		if ((op & 0xf0) == 0x40) /* REX */
			op = code.p[i + 2];
		if (op >= 0xa4 && op <= 0xaf && op != 0xa8 && op != 0xa9)
			return true;
	}
	return false;
}

/* Is there code at pc that a jump can replace, seen by nobody else? */
static int
look_at_code(struct stub *s, const struct point_run *run,
	     const struct maps *maps, const struct point *p)
{
	const struct vma *v = maps_find(maps, s->pc);
	const struct vma *end = maps_find(maps, s->pc + WINDOW_JUMP - 1);
	uint64_t from = s->pc - FLAGS_NEAR;
	uint8_t code[2 * FLAGS_NEAR];
	struct span here;
	ssize_t n;

	if (v == NULL || end == NULL || v->shared || end->shared)
		return 0;
	if (from < v->start)
		from = v->start;
	n = mem_read(&run->mem, from, code, sizeof(code));
	if (n <= (ssize_t)(s->pc - from))
		return 0;
	here = span_of(code + (s->pc - from), (size_t)n - (s->pc - from));
	if (!window_at(here, s->pc, &s->window))
		return 0;
	memcpy(s->orig, here.p, WINDOW_JUMP);
	s->flags_dead = code_flags_dead(span_of(code, (size_t)n), from, s->pc);
	s->strings = has_strings(span_of(code, (size_t)n));
	if (p == NULL)
		return 1;
	want_register(s, p,
		      likely_register(span_of(code, (size_t)n), from, s->pc));
	if (s->alone ||
	    !loop_at(span_of(code, (size_t)n), from, s->pc, &s->loop) ||
	    is_written(p, s->loop.start, s->loop.end))
		s->loop.count = 0;
	return 1;
}

int
stub_map(struct stub *s, const struct point_run *run, const struct point *p,
	 struct err *err)
{
	struct arena arena = { 0 };
	struct maps maps;
	struct place place = { .maps = &maps, .stub = s };
	uint64_t args[6] = { 0 };
	int64_t at;
	int ret;

	s->count = true;
	ret = maps_read(run->tid, &arena, &maps, err);
	if (ret == 0)
		ret = look_at_code(s, run, &maps, p) && try_bytes(&place, 3);
	arena_free(&arena);
	if (ret <= 0)
		return ret;
	args[0] = s->map;
	args[1] = s->len;
	args[2] = PROT_READ | PROT_WRITE | PROT_EXEC;
	args[3] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
		  MAP_NORESERVE;
	args[4] = (uint64_t)-1;
	ret = remote_syscall(run->tid, SYS_mmap, args, &at, err);
	if (ret < 0)
		return ret;
	if ((uint64_t)at != s->map) {
		s->map = 0;
		return 0;
	}
	ret = fill(s, run, p, err);
	return ret < 0 ? ret : 1;
}

int
stub_unmap(const struct stub *s, const struct point_run *run, struct err *err)
{
	const uint64_t args[6] = { s->map, s->len };
	int64_t res;

	if (s->map == 0)
		return 0;
	return remote_syscall(run->tid, SYS_munmap, args, &res, err);
}

/* ---- learning */

bool
stub_holds(const struct stub *s, uint64_t pc)
{
	return pc - s->map < s->len;
}

/* The 4 bytes of the learned word that differ now. */
static bool
want_word(struct stub *s, const struct point_run *run, const struct point *p)
{
	int64_t far = (int64_t)(s->word - s->base);
	uint64_t rsp = p->regs.rsp, now;
	struct stub_first f = { .word = s->word, .rsp = rsp };

	if (mem_read_all(&run->mem, s->word, &now, sizeof(now)) < 0)
		return false;
	/* Below the red zone a read could let the stack grow. */
	if (far + (int32_t)STUB_SIZE == (int32_t)(far + STUB_SIZE) &&
	    far - (int32_t)STUB_SIZE == (int32_t)(far - STUB_SIZE))
		f.how = FIRST_NEAR;
	else if (s->word - (rsp - POINT_STACK_BELOW) < WORD_ABOVE_RSP)
		f.how = FIRST_RSP;
	else
		f.how = FIRST_FAR;
	f.want = (uint32_t)s->word_want;
	if ((uint32_t)now == f.want) {
		f.word += 4;
		f.want = (uint32_t)(s->word_want >> 32);
	}
	s->first = f;
	return true;
}

/* The 4 bytes of an xmm register that differed last; what is beyond xmm cannot
 * be had without changing registers. */
static bool
want_xmm(struct stub *s, const struct stub_data *d, const struct point *p)
{
	uint64_t at = d->vector_at - d->xsave;

	if (d->xsave == 0 || at < POINT_XMM || at >= POINT_XMM_END ||
	    !__builtin_cpu_supports("sse4.1"))
		return false;
	s->first = (struct stub_first){
		.how = FIRST_XMM,
		.reg = (uint8_t)((at - POINT_XMM) / 16),
		.part = (uint8_t)((at - POINT_XMM) % 16 / 4),
	};
	memcpy(&s->first.want, p->xstate.p + at, 4);
	return true;
}

bool
stub_tune(struct stub *s, const struct point_run *run, const struct point *p,
	  uint64_t visits)
{
	struct stub_data d;
	uint64_t passed = 0;
	unsigned best = 0;

	if (mem_read_all(&run->mem, s->base + STUB_DATA, &d,
			 offsetof(struct stub_data, range)) < 0)
		return false;
	for (unsigned n = 0; n < ARRAY_LEN(d.kills); n++) {
		passed += d.kills[n];
		if (d.kills[n] > d.kills[best])
			best = n;
	}
	s->word = d.word;
	s->word_want = 0 - d.word_neg;
	/* What is compared first already tells most visits apart. */
	if (s->count)
		visits = d.visits - s->tuned;
	if (passed < TUNE_MIN || passed < visits / 4)
		return false;
	s->tuned = d.visits;
	if (best == STUB_VECTOR_KILLS)
		return want_xmm(s, &d, p);
	if (best == STUB_WORD_KILLS)
		return want_word(s, run, p);
	want_register(s, p, best);
	return true;
}

/* ---- using it */

/* Where the window's i-th instruction is. */
static uint64_t
moved_insn(const struct stub *s, unsigned i)
{
	return s->loop.count > 0 ? s->loop.where[s->loop.first + i]
				 : stub_code(s, s->moved_at) + s->moved.at[i];
}

uint64_t
stub_redirect(const struct stub *s, const struct point_run *run, uint64_t pc)
{
	const struct stub_head *h = stub_head();
	const uint64_t zero = 0;
	uint64_t at = pc - s->base;

	for (unsigned i = 1; i < s->window.count; i++)
		if (s->window.insn[i].pc == pc && pc < s->pc + WINDOW_JUMP)
			return moved_insn(s, i);
	/* What the hot code compares cannot be read. */
	if (at >= h->entry && at < s->moved_at)
		return stub_code(s, s->flags_dead && s->first.how != FIRST_FAR
					    ? s->moved_at
					    : h->out);
	if (at >= h->word && at < h->word_end)
		return stub_code(s, h->out);
	/* The comparison and check.c behind it. */
	if (at >= h->slow && at < agent_stub_len) {
		mem_write_all(&run->mem,
			      stub_field(s, offsetof(struct stub_data, result)),
			      &zero, sizeof(zero));
		return stub_code(s, h->rest);
	}
	return 0;
}

int
stub_arm(const struct stub *s, const struct point_run *run, struct err *err)
{
	uint8_t jump[WINDOW_JUMP];
	struct regs regs;
	uint64_t to;

	stub_jump(s, jump);
	if (ptrace_get_regs(run->tid, &regs) < 0)
		return err_set(err, E_GONE, "task %d is gone", run->tid);
	if (mem_write_all(&run->mem, s->pc, jump, sizeof(jump)) < 0)
		return err_set(err, EFAULT, "cannot write code at %#llx",
			       (unsigned long long)s->pc);
	if (regs.rip <= s->pc || regs.rip >= s->pc + WINDOW_JUMP)
		return 0;
	/* It has passed the window's start already. */
	to = stub_redirect(s, run, regs.rip);
	if (to == 0)
		return err_set(err, E_UNSUPPORTED,
			       "task %d stands within an instruction",
			       run->tid);
	regs.rip = to;
	regs.orig_rax = UINT64_MAX;
	return ptrace_set_regs(run->tid, &regs) < 0
		       ? err_set(err, E_GONE, "task %d is gone", run->tid)
		       : 0;
}

int
stub_disarm(const struct stub *s, const struct point_run *run)
{
	return mem_write_all(&run->mem, s->pc, s->orig, sizeof(s->orig));
}

bool
stub_is_armed(const struct stub *s, const struct point_run *run)
{
	uint8_t is[WINDOW_JUMP], jump[WINDOW_JUMP];

	stub_jump(s, jump);
	return mem_read_all(&run->mem, s->pc, is, sizeof(is)) == 0 &&
	       memcmp(is, jump, sizeof(jump)) == 0;
}

int
stub_set_visits(const struct stub *s, const struct point_run *run, uint64_t n)
{
	return mem_write_all(&run->mem,
			     stub_field(s, offsetof(struct stub_data, visits)),
			     &n, sizeof(n));
}

void
stub_pause(const struct stub *s, const struct point_run *run)
{
	const uint8_t int3 = 0xcc;

	mem_write_all(&run->mem, stub_code(s, stub_head()->entry), &int3, 1);
}

int
stub_teach(const struct stub *s, const struct point_run *run,
	   const struct point_sum *sum)
{
	size_t at = offsetof(struct stub_data, n_ranges);
	struct {
		uint64_t n_ranges, n_sums, last_sum;
	} counts;
	struct stub_sum one = { .addr = sum->addr,
				.pages = sum->pages,
				.hash = sum->hash };

	/* With the jump in it the hash is another one: not for the stub. */
	if (s->pc + WINDOW_JUMP > sum->addr &&
	    s->pc < sum->addr + (uint64_t)sum->pages * POINT_PAGE)
		return 0;
	if (mem_read_all(&run->mem, stub_field(s, at), &counts,
			 sizeof(counts)) < 0)
		return -EFAULT;
	/* When there is no room the first one has to go. */
	counts.last_sum = counts.n_sums < STUB_SUMS ? ++counts.n_sums : 1;
	at = offsetof(struct stub_data, sum) +
	     (counts.last_sum - 1) * sizeof(one);
	if (mem_write_all(&run->mem, stub_field(s, at), &one, sizeof(one)) < 0)
		return -EFAULT;
	at = offsetof(struct stub_data, n_ranges);
	return mem_write_all(&run->mem, stub_field(s, at), &counts,
			     sizeof(counts));
}
