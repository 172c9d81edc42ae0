/*
 * Memory that stands in for the program's buffers while a call blocks and other
 * tasks of its group run. Otherwise the kernel would store into memory that
 * others look at, at a moment that no event tells.
 *
 * Each output buffer gets a piece of the task's slot above AGENT_SCRATCH.
 * Buffers whose address the kernel finds in memory (iovecs, msghdrs) need the
 * carrier of that address moved too, so that the program's own stays as it is:
 *
 *   args[1] -> msghdr' -> iovec'[] -> piece, piece, ...
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "recorder/agent.h"
#include "recorder/engine.h"
#include "recorder/task.h"
#include "tracee/remote.h"

#define COPY_IN_MAX 4096u /* what is smaller is copied in even if it is output only */
#define COPY_CHUNK 65536u
#define ALIGN 16u

struct piece {
	uint64_t addr, len; /* the program's */
	uint64_t at;	    /* the stand-in */
	int arg;	    /* of the call */
	uint64_t ptr_addr;  /* where its address is, 0: in args[arg] */
	bool carrier;
};

struct scratch {
	struct piece *v;
	size_t len, cap;
	unsigned first, count; /* slots */
};

/* One more than there are, when there are not enough: vectors that reserve
 * terabytes overlap freely. */
static unsigned
slots_for(uint64_t bytes)
{
	uint64_t n = (bytes + AGENT_SCRATCH_STRIDE - 1) / AGENT_SCRATCH_STRIDE;

	return n <= AGENT_SCRATCH_SLOTS ? (unsigned)n
					: (unsigned)AGENT_SCRATCH_SLOTS + 1;
}

static bool
bit(const uint64_t *map, unsigned i)
{
	return (map[i / 64] >> (i % 64)) & 1;
}

static void
set_bits(uint64_t *map, unsigned first, unsigned count, bool on)
{
	for (unsigned i = first; i < first + count; i++) {
		if (on)
			map[i / 64] |= 1ull << (i % 64);
		else
			map[i / 64] &= ~(1ull << (i % 64));
	}
}

/* count free slots in a row, or -1. */
static int
find_slots(const struct space *s, unsigned count)
{
	unsigned run = 0;

	for (unsigned i = 0; i < AGENT_SCRATCH_SLOTS; i++) {
		run = bit(s->slots, i) ? 0 : run + 1;
		if (run == count)
			return (int)(i + 1 - count);
	}
	return -1;
}

/* --- which memory ----------------------------------------------------------- */

static void
add_piece(struct task *t, struct scratch *sc, struct piece p)
{
	struct piece *v;

	if (p.addr == 0 || p.len == 0)
		return;
	/* A field of a carrier moves with it. */
	for (size_t i = 0; i < sc->len; i++)
		if (sc->v[i].carrier && p.addr >= sc->v[i].addr &&
		    p.addr + p.len <= sc->v[i].addr + sc->v[i].len)
			return;
	if (sc->len == sc->cap) {
		sc->cap = sc->cap == 0 ? 16 : sc->cap * 2;
		v = arena_alloc(&t->call.arena, sc->cap * sizeof(*v));
		if (sc->len > 0)
			memcpy(v, sc->v, sc->len * sizeof(*v));
		sc->v = v;
	}
	sc->v[sc->len++] = p;
}

/* struct msghdr: the iovec array that it points to. */
static void
add_msghdr_iov(struct task *t, struct scratch *sc, uint64_t hdr)
{
	uint64_t iov[2]; /* msg_iov, msg_iovlen at 16 and 24 */

	if (mem_read_all(&task_space(t)->mem, hdr + 16, iov, sizeof(iov)) == 0 &&
	    iov[1] <= 1024)
		add_piece(t, sc, (struct piece){ .addr = iov[0],
						 .len = iov[1] * 16,
						 .arg = -1,
						 .ptr_addr = hdr + 16,
						 .carrier = true });
}

/*
 * vmsplice on the read end of a pipe is a readv. On the write end it lends the
 * pipe the program's own pages: nothing can stand in for them.
 */
static struct sys_call
as_output(const struct task *t)
{
	struct sys_call c = t->call.sc;
	char path[64];
	uint64_t flags;

	if (c.nr != SYS_vmsplice)
		return c;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", t->tid,
		 (int)c.args[0]);
	if (fd_read_number(path, "flags:", 8, &flags) &&
	    (flags & O_ACCMODE) == O_RDONLY)
		c.nr = SYS_readv;
	return c;
}

static void
add_carriers(struct task *t, const struct sys_call *c, struct scratch *sc)
{
	const uint64_t *a = c->args;
	struct piece p = { .addr = a[1], .arg = 1, .carrier = true };

	switch (c->nr) {
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
	case SYS_process_vm_readv:
		if (a[2] <= 1024)
			p.len = a[2] * 16;
		add_piece(t, sc, p);
		break;
	case SYS_recvmsg:
		p.len = 56;
		add_piece(t, sc, p);
		add_msghdr_iov(t, sc, a[1]);
		break;
	case SYS_recvmmsg:
		if (a[2] > 1024)
			break;
		p.len = a[2] * 64;
		add_piece(t, sc, p);
		for (uint64_t i = 0; i < a[2]; i++)
			add_msghdr_iov(t, sc, a[1] + i * 64);
		break;
	}
}

/* The kernel would say EFAULT: then it must see the program's own address. */
static bool
is_mapped(const struct mem *m, uint64_t addr, uint64_t len)
{
	uint8_t byte;

	return mem_read_all(m, addr, &byte, 1) == 0 &&
	       mem_read_all(m, addr + len - 1, &byte, 1) == 0;
}

static uint64_t
add_pieces(struct recorder *r, struct task *t, struct scratch *sc)
{
	const struct mem *m = &task_space(t)->mem;
	const struct sys_call c = as_output(t);
	uint64_t need = 0;
	int n = sys_call_outbufs(&c, r->ranges, SYS_RANGES_MAX);

	if (n <= 0)
		return 0;
	if (n > SYS_RANGES_MAX)
		n = SYS_RANGES_MAX;
	add_carriers(t, &c, sc);
	for (int i = 0; i < n; i++) {
		const struct sys_range *o = &r->ranges[i];

		if (o->len > 0 && is_mapped(m, o->addr, o->len))
			add_piece(t, sc, (struct piece){
						 .addr = o->addr,
						 .len = o->len,
						 .arg = o->arg,
						 .ptr_addr = o->ptr_addr });
	}
	for (size_t i = 0; i < sc->len; i++) {
		sc->v[i].at = need;
		need += (sc->v[i].len + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	}
	return need;
}

/* --- filling it --------------------------------------------------------------- */

static int
copy(const struct mem *m, uint64_t from, uint64_t to, uint64_t len)
{
	uint8_t *p = mem_alloc(len < COPY_CHUNK ? len : COPY_CHUNK);
	int ret = 0;

	while (len > 0 && ret == 0) {
		size_t n = len < COPY_CHUNK ? len : COPY_CHUNK;
		ssize_t got = mem_read(m, from, p, n);

		if (got <= 0)
			break;
		ret = mem_write_all(m, to, p, (size_t)got);
		from += (uint64_t)got;
		to += (uint64_t)got;
		len -= (uint64_t)got;
	}
	mem_free(p);
	return ret;
}

static bool
is_input_too(const struct task *t, const struct piece *p)
{
	return p->carrier || p->len <= COPY_IN_MAX ||
	       (p->arg >= 0 &&
		t->call.desc->args[p->arg].dir == DIR_INOUT);
}

/* Let the kernel find the piece in place of the program's memory. */
static int
redirect(struct task *t, const struct scratch *sc, const struct piece *p,
	 struct regs *regs)
{
	if (p->ptr_addr == 0) {
		syscall_set_arg(regs, p->arg, p->at);
		return 0;
	}
	for (size_t i = 0; i < sc->len; i++) {
		const struct piece *c = &sc->v[i];

		if (c->carrier && p->ptr_addr >= c->addr &&
		    p->ptr_addr + 8 <= c->addr + c->len)
			return mem_write_all(&task_space(t)->mem,
					     c->at + (p->ptr_addr - c->addr),
					     &p->at, sizeof(p->at));
	}
	return 0;
}

static int
fill(struct task *t, struct scratch *sc, struct err *err)
{
	const struct mem *m = &task_space(t)->mem;
	struct regs regs = t->call.regs;
	int ret = 0;

	for (size_t i = 0; i < sc->len && ret == 0; i++) {
		struct piece *p = &sc->v[i];

		p->at += AGENT_SCRATCH + sc->first * AGENT_SCRATCH_STRIDE;
		if (is_input_too(t, p))
			ret = copy(m, p->addr, p->at, p->len);
	}
	syscall_given_args(t, &regs);
	for (size_t i = 0; i < sc->len && ret == 0; i++)
		ret = redirect(t, sc, &sc->v[i], &regs);
	if (ret < 0)
		return err_set(err, -ret, "scratch memory of task %d", t->tid);
	return ptrace_set_regs(t->tid, &regs);
}

/* 1: injected, the call comes again. */
static int
map_slots(struct task *t, struct scratch *sc, struct err *err)
{
	struct space *s = task_space(t);
	const uint64_t args[6] = {
		AGENT_SCRATCH + sc->first * AGENT_SCRATCH_STRIDE,
		sc->count * AGENT_SCRATCH_STRIDE,
		PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		UINT64_MAX,
		0,
	};
	bool mapped = true;
	int64_t result;
	int ret;

	for (unsigned i = sc->first; i < sc->first + sc->count; i++)
		mapped &= bit(s->mapped, i);
	if (mapped)
		return 0;
	ret = remote_at_entry(t->tid, SYS_mmap, args, &result, err);
	if (ret < 0)
		return ret;
	if (result < 0)
		return err_set(err, (int)-result, "scratch memory of task %d",
			       t->tid);
	set_bits(s->mapped, sc->first, sc->count, true);
	t->call.again = true;
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}

/* sc->count slots. 1: as map_slots; count 0: a gigabyte is in use, do without.
 */
static int
take_slots(struct task *t, struct scratch *sc, struct err *err)
{
	struct space *s = task_space(t);
	int ret;

	if (sc->count == 1 && t->slot != 0) {
		sc->first = t->slot - 1;
	} else {
		int first = find_slots(s, sc->count);

		if (first < 0)
			sc->count = 0;
		if (first < 0)
			return 0;
		sc->first = (unsigned)first;
	}
	ret = map_slots(t, sc, err);
	if (ret != 0)
		return ret;
	set_bits(s->slots, sc->first, sc->count, true);
	if (sc->count == 1)
		t->slot = sc->first + 1;
	return 0;
}

int
scratch_begin(struct recorder *r, struct task *t, struct err *err)
{
	struct scratch *sc = arena_alloc(&t->call.arena, sizeof(*sc));
	uint64_t need = add_pieces(r, t, sc);
	int ret;

	if (need == 0)
		return 0;
	sc->count = slots_for(need);
	ret = take_slots(t, sc, err);
	if (ret != 0 || sc->count == 0)
		return ret;
	t->call.scratch = sc;
	return fill(t, sc, err);
}

/* The last bytes of the task's own slot: buffers are put to its beginning. */
int
scratch_room(struct recorder *r, struct task *t, uint64_t len, uint64_t *out_at,
	     struct err *err)
{
	struct scratch sc = { .count = 1 };
	int ret = take_slots(t, &sc, err);

	if (ret == 0 && sc.count == 1)
		*out_at = AGENT_SCRATCH +
			  (sc.first + 1) * AGENT_SCRATCH_STRIDE -
			  ((len + ALIGN - 1) & ~(uint64_t)(ALIGN - 1));
	return ret;
}

int
scratch_adopt(struct task *t, const uint64_t args[6], const uint64_t len[6],
	      struct regs *regs)
{
	struct scratch *sc = arena_alloc(&t->call.arena, sizeof(*sc));

	*sc = (struct scratch){ 0 };
	for (int i = 0; i < 6; i++) {
		const struct piece p = { .addr = t->call.sc.args[i],
					 .at = args[i],
					 .len = len[i],
					 .arg = i };

		if (p.addr == p.at)
			continue;
		add_piece(t, sc, p);
		syscall_set_arg(regs, i, p.at);
	}
	t->call.scratch = sc;
	return ptrace_set_regs(t->tid, regs);
}

/* --- afterwards ---------------------------------------------------------------- */

/* Where the kernel sees [addr, addr + n) of the program. */
static uint64_t
stand_in(const struct task *t, uint64_t addr, size_t n)
{
	const struct scratch *sc = t->call.scratch;

	for (size_t i = 0; sc != NULL && i < sc->len; i++) {
		const struct piece *p = &sc->v[i];

		if (addr >= p->addr && addr + n <= p->addr + p->len)
			return p->at + (addr - p->addr);
	}
	return addr;
}

int64_t
scratch_read(const struct task *t, uint64_t addr, void *buf, size_t n)
{
	return mem_read(&task_space(t)->mem, stand_in(t, addr, n), buf, n);
}

int64_t
scratch_write(const struct task *t, uint64_t addr, const void *p, size_t n)
{
	return mem_write(&task_space(t)->mem, stand_in(t, addr, n), p, n);
}

static int
copy_out_range(struct task *t, const struct sys_range *o)
{
	const struct scratch *sc = t->call.scratch;
	int ret = 0;

	for (size_t i = 0; i < sc->len && ret == 0; i++) {
		const struct piece *p = &sc->v[i];
		uint64_t from = o->addr > p->addr ? o->addr : p->addr;
		uint64_t end = o->addr + o->len < p->addr + p->len ?
				       o->addr + o->len :
				       p->addr + p->len;

		if (from >= end ||
		    (!p->carrier && o->arg >= 0 && p->arg != o->arg))
			continue;
		ret = copy(&task_space(t)->mem, p->at + (from - p->addr), from,
			   end - from);
	}
	return ret;
}

void
scratch_copy_out(struct task *t, const struct sys_range *out, int n)
{
	for (int i = 0; i < n; i++)
		/* Memory that went away meanwhile: another task's munmap. The
		 * kernel would have failed, or not: that race is the program's. */
		(void)copy_out_range(t, &out[i]);
}

void
scratch_end(struct task *t)
{
	struct scratch *sc = t->call.scratch;

	/* A task keeps one slot; what large buffers took is given back. */
	if (sc->count > 1 && t->proc != NULL)
		set_bits(task_space(t)->slots, sc->first, sc->count, false);
	t->call.scratch = NULL;
}

void
scratch_forget(struct task *t)
{
	if (t->slot != 0)
		set_bits(task_space(t)->slots, t->slot - 1, 1, false);
	t->slot = 0;
}
