/*
 * An image stays on the CPU that was chosen at its exec: CPUID in generated
 * code, which nothing traps on processors without CPUID faulting, tells where
 * it runs, as does LSL everywhere. So does what is forked from it.
 *
 * A stop takes 8 us when task and tracer are on one CPU and 48 us across idle
 * ones (AMD, virtual; a shell loop over /bin/true records in half the time).
 * So work that goes on in one place at a time is kept in one place, and the
 * tracer follows it; what really runs at the same time is spread.
 */
#include "recorder/seat.h"

#include <errno.h>
#include <sched.h>

/* So many stops in a row must come from elsewhere before the tracer moves. */
#define FOLLOW_AFTER 4u

struct seats {
	cpu_set_t allowed;
	int home;      /* where the tracer is, -1 = anywhere */
	int last;      /* where the last stop came from */
	unsigned away; /* stops in a row that came from last, not from home */
};

/* space.exec */
struct pin {
	int cpu;
};

int
seat_init(struct recorder *r, struct err *err)
{
	struct seats *p = mem_zalloc(sizeof(*p));

	r->seats = p;
	p->home = p->last = -1;
	if (sched_getaffinity(0, sizeof(p->allowed), &p->allowed) < 0)
		return err_errno(err, "cannot tell which CPUs may be used");
	return 0;
}

void
seat_release(struct recorder *r)
{
	struct seats *p = r->seats;

	if (p == NULL)
		return;
	if (p->home >= 0)
		sched_setaffinity(0, sizeof(p->allowed), &p->allowed);
	mem_free(p);
	r->seats = NULL;
}

static bool
move(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) == 0;
}

/* In user code, other than t and the parent that t leaves behind: the parent
 * most often waits in a moment. */
static bool
competes(const struct task *other, const struct task *t)
{
	return other != t && other->state == TASK_RUNNING &&
	       !other->call.active && other->number != t->parent &&
	       other->proc != NULL;
}

static void
count_running(const struct recorder *r, const struct task *t,
	      unsigned count[CPU_SETSIZE])
{
	uint64_t key;
	void *value;
	size_t it = 0;

	while (map_next(&r->tasks, &it, &key, &value)) {
		const struct task *other = value;
		int cpu;

		if (!competes(other, t))
			continue;
		cpu = seat_cpu(other->proc->space);
		if (cpu >= 0)
			count[cpu]++;
	}
}

/* The CPU with the fewest at work; of equals the tracer's. */
static int
choose(const struct recorder *r, const struct task *t)
{
	const struct seats *p = r->seats;
	unsigned count[CPU_SETSIZE] = { 0 };
	int here = p->home >= 0 ? p->home : sched_getcpu();
	int best = -1, i;

	count_running(r, t, count);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET((size_t)i, &p->allowed))
			continue;
		if (best < 0 || count[i] < count[best] ||
		    (count[i] == count[best] && i == here))
			best = i;
	}
	return best;
}

static void
set_pin(struct space *s, int cpu)
{
	struct pin *p = s->exec;

	if (p == NULL)
		s->exec = p = mem_alloc(sizeof(*p));
	p->cpu = cpu;
}

void
seat_image(struct recorder *r, struct task *t)
{
	int cpu = choose(r, t);

	/* Where it is refused (a cpuset changed) it stays free. */
	if (cpu >= 0 && (cpu == seat_cpu(t->proc->space) || move(t->tid, cpu)))
		set_pin(t->proc->space, cpu);
}

void
seat_exec(struct space *image, const struct space *old)
{
	if (seat_cpu(old) >= 0)
		set_pin(image, seat_cpu(old));
}

void
seat_child(struct task *t, const struct task *parent)
{
	int cpu = parent != NULL ? seat_cpu(parent->proc->space) : -1;

	if (cpu >= 0)
		set_pin(t->proc->space, cpu);
}

void
seat_follow(struct recorder *r, const struct task *t)
{
	struct seats *p = r->seats;
	int cpu = t->proc != NULL ? seat_cpu(t->proc->space) : -1;

	if (cpu < 0 || cpu == p->home) {
		p->away = 0;
		return;
	}
	if (cpu != p->last) {
		p->last = cpu;
		p->away = 0;
	}
	if (p->home >= 0 && ++p->away < FOLLOW_AFTER)
		return;
	p->away = 0;
	if (move(0, cpu))
		p->home = cpu;
}

void
seat_apart(struct recorder *r, const struct space *s)
{
	struct seats *p = r->seats;
	int cpu = seat_cpu(s), i = 0;

	p->away = 0;
	if (cpu < 0 || p->home != cpu)
		return;
	while (i < CPU_SETSIZE &&
	       (i == cpu || !CPU_ISSET((size_t)i, &p->allowed)))
		i++;
	if (i < CPU_SETSIZE && move(0, i))
		p->home = i;
}

int
seat_cpu(const struct space *s)
{
	const struct pin *p = s->exec;

	return p != NULL ? p->cpu : -1;
}

void
seat_forget(struct space *s)
{
	mem_free(s->exec);
	s->exec = NULL;
}
