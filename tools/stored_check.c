/*
 * stored-check [-n COUNT] [-s SEED] [-S NS] [-adv] COMMAND...: record a command
 * into memory, replay it, and store checkpoints at COUNT random events; then go
 * to each of them from a new replayer, compare all tasks' registers and all
 * spaces' memory with what the first replay had there, and replay on to the
 * end, with all checks. -S NS: in code that took longer than that a checkpoint
 * is in its midst, and what comes of it is compared at the event behind. -a:
 * with the agent. -d: damage what is stored; the replay must do without it.
 *
 * Status: 0 all alike, 1 some differ, 2 error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/memlog.h"
#include "replayer/internal.h"
#include "replayer/stored.h"
#include "tools/check.h"
#include "tracee/memsum.h"

struct look {
	uint32_t task;
	struct regs regs;
	uint64_t memory, xstate;
};
typedef VEC(struct look) looks;

struct saved {
	uint64_t seq, work_ns;
	looks v;
};

struct check {
	unsigned count;
	unsigned short seed[3];
	bool damage, verbose;
	struct memlog *m;
	VEC(struct saved) saved;
	unsigned tried, wrong, refused, parts;
	uint64_t slice_ns;
	uint64_t load_ns, bytes;
};

static uint64_t
hash_of(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h;
}

/* All tasks that have a process, in the order of their numbers. */
static int
look(struct replayer *r, looks *out, struct err *err)
{
	struct target *t = replayer_target(r);
	struct target_task *tasks;
	struct arena a = { 0 };
	struct buf x = { 0 };
	size_t n = 0;
	int ret = t->ops->tasks(t, &a, &tasks, &n, err);

	for (size_t i = 0; ret == 0 && i < n; i++) {
		struct puppet *p = world_puppet(r->now, tasks[i].task);
		struct look l = { .task = tasks[i].task };
		struct memsum *sums;
		size_t n_sums;

		if (!p || !p->pid)
			continue;
		ret = t->ops->regs(t, l.task, &l.regs, err);
		buf_clear(&x);
		if (ret == 0)
			ret = t->ops->xstate(t, l.task, &x, err);
		/* Behind the header: which parts are in use is no content. */
		if (x.len > 576)
			l.xstate = hash_of(1, x.p + 576, x.len - 576);
		if (ret == 0)
			ret = memsum_space(p->pid, &p->space->mem, NULL, 0, &a,
					   &sums, &n_sums, err);
		if (ret == 0)
			l.memory = memsum_total(sums, n_sums);
		vec_push(out, l);
	}
	arena_free(&a);
	buf_free(&x);
	return ret;
}

static int
put(void *ctx, const struct blob_id *id, struct span bytes, struct err *err)
{
	struct check *c = ctx;
	struct sink *s = memlog_sink(c->m);
	struct blob_id same;

	c->bytes += bytes.len;
	return s->ops->blob(s, bytes, &same, err);
}

/* Far apart, so that one is always worth being loaded. */
static uint64_t
work_of(const struct check *c)
{
	return (c->saved.len + 1) * 1000000000000u;
}

static int
save(struct check *c, struct replayer *r, uint64_t part, struct err *err)
{
	struct source_stored at = { replayer_seq(r), part, work_of(c) };
	struct saved s = { .seq = at.seq, .work_ns = at.work_ns };
	struct buf state = { 0 };
	int ret = stored_save(r, put, c, &state, err);

	if (ret == -E_UNSUPPORTED) {
		c->refused++;
		if (c->verbose)
			printf("e%lu: %s\n", at.seq, err->text);
		err_clear(err);
		buf_free(&state);
		return 0;
	}
	if (ret == 0 && c->damage)
		state.p[check_pick(c->seed, state.len)] ^= 4;
	/* What is in the code before an event is looked at there. */
	if (ret == 0 && part) {
		s.seq++;
		ret = replayer_seek(r, s.seq, NULL, NULL, err);
	}
	if (ret == 0)
		ret = look(r, &s.v, err);
	if (ret == 0) {
		c->parts += part != 0;
		memlog_stored(c->m, &at, buf_span(&state));
		vec_push(&c->saved, s);
	}
	buf_free(&state);
	return ret;
}

static int
save_all(struct check *c, struct err *err)
{
	const struct replay_opts ro = { .verify_memory = true,
					.slice_ns = c->slice_ns };
	struct source *src = memlog_source(c->m);
	uint64_t last = src->ops->last_seq(src), at = 1;
	struct replayer *r;
	int part = 0, ret = replayer_open(&r, src, &ro, err);

	if (ret < 0)
		return ret;
	while (ret == 0 && at < last) {
		ret = replayer_seek(r, at, NULL, NULL, err);
		if (ret == 0)
			part = stored_go_inside(r, c->slice_ns / 2 + 1, err);
		/* It may have come to the end of that code. */
		if (ret == 0 && part == 0)
			ret = replayer_seek(r, at, NULL, NULL, err);
		if (ret == 0)
			ret = part < 0 ? part : save(c, r, (uint64_t)part, err);
		at = replayer_seq(r);
		at += 1 + check_pick(c->seed, 2 * last / (c->count + 1));
	}
	replayer_close(r);
	return ret;
}

static void
compare(struct check *c, const struct saved *want, const looks *got)
{
	c->tried++;
	if (want->v.len != got->len) {
		c->wrong++;
		printf("e%lu: %zu tasks instead of %zu\n", want->seq, got->len,
		       want->v.len);
		return;
	}
	for (size_t i = 0; i < got->len; i++) {
		const struct look *a = &want->v.v[i], *b = &got->v[i];
		bool regs = memcmp(&a->regs, &b->regs, sizeof(a->regs)) == 0;

		if (a->task == b->task && regs && a->memory == b->memory &&
		    a->xstate == b->xstate)
			continue;
		c->wrong++;
		printf("e%lu: task %u differs:%s%s%s\n", want->seq, a->task,
		       regs ? "" : " registers",
		       a->memory == b->memory ? "" : " memory",
		       a->xstate == b->xstate ? "" : " vector registers");
		for (size_t k = 0; reg_table[k].name; k++) {
			uint64_t x = regs_get(&a->regs, k);
			uint64_t y = regs_get(&b->regs, k);

			if (x != y)
				printf("  %s %#lx is %#lx\n", reg_table[k].name,
				       x, y);
		}
		return;
	}
	if (c->verbose)
		printf("e%lu: %zu tasks alike\n", want->seq, got->len);
}

/* From the i-th on, in a new replayer. */
static int
load(struct check *c, size_t i, struct err *err)
{
	const struct replay_opts ro = { .verify_memory = true };
	const struct saved *s = &c->saved.v[i];
	struct source *src = memlog_source(c->m);
	struct replayer *r;
	looks got = { 0 };
	uint64_t began;
	int ret = replayer_open(&r, src, &ro, err);

	if (ret < 0)
		return ret;
	began = clock_now_ns();
	ret = replayer_seek(r, s->seq, NULL, NULL, err);
	c->load_ns += clock_now_ns() - began;
	if (ret == 0)
		ret = look(r, &got, err);
	if (ret == 0)
		compare(c, s, &got);
	if (ret == 0 && c->damage != (stored_problem(r) != NULL)) {
		c->wrong++;
		printf("e%lu: damage is%s seen\n", s->seq,
		       c->damage ? " not" : "");
		if (stored_problem(r))
			printf("  %s\n", stored_problem(r));
	}
	if (ret == 0 && !c->damage && stored_work(r) < s->work_ns) {
		c->wrong++;
		printf("e%lu: it was not gone to\n", s->seq);
	}
	while (ret == 0 && (ret = replayer_run(r, err)) > 0)
		ret = 0;
	vec_free(&got);
	replayer_close(r);
	return ret;
}

static int
check(void *ctx, struct memlog *m)
{
	struct check *c = ctx;
	struct err err = { 0 };
	int ret;

	c->m = m;
	ret = save_all(c, &err);
	for (size_t i = 0; ret == 0 && i < c->saved.len; i++)
		ret = load(c, i, &err);
	if (ret < 0)
		return check_fail(&err, "checking");
	printf("%u checkpoints, %u wrong, %u refused, %u in code; %.2f ms, "
	       "%lu KB each\n",
	       c->tried, c->wrong, c->refused, c->parts,
	       c->tried ? (double)c->load_ns / 1e6 / c->tried : 0,
	       c->tried ? c->bytes / 1024 / c->tried : 0);
	for (size_t i = 0; i < c->saved.len; i++)
		vec_free(&c->saved.v[i].v);
	vec_free(&c->saved);
	return c->wrong ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct check c = { .count = 10 };
	bool agent = false;
	int opt;

	while ((opt = getopt(argc, argv, "+adn:s:S:v")) != -1) {
		if (opt == 'n')
			c.count = (unsigned)atoi(optarg);
		else if (opt == 's')
			c.seed[0] = (unsigned short)atoi(optarg);
		else if (opt == 'S')
			c.slice_ns = strtoul(optarg, NULL, 10);
		else if (opt == 'v')
			c.verbose = true;
		else if (opt == 'd')
			c.damage = true;
		else if (opt == 'a')
			agent = true;
		else
			return 2;
	}
	return check_main(argv + optind, agent, check, &c);
}
