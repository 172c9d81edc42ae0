/*
 * The vdso tells the time without a system call. The program must not see it
 * (recorder/vdso.c), but the agent may use it: the kernel's pages that it reads
 * are moved to pastime's own, and behind them goes a copy of its code, in which
 * no system call is left (tracee/clock_code.h).
 */
#include "recorder/agent_priv.h"

#include "recorder/task.h"
#include "tracee/clock_code.h"

void
agent_clock_init(struct agent *a)
{
	clock_code(&a->vdso, a->clock);
}

bool
agent_has_clocks(const struct recorder *r, const struct space *s)
{
	return s->vdso != 0 && s->vdso == r->agent->vdso.len;
}

bool
agent_clock_put(const struct recorder *r, const struct task *t)
{
	const struct buf *code = &r->agent->vdso;
	const struct mem m = mem_of_task(&task_space(t)->mem, t->tid);

	return agent_has_clocks(r, task_space(t)) &&
	       mem_write_all(&m, AGENT_VDSO, code->p, code->len) == 0;
}
