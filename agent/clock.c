/*
 * Clocks by the vdso's code, which tells them without a system call. Where it
 * would need one (a clock that it does not know, a host whose clock it cannot
 * read) it says so (tracee/clock_code.h), and the call is made.
 *
 * It stores into memory of the agent's; what goes wrong at the program's own
 * addresses goes wrong here.
 */
#include "agent/inside.h"

typedef long clock_fn(uint64_t a, uint64_t b);

/* Two words, the second at most 8 bytes long. */
struct answer {
	uint64_t v[2];
};

static clock_fn *
clock_at(enum agent_clock n)
{
	const struct agent_data *d = data();

	/* It reads the stamp counter. */
	return (d->flags & AGENT_TSC) != 0 ? (clock_fn *)d->clock[n] : 0;
}

static void
put(struct agent_rec *rec, uint64_t addr, const void *from, uint64_t n)
{
	if (addr == 0)
		return;
	copy((void *)addr, from, n);
	agent_piece(rec, addr, n);
}

static int
get_time(struct agent_rec *rec, struct agent_frame *f)
{
	clock_fn *fn = clock_at(AGENT_CLOCK_GETTIME);
	struct answer t;

	if (fn == 0 || f->arg[1] == 0 || fn(f->arg[0], (uint64_t)&t) != 0)
		return 0;
	put(rec, f->arg[1], &t, sizeof(t));
	return agent_end(rec, f, 0);
}

static int
get_day(struct agent_rec *rec, struct agent_frame *f)
{
	clock_fn *fn = clock_at(AGENT_GETTIMEOFDAY);
	struct answer t;
	uint64_t zone;

	if (fn == 0 || fn((uint64_t)&t, (uint64_t)&zone) != 0)
		return 0;
	put(rec, f->arg[0], &t, sizeof(t));
	put(rec, f->arg[1], &zone, sizeof(zone));
	return agent_end(rec, f, 0);
}

static int
get_seconds(struct agent_rec *rec, struct agent_frame *f)
{
	clock_fn *fn = clock_at(AGENT_TIME);
	long now;

	if (fn == 0)
		return 0;
	now = fn(0, 0);
	put(rec, f->arg[0], &now, sizeof(now));
	return agent_end(rec, f, now);
}

int
agent_clocks(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);

	if (rec == 0)
		return 0;
	switch (nr) {
	case NR_GETTIMEOFDAY:
		return get_day(rec, f);
	case NR_TIME:
		return get_seconds(rec, f);
	default:
		return get_time(rec, f);
	}
}

/* A program sees one CPU of one node, whichever it runs on. */
int
agent_cpus(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	static const uint32_t none = 0;

	if (rec == 0)
		return 0;
	put(rec, f->arg[0], &none, sizeof(none));
	put(rec, f->arg[1], &none, sizeof(none));
	return agent_end(rec, f, 0);
}
