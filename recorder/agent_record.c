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
#include "recorder/special.h"
#include "recorder/task.h"

#define FUTEX_TOLD 12u /* as syscall.c puts them */

/* Is what follows of now from addr on better than what was found? What begins
 * there was stored there; otherwise there may be more in one than in another.
 */
static bool
is_better(const struct agent_piece *now, uint64_t addr, struct span was,
	  bool begins)
{
	return addr - now->addr < now->len && !begins &&
	       (now->addr == addr || now->len - (addr - now->addr) > was.len);
}

/* What the record has from addr on, in its place; false: nothing. */
static bool
find_piece(const struct agent_record *d, uint64_t addr, size_t n,
	   struct span *out)
{
	const uint8_t *p = d->pieces;
	bool begins = false;

	*out = (struct span){ 0 };
	while ((size_t)(d->end - p) >= sizeof(struct agent_piece)) {
		struct agent_piece piece;

		memcpy(&piece, p, sizeof(piece));
		p += sizeof(piece);
		if (piece.len > (size_t)(d->end - p))
			break;
		if (is_better(&piece, addr, *out, begins)) {
			*out = span_of(
				p + (addr - piece.addr),
				(size_t)(piece.len - (addr - piece.addr)));
			begins = piece.addr == addr && piece.len >= n;
		}
		p += (piece.len + 7) & ~7ull;
		if (p > d->end)
			break;
	}
	if (out->len > n)
		out->len = n;
	return out->p != NULL;
}

int64_t
agent_record_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	const struct agent_record *d = ctx;
	struct span got;

	if (!find_piece(d, addr, n, &got))
		return -EFAULT;
	memcpy(buf, got.p, got.len);
	return (int64_t)got.len;
}

static void
put_output(struct recorder *r, const struct agent_record *d, uint64_t addr,
	   uint64_t len)
{
	struct span got;

	if (len != 0 && find_piece(d, addr, (size_t)len, &got))
		event_output(r, addr, got);
}

static void
put_inputs(struct recorder *r, const struct agent_record *d, int n)
{
	for (int i = 0; i < n && i < SYS_RANGES_MAX; i++) {
		const struct sys_range *g = &r->ranges[i];
		struct span got = { 0 };

		if (g->len != 0 &&
		    !find_piece(d, g->addr, (size_t)g->len, &got))
			continue;
		event_input(r, g->arg, got);
	}
}

/* A call whose outputs are where arguments and result alone say; of the one
 * that r->ranges tell of. */
static bool
has_shape(const struct sys_desc *d, int outputs)
{
	if (outputs > 2)
		return false;
	for (unsigned i = 0; i < d->nargs; i++)
		if ((d->args[i].dir & DIR_IN) ||
		    (d->args[i].len_from != LEN_NONE &&
		     d->args[i].len_from != LEN_CONST &&
		     d->args[i].len_from != LEN_RET))
			return false;
	return true;
}

static void
keep_shape(const struct recorder *r, const struct event *ev, int outputs,
	   struct agent_shape *s)
{
	s->nr = -1;
	if (!has_shape(sys_desc(ev->call), outputs))
		return;
	s->nr = ev->call;
	s->ret = ev->ret;
	s->n = (unsigned)outputs;
	for (int i = 0; i < outputs; i++) {
		s->out[i].addr = r->ranges[i].addr;
		s->out[i].len = r->ranges[i].len;
	}
}

/* The same as the one before, but for what came out? */
static bool
is_alike(const struct agent_shape *s, const struct agent_rec *rec)
{
	const uint64_t args = 0x3ful << AGENT_RDI;

	return s->nr == rec->nr && s->ret == rec->ret &&
	       (rec->changed & args) == 0;
}

static int
put_pieces(struct recorder *r, struct agent_record *d, const struct event *ev,
	   struct agent_shape *shape, struct err *err)
{
	struct sys_mem m = { .read = agent_record_read, .ctx = d };
	struct sys_call sc = { .nr = ev->call,
			       .ret = ev->ret,
			       .arena = &r->arena };
	int ret, n;

	memcpy(sc.args, ev->args, sizeof(sc.args));
	ret = sys_call_enter(&sc, &m, err);
	if (ret < 0)
		return ret;
	n = sys_call_outputs(&sc, &m, false, r->ranges, SYS_RANGES_MAX);
	for (int i = 0; i < n && i < SYS_RANGES_MAX; i++)
		put_output(r, d, r->ranges[i].addr, r->ranges[i].len);
	keep_shape(r, ev, n, shape);
	put_inputs(r, d, sys_call_inputs(&sc, &m, r->ranges, SYS_RANGES_MAX));
	return 0;
}

static int
put_memory(struct recorder *r, struct agent_record *d, const struct event *ev,
	   struct agent_shape *shape, struct err *err)
{
	if (d->rec.npieces == 0)
		shape->nr = -1;
	else if (!is_alike(shape, &d->rec))
		return put_pieces(r, d, ev, shape, err);
	else
		for (unsigned i = 0; i < shape->n; i++)
			put_output(r, d, shape->out[i].addr, shape->out[i].len);
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
fill_args(const struct agent_record *d, uint64_t args[6])
{
	memcpy(args, &d->regs[AGENT_RDI], 6 * sizeof(args[0]));
}

/* What a change of mappings or of signals' dispositions leaves to do. */
static bool
is_followed(int nr)
{
	return nr == SYS_rt_sigaction || nr == SYS_rt_sigprocmask ||
	       nr == SYS_set_tid_address || (nr >= SYS_mmap && nr <= SYS_brk);
}

static int
follow(struct recorder *r, struct task *t, struct agent_record *d,
       struct err *err)
{
	const struct agent_rec *rec = &d->rec;
	struct call was = t->call;
	uint8_t act[32];
	uint64_t mask;
	int ret = 0;

	t->call = (struct call){ .desc = sys_desc(rec->nr) };
	t->call.sc.nr = rec->nr;
	t->call.sc.ret = rec->ret;
	fill_args(d, t->call.sc.args);
	switch (rec->nr) {
	case SYS_mmap:
		ret = agent_map_follow(r, t, d, err);
		break;
	case SYS_munmap:
	case SYS_mprotect:
		ret = special_find(rec->nr)->leave(r, t, err);
		break;
	case SYS_brk:
		task_space(t)->brk = (uint64_t)rec->ret;
		break;
	case SYS_set_tid_address:
		t->cleartid = d->regs[AGENT_RDI];
		break;
	case SYS_rt_sigaction:
		if (d->regs[AGENT_RSI] != 0 &&
		    agent_record_read(d, d->regs[AGENT_RSI], act,
				      sizeof(act)) == sizeof(act))
			nondet_sigaction(t, (int)d->regs[AGENT_RDI], act);
		break;
	case SYS_rt_sigprocmask:
		if (agent_record_read(d, AGENT_PIECE_MASK, &mask,
				      sizeof(mask)) == sizeof(mask))
			nondet_sigmask_is(t, mask);
		break;
	}
	t->call = was;
	return ret;
}

static uint32_t
hash_of(const uint64_t *v, const struct regs *bases)
{
	/* clang-format off */
	uint64_t hashed[REGS_HASHED] = {
		v[AGENT_RBX], v[AGENT_RDX], v[AGENT_RSI], v[AGENT_RDI],
		v[AGENT_RBP], v[AGENT_R8], v[AGENT_R9], v[AGENT_R10],
		v[AGENT_R12], v[AGENT_R13], v[AGENT_R14], v[AGENT_R15],
		v[AGENT_EFLAGS],
		bases != NULL ? bases->fs_base : v[AGENT_FS],
		bases != NULL ? bases->gs_base : v[AGENT_GS],
	};
	/* clang-format on */

	return regs_hash_of(hashed);
}

static void
fill_call(const struct agent_record *d, const struct regs *bases,
	  struct event *ev)
{
	ev->call = (int16_t)d->rec.nr;
	fill_args(d, ev->args);
	ev->pc = d->regs[AGENT_PC];
	ev->sp = d->regs[AGENT_SP];
	ev->reghash = hash_of(d->regs, bases);
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

static enum event_kind
kind_of(const struct agent_rec *rec)
{
	switch ((enum agent_what)rec->what) {
	case AGENT_ENTERS:
		return EV_enter;
	case AGENT_EXITS:
		return EV_exit;
	case AGENT_CALLED:
		break;
	}
	return EV_syscall;
}

/* Its first piece, if any, is what the enter of a trapped call has, too. */
static int
put_enter(struct recorder *r, struct task *t, struct agent_record *d,
	  struct event *ev, struct err *err)
{
	uint8_t word[FUTEX_TOLD];
	int64_t n = agent_record_read(d, ev->args[0], word, sizeof(word));
	int ret;

	if (ev->call == SYS_futex && n > 0)
		item_put_bytes(&r->items, ITEM_IN, 0, span_of(word, (size_t)n));
	ret = event_put(r, ev, err);
	if (ret == 0 && ev->call == SYS_exit_group)
		special_exits(t, ev->args[0]);
	else if (ret == 0)
		agent_went(t, ev);
	return ret;
}

/* Registers that events show; of the others there is the hash. */
#define SHOWN ((2u << AGENT_R9) - 1)

/* The call that the record tells of; often the same as the one before, but for
 * its times, its result, the hash and what came out. */
static struct event *
begin(struct recorder *r, const struct task *t, const struct agent_record *d,
      const struct regs *bases)
{
	const struct agent_rec *rec = &d->rec;
	const struct event *last;
	struct event *ev = event_soon(r, &last);

	if (last != NULL && last->seq == task_space(t)->agent->last &&
	    (rec->changed & SHOWN) == 0 && rec->what == AGENT_CALLED &&
	    last->call == rec->nr && last->task == t->number) {
		*ev = *last;
		ev->time_ns = ev->dur_ns = 0;
		if (rec->changed != 0)
			ev->reghash = hash_of(d->regs, bases);
		buf_clear(&r->items);
	} else {
		event_begin(r, t, kind_of(rec), ev);
		fill_call(d, bases, ev);
	}
	ev->flags = EVF_AGENT;
	if (rec->what != AGENT_EXITS)
		ev->flags |= EVF_RUNS;
	if (rec->ret < 0 && rec->ret >= -4095)
		ev->flags |= EVF_ERROR;
	/* The kernel was not asked. */
	if (rec->ret < 0 && -rec->ret == sys_desc(rec->nr)->errno_refused)
		ev->flags |= EVF_REFUSED;
	ev->ret = rec->ret;
	return ev;
}

int
agent_record_put(struct recorder *r, struct task *t, struct agent_record *d,
		 const struct regs *bases, const struct agent_stamps *st,
		 struct err *err)
{
	struct agent_space *a = task_space(t)->agent;
	const struct agent_rec *rec = &d->rec;
	struct event *ev = begin(r, t, d, bases);
	uint64_t ns;
	int ret = 0;

	set_time(r, rec, st, ev);
	ns = ev->time_ns != 0 && ev->time_ns < r->now_ns ? ev->time_ns
							 : r->now_ns;
	if (rec->what == AGENT_EXITS)
		ev->reghash = 0;
	else if (r->opts.agent_test != NULL)
		agent_test_record(r, t, ev);
	if (rec->what == AGENT_ENTERS)
		return put_enter(r, t, d, ev, err);
	if (rec->what == AGENT_EXITS)
		agent_came(t, ns);
	if (is_followed(rec->nr))
		ret = follow(r, t, d, err);
	if (ret == 0)
		ret = put_memory(r, d, ev, &a->shape, err);
	if (ret == 0)
		ret = event_put_soon(r, ev, err);
	/* It may have computed since. */
	t->event_ns = ns;
	if (rec->nr == SYS_rt_sigprocmask)
		t->masked_ns = ns;
	a->last = rec->what == AGENT_CALLED ? r->seq : 0;
	return ret;
}

bool
agent_record_at(const uint8_t *p, size_t left, uint64_t regs[AGENT_REGS],
		struct agent_record *out)
{
	struct agent_rec *rec = &out->rec;
	size_t head;

	if (left < sizeof(*rec))
		return false;
	memcpy(rec, p, sizeof(*rec));
	/* Counting is a call where the CPU need not know it. */
	head = sizeof(*rec);
	if (rec->changed != 0)
		head += 8 * (size_t)__builtin_popcount(rec->changed);
	if ((rec->changed & ~AGENT_ALL_REGS) != 0 || rec->len < head ||
	    rec->len > left || rec->len % 8 != 0 || !agent_makes(rec->nr) ||
	    rec->what > AGENT_EXITS)
		return false;
	out->pieces = p + head;
	out->end = p + rec->len;
	out->regs = regs;
	p += sizeof(*rec);
	for (uint64_t left_regs = rec->changed; left_regs != 0;
	     left_regs &= left_regs - 1, p += 8)
		memcpy(&regs[__builtin_ctzll(left_regs)], p, 8);
	return true;
}

/* Its task was killed in a call that waited: that it was made is an event. */
int
agent_record_enter(struct recorder *r, struct task *t, uint64_t pos,
		   struct err *err)
{
	const struct mem *m = &task_space(t)->mem;
	uint8_t bytes[sizeof(struct agent_rec) + 8 * AGENT_REGS];
	struct agent_record d;
	struct event ev;
	uint64_t inside = 0;
	struct regs regs;

	if (pos > AGENT_RING_LEN - sizeof(bytes) ||
	    mem_read_all(m, AGENT_DATA + offsetof(struct agent_data, inside),
			 &inside, sizeof(inside)) < 0 ||
	    inside == 0 ||
	    mem_read_all(m, AGENT_DATA + AGENT_RING + pos, bytes,
			 sizeof(bytes)) < 0 ||
	    !agent_record_at(bytes, sizeof(bytes), task_space(t)->agent->regs,
			     &d) ||
	    ptrace_get_regs(t->tid, &regs) < 0)
		return 0;
	event_begin(r, t, EV_enter, &ev);
	ev.flags = EVF_RUNS;
	fill_call(&d, &regs, &ev);
	agent_test_record(r, t, &ev);
	return event_put(r, &ev, err);
}
