/*
 * What tests ask of the agent (struct agent_test).
 *
 * Accounts: its own kernel calls stop, too. Each must be in a record by the
 * time of the next, or be made again where it traps. Its own questions
 * (what a descriptor is) do not count, nor what the kernel restarts.
 *
 * Prods: a trap stands at one instruction of its code after the other. The task
 * that comes there gets SIGUSR1 before it. The program tells by sched_yield,
 * which always traps, that it is time for the next instruction.
 */
#include "recorder/agent_priv.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/task.h"

#define FUTEX_CMD 0x7fu
#define FUTEX_CMP_REQUEUE 4u
#define TRAP 0xccu

static bool
is_own(uint64_t at)
{
	return at - AGENT_DATA < AGENT_DATA_LEN;
}

/* Nothing the program asked for. */
static bool
is_question(const struct regs *regs)
{
	return is_own(regs->rdi) || is_own(regs->rsi) || is_own(regs->rdx) ||
	       is_own(regs->r10) || regs->orig_rax == SYS_restart_syscall ||
	       (regs->orig_rax == SYS_futex &&
		(regs->rsi & FUTEX_CMD) == FUTEX_CMP_REQUEUE);
}

static bool
is_last(const struct agent_call *last, int nr, const uint64_t args[6])
{
	return last->open && last->nr == nr &&
	       memcmp(last->args, args, sizeof(last->args)) == 0;
}

static void
account(struct agent_test *test, struct agent_call *last,
	const struct regs *regs)
{
	const struct agent_call now = {
		.nr = (int)regs->orig_rax,
		.args = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8,
			  regs->r9 },
		.open = true,
	};

	if (is_question(regs) || is_last(last, now.nr, now.args))
		return;
	test->lost += last->open;
	test->made++;
	*last = now;
}

bool
agent_test_call(struct recorder *r, struct task *t, struct err *err)
{
	struct agent_test *test = r->opts.agent_test;
	struct regs regs;

	if (test == NULL || !test->accounts || t->stop.kind != STOP_SECCOMP ||
	    ptrace_get_regs(t->tid, &regs) < 0 || regs.rip != AGENT_CALL_AFTER)
		return false;
	if (agent_drain(r, err) == 0 && t->proc != NULL &&
	    task_space(t)->agent != NULL)
		account(test, &task_space(t)->agent->last, &regs);
	t->stop.kind = STOP_NONE;
	return ptrace_resume(t->tid, PTRACE_CONT, 0) == 0;
}

/* The agent may know without a call. */
static bool
is_told_without(const struct event *ev)
{
	/* Killed on the way into it. */
	if (ev->kind == EV_enter)
		return true;
	switch (ev->call) {
	case SYS_futex:
		return ev->ret == -EAGAIN;
	case SYS_gettimeofday:
	case SYS_time:
	case SYS_clock_gettime:
	case SYS_getcpu:
	case SYS_rseq:
		return true;
	}
	return false;
}

void
agent_test_record(const struct recorder *r, const struct task *t,
		  const struct event *ev)
{
	struct agent_test *test = r->opts.agent_test;
	struct agent_call *last = &task_space(t)->agent->last;

	if (test == NULL || !test->accounts)
		return;
	if (is_last(last, ev->call, ev->args)) {
		last->open = false;
		test->told++;
	} else if (!is_told_without(ev)) {
		test->lost++; /* of a call that was never made */
	}
}

void
agent_test_trapped(const struct recorder *r, const struct task *t,
		   const struct regs *regs)
{
	const uint64_t args[6] = { regs->rdi, regs->rsi, regs->rdx,
				   regs->r10, regs->r8,	 regs->r9 };

	struct agent_test *test = r->opts.agent_test;
	struct agent_call *last;

	if (test == NULL || !test->accounts || task_space(t)->agent == NULL)
		return;
	last = &task_space(t)->agent->last;
	if (is_last(last, (int)regs->orig_rax, args)) {
		last->open = false;
		test->again++;
	}
}

/* ---- prods */

static bool
put_byte(const struct task *t, uint64_t at, uint8_t byte)
{
	return mem_write_all(&task_space(t)->mem, at, &byte, 1) == 0;
}

static void
disarm(struct agent_test *test, const struct task *t)
{
	if (test->armed && put_byte(t, test->prods[test->next], test->byte)) {
		test->armed = false;
		test->next++;
	}
}

void
agent_test_round(const struct recorder *r, const struct task *t)
{
	struct agent_test *test = r->opts.agent_test;

	if (test == NULL || t->call.sc.nr != SYS_sched_yield ||
	    task_space(t)->agent == NULL || !task_space(t)->agent->on)
		return;
	disarm(test, t);
	if (test->next < test->nprods &&
	    mem_read_all(&task_space(t)->mem, test->prods[test->next],
			 &test->byte, 1) == 0)
		test->armed = put_byte(t, test->prods[test->next], TRAP);
}

bool
agent_test_trap(const struct recorder *r, struct task *t)
{
	struct agent_test *test = r->opts.agent_test;
	struct regs regs;

	if (test == NULL || !test->armed || t->stop.signo != SIGTRAP ||
	    ptrace_get_regs(t->tid, &regs) < 0 ||
	    regs.rip != test->prods[test->next] + 1)
		return false;
	disarm(test, t);
	test->hits++;
	regs.rip--;
	return ptrace_set_regs(t->tid, &regs) == 0 &&
	       syscall(SYS_tgkill, t->proc->tgid, t->tid, SIGUSR1) == 0;
}
