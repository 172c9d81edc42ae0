/*
 * Signals. A signal may only change the program at a place that replay finds
 * again:
 *
 *   fault of the program's own          where it happens
 *   at the task's last event            there (raise, kill to itself, SIGPIPE)
 *   inside a call, -ERESTART*           there, once the task has the baton
 *   in computation, with a handler      stashed, until the next call's entry:
 *                                       the call is skipped, the task put back
 *                                       before its syscall instruction, the
 *                                       signal given
 *   in computation, no call near        the task is stopped at a point, which
 *                                       is an event (preempt.c); there. On the
 *                                       spot and EVF_UNTIMED when that is
 *                                       impossible
 *   ignored                             never seen by the program
 *   fatal, stopping                     at once; they change no state
 *
 * While one is stashed, the task's other asynchronous signals are blocked, so
 * that their order is kept and none is taken by a thread that would not have
 * got it. To give it, another signal is sent, and replaced at its stop: to send
 * SIGCONT or SIGTSTP itself would take back a SIGSTOP or SIGCONT that came
 * since.
 */
#include "recorder/agent.h"
#include "recorder/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "recorder/chaos.h"
#include "recorder/nondet.h"
#include "recorder/preempt.h"
#include "recorder/sched.h"
#include "recorder/task.h"
#include "tracee/remote.h"

#define BIT(signo) (1ull << ((signo)-1))
#define SYNC_SET                                                        \
	(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) |       \
	 BIT(SIGTRAP) | BIT(SIGSYS))
#define STOP_SET (BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
#define IGNORED_SET \
	(BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT))

/* Offsets in the kernel's siginfo (asm-generic/siginfo.h) and rt_sigframe
 * (arch/x86/include/asm/sigframe.h): return address, then the ucontext with
 * flags, link, stack, and the registers r8-r15, rdi, rsi, rbp, rbx, rdx, rax,
 * rcx, rsp, rip. */
#define INFO_CODE 8
#define INFO_FIELDS 16
/* si_code of what PTRACE_GETSIGINFO says at an exit stop. */
#define EXIT_STOP_CODE (SIGTRAP | PTRACE_EVENT_EXIT << 8)
#define FRAME_STACK (8 + 16)
#define FRAME_RIP (8 + 40 + 16 * 8)
#define FRAME_HEAD 512
#define FRAME_MAX 65536u
#define RED_ZONE 128u
#define MET_MAX 8u
/* Stands for a stashed one; no kernel ever sends it. */
#define CARRIER SIGSTKFLT

enum outcome { OUT_HANDLER = 1, OUT_IGNORED, OUT_FATAL, OUT_STOP, OUT_CONT };

struct dispositions {
	uint64_t pending, blocked, ignored, caught;
};

static uint64_t
status_mask(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

static int
dispositions_read(pid_t tid, struct dispositions *d)
{
	struct buf text = { 0 };
	char path[48];
	const char *s;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (fd_read_file(path, &text) < 0) {
		buf_free(&text);
		return -E_GONE;
	}
	s = buf_cstr(&text);
	d->pending = status_mask(s, "\nSigPnd:") | status_mask(s, "\nShdPnd:");
	d->blocked = status_mask(s, "\nSigBlk:");
	d->ignored = status_mask(s, "\nSigIgn:");
	d->caught = status_mask(s, "\nSigCgt:");
	buf_free(&text);
	return 0;
}

static int32_t
info_code(const uint8_t info[128])
{
	int32_t code;

	memcpy(&code, info + INFO_CODE, sizeof(code));
	return code;
}

/* A fault of the instruction that the task stands at. */
static bool
is_fault(int signo, const uint8_t info[128])
{
	return stop_is_fault(signo, info_code(info));
}

/* si_addr of a fault, si_pid of what a process sent. */
static uint64_t
info_detail(int signo, const uint8_t info[128])
{
	uint64_t addr;
	int32_t pid;

	memcpy(&addr, info + INFO_FIELDS, sizeof(addr));
	memcpy(&pid, info + INFO_FIELDS, sizeof(pid));
	return is_fault(signo, info) ? addr : (uint64_t)(int64_t)pid;
}

static void
signal_event(struct recorder *r, const struct task *t, int signo,
	     const uint8_t info[128], enum outcome outcome, unsigned flags,
	     const struct regs *at, struct event *ev)
{
	event_begin(r, t, EV_signal, ev);
	ev->flags = flags;
	ev->args[0] = (uint64_t)signo;
	ev->args[1] = (uint64_t)(int64_t)info_code(info);
	ev->args[2] = info_detail(signo, info);
	ev->args[3] = outcome;
	ev->pc = agent_view(t, at->rip) + (flags & EVF_REWOUND ? 2 : 0);
	ev->sp = at->rsp;
	if (flags & EVF_RUNS)
		ev->reghash = regs_hash(at);
	item_put_bytes(&r->items, ITEM_SIGINFO, 0, span_of(info, 128));
}

/* --- delivery ----------------------------------------------------------- */

/* Where the frame that begins at rsp ends: below the red zone of what was
 * interrupted, or at the top of the alternate stack. */
static uint64_t
frame_end(const uint8_t *head, uint64_t rsp, uint64_t old_rsp)
{
	uint64_t alt, alt_len;

	memcpy(&alt, head + FRAME_STACK, sizeof(alt));
	memcpy(&alt_len, head + FRAME_STACK + 16, sizeof(alt_len));
	if (rsp - alt < alt_len && old_rsp - alt >= alt_len)
		return alt + alt_len;
	return old_rsp - RED_ZONE;
}

static int
put_frame(struct recorder *r, struct task *t, const struct regs *before,
	  const struct regs *after, const uint8_t *head)
{
	uint64_t end = frame_end(head, after->rsp, before->rsp);
	uint64_t len = end - after->rsp;
	struct buf xstate = { 0 };
	uint8_t *frame;
	int ret;

	if (len > FRAME_MAX)
		len = FRAME_MAX;
	frame = arena_alloc(&r->arena, len);
	ret = mem_read_all(&task_space(t)->mem, after->rsp, frame, len);
	if (ret == 0)
		ret = ptrace_get_xstate(t->tid, &xstate);
	if (ret == 0) {
		item_put_mem(&r->items, after->rsp, span_of(frame, len));
		item_put_bytes(&r->items, ITEM_REGS, 0,
			       span_of(after, sizeof(*after)));
		item_put_bytes(&r->items, ITEM_XSTATE, 0, buf_span(&xstate));
	}
	buf_free(&xstate);
	return ret;
}

/* The interrupted call's event, now that the frame shows what became of it. */
static int
emit_call(struct recorder *r, struct task *t, struct event *ev, bool restart,
	  struct err *err)
{
	t->call.sc.ret = restart ? 0 : -EINTR;
	if (restart)
		ev->flags |= EVF_RESTART;
	return syscall_emit(r, t, ev, err);
}

/* A frame is to hold the program's own mask, not that of the stash. */
static int
mask_own(struct task *t)
{
	return t->stash.signo == 0 ? 0
				   : ptrace_set_sigmask(t->tid, t->stash.mask);
}

/* The frame is there: the mask is the handler's now. */
static int
mask_stashed(struct task *t)
{
	int ret;

	if (t->stash.signo == 0)
		return 0;
	ret = ptrace_get_sigmask(t->tid, &t->stash.mask);
	if (ret < 0 || !t->stash.sent)
		return ret; /* sent as soon as it goes on */
	return ptrace_set_sigmask(t->tid, t->stash.mask & ~BIT(CARRIER));
}

/*
 * Let the kernel build the frame: at a signal stop, single-stepping with the
 * signal stops before the handler's first instruction.
 */
static int
deliver(struct recorder *r, struct task *t, const uint8_t info[128],
	unsigned flags, struct err *err)
{
	bool in_call = t->call.active, restart = false;
	int signo = t->stop.signo, ret;
	uint8_t head[FRAME_HEAD] = { 0 };
	struct regs before, after;
	struct event call_ev, ev;
	struct stop st;
	uint64_t rip = 0;

	if ((ret = ptrace_get_regs(t->tid, &before)) < 0)
		return ret;
	if (in_call) {
		syscall_own_args(t, &before);
		t->call.sc.ret = -EINTR;
		if ((ret = ptrace_set_regs(t->tid, &before)) < 0 ||
		    (ret = syscall_collect(r, t, &call_ev, err)) < 0)
			return ret;
	}
	if ((ret = mask_own(t)) < 0 ||
	    (ret = ptrace_set_siginfo(t->tid, info)) < 0 ||
	    (ret = ptrace_resume(t->tid, PTRACE_SINGLESTEP, signo)) < 0 ||
	    (ret = stop_wait_for(t->tid, &st)) < 0)
		return ret;
	t->stash.rewound = false;
	if (st.kind != STOP_SIGNAL || st.signo != SIGTRAP) {
		/* killed, or no room for the frame: a forced SIGSEGV */
		if (in_call && (ret = emit_call(r, t, &call_ev, false, err)) < 0)
			return ret;
		return dispatch(r, &st, err);
	}
	t->stop = st;
	if ((ret = mask_stashed(t)) < 0 ||
	    (ret = ptrace_get_regs(t->tid, &after)) < 0 ||
	    (ret = mem_read_all(&task_space(t)->mem, after.rsp, head,
				FRAME_RIP + 8)) < 0)
		return ret;
	memcpy(&rip, head + FRAME_RIP, sizeof(rip));
	if (in_call) {
		restart = rip == before.rip - 2;
		if ((ret = emit_call(r, t, &call_ev, restart, err)) < 0)
			return ret;
		before.rip = rip;
	}
	if ((ret = syscall_senders(r, t, err)) < 0)
		return ret;
	signal_event(r, t, signo, info, OUT_HANDLER, flags, &before, &ev);
	ev.args[4] = after.rip;
	if ((ret = put_frame(r, t, &before, &after, head)) < 0 ||
	    (ret = event_put(r, &ev, err)) < 0)
		return ret;
	t->last = after;
	return sched_continue(r, t, err);
}

/* --- what becomes of a signal ------------------------------------------- */

static int
die_of(struct recorder *r, struct task *t, const uint8_t info[128],
       struct err *err)
{
	int signo = t->stop.signo, ret;
	unsigned flags = 0;
	struct event ev;
	struct regs regs;

	if ((ret = ptrace_get_regs(t->tid, &regs)) < 0)
		return ret;
	if ((ret = syscall_senders(r, t, err)) < 0 ||
	    (t->call.active && (ret = syscall_log_enter(r, t, err)) < 0))
		return ret;
	/* An execve that fails when the old image is gone kills where the task
	 * stands: no code of its own ran. */
	if (is_fault(signo, info) && !t->call.active && !task_is_at(t, &regs))
		flags = EVF_RUNS;
	else if (t->stash.rewound)
		flags = EVF_RUNS | EVF_REWOUND;
	signal_event(r, t, signo, info, OUT_FATAL, flags, &regs, &ev);
	if ((ret = event_put(r, &ev, err)) < 0)
		return ret;
	if (flags)
		t->last = regs;
	t->proc->exiting = true;
	return task_resume(t, PTRACE_CONT, signo);
}

/* Keep it until the task's next call; no other may come in between. */
static int
stash(struct recorder *r, struct task *t, const uint8_t info[128],
      struct err *err)
{
	int ret = ptrace_get_sigmask(t->tid, &t->stash.mask);

	if (ret == 0)
		ret = ptrace_set_sigmask(t->tid, ~SYNC_SET);
	if (ret < 0)
		return ret;
	t->stash.signo = t->stop.signo;
	t->stash.sent = t->stash.rewound = false;
	t->stash.since_ns = r->now_ns;
	chaos_stashed(r, t);
	memcpy(t->stash.info, info, sizeof(t->stash.info));
	if (agent_interrupted(t))
		return task_resume(t, PTRACE_CONT, 0);
	return sched_stashed(r, t, err);
}

/* Have the stashed signal come as soon as it is resumed. */
static int
stash_send(struct task *t)
{
	int ret = ptrace_set_sigmask(t->tid, t->stash.mask & ~BIT(CARRIER));

	if (ret < 0)
		return ret;
	t->stash.sent = true;
	if (syscall(SYS_tgkill, t->proc->tgid, t->tid, CARRIER) < 0)
		return -E_GONE;
	return 0;
}

/*
 * The carrier has come: from here on it is the signal that it stands for. 1: a
 * handler that came first has blocked that; it is pending again.
 */
static int
stash_arrived(struct task *t, uint8_t info[128])
{
	struct stash s = t->stash;
	int ret = ptrace_set_sigmask(t->tid, s.mask);

	if (ret < 0)
		return ret;
	t->stash = (struct stash){ .rewound = s.rewound };
	t->stop.signo = s.signo;
	memcpy(info, s.info, sizeof(s.info));
	/* Should it have to wait for its turn, that is what is looked at. */
	ret = ptrace_set_siginfo(t->tid, info);
	if (ret < 0)
		return ret;
	if (!(s.mask & BIT(s.signo)))
		return 0;
	if (syscall(SYS_tgkill, t->proc->tgid, t->tid, s.signo) < 0)
		return -E_GONE;
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}

/*
 * It gets nowhere: a timer's signals come as fast as their handlers return, as
 * all of this takes longer than without us. It has to compute now and then.
 */
static bool
is_starving(struct task *t, const uint8_t info[128])
{
	int code = info_code(info);
	bool met = t->event_ns != 0 && t->event_ns == t->returned_ns &&
		   (code == SI_TIMER || code == SI_KERNEL);

	t->met = met ? t->met + 1 : 0;
	return t->met >= MET_MAX;
}

/* ... and its next call has to be let go, with the signal to follow. Not one
 * that looks at the mask, replaces it, or hands it down. */
static bool
is_let_go(const struct task *t, const struct regs *entry)
{
	if (t->met < MET_MAX)
		return false;
	switch ((int)entry->orig_rax) {
	case SYS_rt_sigprocmask:
	case SYS_rt_sigreturn:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
	case SYS_rt_sigpending:
	case SYS_signalfd:
	case SYS_signalfd4:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_clone:
	case SYS_clone3:
	case SYS_fork:
	case SYS_vfork:
	case SYS_execve:
	case SYS_execveat:
		return false;
	}
	return true;
}

/* Could it as well have come later? Not one that its own process sent, or that
 * the call just made let through: such a call returns behind the handler. */
static bool
may_be_late(const struct task *t, const uint8_t info[128])
{
	int code = info_code(info);

	if (t->event_ns == t->returned_ns || t->event_ns == t->masked_ns)
		return false;
	return (code != SI_USER && code != SI_TKILL && code != SI_QUEUE) ||
	       info_detail(t->stop.signo, info) != (uint64_t)t->proc->tgid;
}

static int
give_async(struct recorder *r, struct task *t, const uint8_t info[128],
	   bool sent, struct err *err)
{
	struct regs regs;
	int ret = ptrace_get_regs(t->tid, &regs);

	if (ret < 0)
		return ret;
	if (!(sent ? task_is_as_it_was(t, &regs) : task_is_at(t, &regs))) {
		t->met = 0;
	} else if (sent || t->stash.rewound || !is_starving(t, info)) {
		ret = sent || !may_be_late(t, info)
			      ? 0
			      : chaos_delays(r, t, t->stop.signo, err);
		if (ret == 0)
			return deliver(r, t, info,
				       t->stash.rewound ? EVF_RUNS | EVF_REWOUND
							: 0,
				       err);
	}
	if (ret < 0)
		return ret;
	if (!sent)
		return stash(r, t, info, err);
	warn(r, t, WARN_UNTIMED, -1,
	     "signal %d came while a task computed for long without a call: "
	     "replay ends there", t->stop.signo);
	return deliver(r, t, info, EVF_RUNS | EVF_UNTIMED, err);
}

/* The siginfo of the signal that t has stopped for. A SIGKILL moves it on to
 * its exit stop, whose siginfo is another: then its end is what comes next. */
static int
stop_info(const struct task *t, uint8_t info[128])
{
	int ret = ptrace_get_siginfo(t->tid, info);
	int32_t signo;

	if (ret < 0)
		return ret;
	memcpy(&signo, info, sizeof(signo));
	return signo != t->stop.signo || info_code(info) == EXIT_STOP_CODE
		       ? -E_GONE
		       : 0;
}

/* It is caught, or fatal. */
static bool
matters(const struct dispositions *d, int signo)
{
	return (d->caught & BIT(signo)) != 0 ||
	       ((d->ignored | IGNORED_SET | STOP_SET) & BIT(signo)) == 0;
}

int
signal_stop(struct recorder *r, struct task *t, struct err *err)
{
	struct dispositions d;
	bool fault, sent;
	uint8_t info[128];
	struct event ev;
	siginfo_t si;
	int signo, ret;

	if ((ret = stop_info(t, info)) < 0)
		return ret;
	memcpy(&si, info, sizeof(si));
	ret = chaos_trap(r, t, &si, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	sent = t->stash.sent && t->stop.signo == CARRIER &&
	       info_code(info) == SI_TKILL;
	if (sent && (ret = stash_arrived(t, info)) != 0)
		return ret < 0 ? ret : 0;
	signo = t->stop.signo;
	fault = is_fault(signo, info) && !t->call.active && !sent;
	if (!t->call.active &&
	    (agent_own_signal(t, signo, fault) || agent_test_trap(r, t)))
		return task_resume(t, PTRACE_CONT, 0);
	if (fault && (signo == SIGSEGV || signo == SIGTRAP)) {
		event_begin(r, t, EV_insn, &ev);
		ret = nondet_trap(r, t, info, &ev, &r->items, err);
		if (ret < 0)
			return ret;
		if (ret == 1) {
			if ((ret = event_put(r, &ev, err)) < 0 ||
			    (ret = ptrace_get_regs(t->tid, &t->last)) < 0)
				return ret;
			return sched_continue(r, t, err);
		}
	}
	if (fault)
		agent_faulted(t);
	if (!fault && nondet_catches(t, signo))
		d = (struct dispositions){ .caught = BIT(signo) };
	else if ((ret = dispositions_read(t->tid, &d)) < 0)
		return ret;
	if ((ret = agent_come_out(r, t, matters(&d, signo), err)) < 0)
		return ret;
	if (!(d.caught & BIT(signo))) {
		if (!fault && ((d.ignored | IGNORED_SET | STOP_SET) & BIT(signo)))
			return task_resume(t, PTRACE_CONT, signo);
		return die_of(r, t, info, err);
	}
	if (fault)
		return deliver(r, t, info, EVF_RUNS, err);
	if (!t->call.active)
		return give_async(r, t, info, sent, err);
	if (task_group(t)->runner == t)
		return deliver(r, t, info, 0, err);
	sched_ready(t, NEXT_SIGNAL);
	return 0;
}

int
signal_turn(struct recorder *r, struct task *t, struct err *err)
{
	/* others may have changed the handler while it waited */
	return signal_stop(r, t, err);
}

int
signal_at_entry(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs, back;
	struct stop st;
	int ret;

	if (!t->stash.signo || t->stash.sent)
		return 0;
	if ((ret = ptrace_get_regs(t->tid, &regs)) < 0)
		return ret;
	if (is_let_go(t, &regs)) {
		t->met = 0;
		return stash_send(t);
	}
	back = regs;
	regs.orig_rax = (uint64_t)-1;
	if ((ret = ptrace_set_regs(t->tid, &regs)) < 0 ||
	    (ret = ptrace_resume(t->tid, PTRACE_SYSCALL, 0)) < 0 ||
	    (ret = stop_wait_for(t->tid, &st)) < 0)
		return ret;
	if (st.kind != STOP_SYSCALL) {
		ret = dispatch(r, &st, err);
		return ret < 0 ? ret : 1;
	}
	t->stop = st;
	back.rip -= 2;
	back.rax = back.orig_rax;
	back.orig_rax = (uint64_t)-1;
	syscall_forget(t);
	if ((ret = ptrace_set_regs(t->tid, &back)) < 0 ||
	    (ret = stash_send(t)) < 0)
		return ret;
	t->last = back;
	t->stash.rewound = true;
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}

int
signal_now(struct recorder *r, struct task *t, struct err *err)
{
	int ret = stash_send(t);

	return ret < 0 ? ret : task_resume_in_place(t);
}

/* --- seccomp filters of the program's own ---------------------------------- */

/* The default action for SIGSYS, and room for it to come. */
static int
default_sigsys(struct task *t, struct err *err)
{
	/* Zero between injected calls: SIG_DFL. */
	const uint64_t args[6] = { SIGSYS, AGENT_ARG, 0, 8 };
	uint64_t mask;
	int64_t done;
	int ret = remote_at_entry(t->tid, SYS_rt_sigaction, args, &done, err);

	if (ret == 0)
		ret = ptrace_get_sigmask(t->tid, &mask);
	if (ret == 0)
		ret = ptrace_set_sigmask(t->tid, mask & ~BIT(SIGSYS));
	return ret;
}

int
signal_kill(struct recorder *r, struct task *t, struct err *err)
{
	int ret = syscall_log_enter(r, t, err);

	if (ret == 0)
		ret = default_sigsys(t, err);
	if (ret < 0)
		return ret;
	if (syscall(SYS_tgkill, t->proc->tgid, t->tid, SIGSYS) < 0)
		return -E_GONE;
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : SPECIAL_DONE;
}

int
signal_force(struct recorder *r, struct task *t, const void *info,
	     struct err *err)
{
	struct regs regs = t->call.regs;
	struct dispositions d;
	struct event ev;
	int ret = dispositions_read(t->tid, &d);

	if (ret < 0)
		return ret;
	/* A forced signal that is blocked or ignored kills. */
	if ((d.blocked | d.ignored) & BIT(SIGSYS))
		return signal_kill(r, t, err);
	regs.orig_rax = UINT64_MAX;
	regs.rax = (uint64_t)t->call.sc.ret;
	if ((ret = ptrace_set_regs(t->tid, &regs)) < 0 ||
	    (ret = syscall_collect(r, t, &ev, err)) < 0 ||
	    (ret = syscall_emit(r, t, &ev, err)) < 0)
		return ret;
	t->last = regs;
	t->stash = (struct stash){ .signo = SIGSYS };
	memcpy(t->stash.info, info, sizeof(t->stash.info));
	ret = ptrace_get_sigmask(t->tid, &t->stash.mask);
	if (ret == 0)
		ret = signal_now(r, t, err);
	return ret < 0 ? ret : SPECIAL_DONE;
}

/* --- job control -------------------------------------------------------- */

static int
stop_event(struct recorder *r, struct task *t, enum outcome what, int signo,
	   struct err *err)
{
	struct event ev;

	event_begin(r, t, EV_stop, &ev);
	ev.args[0] = what == OUT_STOP ? 1 : 2;
	ev.args[1] = (uint64_t)signo;
	return event_put(r, &ev, err);
}

int
signal_group_stop(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs;
	int ret;

	t->interrupted = false; /* this is what an interrupt ends in, too */
	ret = agent_come_out(r, t, false, err);
	if (ret < 0)
		return ret;
	if (!t->proc->stopped) {
		t->proc->stopped = true;
		ret = stop_event(r, t, OUT_STOP, t->stop.signo, err);
		if (ret < 0)
			return ret;
	}
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	/* The process is stopped only when all its tasks have come here: in the
	 * midst of computation the baton has to be passed on, at a point. Where
	 * there is none it stays. */
	if (!t->call.active && !(t->inside && agent_stay(t)) &&
	    (t->taking_now || !task_is_at_event(t, &regs))) {
		ret = t->taking_now ? preempt_stop(r, t, err)
				    : preempt_begin(r, t, err);
		if (ret < 0 || ret == PREEMPT_ON_ITS_WAY)
			return ret;
	}
	/* It may stand at the trap of a step: back to the stop of its group,
	 * without an instruction, as only there it hears of SIGCONT. */
	if (ret == PREEMPT_DONE)
		return task_resume_in_place(t);
	if (ret != PREEMPT_IMPOSSIBLE)
		sched_release(t);
	t->state = TASK_HELD;
	return task_resume(t, PTRACE_LISTEN, 0);
}

int
signal_not_stopped(struct recorder *r, struct task *t, struct err *err)
{
	if (!t->proc->stopped)
		return 0;
	t->proc->stopped = false;
	return stop_event(r, t, OUT_CONT, SIGCONT, err);
}

int
signal_continued(struct task *t)
{
	/* A fork does not wait: it stores in the program's memory at once. */
	if ((t->call.active && t->call.logged && !life_is_forking(t)) ||
	    t->inside) {
		t->state = TASK_BLOCKED;
		return task_resume(t, PTRACE_CONT, 0);
	}
	if (task_group(t)->runner == t) {
		t->state = TASK_RUNNING;
		return task_resume(t, PTRACE_CONT, 0);
	}
	sched_ready(t, NEXT_RESUME);
	return 0;
}

bool
signal_is_ignored(const struct task *t, int signo)
{
	struct dispositions d;

	return dispositions_read(t->tid, &d) == 0 && (d.ignored & BIT(signo));
}

bool
signal_is_due(const struct task *t)
{
	struct dispositions d;

	return dispositions_read(t->tid, &d) == 0 &&
	       (d.pending & ~d.blocked) != 0;
}

int
signal_ignore(struct task *t, int signo, struct err *err)
{
	/* struct sigaction of the kernel: handler, flags, restorer, mask */
	const uint64_t act[4] = { (uint64_t)(uintptr_t)SIG_IGN };
	const uint64_t args[6] = { (uint64_t)signo, 0, 0, 8 };
	int64_t done;

	return remote_syscall_with(t->tid, &task_space(t)->mem,
				   SYS_rt_sigaction, args, 1,
				   span_of(act, sizeof(act)), &done, err);
}

bool
signal_spurious_eintr(const struct task *t)
{
	struct dispositions d;
	uint64_t due;

	if (dispositions_read(t->tid, &d) < 0)
		return false;
	due = d.pending & ~d.blocked;
	if (due & (d.caught | (STOP_SET & ~d.ignored)))
		return false;
	return due != 0 || t->interrupted;
}
