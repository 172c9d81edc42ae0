/*
 * Signals and trapped instructions. No real signal ever reaches a handler: the
 * frame and the registers come from the log. What a puppet brings upon itself
 * (a fault, RDTSC, an int3 of ours) stops it where the recording says.
 */
#include "replayer/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum {
	INSN_KIND_VSYSCALL = 7, /* args[0] of an insn event */
};

#ifndef SI_KERNEL
#define SI_KERNEL 0x80
#endif

/* Answer in the kernel's place: it then makes the page's "ret" itself. */
static int
leave_vsyscall(struct puppet *p, const struct event *ev, struct err *err)
{
	p->regs.rax = (uint64_t)ev->ret;
	p->dirty = true;
	if (p->at_call)
		return puppet_settle(p, err);
	/* It was taken out of there before: the "ret" is ours to make. */
	if (mem_read_all(&p->space->mem, p->regs.rsp, &p->regs.rip, 8) < 0)
		return err_set(err, EFAULT, "event %lu: no return address",
			       ev->seq);
	p->regs.rsp += 8;
	return 0;
}

static int
to_insn(struct replayer *r, struct puppet *p, const struct event *ev,
	struct err *err)
{
	struct halt h;
	uint64_t pc;
	int ret = step_run(r, p, ev, &h, err);

	if (ret < 0)
		return ret;
	pc = p->regs.rip;
	if (ev->args[0] == INSN_KIND_VSYSCALL) {
		if (h.what != HALT_CALL)
			return diverge_halt(r, p, ev, &h, err);
	} else if (h.what == HALT_FAULT && h.signo == SIGTRAP) {
		pc--; /* an int3 that stands for the instruction */
	} else if (h.what != HALT_FAULT || h.signo != SIGSEGV ||
		   h.code != SI_KERNEL) {
		return diverge_halt(r, p, ev, &h, err);
	}
	return diverge_regs(r, p, ev, pc, &h, err);
}

int
replay_insn(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);
	struct item it;
	int ret;

	if (!p)
		return -E_FORMAT;
	if (!item_find(ev->payload, ITEM_REGS, UINT64_MAX, &it))
		return err_set(err, E_FORMAT, "event %lu lacks its registers",
			       ev->seq);
	ret = to_insn(r, p, ev, err);
	if (ret == 0 && ev->args[0] == INSN_KIND_VSYSCALL)
		ret = leave_vsyscall(p, ev, err);
	return ret < 0 ? ret : step_items(r, p, ev, err);
}

/* The program's own fault: the same signal for the same reason. */
static int
to_fault(struct replayer *r, struct puppet *p, const struct event *ev,
	 struct err *err)
{
	struct halt h;
	int ret = step_run(r, p, ev, &h, err);

	if (ret < 0)
		return ret;
	if (h.what != HALT_FAULT || h.signo != (int)ev->args[0] ||
	    h.code != (int)ev->args[1])
		return diverge_halt(r, p, ev, &h, err);
	if ((h.signo == SIGSEGV || h.signo == SIGBUS) && h.addr != ev->args[2])
		return diverge_halt(r, p, ev, &h, err);
	return diverge_regs(r, p, ev, p->regs.rip, &h, err);
}

/* Up to a call that did not begin: back before its instruction. */
static int
to_rewound(struct replayer *r, struct puppet *p, const struct event *ev,
	   struct err *err)
{
	int ret = step_to_call(r, p, ev, err);

	if (ret < 0)
		return ret;
	p->regs.rip = p->call_pc - 2;
	p->regs.rax = p->regs.orig_rax;
	p->dirty = true;
	return 0;
}

int
replay_signal(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);
	int ret = 0;

	if (!p)
		return -E_FORMAT;
	if (ev->flags & EVF_UNTIMED)
		return err_set(err, E_UNTIMED,
			       "event %lu: signal %lu reached task %u while it "
			       "computed (at 0x%lx); replay cannot find that "
			       "place again and ends after event %lu",
			       ev->seq, ev->args[0], ev->task, ev->pc,
			       ev->seq - 1);
	if ((ev->flags & EVF_RUNS) && (ev->flags & EVF_REWOUND))
		ret = to_rewound(r, p, ev, err);
	else if (ev->flags & EVF_RUNS)
		ret = to_fault(r, p, ev, err);
	return ret < 0 ? ret : step_items(r, p, ev, err);
}
