/*
 * motion REC [SEEKS]: how long it takes to move in a recording of the store,
 * which pastime index may have indexed: opening at the end, seeks to random
 * events, steps back by one instruction from there, the next ones, and
 * backwards over all of it to a watchpoint that nobody writes, against a
 * replay. Elapsed time, and CPU time of all processes, which other work on the
 * machine changes less.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/vec.h"
#include "event/source.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "store/store.h"

#define NEXT 4u

struct time {
	uint64_t wall, cpu; /* ns */
};
typedef VEC(struct time) times;

struct bench {
	uint64_t rec, last;
	unsigned long seeks;
	struct source *source;
	struct replayer *replayer;
	struct target *t;
	unsigned short seed[3];
	times seek, back, next;
};

static uint64_t
ns_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000;
}

static bool
is_child(const char *name)
{
	char path[300];
	int ppid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	f = isdigit((unsigned char)name[0]) ? fopen(path, "re") : NULL;
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %*c %d", &ppid) != 1)
		ppid = 0;
	fclose(f);
	return ppid == getpid();
}

static uint64_t
cpu_of(const char *name)
{
	unsigned long ns = 0;
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", name);
	f = fopen(path, "re");
	if (f && fscanf(f, "%lu", &ns) != 1)
		ns = 0;
	if (f)
		fclose(f);
	return ns;
}

/* Of this process and of all that it has made. */
static uint64_t
cpu_now(void)
{
	struct rusage self, dead;
	struct dirent *e;
	uint64_t sum;
	DIR *d = opendir("/proc");

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &dead);
	sum = ns_of(&self.ru_utime) + ns_of(&self.ru_stime) +
	      ns_of(&dead.ru_utime) + ns_of(&dead.ru_stime);
	while (d && (e = readdir(d)))
		if (is_child(e->d_name))
			sum += cpu_of(e->d_name);
	if (d)
		closedir(d);
	return sum;
}

/* The time at which something begins, and how long it took. Looking for the
 * CPU time takes some, too: that is before and behind. */
static struct time
begin(void)
{
	struct time t = { .cpu = cpu_now() };

	t.wall = clock_now_ns();
	return t;
}

static struct time
took(const struct time *began)
{
	struct time t = { .wall = clock_now_ns() - began->wall };
	struct rusage self;
	uint64_t look, cpu = cpu_now();

	/* As much as looking once more takes. */
	getrusage(RUSAGE_SELF, &self);
	look = ns_of(&self.ru_utime) + ns_of(&self.ru_stime);
	cpu_now();
	getrusage(RUSAGE_SELF, &self);
	look = ns_of(&self.ru_utime) + ns_of(&self.ru_stime) - look;
	t.cpu = cpu - began->cpu > look ? cpu - began->cpu - look : 0;
	return t;
}

static int
by_wall(const void *a, const void *b)
{
	const struct time *x = a, *y = b;

	return (x->wall > y->wall) - (x->wall < y->wall);
}

static int
by_cpu(const void *a, const void *b)
{
	const struct time *x = a, *y = b;

	return (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

static double
ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void
tell(const char *what, times *t)
{
	size_t n = t->len, half = n / 2, most = n * 9 / 10, all = n * 99 / 100;

	if (n == 0)
		return;
	qsort(t->v, n, sizeof(*t->v), by_wall);
	printf("%-22s %8.2f median %8.2f p90 %8.2f p99 ms", what,
	       ms(t->v[half].wall), ms(t->v[most].wall), ms(t->v[all].wall));
	qsort(t->v, n, sizeof(*t->v), by_cpu);
	printf(", CPU %.2f %.2f %.2f (%zu)\n", ms(t->v[half].cpu),
	       ms(t->v[most].cpu), ms(t->v[all].cpu), n);
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
	struct time began = begin();
	int ret = b->t->ops->move(b->t, &req, stop, err);

	vec_push(t, took(&began));
	return ret;
}

/* A random event that a task has just passed, and back from there. */
static int
seek(struct bench *b, struct err *err)
{
	struct pos p = { .seq = 1 + (uint64_t)(erand48(b->seed) *
					       (double)(b->last - 1)) };
	struct time began = begin();
	struct target_stop stop;
	struct event ev;
	struct regs regs;
	int ret = b->t->ops->seek(b->t, &p, NULL, NULL, err);

	vec_push(&b->seek, took(&began));
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
watch(struct bench *b, struct time *out, struct err *err)
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
	struct time began;
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
	began = begin();
	if (ret == 0)
		ret = b->t->ops->move(b->t, &req, &stop, err);
	*out = took(&began);
	if (ret == 0 && stop.why != TARGET_AT_START)
		printf("somebody writes there\n");
	return ret;
}

static int
run(struct bench *b, struct db *db, struct err *err)
{
	struct time began = begin(), back = { 0 }, all;
	struct pos end;
	int ret = open_all(b, db, err);

	end = (struct pos){ .seq = b->last };
	if (ret == 0)
		ret = b->t->ops->seek(b->t, &end, NULL, NULL, err);
	if (ret == 0)
		vec_push(&b->seek, took(&began));
	tell("opening at the end", &b->seek);
	for (unsigned long i = 0; ret == 0 && i < b->seeks; i++)
		ret = seek(b, err);
	tell("seek to an event", &b->seek);
	tell("step back", &b->back);
	tell("the next ones", &b->next);
	if (ret == 0)
		ret = watch(b, &back, err);
	close_all(b);
	began = begin();
	if (ret == 0)
		ret = open_all(b, db, err);
	while (ret == 0 && (ret = replayer_run(b->replayer, err)) > 0)
		ret = 0;
	all = took(&began);
	if (ret == 0)
		printf("%-22s %8.2f s, a replay %.2f s: %.2f, CPU %.2f\n",
		       "back to a watchpoint", ms(back.wall) / 1e3,
		       ms(all.wall) / 1e3, (double)back.wall / (double)all.wall,
		       (double)back.cpu / (double)all.cpu);
	return ret;
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct err err = { 0 };
	struct db *db = NULL;
	int ret;

	if (argc < 2 || argc > 3)
		return 2;
	b.seeks = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
	setvbuf(stdout, NULL, _IOLBF, 0);
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
