/*
 * A record of an agent's as an event. Items come from the same rows of the
 * table as those of a trapped call; memory is what the record has of it. The
 * ring lies in memory of the program's, which can write anything there.
 */
#include "recorder/agent_priv.h"

#include <errno.h>
#include <sys/syscall.h>
#include <x86intrin.h>

#include "base/clock.h"
#include "recorder/nondet.h"
#include "recorder/task.h"

int64_t
agent_record_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	const struct agent_record *d = ctx;
	const uint8_t *p = d->pieces;

	while ((size_t)(d->end - p) >= sizeof(struct agent_piece)) {
		struct agent_piece piece;
		size_t left;

		memcpy(&piece, p, sizeof(piece));
		p += sizeof(piece);
		left = (size_t)(d->end - p);
		if (piece.len > left)
			break;
		if (addr - piece.addr < piece.len) {
			size_t at = (size_t)(addr - piece.addr);
			size_t got = (size_t)piece.len - at;

			if (got > n)
				got = n;
			memcpy(buf, p + at, got);
			return (int64_t)got;
		}
		p += (piece.len + 7) & ~7ull;
		if (p > d->end)
			break;
	}
	return -EFAULT;
}

static void
put_ranges(struct recorder *r, struct sys_mem *m, int n, bool outputs)
{
	for (int i = 0; i < n && i < SYS_RANGES_MAX; i++) {
		const struct sys_range *g = &r->ranges[i];
		size_t len = g->len < AGENT_RING_LEN ? g->len : AGENT_RING_LEN;
		uint8_t *p = arena_alloc(&r->arena, len + 1);
		int64_t got = len == 0 ? 0 : m->read(m->ctx, g->addr, p, len);

		if (got < 0)
			continue;
		if (outputs && got > 0)
			event_output(r, g->addr, span_of(p, (size_t)got));
		else if (!outputs)
			event_input(r, g->arg, span_of(p, (size_t)got));
	}
}

static int
put_pieces(struct recorder *r, struct agent_record *d, const struct event *ev,
	   struct err *err)
{
	struct sys_mem m = { .read = agent_record_read, .ctx = d };
	struct sys_call sc = { .nr = ev->call,
			       .ret = ev->ret,
			       .arena = &r->arena };
	int ret;

	memcpy(sc.args, ev->args, sizeof(sc.args));
	ret = sys_call_enter(&sc, &m, err);
	if (ret < 0)
		return ret;
	put_ranges(r, &m,
		   sys_call_outputs(&sc, &m, false, r->ranges, SYS_RANGES_MAX),
		   true);
	put_ranges(r, &m, sys_call_inputs(&sc, &m, r->ranges, SYS_RANGES_MAX),
		   false);
	return 0;
}

struct agent_stamps
agent_stamps_now(const struct recorder *r)
{
	const struct agent *a = r->agent;
	struct agent_stamps s = { .tsc = __rdtsc(), .ns = clock_now_ns() };

	if (s.tsc > a->tsc)
		s.ratio = (double)(s.ns - a->tsc_ns) / (double)(s.tsc - a->tsc);
	s.ns -= r->start_ns;
	return s;
}

/* The time of a stamp, between that of the event before and to. */
static uint64_t
time_of(const struct recorder *r, const struct agent_stamps *s, uint64_t tsc,
	uint64_t to)
{
	uint64_t ago = 0, ns;

	if (tsc < s->tsc)
		ago = (uint64_t)((double)(s->tsc - tsc) * s->ratio);
	ns = ago < s->ns ? s->ns - ago : 0;
	if (ns > to)
		ns = to;
	return ns < r->put_ns ? r->put_ns : ns;
}

/* ---- calls that the recorder follows */

static void
fill_args(const struct agent_rec *rec, uint64_t args[6])
{
	args[0] = rec->rdi;
	args[1] = rec->rsi;
	args[2] = rec->rdx;
	args[3] = rec->r10;
	args[4] = rec->r8;
	args[5] = rec->r9;
}

/* What a change of mappings or of signals' dispositions leaves to do. */
static bool
is_followed(int nr)
{
	return nr == SYS_rt_sigaction || nr == SYS_rt_sigprocmask ||
	       (nr >= SYS_mmap && nr <= SYS_brk);
}

static int
follow(struct recorder *r, struct task *t, struct agent_record *d,
       struct err *err)
{
	const struct agent_rec *rec = d->rec;
	struct call was = t->call;
	uint8_t act[32];
	uint64_t mask;
	int ret = 0;

	t->call = (struct call){ .desc = sys_desc(rec->nr) };
	t->call.sc.nr = rec->nr;
	t->call.sc.ret = rec->ret;
	fill_args(rec, t->call.sc.args);
	switch (rec->nr) {
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
		ret = special_find(rec->nr)->leave(r, t, err);
		break;
	case SYS_brk:
		task_space(t)->brk = (uint64_t)rec->ret;
		break;
	case SYS_rt_sigaction:
		if (rec->rsi != 0 &&
		    agent_record_read(d, rec->rsi, act, sizeof(act)) ==
			    sizeof(act))
			nondet_sigaction(t, (int)rec->rdi, act);
		break;
	case SYS_rt_sigprocmask:
		if (agent_record_read(d, AGENT_PIECE_MASK, &mask,
				      sizeof(mask)) == sizeof(mask))
			nondet_sigmask_is(t, mask);
		t->masked_ns = r->now_ns;
		break;
	}
	t->call = was;
	return ret;
}

static uint32_t
hash_of(const struct agent_rec *rec, const struct regs *bases)
{
	const struct regs regs = {
		.rbx = rec->rbx,
		.rdx = rec->rdx,
		.rsi = rec->rsi,
		.rdi = rec->rdi,
		.rbp = rec->rbp,
		.r8 = rec->r8,
		.r9 = rec->r9,
		.r10 = rec->r10,
		.r12 = rec->r12,
		.r13 = rec->r13,
		.r14 = rec->r14,
		.r15 = rec->r15,
		.eflags = rec->eflags,
		.fs_base = bases != NULL ? bases->fs_base : rec->fs_base,
		.gs_base = bases != NULL ? bases->gs_base : rec->gs_base,
	};

	return regs_hash(&regs);
}

static void
fill_call(const struct agent_rec *rec, const struct regs *bases,
	  struct event *ev)
{
	ev->call = (int16_t)rec->nr;
	fill_args(rec, ev->args);
	ev->pc = rec->pc;
	ev->sp = rec->sp;
	ev->reghash = hash_of(rec, bases);
}

static void
set_time(const struct recorder *r, const struct agent_rec *rec,
	 const struct agent_stamps *st, struct event *ev)
{
	if (rec->end == 0)
		return; /* now */
	ev->time_ns = time_of(r, st, rec->end, st->ns);
	if (rec->begin != 0 && rec->begin < rec->end)
		ev->dur_ns =
			(uint64_t)((double)(rec->end - rec->begin) * st->ratio);
}

int
agent_record_put(struct recorder *r, struct task *t, struct agent_record *d,
		 const struct regs *bases, const struct agent_stamps *st,
		 struct err *err)
{
	const struct agent_rec *rec = d->rec;
	struct event ev;
	int ret = 0;

	event_begin(r, t, EV_syscall, &ev);
	ev.flags = EVF_RUNS | EVF_AGENT;
	if (rec->ret < 0 && rec->ret >= -4095)
		ev.flags |= EVF_ERROR;
	set_time(r, rec, st, &ev);
	fill_call(rec, bases, &ev);
	ev.ret = rec->ret;
	agent_test_record(r, t, &ev);
	if (is_followed(rec->nr))
		ret = follow(r, t, d, err);
	if (ret == 0 && rec->npieces > 0)
		ret = put_pieces(r, d, &ev, err);
	return ret < 0 ? ret : event_put(r, &ev, err);
}

bool
agent_record_at(const uint8_t *p, size_t left, struct agent_record *out)
{
	const struct agent_rec *rec = (const struct agent_rec *)(const void *)p;

	if (left < sizeof(*rec) || rec->len < sizeof(*rec) || rec->len > left ||
	    rec->len % 8 != 0 || !agent_makes(rec->nr))
		return false;
	*out = (struct agent_record){ .rec = rec,
				      .pieces = p + sizeof(*rec),
				      .end = p + rec->len };
	return true;
}

/* Its task was killed in a call that waited: that it was made is an event. */
int
agent_record_enter(struct recorder *r, struct task *t, uint64_t pos,
		   struct err *err)
{
	const struct mem *m = &task_space(t)->mem;
	struct agent_record d;
	struct agent_rec rec;
	struct event ev;
	uint64_t inside = 0;
	struct regs regs;

	if (pos > AGENT_RING_LEN - sizeof(rec) ||
	    mem_read_all(m, AGENT_DATA + offsetof(struct agent_data, inside),
			 &inside, sizeof(inside)) < 0 ||
	    inside == 0 ||
	    mem_read_all(m, AGENT_DATA + AGENT_RING + pos, &rec, sizeof(rec)) <
		    0 ||
	    !agent_record_at((const uint8_t *)&rec, sizeof(rec), &d) ||
	    ptrace_get_regs(t->tid, &regs) < 0)
		return 0;
	event_begin(r, t, EV_enter, &ev);
	ev.flags = EVF_RUNS;
	fill_call(&rec, &regs, &ev);
	agent_test_record(r, t, &ev);
	return event_put(r, &ev, err);
}
