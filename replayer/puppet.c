#include "replayer/internal.h"

#include "agent/abi.h"
#include "base/clock.h"
#include "base/mem.h"
#include "event/sys.h"
#include "replayer/agent.h"
#include "tracee/batch.h"
#include "tracee/memcode.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#define DYING_MAX 64u /* killed and perhaps not dead yet */
#define EFLAGS_TF 0x100u
#define EFLAGS_RF 0x10000u

/* Debug registers 0 to 2 are for watchpoints (replayer/spec.h). */
#define STEP_SLOT 3u
#define STEP_LIMIT_NS 20000000000u

/* The vsyscall page lets nobody change rip at its seccomp stop. */
#define VSYSCALL_BASE 0xffffffffff600000u

static int
gone(struct puppet *p, struct err *err)
{
	p->pid = 0;
	return err_set(err, E_GONE,
		       "the process that replayed task %u was killed by "
		       "something outside",
		       p->task);
}

static int
get_regs(struct puppet *p, struct err *err)
{
	int ret = ptrace_get_regs(p->pid, &p->regs);

	if (ret < 0)
		return err_set(err, -ret, "cannot read registers of task %u",
			       p->task);
	p->dirty = false;
	return 0;
}

void
puppet_set_regs(struct puppet *p, const struct regs *regs)
{
	struct regs old = p->regs;

	p->regs = *regs;
	/* Selectors are the machine's own. */
	p->regs.cs = old.cs;
	p->regs.ss = old.ss;
	p->regs.ds = old.ds;
	p->regs.es = old.es;
	p->regs.fs = old.fs;
	p->regs.gs = old.gs;
	p->regs.eflags &= ~(uint64_t)(EFLAGS_TF | EFLAGS_RF);
	p->dirty = true;
}

int
puppet_flush(struct puppet *p, struct err *err)
{
	int ret;

	if (!p->dirty)
		return 0;
	p->regs.orig_rax = UINT64_MAX; /* skips the call we may stand in */
	ret = ptrace_set_regs(p->pid, &p->regs);
	if (ret < 0)
		return err_set(err, -ret, "cannot set registers of task %u",
			       p->task);
	p->dirty = false;
	return 0;
}

/* A signal that the puppet brought on itself, unlike one sent from outside. */
static bool
is_fault(const struct stop *st, const uint8_t si[128], struct halt *h)
{
	int32_t code;

	memcpy(&code, si + 8, sizeof(code));
	h->signo = st->signo;
	h->code = code;
	memcpy(&h->addr, si + 16, sizeof(h->addr));
	return stop_is_fault(st->signo, code);
}

/* Decide about one stop: 1 = *out is filled, 0 = let it go on. */
static int
look_at_stop(struct puppet *p, const struct stop *st, struct halt *out)
{
	uint8_t si[128];

	switch (st->kind) {
	case STOP_EXITED:
	case STOP_KILLED:
		*out = (struct halt){ .what = HALT_GONE };
		return 1;
	case STOP_SECCOMP:
		*out = (struct halt){ .what = HALT_CALL };
		return 1;
	case STOP_SIGNAL:
		if (ptrace_get_siginfo(p->pid, si) < 0)
			return 0;
		*out = (struct halt){ .what = HALT_FAULT };
		return is_fault(st, si, out);
	case STOP_NONE:
	case STOP_SYSCALL:
	case STOP_GROUP:
	case STOP_EVENT_STOP:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_EXEC:
	case STOP_EXIT:
		return 0;
	}
	return 0;
}

/* The slice's timer wants its signal, whatever thread this is. */
static int
start_slice(struct replayer *r, const struct puppet *p, uint64_t slice_ns,
	    sigset_t *old, struct err *err)
{
	sigset_t set;
	int ret = 0;

	if (slice_ns == 0)
		return 0;
	if (!r->deadline.open)
		ret = deadline_open(&r->deadline, err);
	if (ret < 0)
		return ret;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX - 3);
	pthread_sigmask(SIG_UNBLOCK, &set, old);
	deadline_arm(&r->deadline, p->pid, slice_ns);
	return 0;
}

static void
end_slice(struct replayer *r, uint64_t slice_ns, const sigset_t *old)
{
	if (slice_ns == 0)
		return;
	deadline_disarm(&r->deadline);
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

void
puppet_unwatch(struct puppet *p)
{
	if (p->pid == 0 || p->watched != p->pid)
		return;
	for (unsigned i = 0; i < STEP_SLOT; i++)
		ptrace_set_debug(p->pid, i, PTRACE_DEBUG_OFF, 0, 1);
	p->watched = 0;
}

/* Is it a watchpoint's trap that nobody waits for? Then more of them are not
 * wanted. */
static bool
is_noted(struct replayer *r, struct puppet *p, const struct halt *h)
{
	if (p->watched != p->pid || h->what != HALT_FAULT ||
	    h->signo != SIGTRAP ||
	    (ptrace_debug_hits(p->pid) & ((1 << STEP_SLOT) - 1)) == 0)
		return false;
	puppet_unwatch(p);
	r->touched = true;
	return true;
}

/* 1: *out is filled; the watchdog may have barked. */
static int
run_to_halt(struct replayer *r, struct puppet *p, uint64_t limit_ns,
	    uint64_t slice_ns, struct halt *out)
{
	uint64_t end = slice_ns ? clock_now_ns() + slice_ns : UINT64_MAX;
	struct stop st;
	int ret;

	for (;;) {
		ret = ptrace_cont(p->pid);
		if (ret >= 0 || ret == -E_GONE)
			ret = stop_wait_for(p->pid, &st);
		if (ret < 0)
			return ret;
		ret = look_at_stop(p, &st, out);
		if (ret == 1 && !is_noted(r, p, out))
			return 1;
		/* A trap that it ran into just before is still to come. */
		if (st.kind == STOP_EVENT_STOP && clock_now_ns() >= end &&
		    ptrace_fault_pending(p->pid) != 1)
			break;
		if (st.kind == STOP_SIGNAL && st.signo == SIGSTOP) {
			if (watchdog_disarm(r->watchdog))
				break;
			watchdog_arm(r->watchdog, p->pid, limit_ns);
		}
	}
	*out = (struct halt){ .what = HALT_TIMEOUT };
	return 1;
}

/* It has halted there: what it looks like. */
static int
arrived(struct puppet *p, const struct halt *h, struct err *err)
{
	int ret = get_regs(p, err);

	p->at_call = h->what == HALT_CALL;
	if (ret == 0 && p->at_call)
		agent_halt(p);
	else if (ret == 0 && h->what == HALT_FAULT && h->signo != SIGTRAP)
		agent_fault(p);
	return ret;
}

int
puppet_run(struct replayer *r, struct puppet *p, uint64_t limit_ns,
	   uint64_t slice_ns, struct halt *out, struct err *err)
{
	sigset_t old;
	int ret;

	if (p->halted) {
		p->halted = false;
		*out = p->halt;
		return 0;
	}
	ret = puppet_flush(p, err);
	if (ret == 0)
		ret = start_slice(r, p, slice_ns, &old, err);
	if (ret < 0)
		return ret;
	place_follow(r, p);
	watchdog_arm(r->watchdog, p->pid, limit_ns);
	ret = run_to_halt(r, p, limit_ns, slice_ns, out);
	watchdog_disarm(r->watchdog);
	end_slice(r, slice_ns, &old);
	if (ret < 0 || out->what == HALT_GONE)
		return gone(p, err);
	return arrived(p, out, err);
}

/* Up to next, which comes after the instruction where it stands. */
static int
step_over(struct replayer *r, struct puppet *p, uint64_t next, struct halt *out,
	  struct err *err)
{
	int ret;

	if (ptrace_set_debug(p->pid, STEP_SLOT, PTRACE_DEBUG_EXEC, next, 1) < 0)
		return gone(p, err);
	do {
		ret = puppet_run(r, p, STEP_LIMIT_NS, 0, out, err);
		if (ret < 0)
			return ret;
		if (out->what != HALT_FAULT || out->signo != SIGTRAP ||
		    out->code != TRAP_HWBKPT)
			break;
		/* Repeated stores to a watched place stop it midway. */
		p->debug_hits |= (unsigned)ptrace_debug_hits(p->pid) & 7;
		ret = p->regs.rip == next;
	} while (ret == 0);
	if (ptrace_set_debug(p->pid, STEP_SLOT, PTRACE_DEBUG_OFF, 0, 1) < 0)
		return gone(p, err);
	return ret;
}

static int
single_step(struct puppet *p, struct halt *out, struct err *err)
{
	struct stop st;
	int ret;

	do {
		ret = ptrace_resume(p->pid, PTRACE_SINGLESTEP, 0);
		if (ret >= 0 || ret == -E_GONE)
			ret = stop_wait_for(p->pid, &st);
		if (ret >= 0)
			ret = look_at_stop(p, &st, out);
	} while (ret == 0);
	if (ret < 0 || out->what == HALT_GONE)
		return gone(p, err);
	ret = arrived(p, out, err);
	if (ret < 0)
		return ret;
	return out->what == HALT_FAULT && out->signo == SIGTRAP &&
	       (out->code == TRAP_TRACE || out->code == TRAP_HWBKPT);
}

int
puppet_step(struct replayer *r, struct puppet *p, struct halt *out,
	    struct err *err)
{
	struct code c;
	int ret;

	if (p->halted) {
		*out = p->halt;
		return 0;
	}
	ret = p->at_call ? puppet_settle(p, err) : puppet_flush(p, err);
	if (ret < 0)
		return ret;
	/* pushf would store the trap flag. */
	if (mem_code(&p->space->mem, p->regs.rip, &c) && (c.rep || c.pushf))
		return step_over(r, p, p->regs.rip + c.len, out, err);
	place_follow(r, p);
	return single_step(p, out, err);
}

int
puppet_reload(struct puppet *p, struct err *err)
{
	int ret = get_regs(p, err);

	return ret < 0 ? ret : 1;
}

int
puppet_settle(struct puppet *p, struct err *err)
{
	struct stop st;
	int ret;

	ret = puppet_flush(p, err);
	if (ret < 0)
		return ret;
	/* An interrupt that is pending when it resumes takes effect before the
	 * first user instruction. */
	do {
		ret = ptrace_interrupt(p->pid);
		if (ret >= 0)
			ret = ptrace_cont(p->pid);
		if (ret >= 0)
			ret = stop_wait_for(p->pid, &st);
		if (ret < 0 || st.kind == STOP_EXITED || st.kind == STOP_KILLED)
			return gone(p, err);
	} while (st.kind != STOP_EVENT_STOP);
	p->at_call = false;
	return get_regs(p, err);
}

/* Run until an int3 of the agent page: behind the gadget's syscall, or a list.
 */
static int
run_gadget(struct puppet *p, struct regs *out, struct err *err)
{
	struct stop st;
	int ret;

	for (;;) {
		ret = ptrace_cont(p->pid);
		if (ret >= 0)
			ret = stop_wait_for(p->pid, &st);
		if (ret < 0 || st.kind == STOP_EXITED || st.kind == STOP_KILLED)
			return gone(p, err);
		if (st.kind != STOP_SIGNAL)
			continue;
		ret = ptrace_get_regs(p->pid, out);
		if (ret < 0)
			return gone(p, err);
		if (st.signo == SIGTRAP && out->rip - AGENT_BASE <= AGENT_BOOT)
			return 0;
		if (st.signo == SIGSEGV || st.signo == SIGBUS)
			return err_set(
				err, E_UNSUPPORTED,
				"task %u has lost its agent page (signal "
				"%d at 0x%lx)",
				p->task, st.signo, out->rip);
	}
}

/* The registers that a call of ours starts from. */
static int
leave(struct puppet *p, struct regs *out, struct err *err)
{
	int ret = 0;

	if (!p->dirty && (p->regs.rip & ~0xfffull) == VSYSCALL_BASE)
		ret = puppet_settle(p, err);
	if (ret < 0)
		return ret;
	p->dirty = true;
	p->at_call = false;
	*out = p->regs;
	out->orig_rax = UINT64_MAX; /* skips the call we may stand in */
	return 0;
}

/* From these registers to the trap. */
static int
run_ours(struct puppet *p, struct regs *regs, struct err *err)
{
	int ret = ptrace_set_regs(p->pid, regs);

	if (ret < 0)
		return err_set(err, -ret, "cannot set registers of task %u",
			       p->task);
	return run_gadget(p, regs, err);
}

int
puppet_call(struct puppet *p, long nr, const uint64_t args[6], int64_t *out,
	    struct err *err)
{
	struct regs regs;
	int ret = leave(p, &regs, err);

	if (ret < 0)
		return ret;
	regs.rax = (uint64_t)nr;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	regs.rip = AGENT_BASE + AGENT_GADGET;
	ret = run_ours(p, &regs, err);
	if (ret < 0)
		return ret;
	*out = (int64_t)regs.rax;
	return 0;
}

int
puppet_batch(struct puppet *p, const struct batch *b, struct err *err)
{
	struct batch_done done;
	struct regs regs;
	int ret;

	if (b->n == 0)
		return 0;
	if (b->n == 1 && b->data_len == 0)
		return puppet_must(p, sys_name((int)b->call[0].nr),
				   b->call[0].nr, b->call[0].arg, err);
	ret = leave(p, &regs, err);
	if (ret == 0)
		ret = batch_place(p->pid, &p->space->mem, b, true, err);
	if (ret < 0)
		return ret;
	regs.rip = AGENT_BASE + AGENT_BATCH;
	regs.rbx = BATCH_AT;
	ret = run_ours(p, &regs, err);
	if (ret == 0)
		ret = batch_place(p->pid, &p->space->mem, b, false, err);
	if (ret < 0)
		return ret;
	done = batch_done_of(b, &regs);
	if (done.n < b->n)
		return err_set(err, -(int)done.last,
			       "%s in the replay of task %u at 0x%lx: %s",
			       sys_name((int)b->call[done.n].nr), p->task,
			       b->call[done.n].arg[0],
			       strerrordesc_np(-(int)done.last));
	return 0;
}

int
puppet_must(struct puppet *p, const char *what, long nr, const uint64_t args[6],
	    struct err *err)
{
	int64_t res;
	int ret;

	ret = puppet_call(p, nr, args, &res, err);
	if (ret < 0)
		return ret;
	if (res < 0 && res > -4096)
		return err_set(err, (int)-res,
			       "%s in the replay of task %u: %s", what, p->task,
			       strerrordesc_np((int)-res));
	return 0;
}

int
puppet_fork(struct puppet *p, bool vm, pid_t *out, struct err *err)
{
	/*
	 * PTRACE without an event for the parent; ours, not the puppet's child,
	 * so that its end leaves nothing behind.
	 */
	uint64_t flags = CLONE_PARENT | CLONE_PTRACE | CLONE_UNTRACED |
			 CLONE_FILES | SIGCHLD | (vm ? CLONE_VM : 0);
	uint64_t args[6] = { flags };
	struct stop st;
	int64_t res;
	pid_t pid;
	int ret;

	ret = puppet_call(p, SYS_clone, args, &res, err);
	if (ret < 0)
		return ret;
	if (res < 0)
		return err_set(err, (int)-res,
			       "cannot copy the process of task %u: %s",
			       p->task, strerrordesc_np((int)-res));
	pid = (pid_t)res;
	ret = stop_wait_for(pid, &st);
	if (ret < 0 || st.kind != STOP_EVENT_STOP) {
		puppet_kill(&pid);
		return err_set(err, E_GONE, "a copy of task %u did not start",
			       p->task);
	}
	*out = pid;
	return 0;
}

void
puppet_kill(pid_t *pid)
{
	struct stop st;
	int ret;

	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	for (;;) {
		ret = stop_wait_for(*pid, &st);
		if (ret < 0 || st.kind == STOP_EXITED || st.kind == STOP_KILLED)
			break;
		ptrace_cont(*pid);
	}
	*pid = 0;
}

void
puppet_kill_later(struct replayer *r, struct puppet *p)
{
	if (p->pid <= 0)
		return;
	sched_setaffinity(p->pid, sizeof(r->allowed), &r->allowed);
	kill(p->pid, SIGKILL);
	vec_push(&r->dying, p->pid);
	p->pid = 0;
}

void
puppet_reap(struct replayer *r, bool wait)
{
	size_t left = 0;

	for (size_t i = 0; i < r->dying.len; i++) {
		pid_t pid = r->dying.v[i];
		struct stop st;

		if (wait || r->dying.len - i > DYING_MAX) {
			puppet_kill(&pid);
			continue;
		}
		if (stop_wait(pid, false, &st) < 0 || st.kind == STOP_EXITED ||
		    st.kind == STOP_KILLED)
			continue;
		if (st.kind != STOP_NONE)
			ptrace_cont(pid);
		r->dying.v[left++] = pid;
	}
	r->dying.len = left;
	if (wait)
		vec_free(&r->dying);
}
