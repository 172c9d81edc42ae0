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
#include <sys/wait.h>
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
	       regs->orig_rax == AGENT_GATE_CALL ||
	       (regs->orig_rax == SYS_futex &&
		(regs->rsi & FUTEX_CMD) == FUTEX_CMP_REQUEUE);
}

static bool
is_call(const struct agent_call *last, int nr, const uint64_t args[6])
{
	return last->nr == nr &&
	       memcmp(last->args, args, sizeof(last->args)) == 0;
}

static bool
is_last(const struct agent_call *last, int nr, const uint64_t args[6])
{
	return last->open && is_call(last, nr, args);
}

/* NULL: t has made none. */
static struct agent_call *
last_of(const struct task *t)
{
	struct agent_space *a = task_space(t)->agent;

	return a != NULL && t->seat != 0 ? &a->seats.v[t->seat - 1].last : NULL;
}

static void
account(struct agent_test *test, const struct task *t, struct agent_call *last,
	const struct regs *regs)
{
	const struct agent_call now = {
		.nr = (int)regs->orig_rax,
		.args = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8,
			  regs->r9 },
		.open = true,
	};

	/* Once, though the kernel may begin it again; its arguments may be what
	 * stands in for the program's. */
	if (t->inside) {
		if (last->told && last->nr == now.nr) {
			test->made++;
			last->told = false;
		}
		return;
	}
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
	if (agent_drain(r, err) == 0 && t->proc != NULL && last_of(t) != NULL)
		account(test, t, last_of(t), &regs);
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
	struct agent_call *last = last_of(t);

	if (test == NULL || !test->accounts || last == NULL)
		return;
	/* It waits with the baton given up: told before it is made. */
	if (ev->kind == EV_enter && t->stop.kind != STOP_EXIT) {
		test->lost += last->open || last->told;
		*last = (struct agent_call){ .nr = ev->call, .told = true };
		memcpy(last->args, ev->args, sizeof(last->args));
		test->told++;
	} else if (is_last(last, ev->call, ev->args)) {
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

	last = last_of(t);
	if (test == NULL || !test->accounts || last == NULL)
		return;
	test->told -= last->told; /* broken off before it was made */
	last->told = false;
	if (is_last(last, (int)regs->orig_rax, args)) {
		last->open = false;
		test->again++;
	}
}

void
agent_test_left(const struct recorder *r, const struct task *t)
{
	struct agent_call *last = last_of(t);

	if (r->opts.agent_test == NULL || last == NULL)
		return;
	if (last->told)
		r->opts.agent_test->told--; /* killed before it was made */
	if (last->open && WIFSIGNALED(t->status))
		r->opts.agent_test->made--; /* ... before it was written down */
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

/* Two tasks came to it, and this is the second. */
static bool
is_past(const struct agent_test *test, uint64_t at)
{
	for (size_t i = 0; i < test->next; i++)
		if (test->prods[i] == at)
			return true;
	return false;
}

bool
agent_test_trap(const struct recorder *r, struct task *t)
{
	struct agent_test *test = r->opts.agent_test;
	struct regs regs;

	if (test == NULL || test->nprods == 0 || t->stop.signo != SIGTRAP ||
	    ptrace_get_regs(t->tid, &regs) < 0)
		return false;
	regs.rip--;
	if (!test->armed || regs.rip != test->prods[test->next])
		return is_past(test, regs.rip) &&
		       ptrace_set_regs(t->tid, &regs) == 0;
	disarm(test, t);
	test->hits++;
	return ptrace_set_regs(t->tid, &regs) == 0 &&
	       syscall(SYS_tgkill, t->proc->tgid, t->tid, SIGUSR1) == 0;
}
