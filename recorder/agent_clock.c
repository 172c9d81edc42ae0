/*
 * The vdso tells the time without a system call. The program must not see it
 * (recorder/vdso.c), but the agent may use it: the kernel's pages that it reads
 * are moved to pastime's own, and behind them goes a copy of its code, in which
 * no system call is left (tracee/clock_code.h).
 */
#include "recorder/agent_priv.h"

#include <sys/mman.h>

#include "recorder/task.h"
#include "tracee/clock_code.h"

void
agent_clock_init(struct agent *a)
{
	clock_code(&a->vdso, a->clock);
}

int
agent_clock_bring_in(struct recorder *r, struct task *t, struct err *err)
{
	const struct buf *code = &r->agent->vdso;
	struct space *s = task_space(t);
	const struct mem m = mem_of_task(&s->mem, t->tid);
	int ret;

	if (s->vdso == 0 || s->vdso != code->len)
		return 0;
	ret = agent_map_at(t, AGENT_VDSO, code->len, PROT_READ | PROT_EXEC,
			   MAP_FIXED, err);
	if (ret > 0 && mem_write_all(&m, AGENT_VDSO, code->p, code->len) < 0)
		return 0;
	return ret;
}
