/*
 * motion REC: how long it takes to move in a recording of the store, which
 * pastime index may have indexed: opening at the end, seeks to random events,
 * steps back by one instruction from there, the next ones, and backwards over
 * all of it to a watchpoint that nobody writes, against a replay.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/vec.h"
#include "event/source.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "store/store.h"

#define SEEKS 100u
#define NEXT 4u

typedef VEC(uint64_t) times;

struct bench {
	uint64_t rec, last;
	struct source *source;
	struct replayer *replayer;
	struct target *t;
	unsigned short seed[3];
	times seek, back, next;
};

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
tell(const char *what, times *t)
{
	if (t->len == 0)
		return;
	qsort(t->v, t->len, sizeof(*t->v), by_size);
	printf("%-22s %8.2f median %8.2f p90 %8.2f p99 ms (%zu)\n", what,
	       (double)t->v[t->len / 2] / 1e6,
	       (double)t->v[t->len * 9 / 10] / 1e6,
	       (double)t->v[t->len * 99 / 100] / 1e6, t->len);
	vec_free(t);
}

static int
open_all(struct bench *b, struct db *db, struct err *err)
{
	const struct replay_opts ro = { 0 };
	int ret = store_source_open(db, b->rec, &b->source, err);

	if (ret == 0)
		ret = replayer_open(&b->replayer, b->source, &ro, err);
	if (ret < 0)
		return ret;
	b->t = replayer_target(b->replayer);
	b->last = b->t->ops->last(b->t);
	return 0;
}

static void
close_all(struct bench *b)
{
	if (b->replayer)
		replayer_close(b->replayer);
	if (b->source)
		b->source->ops->close(b->source);
	b->replayer = NULL;
	b->source = NULL;
}

static int
step_back(struct bench *b, uint32_t task, times *t, struct target_stop *stop,
	  struct err *err)
{
	const struct target_motion_req req = {
		.motion = TARGET_STEP, .back = true, .task = task, .call = -1
	};
	uint64_t began = clock_now_ns();
	int ret = b->t->ops->move(b->t, &req, stop, err);

	vec_push(t, clock_now_ns() - began);
	return ret;
}

/* A random event that a task has just passed, and back from there. */
static int
seek(struct bench *b, struct err *err)
{
	struct pos p = { .seq = 1 + (uint64_t)(erand48(b->seed) *
					       (double)(b->last - 1)) };
	uint64_t began = clock_now_ns();
	struct target_stop stop;
	struct event ev;
	struct regs regs;
	int ret = b->t->ops->seek(b->t, &p, NULL, NULL, err);

	vec_push(&b->seek, clock_now_ns() - began);
	if (ret == 0)
		ret = b->t->ops->event(b->t, p.seq, &ev, err);
	if (ret < 0 || !(ev.flags & EVF_RUNS) ||
	    b->t->ops->regs(b->t, ev.task, &regs, NULL) < 0)
		return ret;
	ret = step_back(b, ev.task, &b->back, &stop, err);
	for (unsigned i = 0; ret == 0 && i < NEXT && stop.why == TARGET_AT_STEP;
	     i++)
		ret = step_back(b, ev.task, &b->next, &stop, err);
	return ret;
}

/* Back from the end, watching the program's first bytes. */
static int
watch(struct bench *b, uint64_t *out_ns, struct err *err)
{
	struct target_watch w = { .len = 8 };
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .back = true,
					 .call = -1,
					 .watches = &w,
					 .n_watches = 1 };
	struct pos end = { .seq = b->last }, p = { .seq = b->last / 2 };
	struct target_stop stop;
	struct target_task *tasks;
	struct target_map *maps;
	struct arena a = { 0 };
	size_t n = 0;
	uint64_t began;
	int ret = b->t->ops->seek(b->t, &p, NULL, NULL, err);

	if (ret == 0)
		ret = b->t->ops->tasks(b->t, &a, &tasks, &n, err);
	for (size_t i = 0; ret == 0 && i < n && !w.addr; i++) {
		size_t n_maps = 0;

		if (b->t->ops->maps(b->t, tasks[i].task, &a, &maps, &n_maps,
				    NULL) == 0 &&
		    n_maps > 0)
			w.addr = maps[0].start;
	}
	arena_free(&a);
	if (ret == 0)
		ret = b->t->ops->seek(b->t, &end, NULL, NULL, err);
	began = clock_now_ns();
	if (ret == 0)
		ret = b->t->ops->move(b->t, &req, &stop, err);
	*out_ns = clock_now_ns() - began;
	if (ret == 0 && stop.why != TARGET_AT_START)
		printf("somebody writes there\n");
	return ret;
}

static int
run(struct bench *b, struct db *db, struct err *err)
{
	uint64_t began = clock_now_ns(), back = 0, all;
	struct pos end;
	int ret = open_all(b, db, err);

	end = (struct pos){ .seq = b->last };
	if (ret == 0)
		ret = b->t->ops->seek(b->t, &end, NULL, NULL, err);
	if (ret == 0)
		printf("%-22s %8.2f ms\n", "opening at the end",
		       (double)(clock_now_ns() - began) / 1e6);
	for (unsigned i = 0; ret == 0 && i < SEEKS; i++)
		ret = seek(b, err);
	tell("seek to an event", &b->seek);
	tell("step back", &b->back);
	tell("the next ones", &b->next);
	if (ret == 0)
		ret = watch(b, &back, err);
	close_all(b);
	began = clock_now_ns();
	if (ret == 0)
		ret = open_all(b, db, err);
	while (ret == 0 && (ret = replayer_run(b->replayer, err)) > 0)
		ret = 0;
	all = clock_now_ns() - began;
	if (ret == 0)
		printf("%-22s %8.2f s, a replay %.2f s: %.2f\n",
		       "back to a watchpoint", (double)back / 1e9,
		       (double)all / 1e9, (double)back / (double)all);
	return ret;
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct err err = { 0 };
	struct db *db = NULL;
	int ret;

	if (argc != 2)
		return 2;
	ret = store_open(NULL, &db, &err);
	if (ret == 0)
		ret = store_find(db, argv[1], &b.rec, &err);
	if (ret == 0)
		ret = run(&b, db, &err);
	close_all(&b);
	store_close(db);
	if (ret < 0)
		fprintf(stderr, "motion: %s\n", err.text);
	return ret < 0 ? 1 : 0;
}
