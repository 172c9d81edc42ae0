/*
 * move-check [-n STOPS] [-r ROUNDS] [-s SEED] [-lva] COMMAND...: record a
 * command into memory; then, in each round, put breakpoints, a watchpoint or an
 * event filter somewhere, go forwards from stop to stop, back over all of them,
 * once more from elsewhere, and compare positions, registers and the stack at
 * each. Steps likewise, by instruction and over calls. -l: by source line,
 * nothing else; the command is a program compiled with -g -O0, for where lines
 * of inlined code end depends on where one stands. -a: with the agent. -S NS:
 * code is looked at so often.
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
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "tools/check.h"

#define STACK 512u
#define BREAKS 4u

struct stop {
	struct target_stop stop;
	struct regs regs;
	uint64_t stack;
	bool returns; /* the next instruction is ret */
};

struct check {
	unsigned stops, rounds;
	unsigned short seed[3];
	bool verbose, lines;
	uint64_t slice_ns;
	struct target *t;
	uint64_t last;
	VEC(struct stop) v;
	struct target_break breaks[BREAKS];
	struct target_watch watch;
	unsigned tried, wrong;
	uint64_t ns[2], moves[2];
};

/* What there is of the task where the target stands. */
static void
look(struct check *c, uint32_t task, struct stop *s)
{
	uint8_t stack[STACK];
	int64_t n;

	memset(&s->regs, 0, sizeof(s->regs));
	s->stack = 0xcbf29ce484222325u;
	if (!task || c->t->ops->regs(c->t, task, &s->regs, NULL) < 0)
		return;
	n = c->t->ops->read(c->t, task, s->regs.rsp, stack, sizeof(stack));
	for (int64_t i = 0; i < n; i++)
		s->stack = (s->stack ^ stack[i]) * 0x100000001b3u;
	n = c->t->ops->read(c->t, task, s->regs.rip, stack, 2);
	s->returns = n == 2 && (stack[0] == 0xc3 || stack[0] == 0xc2 ||
				(stack[0] == 0xf3 && stack[1] == 0xc3));
}

static int
seek(struct check *c, const struct pos *p, struct err *err)
{
	return c->t->ops->seek(c->t, p, NULL, NULL, err);
}

static int
move(struct check *c, struct target_motion_req *req, struct stop *s,
     struct err *err)
{
	uint64_t began = clock_now_ns();
	int ret = c->t->ops->move(c->t, req, &s->stop, err);

	c->ns[req->back] += clock_now_ns() - began;
	c->moves[req->back]++;
	if (ret == 0)
		look(c, s->stop.task, s);
	return ret;
}

static const char *
text_of(const struct stop *s, char text[POS_TEXT_MAX])
{
	return s->stop.why == TARGET_AT_START ? "start"
	       : s->stop.why == TARGET_AT_END ? "end"
					      : pos_format(&s->stop.pos, text);
}

static bool
alike(const struct stop *a, const struct stop *b, bool names)
{
	return a->stop.why == b->stop.why && a->stop.task == b->stop.task &&
	       a->stack == b->stack &&
	       memcmp(&a->regs, &b->regs, sizeof(a->regs)) == 0 &&
	       (!names || (a->stop.pos.seq == b->stop.pos.seq &&
			   a->stop.pos.pc == b->stop.pos.pc &&
			   a->stop.pos.visit == b->stop.pos.visit &&
			   a->stop.pos.steps == b->stop.pos.steps));
}

static void
compare(struct check *c, const char *what, const struct stop *want,
	const struct stop *got, bool names)
{
	char a[POS_TEXT_MAX], b[POS_TEXT_MAX];

	c->tried++;
	if (alike(want, got, names)) {
		if (c->verbose)
			printf("%s %s: alike\n", what, text_of(got, a));
		return;
	}
	c->wrong++;
	printf("%s: should be at %s (why %d, t%u), is at %s (why %d, t%u)",
	       what, text_of(want, a), want->stop.why, want->stop.task,
	       text_of(got, b), got->stop.why, got->stop.task);
	for (size_t i = 0; reg_table[i].name; i++) {
		uint64_t x = regs_get(&want->regs, i);
		uint64_t y = regs_get(&got->regs, i);

		if (x != y)
			printf(" %s %#lx is %#lx", reg_table[i].name, x, y);
	}
	printf("%s\n", want->stack != got->stack ? " stack" : "");
}

/* ---- stops of breakpoints, watchpoints, events */

static int
forwards(struct check *c, struct target_motion_req *req, struct err *err)
{
	int ret = 0;

	vec_clear(&c->v);
	req->back = false;
	while (ret == 0 && c->v.len < c->stops) {
		struct stop s;

		ret = move(c, req, &s, err);
		if (ret < 0)
			break;
		vec_push(&c->v, s);
		if (s.stop.why == TARGET_AT_END)
			break;
	}
	return ret;
}

/* From the last stop, where it stands, back over all of them. */
static int
backwards(struct check *c, struct target_motion_req *req, const char *what,
	  struct err *err)
{
	int ret = 0;

	req->back = true;
	for (size_t i = c->v.len - 1; ret == 0 && i > 0; i--) {
		struct stop s;

		ret = move(c, req, &s, err);
		if (ret == 0)
			compare(c, what, &c->v.v[i - 1], &s, true);
	}
	return ret;
}

static int
there_and_back(struct check *c, struct target_motion_req *req,
	       const struct pos *from, const char *what, struct err *err)
{
	struct stop *last;
	struct pos away;
	int ret = seek(c, from, err);

	if (ret == 0)
		ret = forwards(c, req, err);
	if (ret == 0 && c->v.len > 0)
		ret = backwards(c, req, what, err);
	if (ret < 0 || c->v.len < 2)
		return ret;
	/* Once more, the way to it another one. */
	away = (struct pos){ .seq = check_pick(c->seed, c->last) };
	ret = seek(c, &away, err);
	last = &c->v.v[c->v.len - 1];
	if (ret == 0)
		ret = seek(c, &last->stop.pos, err);
	return ret < 0 ? ret : backwards(c, req, what, err);
}

/* Somewhere that code runs: its position, task and registers. */
static int
somewhere(struct check *c, struct pos *p, struct stop *s, struct err *err)
{
	for (;;) {
		*p = (struct pos){ .seq = check_pick(c->seed, c->last - 1),
				   .steps = 1 + check_pick(c->seed, 30) };
		int ret = seek(c, p, err);

		if (ret == -E_POSITION) {
			err_clear(err);
			continue;
		}
		if (ret < 0)
			return ret;
		c->t->ops->where(c->t, p);
		look(c, p->task, s);
		return 0;
	}
}

static int
check_breaks(struct check *c, struct err *err)
{
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .call = -1,
					 .breaks = c->breaks };
	struct pos p;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < BREAKS; i++) {
		struct stop s;

		ret = somewhere(c, &p, &s, err);
		c->breaks[req.n_breaks++] =
			(struct target_break){ .addr = s.regs.rip };
	}
	p = (struct pos){ .seq = check_pick(c->seed, c->last / 2) };
	return ret < 0 ? ret : there_and_back(c, &req, &p, "break", err);
}

static int
check_watch(struct check *c, struct err *err)
{
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .call = -1,
					 .watches = &c->watch,
					 .n_watches = 1 };
	struct stop s;
	struct pos p;
	int ret = somewhere(c, &p, &s, err);

	c->watch = (struct target_watch){
		.addr = (s.regs.rsp & ~7ul) - 64 + 8 * check_pick(c->seed, 16),
		.len = 8,
		.changed = check_pick(c->seed, 2),
	};
	p = (struct pos){ .seq = p.seq > 20 ? p.seq - 20 : 1 };
	return ret < 0 ? ret : there_and_back(c, &req, &p, "watch", err);
}

static int
check_events(struct check *c, struct err *err)
{
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .call = -1,
					 .events = 1u
						   << check_pick(c->seed, 7) };
	struct pos p = { .seq = check_pick(c->seed, c->last / 2) };

	return there_and_back(c, &req, &p, "event", err);
}

/* ---- steps */

static int
check_steps(struct check *c, enum target_motion motion, const char *what,
	    struct err *err)
{
	struct target_motion_req req = { .motion = motion, .call = -1 };
	struct stop s;
	struct pos p;
	int ret = somewhere(c, &p, &s, err);

	if (ret < 0)
		return ret;
	req.task = p.task;
	vec_clear(&c->v);
	s.stop = (struct target_stop){ .why = TARGET_AT_STEP,
				       .pos = p,
				       .task = p.task };
	vec_push(&c->v, s);
	while (ret == 0 && c->v.len < c->stops) {
		ret = move(c, &req, &s, err);
		if (ret < 0 || s.stop.why == TARGET_AT_END)
			break;
		vec_push(&c->v, s);
	}
	if (ret == 0 && s.stop.why == TARGET_AT_END)
		ret = seek(c, &c->v.v[c->v.len - 1].stop.pos, err);
	req.back = true;
	for (size_t i = c->v.len - 1; ret == 0 && i > 0; i--) {
		struct stop got;

		/* Back over the return from a call is back over the call, which
		 * had begun before the first of these steps. */
		if (motion == TARGET_NEXT && c->v.v[i - 1].returns)
			break;
		ret = move(c, &req, &got, err);
		if (ret == 0)
			compare(c, what, &c->v.v[i - 1], &got, false);
	}
	return ret;
}

static void
tell_stop(const char *what, const struct stop *s)
{
	char text[POS_TEXT_MAX];

	printf("%s: %s at %#lx, rsp %#lx\n", what, text_of(s, text),
	       s->regs.rip, s->regs.rsp);
	fflush(stdout);
}

/* Does it stand in the program's own file, which is mapped first? */
static bool
in_program(struct check *c, const struct stop *s)
{
	struct target_map *maps;
	struct arena a = { 0 };
	bool yes = false;
	uint64_t file = 0;
	size_t n = 0;

	if (c->t->ops->maps(c->t, s->stop.task, &a, &maps, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		file = file ? file : maps[i].file;
		yes |= maps[i].file == file && s->regs.rip >= maps[i].start &&
		       s->regs.rip < maps[i].end;
	}
	arena_free(&a);
	return yes;
}

/*
 * By source line: from one end of a step to the next, and back over them. What
 * it begins from need not be one; whether libraries have lines depends on what
 * is installed. Over calls the way back from a function into its caller leads
 * over the function.
 */
static int
check_lines(struct check *c, enum target_motion motion, const char *what,
	    struct err *err)
{
	struct target_motion_req req = { .motion = motion, .call = -1 };
	struct stop s;
	struct pos p;
	int ret = somewhere(c, &p, &s, err);

	req.task = p.task;
	s.stop = (struct target_stop){ .why = TARGET_AT_STEP, .pos = p };
	vec_clear(&c->v);
	if (c->verbose && ret == 0)
		tell_stop("from", &s);
	while (ret == 0 && c->v.len < c->stops) {
		ret = move(c, &req, &s, err);
		if (ret < 0 || s.stop.why == TARGET_AT_END)
			break;
		if (!in_program(c, &s) && c->v.len == 0)
			continue;
		if (!in_program(c, &s))
			break;
		vec_push(&c->v, s);
		if (c->verbose)
			tell_stop(what, &s);
	}
	if (ret == 0 && c->v.len)
		ret = seek(c, &c->v.v[c->v.len - 1].stop.pos, err);
	req.back = true;
	for (size_t i = c->v.len; ret == 0 && i-- > 1;) {
		struct stop got;

		if (motion == TARGET_LINE_OVER &&
		    c->v.v[i].regs.rsp != c->v.v[i - 1].regs.rsp)
			break;
		ret = move(c, &req, &got, err);
		if (ret == 0)
			compare(c, what, &c->v.v[i - 1], &got, false);
	}
	return ret;
}

static int
round_of(struct check *c, unsigned i, struct err *err)
{
	switch (c->lines ? 5 + i % 2 : i % 5) {
	case 0:
		return check_breaks(c, err);
	case 1:
		return check_watch(c, err);
	case 2:
		return check_events(c, err);
	case 3:
		return check_steps(c, TARGET_STEP, "step", err);
	case 4:
		return check_steps(c, TARGET_NEXT, "next", err);
	case 5:
		return check_lines(c, TARGET_LINE, "line", err);
	default:
		return check_lines(c, TARGET_LINE_OVER, "line over", err);
	}
}

static int
check(void *ctx, struct memlog *m)
{
	struct check *c = ctx;
	const struct replay_opts ro = { .slice_ns = c->slice_ns };
	struct source *src = memlog_source(m);
	struct err err = { 0 };
	struct replayer *r;
	int ret = replayer_open(&r, src, &ro, &err);

	if (ret < 0)
		return check_fail(&err, "replaying");
	c->t = replayer_target(r);
	c->last = c->t->ops->last(c->t);
	for (unsigned i = 0; ret == 0 && i < c->rounds; i++)
		ret = round_of(c, i, &err);
	replayer_close(r);
	src->ops->close(src);
	vec_free(&c->v);
	if (ret < 0)
		return check_fail(&err, "checking");
	printf("%u stops compared, %u wrong; %.2f ms forwards, %.2f ms back\n",
	       c->tried, c->wrong,
	       c->moves[0] ? (double)c->ns[0] / 1e6 / (double)c->moves[0] : 0,
	       c->moves[1] ? (double)c->ns[1] / 1e6 / (double)c->moves[1] : 0);
	return c->wrong ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct check c = { .stops = 20, .rounds = 10 };
	bool agent = false;
	int opt;

	while ((opt = getopt(argc, argv, "+aS:ln:r:s:v")) != -1) {
		if (opt == 'n')
			c.stops = (unsigned)atoi(optarg);
		else if (opt == 'r')
			c.rounds = (unsigned)atoi(optarg);
		else if (opt == 's')
			c.seed[0] = (unsigned short)atoi(optarg);
		else if (opt == 'v')
			c.verbose = true;
		else if (opt == 'S')
			c.slice_ns = strtoul(optarg, NULL, 10);
		else if (opt == 'l')
			c.lines = true;
		else if (opt == 'a')
			agent = true;
		else
			return 2;
	}
	return check_main(argv + optind, agent, check, &c);
}
