/*
 * point-check [-hpv] [-n POINTS] [-l MS] [-s SEED] [-N NAME] COMMAND...: take
 * execution points of a real program at random moments and find each again.
 *
 * The command runs traced; at an event a copy of it is kept. After a random
 * CPU time without another event the command is interrupted and a point is
 * taken. The copy has to find it: all registers and a hash of all writable
 * memory must be those of the command. Then the command goes on.
 *
 *   -n N    points to take (default 20)
 *   -l MS   the longest interval (default 60)
 *   -s N    seed of the random moments
 *   -N NAME what to call it
 *   -h      pages by hashes, as on kernels before 6.7
 *   -p      print every point
 *   -v      print what is not found or wrong
 *   -t      the titles of the row that is printed, and nothing else
 *
 * Status: 0 all found, 1 some wrong or not found, 2 error. One task only: a
 * program that forks or starts threads ends the check.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tracee/deadline.h"
#include "tracee/inject.h"
#include "tracee/memsum.h"
#include "tracee/point.h"
#include "tracee/ptrace.h"
#include "tracee/spawn.h"
#include "tracee/stop.h"

#define MS 1000000u
#define RATIO_FROM_NS (5u * MS) /* intervals that count for the ratio */
#define INTERVAL_MIN_NS 300000.0
/* After so many copies in vain only who computes gets one, and then later. */
#define IDLE_COPIES 100u
#define LAZY_NS MS

struct sample {
	double ratio;
	double wall;
};

struct totals {
	unsigned points, wrong, lost, traps, ran_ahead, mismatched;
	unsigned events, copies, early, steps, hot, sums;
	uint64_t take_ns, arm_ns, bytes;
	VEC(struct sample) samples;
};

struct check {
	const char *name;
	unsigned want, seed;
	uint64_t longest_ns;
	bool hash, print, verbose;
	struct point_run run;  /* the command */
	struct point_run base; /* its copy, tid 0 = none */
	uint64_t base_ns;      /* CPU time of the command when it was made */
	uint64_t target_ns;    /* of the interval, when it is interrupted */
	uint64_t fake_tsc;
	unsigned idle; /* copies in a row that were of no use */
	bool lazy;     /* the next interrupt begins an interval */
	struct dirty *dirty;
	struct point_taking taking;
	bool taking_now;
	struct deadline timer;
	FILE *out; /* the command prints nowhere */
	struct totals t;
};

static int
fail(const struct err *err)
{
	fprintf(stderr, "point-check: %s: %s\n", err_name(err->code),
		err->text);
	return 2;
}

/* 0 to 1 */
static double
chance(struct check *c)
{
	return (double)rand_r(&c->seed) / ((double)RAND_MAX + 1);
}

/* ---- the command */

/* The vdso reads clocks without a call, each time another value. */
static int
hide_vdso(struct check *c, struct err *err)
{
	struct regs r;
	uint64_t at, v[2];

	if (ptrace_get_regs(c->run.tid, &r) < 0 ||
	    mem_read_all(&c->run.mem, r.rsp, &v, 8) < 0)
		return err_set(err, E_GONE, "the command is gone");
	at = r.rsp + 8 * (v[0] + 2);
	do {
		if (mem_read_all(&c->run.mem, at, v, 8) < 0)
			return err_set(err, EFAULT, "no environment");
		at += 8;
	} while (v[0] != 0);
	for (;; at += 16) {
		if (mem_read_all(&c->run.mem, at, v, 16) < 0)
			return err_set(err, EFAULT, "no auxiliary vector");
		if (v[0] == AT_NULL)
			return 0;
		if (v[0] != AT_SYSINFO_EHDR)
			continue;
		v[0] = AT_IGNORE;
		mem_write_all(&c->run.mem, at, v, 16);
	}
}

/* Run to the exit stop of execve and put the agent in. */
static int
start(struct check *c, char **argv, struct err *err)
{
	struct spawn_opts o = { .trap_tsc = true,
				.cpu = sched_getcpu(),
				.keep_privs = geteuid() == 0 };
	struct spawned s;
	struct stop st;
	int ret;

	ret = spawn_stopped(argv, environ, &o, &s, err);
	if (ret == 0)
		ret = spawn_seize(&s, err);
	if (ret == 0)
		ret = spawn_go(&s, err);
	if (ret < 0)
		return ret;
	do {
		ret = stop_wait(s.pid, true, &st);
		if (ret == 0 && st.kind == STOP_EXEC)
			break;
		if (ret == 0)
			ret = ptrace_cont(s.pid);
	} while (ret == 0);
	if (ret < 0)
		return spawn_exec_failure(&s, err) < 0
			       ? err->code
			       : err_set(err, E_EXEC, "cannot start it");
	spawn_release(&s);
	c->run.tid = s.pid;
	if (ptrace_resume(s.pid, PTRACE_SYSCALL, 0) < 0 ||
	    stop_wait(s.pid, true, &st) < 0)
		return err_set(err, E_GONE, "the command is gone");
	ret = mem_open(&c->run.mem, s.pid, err);
	if (ret == 0)
		ret = inject_agent(s.pid, &c->run.mem, err);
	if (ret == 0)
		ret = hide_vdso(c, err);
	if (ret == 0)
		ret = dirty_open(&c->dirty, s.pid, &c->run.mem, c->hash, err);
	return ret;
}

/* ---- points */

static int
memory_hash(const struct point_run *run, uint64_t *out, struct err *err)
{
	struct arena a = { 0 };
	struct memsum *v;
	size_t n;
	int ret = memsum_space(run->tid, &run->mem, NULL, 0, &a, &v, &n, err);

	if (ret == 0)
		*out = memsum_total(v, n);
	arena_free(&a);
	return ret;
}

static int
copy_op(void *arg, const struct point_run *from, struct point_run *out,
	struct err *err)
{
	return point_fork(from, out, err);
}

static void
drop_op(void *arg, struct point_run *run)
{
	point_kill(run);
}

static const char *const miss_names[] = {
	[POINT_FOUND] = "found",
	[POINT_MISS_EVENT] = "an event came first",
	[POINT_MISS_LIMIT] = "time is up",
	[POINT_MISS_CODE] = "other code is there",
};

static void
print_point(const struct check *c, const struct point *p,
	    const struct point_found *f, const char *what, double ratio)
{
	fprintf(stderr,
		"%s: %s: pc %#llx way %u, interval %.2f ms, steps %u, "
		"ranges %zu, sums %zu; visits %llu/%llu, mismatches %u, runs "
		"%u, stops %u%s, fell back %u, ratio %.2f\n",
		c->name, what, (unsigned long long)p->regs.rip, p->way,
		(double)p->cpu_ns / 1e6, c->taking.steps, p->ranges.len,
		p->sums.len, (unsigned long long)f->visits,
		(unsigned long long)f->armed_visits, f->mismatches, f->runs,
		f->stops, f->ran_ahead ? ", ran ahead" : "", f->fell_back,
		ratio);
}

static void
count_found(struct check *c, const struct point *p, const struct point_found *f,
	    const struct sample *s)
{
	c->t.traps += p->way == POINT_TRAP;
	c->t.ran_ahead += f->ran_ahead;
	c->t.mismatched += f->mismatches > 0;
	c->t.arm_ns += f->arm_ns;
	if (p->cpu_ns >= RATIO_FROM_NS)
		vec_push(&c->t.samples, *s);
}

/* Through its stored form, as a recording has it. */
static int
store_and_load(struct check *c, struct point *p, struct err *err)
{
	struct buf b = { 0 };
	int ret;

	point_encode(p, &b);
	c->t.bytes += b.len;
	point_free(p);
	ret = point_decode(buf_span(&b), p, err);
	buf_free(&b);
	return ret;
}

/* Find p from the base and compare; the base is used up. */
static int
check_point(struct check *c, struct point *p, struct err *err)
{
	static const struct point_ops ops = { .copy = copy_op,
					      .drop = drop_op };
	const struct point_search s = {
		.ops = &ops, .limit_ns = 100 * p->cpu_ns + 2000 * (uint64_t)MS
	};
	struct point_found f;
	uint64_t want = 0, is = 1, cpu, wall;
	const char *what = NULL;
	struct sample sample;
	int ret = memory_hash(&c->run, &want, err);

	if (ret == 0)
		ret = store_and_load(c, p, err);
	if (ret < 0)
		return ret;
	cpu = cputime_own_ns();
	wall = clock_now_ns();
	ret = point_find(&c->base, p, &s, &f, err);
	if (ret < 0)
		return ret;
	sample.ratio =
		(double)(cputime_own_ns() - cpu + f.cpu_ns) / (double)p->cpu_ns;
	sample.wall = (double)(clock_now_ns() - wall) / (double)p->cpu_ns;
	c->t.points++;
	if (ret == 0) {
		c->t.lost++;
		what = miss_names[f.miss];
	} else if (point_compare(&c->base, p, &what, err) != 1 ||
		   memory_hash(&c->base, &is, err) < 0 || is != want) {
		c->t.wrong++;
		what = what != NULL ? what : "WRONG memory";
	}
	if (c->print || (c->verbose && what != NULL))
		print_point(c, p, &f, what != NULL ? what : "found",
			    sample.ratio);
	if (what == NULL)
		count_found(c, p, &f, &sample);
	return 0;
}

static void
drop_base(struct check *c)
{
	if (c->base.tid != 0)
		point_kill(&c->base);
	c->base.tid = 0;
}

/* An interval begins where the command stands stopped. */
static int
begin_interval(struct check *c, bool lazily, struct err *err)
{
	double longest = (double)c->longest_ns;
	int ret;

	if (c->taking_now)
		point_cancel(&c->taking);
	c->taking_now = false;
	if (c->base.tid != 0)
		c->idle++;
	drop_base(c);
	deadline_disarm(&c->timer);
	/* Many events: wait until it computes. */
	c->lazy = c->idle > IDLE_COPIES && lazily;
	if (c->lazy) {
		deadline_arm(&c->timer, c->run.tid, LAZY_NS);
		return 0;
	}
	ret = point_fork(&c->run, &c->base, err);
	if (ret < 0)
		return ret;
	c->t.copies++;
	c->base_ns = cputime_ns(c->run.tid);
	/* As many of each magnitude. */
	c->target_ns = (uint64_t)(INTERVAL_MIN_NS *
				  pow(longest / INTERVAL_MIN_NS, chance(c)));
	deadline_arm(&c->timer, c->run.tid, c->target_ns);
	return 0;
}

static void
count_taken(struct check *c, const struct point *p)
{
	c->t.steps += c->taking.steps;
	c->t.hot += p->ranges.len > 0 ? (unsigned)p->ranges.len - 1 : 0;
	for (size_t i = 0; i < p->sums.len; i++)
		c->t.sums += p->sums.v[i].pages;
}

/* The command was interrupted while a base waits. */
static int
on_interrupt(struct check *c, struct err *err)
{
	uint64_t used = cputime_ns(c->run.tid) - c->base_ns;
	uint64_t begin = clock_now_ns();
	struct point p = { 0 };
	int ret;

	if (c->base.tid == 0)
		return c->lazy ? begin_interval(c, false, err) : 0;
	if (used < c->target_ns) {
		deadline_arm(&c->timer, c->run.tid, c->target_ns - used);
		return 0;
	}
	ret = c->taking_now ? point_take(&c->taking, used, &p, err)
			    : point_hot(&c->taking, c->run.tid, &c->run.mem,
					c->dirty, err);
	c->t.take_ns += clock_now_ns() - begin;
	if (ret < 0)
		return ret;
	if (ret == POINT_EVENT || ret == POINT_STOP) {
		c->t.early++;
		c->taking_now = false;
		drop_base(c);
		return 0;
	}
	if (ret != POINT_TAKEN) { /* hot, or again */
		c->taking_now = true;
		deadline_arm(&c->timer, c->run.tid, POINT_HOT_NS);
		return 0;
	}
	c->taking_now = false;
	c->idle = 0;
	count_taken(c, &p);
	ret = check_point(c, &p, err);
	point_free(&p);
	drop_base(c);
	return ret < 0 ? ret : begin_interval(c, true, err);
}

/* ---- running the command */

/* The kernel would write CPU numbers into memory while the program computes. */
static int
refuse_rseq(struct check *c)
{
	struct regs r;
	int ret = ptrace_get_regs(c->run.tid, &r);

	if (ret < 0 || r.orig_rax != SYS_rseq)
		return ret;
	r.orig_rax = UINT64_MAX;
	r.rax = (uint64_t)-ENOSYS;
	return ptrace_set_regs(c->run.tid, &r);
}

/* 1: it was RDTSC, which got its answer. */
static int
emulate_tsc(struct check *c)
{
	struct regs r;
	uint8_t b[3];

	if (ptrace_get_regs(c->run.tid, &r) < 0 ||
	    mem_read_all(&c->run.mem, r.rip, b, sizeof(b)) < 0 ||
	    b[0] != 0x0f || (b[1] != 0x31 && (b[1] != 0x01 || b[2] != 0xf9)))
		return 0;
	c->fake_tsc += 100000;
	r.rax = c->fake_tsc & 0xffffffff;
	r.rdx = c->fake_tsc >> 32;
	r.rip += b[1] == 0x31 ? 2 : 3;
	if (b[1] == 0x01)
		r.rcx = 0;
	return ptrace_set_regs(c->run.tid, &r) < 0 ? 0 : 1;
}

/* 1: go on with *request and *signo; 0: it ended. */
static int
on_stop(struct check *c, const struct stop *st, int *request, int *signo,
	struct err *err)
{
	int ret = 0;

	*request = PTRACE_CONT;
	*signo = 0;
	switch (st->kind) {
	case STOP_SECCOMP:
		*request = PTRACE_SYSCALL; /* to its exit */
		ret = refuse_rseq(c);
		break;
	case STOP_SYSCALL:
		c->t.events++;
		ret = begin_interval(c, true, err);
		break;
	case STOP_SIGNAL:
		c->t.events++;
		if (st->signo == SIGSEGV && emulate_tsc(c) == 1) {
			ret = begin_interval(c, true, err);
			break;
		}
		*signo = st->signo;
		drop_base(c); /* the frame is not in the copy */
		break;
	case STOP_EVENT_STOP:
		ret = on_interrupt(c, err);
		break;
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
		return err_set(err, E_UNSUPPORTED,
			       "a program with one task is needed");
	case STOP_EXITED:
	case STOP_KILLED:
		c->run.tid = 0;
		return 0;
	case STOP_NONE:
	case STOP_GROUP:
	case STOP_EXEC:
	case STOP_EXIT:
		break;
	}
	return ret < 0 ? ret : 1;
}

static int
run(struct check *c, struct err *err)
{
	struct stop st;
	int request, signo, ret = begin_interval(c, true, err);

	request = PTRACE_CONT;
	signo = 0;
	while (ret >= 0 && c->t.points < c->want) {
		if (ptrace_resume(c->run.tid, request, signo) < 0 &&
		    stop_peek(c->run.tid, false, &st) < 0)
			break;
		do
			ret = stop_wait(c->run.tid, true, &st);
		while (ret == -EINTR);
		if (ret == 0)
			ret = on_stop(c, &st, &request, &signo, err);
		if (ret == 0)
			break;
	}
	deadline_disarm(&c->timer);
	drop_base(c);
	return ret;
}

/* ---- what came out */

static int
by_ratio(const void *a, const void *b)
{
	double x = ((const struct sample *)a)->ratio;
	double y = ((const struct sample *)b)->ratio;

	return (x > y) - (x < y);
}

static int
by_wall(const void *a, const void *b)
{
	double x = ((const struct sample *)a)->wall;
	double y = ((const struct sample *)b)->wall;

	return (x > y) - (x < y);
}

static void
titles(FILE *out)
{
	fprintf(out,
		"%-10s %6s %5s %4s | %6s %5s %5s %5s %5s | %5s %5s %5s %5s "
		"%5s %5s %5s %5s\n",
		"program", "points", "wrong", "lost", "n>5ms", "med", "p95",
		"worst", "wall", "take", "arm", "steps", "hot", "pages",
		"bytes", "ahead", "traps");
}

static void
report(struct check *c)
{
	struct totals *t = &c->t;
	struct sample *v = t->samples.v;
	size_t n = t->samples.len;
	double k = t->points > 0 ? (double)t->points : 1;
	double med = 0, p95 = 0, worst = 0, wall = 0;

	if (n > 0) {
		qsort(v, n, sizeof(*v), by_wall);
		wall = v[n / 2].wall;
		qsort(v, n, sizeof(*v), by_ratio);
		med = v[n / 2].ratio;
		p95 = v[n * 95 / 100].ratio;
		worst = v[n - 1].ratio;
	}
	fprintf(c->out,
		"%-10.10s %6u %5u %4u | %6zu %5.2f %5.2f %5.2f %5.2f | %5.0f "
		"%5.0f %5.1f %5.1f %5.0f %5.0f %5u %5u\n",
		c->name, t->points, t->wrong, t->lost, n, med, p95, worst, wall,
		(double)t->take_ns / k / 1e3, (double)t->arm_ns / k / 1e3,
		(double)t->steps / k, (double)t->hot / k, (double)t->sums / k,
		(double)t->bytes / k, t->ran_ahead, t->traps);
}

static void
pin(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET((size_t)(cpu < 0 ? 0 : cpu), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int
silence(struct check *c)
{
	int fd = fcntl(1, F_DUPFD_CLOEXEC, 100);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	c->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (c->out == NULL || null < 0 || dup2(null, 1) < 0)
		return -errno;
	return 0;
}

static int
check(struct check *c, char **argv)
{
	struct err err = { 0 };
	int ret;

	if (silence(c) < 0) {
		perror("point-check: cannot redirect the output");
		return 2;
	}
	pin();
	ret = start(c, argv, &err);
	if (ret == 0)
		ret = deadline_open(&c->timer, &err);
	if (ret == 0)
		ret = run(c, &err);
	if (c->run.tid != 0)
		point_kill(&c->run);
	deadline_close(&c->timer);
	dirty_close(c->dirty);
	if (ret < 0)
		return fail(&err);
	report(c);
	fclose(c->out);
	vec_free(&c->t.samples);
	return c->t.wrong + c->t.lost > 0 ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct check c = { .want = 20, .longest_ns = 60 * MS, .seed = 1 };
	int o;

	while ((o = getopt(argc, argv, "+hn:l:ps:tvN:")) != -1) {
		switch (o) {
		case 'h':
			c.hash = true;
			break;
		case 'n':
			c.want = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'l':
			c.longest_ns = strtoull(optarg, NULL, 0) * MS;
			break;
		case 'p':
			c.print = true;
			break;
		case 's':
			c.seed = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 't':
			titles(stdout);
			return 0;
		case 'v':
			c.verbose = true;
			break;
		case 'N':
			c.name = optarg;
			break;
		default:
			return 2;
		}
	}
	if (optind == argc) {
		fprintf(stderr,
			"usage: point-check [-hptv] [-n POINTS] [-l MS] "
			"[-s SEED] [-N NAME] COMMAND...\n");
		return 2;
	}
	if (c.name == NULL)
		c.name = argv[optind];
	return check(&c, argv + optind);
}
