/*
 * Where puppets and the replaying thread run. A stop costs several times more
 * when the two are on different CPUs, so the thread follows the puppet. A
 * puppet stays on the CPU that its image was recorded on, where there is one of
 * that number: CPUID in generated code, which nothing traps on processors
 * without CPUID faulting, tells on which it runs.
 */
#include "replayer/internal.h"

#include <sched.h>
#include <stdlib.h>

void
place_init(struct replayer *r)
{
	r->cpu = -1;
	if (sched_getaffinity(0, sizeof(r->allowed), &r->allowed) < 0)
		CPU_ZERO(&r->allowed);
	r->home_cpu = sched_getcpu();
}

/* Let the thread go where it may again. */
void
place_release(struct replayer *r)
{
	if (r->cpu >= 0)
		sched_setaffinity(0, sizeof(r->allowed), &r->allowed);
	r->cpu = -1;
}

static int
pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(pid, sizeof(set), &set);
}

int
place_choose(const struct replayer *r, struct span recorded)
{
	char text[16] = { 0 };
	long cpu;

	if (recorded.len == 0 || recorded.len >= sizeof(text))
		return r->home_cpu;
	memcpy(text, recorded.p, recorded.len);
	cpu = strtol(text, NULL, 10);
	if (cpu < 0 || cpu >= CPU_SETSIZE ||
	    !CPU_ISSET((size_t)cpu, &r->allowed))
		return r->home_cpu;
	return (int)cpu;
}

/* Refused (a cpuset changed): slower, no worse. */
void
place_puppet(const struct puppet *p)
{
	if (p->pid && p->space && p->space->cpu >= 0)
		pin(p->pid, p->space->cpu);
}

void
place_follow(struct replayer *r, const struct puppet *p)
{
	int cpu = p->space ? p->space->cpu : -1;

	if (cpu < 0 || cpu == r->cpu)
		return;
	if (pin(0, cpu) == 0)
		r->cpu = cpu;
}
