/*
 * pos-check [-i N] [-k N] [-p N] [-s SEED] [-va] COMMAND...: record a command
 * into memory; in -i random intervals single-step the first -k instructions
 * and count arrivals at each address; then seek -p of the moments seen by
 * their names and compare registers and the stack.
 * -a: with the agent. -S NS: code is looked at so often.
 *
 * Status: 0 all alike, 1 some differ, 2 error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/memlog.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "tools/check.h"

#define STACK 512u

struct seen {
	struct regs regs;
	uint64_t visit;
	uint64_t stack;
};

struct check {
	unsigned intervals, steps, picks;
	unsigned short seed[3];
	bool verbose;
	uint64_t slice_ns;
	struct target *t;
	VEC(struct seen) seen;
	unsigned tried, wrong;
	uint64_t seek_ns;
};

static int
look(struct check *c, uint32_t task, struct seen *out, struct err *err)
{
	uint8_t stack[STACK];
	int64_t n;
	int ret = c->t->ops->regs(c->t, task, &out->regs, err);

	if (ret < 0)
		return ret;
	n = c->t->ops->read(c->t, task, out->regs.rsp, stack, sizeof(stack));
	out->stack = 0xcbf29ce484222325u;
	for (int64_t i = 0; i < n; i++)
		out->stack = (out->stack ^ stack[i]) * 0x100000001b3u;
	return 0;
}

/* Single-step the interval after p->seq; p becomes its proper name. */
static int
walk(struct check *c, struct pos *p, struct err *err)
{
	struct map visits = { 0 };
	uint32_t task = 0;
	int ret = 0;

	vec_clear(&c->seen);
	for (unsigned i = 1; ret == 0 && i <= c->steps; i++) {
		struct seen s;
		struct pos at = { .seq = p->seq, .steps = i };

		ret = c->t->ops->seek(c->t, &at, NULL, NULL, err);
		if (ret == -E_POSITION) { /* its end */
			err_clear(err);
			ret = 0;
			break;
		}
		if (ret < 0)
			break;
		if (i == 1) {
			/* Where it began is the first arrival there. */
			c->t->ops->where(c->t, p);
			task = p->task;
			at = (struct pos){ .seq = p->seq };
			ret = c->t->ops->seek(c->t, &at, NULL, NULL, err);
			if (ret == 0)
				ret = look(c, task, &s, err);
			s.visit = 1;
			map_set(&visits, s.regs.rip, (void *)1);
			vec_push(&c->seen, s);
			at = (struct pos){ .seq = p->seq, .steps = 1 };
			if (ret == 0)
				ret = c->t->ops->seek(c->t, &at, NULL, NULL,
						      err);
		}
		if (ret == 0)
			ret = look(c, task, &s, err);
		s.visit = 1 + (uint64_t)(uintptr_t)map_get(&visits, s.regs.rip);
		map_set(&visits, s.regs.rip, (void *)(uintptr_t)s.visit);
		vec_push(&c->seen, s);
	}
	map_free(&visits);
	return ret;
}

static void
differs(struct check *c, const struct pos *p, const struct seen *want,
	const struct seen *got)
{
	char text[POS_TEXT_MAX];

	c->wrong++;
	printf("%s: differs:", pos_format(p, text));
	for (size_t i = 0; reg_table[i].name; i++) {
		uint64_t a = regs_get(&want->regs, i);
		uint64_t b = regs_get(&got->regs, i);

		if (a != b)
			printf(" %s %#lx is %#lx", reg_table[i].name, a, b);
	}
	printf("%s\n", want->stack != got->stack ? " stack" : "");
}

/* The i-th moment of the walk, by a name with so many steps. */
static int
visit(struct check *c, const struct pos *p, size_t i, size_t steps,
      struct err *err)
{
	const struct seen *base = &c->seen.v[i - steps], *want = &c->seen.v[i];
	struct pos at = { .seq = p->seq,
			  .task = p->task,
			  .pc = base->regs.rip,
			  .visit = base->visit,
			  .steps = steps };
	uint64_t began = clock_now_ns();
	char text[POS_TEXT_MAX];
	struct seen got;
	int ret = c->t->ops->seek(c->t, &at, NULL, NULL, err);

	c->seek_ns += clock_now_ns() - began;
	c->tried++;
	if (ret < 0) {
		printf("%s: not found: %s\n", pos_format(&at, text), err->text);
		c->wrong++;
		err_clear(err);
		return ret == -E_POSITION ? 0 : ret;
	}
	ret = look(c, p->task, &got, err);
	if (ret < 0)
		return ret;
	if (memcmp(&got.regs, &want->regs, sizeof(got.regs)) != 0 ||
	    got.stack != want->stack)
		differs(c, &at, want, &got);
	else if (c->verbose)
		printf("%s: alike\n", pos_format(&at, text));
	return 0;
}

static int
interval(struct check *c, uint64_t last, struct err *err)
{
	struct pos p = { .seq = check_pick(c->seed, last) };
	size_t n;
	int ret = walk(c, &p, err);

	n = c->seen.len;
	for (unsigned i = 0; ret == 0 && i < c->picks && n > 1; i++) {
		size_t at = check_pick(c->seed, n),
		       steps = i % 3 ? 0 : check_pick(c->seed, 5);
		struct pos away = { .seq = check_pick(c->seed, last) };

		if (i % 4 == 3)
			ret = c->t->ops->seek(c->t, &away, NULL, NULL, err);
		if (ret == 0)
			ret = visit(c, &p, at, steps > at ? at : steps, err);
	}
	return ret;
}

static int
check(void *ctx, struct memlog *m)
{
	struct check *c = ctx;
	const struct replay_opts ro = { .slice_ns = c->slice_ns };
	struct source *src = memlog_source(m);
	struct err err = { 0 };
	struct replayer *r;
	uint64_t last;
	int ret = replayer_open(&r, src, &ro, &err);

	if (ret < 0)
		return check_fail(&err, "replaying");
	c->t = replayer_target(r);
	last = c->t->ops->last(c->t);
	for (unsigned i = 0; ret == 0 && i < c->intervals; i++) {
		ret = interval(c, last - 1, &err);
		if (ret == -E_POSITION && c->seen.len == 0)
			ret = 0; /* nothing runs any more */
	}
	replayer_close(r);
	src->ops->close(src);
	vec_free(&c->seen);
	if (ret < 0)
		return check_fail(&err, "checking");
	printf("%u positions, %u wrong, %.2f ms each\n", c->tried, c->wrong,
	       c->tried ? (double)c->seek_ns / 1e6 / c->tried : 0);
	return c->wrong ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct check c = { .intervals = 10, .steps = 2000, .picks = 10 };
	bool agent = false;
	int opt;

	while ((opt = getopt(argc, argv, "+aS:i:k:p:s:v")) != -1) {
		if (opt == 'i')
			c.intervals = (unsigned)atoi(optarg);
		else if (opt == 'k')
			c.steps = (unsigned)atoi(optarg);
		else if (opt == 'p')
			c.picks = (unsigned)atoi(optarg);
		else if (opt == 's')
			c.seed[0] = (unsigned short)atoi(optarg);
		else if (opt == 'v')
			c.verbose = true;
		else if (opt == 'S')
			c.slice_ns = strtoul(optarg, NULL, 10);
		else if (opt == 'a')
			agent = true;
		else
			return 2;
	}
	return check_main(argv + optind, agent, check, &c);
}
