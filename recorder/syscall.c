/*
 * A call from its entry stop to its event:
 *
 *   seccomp stop --answered--> event, resume
 *        |
 *        +--runs, keeps the baton--> exit stop -> collect, emit, resume
 *        |
 *        +--may block, others could run: enter event, scratch buffers,
 *           baton given up --> exit stop -> READY -> collect, emit, resume
 *
 * An exit stop with -ERESTART* is no end: a signal's delivery follows (see
 * signal.c), or the kernel issues the call again, and the entry stop of that is
 * the same call for everybody.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#define LOG_DOMAIN "recorder"
#include "base/log.h"
#include "event/format.h"
#include "recorder/agent.h"
#include "recorder/chaos.h"
#include "recorder/engine.h"
#include "recorder/nondet.h"
#include "recorder/sched.h"
#include "recorder/special.h"
#include "recorder/task.h"
#include "tracee/filter.h"

#define BLOB_FROM 16384u /* payloads from here on are stored once, as blobs */
#define VSYSCALL_PAGE 0xffffffffff600000ull

/* Results that stay between kernel and tracer (include/linux/errno.h). */
#define K_ERESTARTSYS 512
#define K_ERESTARTNOINTR 513
#define K_ERESTARTNOHAND 514
#define K_ERESTART_RESTARTBLOCK 516

static bool
is_restart(int64_t ret)
{
	return ret == -K_ERESTARTSYS || ret == -K_ERESTARTNOINTR ||
	       ret == -K_ERESTARTNOHAND || ret == -K_ERESTART_RESTARTBLOCK;
}

/* --- memory as the call sees it ------------------------------------------ */

static int64_t
mem_cb(void *ctx, uint64_t addr, void *buf, size_t n)
{
	return scratch_read(ctx, addr, buf, n);
}

/* For event/sys.h. */
static struct sys_mem
mem_of_call(struct task *t)
{
	return (struct sys_mem){ .read = mem_cb, .ctx = t };
}

/* --- what a call leaves behind ------------------------------------------- */

static bool
all_zero(const uint8_t *p, size_t n)
{
	return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static void
put_blobs(struct recorder *r, enum item_kind kind, uint64_t at,
	  struct span bytes)
{
	struct buf ids = { 0 };

	event_blobs(r, bytes, &ids);
	item_put_blobs(&r->items, kind, at, bytes.len,
		       (const struct blob_id *)(const void *)ids.p,
		       ids.len / sizeof(struct blob_id));
	buf_free(&ids);
}

/* A failed call counts as having written its whole buffer, which may be
 * gigabytes by the argument and a page in truth. */
static size_t
readable(const struct task *t, uint64_t addr, uint64_t len)
{
	uint8_t piece[4096];
	uint64_t done = 0;
	ssize_t n;

	do {
		uint64_t want = len - done < sizeof(piece) ? len - done
							   : sizeof(piece);

		n = mem_read(&task_space(t)->mem, addr + done, piece,
			     (size_t)want);
		if (n > 0)
			done += (uint64_t)n;
	} while (n > 0 && done < len);
	return (size_t)done;
}

void
event_output(struct recorder *r, uint64_t addr, struct span b)
{
	if (b.len > 64 && all_zero(b.p, b.len))
		item_put_zero(&r->items, addr, b.len);
	else if (b.len >= BLOB_FROM)
		put_blobs(r, ITEM_MEM_BLOB, addr, b);
	else
		item_put_mem(&r->items, addr, b);
}

void
event_input(struct recorder *r, int arg, struct span b)
{
	if (b.len >= BLOB_FROM)
		put_blobs(r, ITEM_IN_BLOB, (uint64_t)arg, b);
	else
		item_put_bytes(&r->items, ITEM_IN, (uint64_t)arg, b);
}

static void
put_output(struct recorder *r, struct task *t, const struct sys_range *o)
{
	size_t len = t->call.sc.ret < 0 ? readable(t, o->addr, o->len)
					: (size_t)o->len;
	uint8_t *p = arena_alloc(&r->arena, len);
	ssize_t n = mem_read(&task_space(t)->mem, o->addr, p, len);

	if (n > 0)
		event_output(r, o->addr, span_of(p, (size_t)n));
}

static void
put_outputs(struct recorder *r, struct task *t)
{
	struct sys_mem m = mem_of_call(t);
	int n = sys_call_outputs(&t->call.sc, &m, t->call.sc.ret == -EINTR,
				 r->ranges, SYS_RANGES_MAX);

	if (n > SYS_RANGES_MAX)
		n = SYS_RANGES_MAX;
	if (t->call.scratch != NULL)
		scratch_copy_out(t, r->ranges, n);
	for (int i = 0; i < n; i++)
		if (r->ranges[i].len > 0)
			put_output(r, t, &r->ranges[i]);
}

static void
put_inputs(struct recorder *r, struct task *t)
{
	struct sys_mem m = mem_of_call(t);
	int n = sys_call_inputs(&t->call.sc, &m, r->ranges, SYS_RANGES_MAX);

	if (n > SYS_RANGES_MAX)
		n = SYS_RANGES_MAX;
	for (int i = 0; i < n; i++) {
		const struct sys_range *in = &r->ranges[i];
		uint8_t *p;
		ssize_t got;

		if (in->len == 0) { /* an empty string, as for AT_EMPTY_PATH */
			event_input(r, in->arg, (struct span){ 0 });
			continue;
		}
		p = arena_alloc(&r->arena, in->len);
		got = scratch_read(t, in->addr, p, in->len);
		if (got > 0)
			event_input(r, in->arg, span_of(p, (size_t)got));
	}
	if (t->call.move != NULL && t->call.sc.ret > 0)
		event_input(r, SYS_IN_MOVED, moves_moved(t));
}

#define FUTEX_CMD 0x7fu /* without FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME */

static bool
is_futex_wait(const struct sys_call *sc)
{
	switch (sc->args[1] & FUTEX_CMD) {
	case 0:	 /* FUTEX_WAIT */
	case 6:	 /* FUTEX_LOCK_PI */
	case 9:	 /* FUTEX_WAIT_BITSET */
	case 13: /* FUTEX_LOCK_PI2 */
		return sc->nr == SYS_futex;
	}
	return false;
}

/* Who holds what it waits for stands in the word (PI), or behind it: glibc's
 * mutexes have word, count, owner. No call tells it, as taking a free mutex
 * makes none. */
static void
put_futex(struct recorder *r, struct task *t)
{
	uint8_t mutex[12];
	ssize_t n = mem_read(&task_space(t)->mem, t->call.sc.args[0], mutex,
			     sizeof(mutex));

	if (n > 0)
		item_put_bytes(&r->items, ITEM_IN, 0,
			       span_of(mutex, (size_t)n));
}

/* --- events -------------------------------------------------------------- */

static void
fill_call(const struct task *t, struct event *ev)
{
	const struct call *c = &t->call;

	ev->call = c->sc.nr >= 0 && c->sc.nr < SYS_MAX ? (int16_t)c->sc.nr : -1;
	memcpy(ev->args, c->sc.args, sizeof(ev->args));
	ev->pc = c->pc;
	ev->sp = c->regs.rsp;
	ev->reghash = regs_hash(&c->regs);
}

int
syscall_log_enter(struct recorder *r, struct task *t, struct err *err)
{
	struct event ev;
	int ret;

	if (t->call.logged)
		return 0;
	event_begin(r, t, EV_enter, &ev);
	ev.flags = EVF_RUNS;
	fill_call(t, &ev);
	/* After a successful exec nothing is left of these. */
	if (t->call.sc.nr == SYS_execve || t->call.sc.nr == SYS_execveat)
		put_inputs(r, t);
	else if (is_futex_wait(&t->call.sc))
		put_futex(r, t);
	ret = event_put(r, &ev, err);
	if (ret < 0)
		return ret;
	t->call.logged = true;
	t->call.enter_seq = ev.seq;
	return 0;
}

int
syscall_senders(struct recorder *r, const struct task *t, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < r->senders.len && ret >= 0; i++) {
		struct task *s = map_get(&r->tasks, (uint64_t)r->senders.v[i]);

		if (s != NULL && s != t && s->call.active && !s->call.logged)
			ret = syscall_log_enter(r, s, err);
	}
	r->senders.len = 0;
	return ret;
}

/* Its own call is no longer in the kernel; one that has just written has seen
 * nothing of what others are about. */
static int
senders_before_exit(struct recorder *r, const struct task *t, struct err *err)
{
	const unsigned writes = SYSF_SEND | SYSF_WRITES_FILE;

	for (size_t i = 0; i < r->senders.len; i++)
		if (r->senders.v[i] == t->tid)
			r->senders.v[i--] = r->senders.v[--r->senders.len];
	if ((t->call.desc->flags & writes) == writes && t->call.sc.ret >= 0)
		return 0;
	return syscall_senders(r, t, err);
}

int
syscall_collect(struct recorder *r, struct task *t, struct event *ev,
		struct err *err)
{
	const struct special_ops *special = special_find(t->call.sc.nr);
	int ret = senders_before_exit(r, t, err);

	if (ret < 0)
		return ret;
	event_begin(r, t, t->call.logged ? EV_exit : EV_syscall, ev);
	if (special->leave != NULL) {
		ret = special->leave(r, t, err);
		if (ret < 0)
			return ret;
	}
	if (!t->call.skipped || t->call.desc->decision != SYS_REFUSE)
		put_outputs(r, t);
	if (t->call.desc->flags & SYSF_WRITES_FILE) {
		if (t->call.desc->flags & SYSF_SEND)
			t->proc->comm[0] = '\0'; /* which is a file, too */
		ret = shared_written(r, t, err);
		if (ret < 0)
			return ret;
	}
	put_inputs(r, t);
	return 0;
}

int
syscall_emit(struct recorder *r, struct task *t, struct event *ev,
	     struct err *err)
{
	const struct call *c = &t->call;
	int ret;

	fill_call(t, ev);
	if (!c->logged)
		ev->flags |= EVF_RUNS;
	else
		ev->reghash = 0;
	if (c->refused)
		ev->flags |= EVF_REFUSED;
	if (c->sc.ret < 0 && c->sc.ret >= -4095)
		ev->flags |= EVF_ERROR;
	ev->ret = c->sc.ret;
	ev->dur_ns = r->now_ns - c->start_ns;
	ret = event_put(r, ev, err);
	syscall_forget(t);
	return ret;
}

void
syscall_forget(struct task *t)
{
	struct arena arena = t->call.arena;

	if (t->call.scratch != NULL)
		scratch_end(t);
	arena_clear(&arena);
	t->call = (struct call){ .arena = arena };
}

/* --- the end of a call ----------------------------------------------------- */

void
syscall_set_arg(struct regs *regs, int i, uint64_t value)
{
	uint64_t *const arg[6] = { &regs->rdi, &regs->rsi, &regs->rdx,
				   &regs->r10, &regs->r8,  &regs->r9 };

	*arg[i] = value;
}

void
syscall_own_args(const struct task *t, struct regs *regs)
{
	const uint64_t *a = t->call.sc.args;

	regs->rdi = a[0];
	regs->rsi = a[1];
	regs->rdx = a[2];
	regs->r10 = a[3];
	regs->r8 = a[4];
	regs->r9 = a[5];
}

void
syscall_given_args(const struct task *t, struct regs *regs)
{
	for (int i = 0; t->call.given != NULL && i < 6; i++)
		syscall_set_arg(regs, i, t->call.given[i]);
}

/* The registers (now, when they are known) with which the program goes on, in
 * the form that replay gives them: r11 is the flags on some CPUs and untouched on others. */
static int
final_regs(struct task *t, const struct regs *now)
{
	struct regs was, regs;
	int ret = 0;

	if (now != NULL)
		regs = *now;
	else
		ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	was = regs;
	if (t->call.sc.nr != SYS_rt_sigreturn) {
		syscall_own_args(t, &regs);
		if (regs.rip == t->call.regs.rip)
			regs.rip = t->call.pc; /* out of the site's stub */
		regs.rcx = regs.rip;
		regs.r11 = R11_CANONICAL;
	}
	if (memcmp(&was, &regs, sizeof(regs)) != 0) {
		ret = ptrace_set_regs(t->tid, &regs);
		if (ret < 0)
			return ret;
	}
	t->last = regs;
	return 0;
}

static int
finish(struct recorder *r, struct task *t, const struct regs *now,
       struct err *err)
{
	struct event ev;
	int ret = final_regs(t, now);

	if (ret < 0)
		return ret;
	ret = syscall_collect(r, t, &ev, err);
	if (ret >= 0 && r->agent != NULL)
		ret = agent_seen(r, t, err);
	if (ret >= 0)
		ret = syscall_emit(r, t, &ev, err);
	if (ret >= 0)
		ret = sum_due(r, t, err);
	return ret < 0 ? ret : sched_continue(r, t, err);
}

int
syscall_finish(struct recorder *r, struct task *t, struct err *err)
{
	return finish(r, t, NULL, err);
}

/* Let the program issue the call again; it is the same one for everybody. */
static int
issue_again(struct task *t, struct regs *regs)
{
	int ret;

	regs->rip -= 2;
	regs->rax = (uint64_t)t->call.sc.nr;
	regs->orig_rax = UINT64_MAX;
	ret = ptrace_set_regs(t->tid, regs);
	if (ret < 0)
		return ret;
	t->call.again = true;
	return task_resume(t, PTRACE_CONT, 0);
}

/* Its site was patched while it waited: what is to be issued again, is so
 * there. */
static int
into_stub(const struct task *t, struct regs *regs)
{
	if (regs->rip != t->call.pc || t->call.regs.rip == t->call.pc)
		return 0;
	regs->rip = t->call.regs.rip;
	return ptrace_set_regs(t->tid, regs);
}

int
syscall_exit(struct recorder *r, struct task *t, struct err *err)
{
	struct call *c = &t->call;
	struct regs regs;
	int64_t result;
	int ret = ptrace_get_regs(t->tid, &regs);

	if (ret < 0)
		return ret;
	chaos_leaves(r, t);
	result = (int64_t)regs.rax;
	if (c->sc.nr != SYS_rt_sigreturn) {
		ret = into_stub(t, &regs);
		if (ret < 0)
			return ret;
		if (is_restart(result)) {
			c->restarting = true;
			return task_resume(t, PTRACE_CONT, 0);
		}
		if (result == -EINTR && signal_spurious_eintr(t))
			return issue_again(t, &regs);
	}
	if (c->move != NULL) {
		ret = moves_exit(t, &regs);
		if (ret != 0)
			return ret < 0 ? ret : issue_again(t, &regs);
		result = (int64_t)regs.rax;
	}
	c->sc.ret = result;
	if (t->state == TASK_BLOCKED) {
		sched_ready(t, NEXT_EXIT);
		return 0;
	}
	return finish(r, t, &regs, err);
}

/* --- the entry --------------------------------------------------------------- */

void
syscall_answer(struct task *t, int64_t ret, bool refused)
{
	t->call.skipped = true;
	t->call.refused = refused;
	t->call.sc.ret = ret;
}

/* Give the answer at the entry stop itself: no exit stop follows a CONT. */
static int
finish_answered(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs = t->call.regs;
	int ret;

	regs.orig_rax = UINT64_MAX;
	regs.rax = (uint64_t)t->call.sc.ret;
	ret = ptrace_set_regs(t->tid, &regs);
	return ret < 0 ? ret : syscall_finish(r, t, err);
}

static void
refuse(struct recorder *r, struct task *t, int errnum)
{
	const struct sys_call *sc = &t->call.sc;
	const char *sub = sys_subop_name(sc);

	warn(r, t, WARN_REFUSED, sc->nr, "%s%s%s%s is not supported: answered %s",
	     sys_name(sc->nr), sub != NULL ? "(" : "", sub != NULL ? sub : "",
	     sub != NULL ? ")" : "", errno_name(errnum));
	syscall_answer(t, -errnum, true);
}

/* Calls that do not run. True when there is an answer. */
static bool
decide(struct recorder *r, struct task *t)
{
	const struct sys_desc *d = t->call.desc;
	int errnum;

	if (t->call.skipped)
		return true;
	if (d->decision == SYS_UNKNOWN) {
		warn(r, t, WARN_UNKNOWN_CALL, t->call.sc.nr,
		     "system call %d is unknown to pastime: answered ENOSYS",
		     t->call.sc.nr);
		syscall_answer(t, -ENOSYS, true);
	} else if (d->decision == SYS_REFUSE) {
		refuse(r, t, d->errno_refused);
	} else if (d->decision == SYS_EMULATE && d->errno_refused != 0) {
		syscall_answer(t, -d->errno_refused, true);
	} else if (sys_subop_refused(&t->call.sc, &errnum)) {
		refuse(r, t, errnum);
	} else if (!moves_set_up(r, t)) {
		syscall_answer(t, -EINVAL, true);
	}
	return t->call.skipped;
}

/* As inside a blocking call, but held at its entry. */
static int
wait_at_entry(struct recorder *r, struct task *t, struct err *err)
{
	int ret = syscall_log_enter(r, t, err);

	if (ret < 0 || t->state == TASK_BLOCKED)
		return ret;
	t->state = TASK_BLOCKED;
	sched_release(t);
	return 0;
}

int
syscall_resume(struct task *t)
{
	return t->call.move != NULL ? moves_resume(t)
				    : task_resume(t, PTRACE_SYSCALL, 0);
}

/* Into the kernel. */
static int
run_call(struct recorder *r, struct task *t, struct err *err)
{
	const struct call *c = &t->call;
	bool alone = !sched_others(t) && task_group(t)->wanted.len == 0;
	int ret;

	if (c->move != NULL) {
		ret = moves_room(r, t, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
	}
	if (!outputs_enter(r, t))
		return wait_at_entry(r, t, err);
	if (c->logged || c->desc->blocking == SYS_NEVER || alone ||
	    sys_call_never_blocks(&c->sc)) {
		if ((c->desc->flags & SYSF_SEND) != 0 && r->groups.len > 1)
			vec_push(&r->senders, t->tid);
		chaos_enters(r, t, false);
		return syscall_resume(t);
	}
	ret = scratch_begin(r, t, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = syscall_log_enter(r, t, err);
	if (ret < 0)
		return ret;
	t->state = TASK_BLOCKED;
	sched_release(t);
	chaos_enters(r, t, true);
	return syscall_resume(t);
}

/* Everything up to the resume, for a call that is set up. */
static int
go(struct recorder *r, struct task *t, struct err *err)
{
	const struct special_ops *special = special_find(t->call.sc.nr);
	int ret = shared_enter(r, t, err);

	if (ret < 0)
		return ret;
	if (ret > 0) {
		t->call.waiting = true;
		return 0;
	}
	if (!t->call.skipped) {
		ret = sandbox_check(r, t, err);
		if (ret < 0 || ret == SPECIAL_DONE)
			return ret < 0 ? ret : 0;
	}
	ret = chaos_call(r, t, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (decide(r, t))
		return finish_answered(r, t, err);
	if (special->enter != NULL) {
		ret = special->enter(r, t, err);
		if (ret < 0 || ret == SPECIAL_DONE)
			return ret < 0 ? ret : 0;
		if (t->call.skipped)
			return finish_answered(r, t, err);
	}
	return run_call(r, t, err);
}

static void
begin_call(const struct recorder *r, struct task *t, const struct regs *regs,
	   int nr)
{
	struct call *c = &t->call;

	syscall_forget(t);
	c->active = true;
	c->regs = *regs;
	c->pc = agent_view(t, regs->rip);
	c->start_ns = r->now_ns;
	c->sc.nr = nr;
	c->sc.args[0] = regs->rdi;
	c->sc.args[1] = regs->rsi;
	c->sc.args[2] = regs->rdx;
	c->sc.args[3] = regs->r10;
	c->sc.args[4] = regs->r8;
	c->sc.args[5] = regs->r9;
	c->sc.arena = &c->arena;
	c->desc = sys_desc(nr);
	agent_test_trapped(r, t, regs);
}

static int
set_up(struct recorder *r, struct task *t, const struct regs *regs,
       struct err *err)
{
	struct sys_mem m = mem_of_call(t);
	unsigned long arch;
	int ret = ptrace_event_msg(t->tid, &arch);

	if (ret < 0)
		return ret;
	begin_call(r, t, regs,
		   arch == FILTER_FOREIGN ? -1 : (int)regs->orig_rax);
	if (arch == FILTER_FOREIGN) {
		warn(r, t, WARN_FOREIGN, -1,
		     "32-bit system calls are not supported: answered ENOSYS");
		syscall_answer(t, -ENOSYS, true);
		return 0;
	}
	return sys_call_enter(&t->call.sc, &m, err);
}

int
syscall_adopt(struct recorder *r, struct task *t, const struct regs *regs,
	      struct err *err)
{
	struct sys_mem m = mem_of_call(t);

	begin_call(r, t, regs, (int)regs->orig_rax);
	t->call.restarting = true;
	return sys_call_enter(&t->call.sc, &m, err);
}

/* The entry stop of a call that the kernel, or we, issued again. */
static bool
is_same_call(const struct call *c, const struct regs *regs)
{
	int nr = (int)regs->orig_rax;

	return c->active && (c->restarting || c->again) &&
	       (nr == c->sc.nr || nr == SYS_restart_syscall) &&
	       regs->rip == c->regs.rip && regs->rsp == c->regs.rsp;
}

/* A call through the vsyscall page is an instruction that traps. 1: it was. */
static int
vsyscall(struct recorder *r, struct task *t, const struct regs *regs,
	 struct err *err)
{
	struct event ev;
	struct item it;
	int ret;

	if ((regs->rip & ~0xfffull) != VSYSCALL_PAGE)
		return 0;
	event_begin(r, t, EV_insn, &ev);
	ret = nondet_vsyscall(r, t, &ev, &r->items, err);
	if (ret <= 0)
		return ret;
	/* It stands in the kernel still: the registers are those to come. */
	if (item_find(buf_span(&r->items), ITEM_REGS, UINT64_MAX, &it) &&
	    it.bytes.len == sizeof(t->last))
		memcpy(&t->last, it.bytes.p, sizeof(t->last));
	ret = event_put(r, &ev, err);
	if (ret >= 0)
		ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}

int
syscall_entry(struct recorder *r, struct task *t, struct err *err)
{
	struct call *c = &t->call;
	struct regs regs;
	int ret;

	/* Put off at its entry, and now it is its turn. */
	if (c->active && c->waiting) {
		c->waiting = false;
		return go(r, t, err);
	}
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	if (is_same_call(c, &regs)) {
		bool injected = c->again && !c->logged;

		c->restarting = c->again = false;
		if (injected)
			return run_call(r, t, err);
		return outputs_enter(r, t) ? syscall_resume(t)
					   : wait_at_entry(r, t, err);
	}
	ret = vsyscall(r, t, &regs, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (t->stash.signo != 0) {
		agent_test_trapped(r, t, &regs);
		ret = signal_at_entry(r, t, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
	}
	t->stash.rewound = false;
	ret = set_up(r, t, &regs, err);
	return ret < 0 ? ret : go(r, t, err);
}
