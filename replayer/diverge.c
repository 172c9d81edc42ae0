/*
 * Where replay and recording part: what was expected, what was found, and what
 * is probably the cause, in words that help.
 */
#include "replayer/internal.h"

#include "base/clock.h"
#include "event/format.h"
#include "event/sys.h"
#include "tracee/maps.h"
#include "tracee/memsum.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

int
diverge(struct replayer *r, const struct event *ev, struct err *err,
	const char *expected, const char *found, const char *cause)
{
	struct divergence *d = &r->div;

	*d = (struct divergence){ .seq = ev->seq,
				  .task = ev->task,
				  .last_good = r->now->seq };
	snprintf(d->expected, sizeof(d->expected), "%s", expected);
	snprintf(d->found, sizeof(d->found), "%s", found);
	snprintf(d->cause, sizeof(d->cause), "%s", cause);
	r->diverged = true;
	return err_set(
		err, E_DIVERGED,
		"replay parts from the recording at event %lu (task %u)\n"
		"  expected: %s\n"
		"  found:    %s\n"
		"  likely:   %s\n"
		"  the last event that agreed is e%lu",
		d->seq, d->task, d->expected, d->found, d->cause, d->last_good);
}

/* What a divergence is told with. */
struct words {
	struct buf want, found, cause;
};

/* ---- describing */

static void
put_call(struct buf *b, int nr, const uint64_t args[6])
{
	const struct sys_desc *d = sys_desc(nr);
	unsigned n = d->decision == SYS_UNKNOWN ? 6 : d->nargs;

	buf_printf(b, "%s(", sys_name(nr));
	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "%s0x%lx", i ? ", " : "", args[i]);
	buf_str(b, ")");
}

static void
regs_args(const struct regs *g, uint64_t args[6])
{
	args[0] = g->rdi;
	args[1] = g->rsi;
	args[2] = g->rdx;
	args[3] = g->r10;
	args[4] = g->r8;
	args[5] = g->r9;
}

static void
put_expected(struct buf *b, const struct event *ev)
{
	static const char *const insn[] = { "?",     "rdtsc",	"rdtscp",
					    "cpuid", "rdrand",	"rdseed",
					    "rdpid", "vsyscall" };

	switch (ev->kind) {
	case EV_enter:
	case EV_syscall:
		put_call(b, ev->call, ev->args);
		break;
	case EV_insn:
		buf_str(b, insn[ev->args[0] < 8 ? ev->args[0] : 0]);
		break;
	case EV_signal:
		if (ev->flags & EVF_REWOUND)
			buf_printf(b, "a call, before which %s arrives",
				   signal_name((int)ev->args[0]));
		else
			buf_printf(b, "%s (code %ld) for address 0x%lx",
				   signal_name((int)ev->args[0]),
				   (int64_t)ev->args[1], ev->args[2]);
		break;
	default:
		buf_str(b, event_kind_name(ev->kind));
	}
	buf_printf(b, " at pc 0x%lx", ev->pc);
}

static void
put_found(struct buf *b, const struct puppet *p, const struct halt *h)
{
	uint64_t args[6];

	switch (h->what) {
	case HALT_CALL:
		regs_args(&p->regs, args);
		put_call(b, (int)p->regs.orig_rax, args);
		break;
	case HALT_FAULT:
		buf_printf(b, "%s (code %d) for address 0x%lx",
			   signal_name(h->signo), h->code, h->addr);
		break;
	case HALT_TIMEOUT:
		buf_str(b, "still computing");
		break;
	case HALT_GONE:
		buf_str(b, "dead");
		return;
	}
	buf_printf(b, " at pc 0x%lx", p->regs.rip);
}

/* The calls before: the culprit is often one whose outputs are incomplete. */
static void
put_trail(struct buf *b, const struct puppet *p)
{
	unsigned n = p->n_trail < TRAIL ? p->n_trail : TRAIL;

	if (n == 0)
		return;
	buf_str(b, "; its calls before:");
	for (unsigned i = 1; i <= n; i++) {
		unsigned at = (p->n_trail - i) % TRAIL;

		buf_printf(b, " %s at e%lu%s", sys_name(p->trail[at].call),
			   p->trail[at].seq, i < n ? "," : "");
	}
}

static const char *
likely(const struct event *ev, const struct halt *h)
{
	if (h->what == HALT_TIMEOUT)
		return "it waits for memory that something outside the "
		       "recording changed";
	if (h->what == HALT_FAULT && h->signo == SIGILL)
		return "this processor lacks an instruction that the "
		       "recording's had";
	if (h->what == HALT_FAULT && h->signo == SIGTRAP)
		return "an instruction that was patched in the recording";
	if (h->what == HALT_FAULT)
		return "a mapping or a pointer in memory differs: an output "
		       "of an earlier call that was not recorded, or memory "
		       "shared with something outside";
	if (ev->kind == EV_insn)
		return "the instruction did not trap here";
	return "it took another path: an output of an earlier call that was "
	       "not recorded, or memory shared with something outside";
}

/* Say so, and let the words go. */
static int
part(struct replayer *r, const struct puppet *p, const struct event *ev,
     struct words *w, struct err *err)
{
	int ret;

	put_trail(&w->cause, p);
	ret = diverge(r, ev, err, buf_cstr(&w->want), buf_cstr(&w->found),
		      buf_cstr(&w->cause));
	buf_free(&w->want);
	buf_free(&w->found);
	buf_free(&w->cause);
	return ret;
}

int
diverge_halt(struct replayer *r, struct puppet *p, const struct event *ev,
	     const struct halt *h, struct err *err)
{
	struct words w = { 0 };

	put_expected(&w.want, ev);
	put_found(&w.found, p, h);
	buf_str(&w.cause, likely(ev, h));
	return part(r, p, ev, &w, err);
}

/* The name of the argument that differs, or NULL. */
static const char *
wrong_arg(const struct event *ev, const uint64_t args[6], unsigned *out)
{
	static const char *const plain[6] = { "1st", "2nd", "3rd",
					      "4th", "5th", "6th" };
	const struct sys_desc *d = sys_desc(ev->call);

	for (unsigned i = 0; i < 6; i++) {
		if (args[i] == ev->args[i])
			continue;
		*out = i;
		return i < d->nargs && d->args[i].name ? d->args[i].name
						       : plain[i];
	}
	return NULL;
}

/* Right place, wrong registers. */
static int
wrong_regs(struct replayer *r, struct puppet *p, const struct event *ev,
	   struct err *err)
{
	const struct regs *g = &p->regs;
	struct words w = { 0 };

	put_expected(&w.want, ev);
	buf_printf(&w.want, " with registers of hash %08x", ev->reghash);
	buf_printf(&w.found,
		   "hash %08x: rbx=%lx rbp=%lx r12=%lx r13=%lx r14=%lx "
		   "r15=%lx flags=%lx fs=%lx gs=%lx",
		   regs_hash(g), g->rbx, g->rbp, g->r12, g->r13, g->r14, g->r15,
		   g->eflags, g->fs_base, g->gs_base);
	buf_str(&w.cause, "a register that holds no argument differs: a value "
			  "read from memory that was not recorded");
	return part(r, p, ev, &w, err);
}

int
diverge_regs(struct replayer *r, struct puppet *p, const struct event *ev,
	     uint64_t pc, const struct halt *h, struct err *err)
{
	bool call = ev->kind == EV_enter || ev->kind == EV_syscall;
	struct words w = { 0 };
	const char *name = NULL;
	uint64_t args[6];
	unsigned i = 0;

	regs_args(&p->regs, args);
	if (pc != ev->pc ||
	    (call && ev->call >= 0 && (int64_t)p->regs.orig_rax != ev->call))
		return diverge_halt(r, p, ev, h, err);
	if (call)
		name = wrong_arg(ev, args, &i);
	if (!name && p->regs.rsp == ev->sp) {
		if (ev->reghash == 0 || ev->reghash == regs_hash(&p->regs))
			return 0;
		return wrong_regs(r, p, ev, err);
	}
	put_expected(&w.want, ev);
	put_found(&w.found, p, h);
	if (name) {
		buf_printf(&w.cause, "argument %s is 0x%lx instead of 0x%lx",
			   name, args[i], ev->args[i]);
	} else {
		buf_printf(&w.want, ", sp 0x%lx", ev->sp);
		buf_printf(&w.found, ", sp 0x%lx", p->regs.rsp);
		buf_str(&w.cause, "the stack pointer differs");
	}
	return part(r, p, ev, &w, err);
}

/* ---- memory */

static void
name_of_region(const struct puppet *p, uint64_t addr, struct buf *out)
{
	struct arena a = { 0 };
	const struct vma *v = NULL;
	struct maps maps;

	if (maps_read(p->pid, &a, &maps, NULL) == 0)
		v = maps_find(&maps, addr);
	if (v)
		buf_printf(out, " (%s%s)", v->shared ? "shared " : "",
			   v->name[0] ? v->name : "anonymous");
	else
		buf_str(out, " (not mapped)");
	arena_free(&a);
}

/* The next piece as recorded; false at the end. */
static bool
next_recorded(struct item_reader *ir, struct memsum *out)
{
	struct item it;

	while (item_next(ir, &it, NULL) > 0) {
		if (it.kind != ITEM_REGION || it.len != MEMSUM_PIECE)
			continue;
		*out = (struct memsum){ .addr = it.addr, .hash = it.num };
		return true;
	}
	return false;
}

static void
add_pages(const struct event *ev, struct memsum *m)
{
	struct item it;

	if (item_find(ev->payload, ITEM_PAGES, m->addr, &it) &&
	    it.bytes.len == sizeof(m->page))
		memcpy(m->page, it.bytes.p, sizeof(m->page));
}

/* The lowest piece in which recording and replay differ; false = none. */
static bool
first_difference(const struct event *ev, const struct memsum *have, size_t n,
		 struct memsum *want, struct memsum *found)
{
	struct item_reader ir;
	bool more;

	item_reader_init(&ir, ev->payload);
	for (size_t i = 0;; i++) {
		more = next_recorded(&ir, want);
		if (!more && i == n)
			return false;
		*found =
			i < n ? have[i] : (struct memsum){ .addr = UINT64_MAX };
		if (!more)
			*want = (struct memsum){ .addr = UINT64_MAX };
		if (want->addr == found->addr && want->hash == found->hash)
			continue;
		if (want->addr < found->addr)
			*found = (struct memsum){ .addr = want->addr };
		else if (found->addr < want->addr)
			*want = (struct memsum){ .addr = found->addr };
		add_pages(ev, want);
		return true;
	}
}

/* What the recording left out, in the order that it has. */
static size_t
left_out(const struct event *ev, struct arena *a, struct memsum_range **out)
{
	VEC(struct memsum_range) v = { 0 };
	struct item_reader ir;
	struct item it;
	size_t n;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == ITEM_REGION && it.len != MEMSUM_PIECE)
			vec_push(&v, ((struct memsum_range){
					     it.addr, it.addr + it.len }));
	}
	n = v.len;
	*out = arena_dup(a, v.v, n * sizeof(*v.v));
	vec_free(&v);
	return n;
}

/* The page that differs first, and how many do; none when it was recorded
 * without pages. */
static void
name_pages(const struct memsum *want, const struct memsum *found,
	   struct buf *out)
{
	unsigned first = MEMSUM_PAGES, n = 0;

	for (unsigned i = MEMSUM_PAGES; i-- > 0;) {
		if (want->page[i] == found->page[i])
			continue;
		first = i;
		n++;
	}
	if (n > 0)
		buf_printf(out, ", the page at 0x%lx first%s",
			   want->addr + first * 4096ul,
			   n > 1 ? ", others after it" : "");
}

int
diverge_memory(struct replayer *r, struct puppet *p, const struct event *ev,
	       struct err *err)
{
	struct memsum_range *but;
	struct memsum *have, a, b;
	struct words w = { 0 };
	struct arena arena = { 0 };
	size_t n, n_but;
	int ret;

	if (!p->pid)
		return 0;
	n_but = left_out(ev, &arena, &but);
	ret = memsum_space(p->pid, &p->space->mem, but, n_but, &arena, &have,
			   &n, err);
	if (ret == 0 && first_difference(ev, have, n, &a, &b)) {
		buf_printf(&w.want,
			   "memory [0x%lx, 0x%lx) with checksum %016lx", a.addr,
			   a.addr + MEMSUM_PIECE, a.hash);
		buf_printf(&w.found, "%016lx", b.hash);
		name_pages(&a, &b, &w.found);
		name_of_region(p, a.addr, &w.found);
		buf_str(&w.cause, "an output that was not recorded, or garbage "
				  "that pastime left behind");
		ret = part(r, p, ev, &w, err);
	}
	arena_free(&arena);
	return ret;
}
