/*
 * survey-check [-a] [-w VAR[,LEN]] [-c FUNC[,FUNC]] COMMAND...: record a
 * command into memory, look for all writes or calls, and go to each by its
 * position, in no order: the bytes must be the new ones there, and the old ones
 * an instruction before; entries and returns have the registers that were told.
 * A watchpoint's stops, met one after the other, must be the same moments as
 * the instructions' writes. -a: with the agent. -v: print what is found.
 *
 * Status: 0 all alike, 1 some differ, 2 error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "event/memlog.h"
#include "replayer/survey.h"
#include "replayer/target.h"
#include "tools/check.h"

#define CHECKED_MAX 100u

struct check {
	struct target *t;
	struct survey_req *req;
	bool verbose;
	VEC(struct survey_write) writes;
	VEC(struct survey_call) calls;
	unsigned tried, wrong;
};

static void
verdict(struct check *c, bool good, const char *what, const struct pos *pos)
{
	char text[POS_TEXT_MAX];

	c->tried++;
	if (good)
		return;
	c->wrong++;
	printf("wrong: %s at %s\n", what, pos_format(pos, text));
}

/* ---- what the survey finds */

static int
on_write(void *ctx, const struct survey_write *w, struct err *err)
{
	struct check *c = ctx;
	char text[POS_TEXT_MAX];

	vec_push(&c->writes, *w);
	if (c->verbose)
		printf("%s nth %u task %u %s%s:%d %lx+%u %lx -> %lx\n",
		       pos_format(&w->pos, text), w->nth, w->task,
		       w->by_kernel ? "kernel " : "",
		       w->place.function ? w->place.function : "?",
		       w->place.line, w->addr, w->len, *(const long *)w->old,
		       *(const long *)w->new);
	return 0;
}

static int
on_call(void *ctx, const struct survey_call *k, struct err *err)
{
	struct check *c = ctx;
	char text[POS_TEXT_MAX];

	if (k->stored) {
		for (size_t i = 0; i < c->calls.len; i++) {
			if (c->calls.v[i].task == k->task &&
			    c->calls.v[i].entry.seq == k->entry.seq &&
			    c->calls.v[i].entry_nth == k->entry_nth)
				c->calls.v[i] = *k;
		}
	} else {
		vec_push(&c->calls, *k);
	}
	if (c->verbose)
		printf("%s nth %u task %u depth %u %s(%s) = %s, end %d\n",
		       pos_format(&k->entry, text), k->entry_nth, k->task,
		       k->depth, k->place.function ? k->place.function : "?",
		       k->arguments, k->result ? k->result : "-", k->end);
	return 0;
}

static int
on_upto(void *ctx, uint64_t seq, struct err *err)
{
	return 0;
}

/* ---- going there */

static void
check_write(struct check *c, const struct survey_write *w)
{
	struct target_motion_req back = {
		.motion = TARGET_STEP, .back = true, .task = w->task, .call = -1
	};
	struct target_stop stop;
	uint8_t bytes[SURVEY_PASS];
	struct err err = { 0 };

	if (c->t->ops->seek(c->t, &w->pos, NULL, NULL, &err) < 0) {
		check_fail(&err, "seeking");
		verdict(c, false, "no moment", &w->pos);
		return;
	}
	verdict(c,
		c->t->ops->read(c->t, w->task, w->addr, bytes, w->len) ==
				(int64_t)w->len &&
			memcmp(bytes, w->new, w->len) == 0,
		"the new bytes", &w->pos);
	if (w->by_kernel)
		return;
	if (c->t->ops->move(c->t, &back, &stop, &err) < 0) {
		check_fail(&err, "stepping back");
		verdict(c, false, "no step back", &w->pos);
		return;
	}
	verdict(c,
		c->t->ops->read(c->t, w->task, w->addr, bytes, w->len) ==
				(int64_t)w->len &&
			memcmp(bytes, w->old, w->len) == 0,
		"the old bytes", &w->pos);
}

static void
check_call(struct check *c, const struct survey_call *k)
{
	struct regs regs;
	struct err err = { 0 };

	if (c->t->ops->seek(c->t, &k->entry, NULL, NULL, &err) < 0 ||
	    c->t->ops->regs(c->t, k->task, &regs, &err) < 0) {
		check_fail(&err, "seeking an entry");
		verdict(c, false, "no entry", &k->entry);
		return;
	}
	verdict(c,
		regs.rip == k->pc && regs.rsp == k->sp &&
			regs.rdi == k->args[0] && regs.rsi == k->args[1] &&
			regs.rdx == k->args[2] && regs.r9 == k->args[5],
		"the entry", &k->entry);
	if (k->end != SURVEY_RETURNED)
		return;
	if (c->t->ops->seek(c->t, &k->exit, NULL, NULL, &err) < 0 ||
	    c->t->ops->regs(c->t, k->task, &regs, &err) < 0) {
		check_fail(&err, "seeking an exit");
		verdict(c, false, "no exit", &k->exit);
		return;
	}
	verdict(c,
		regs.rip == k->caller_pc && regs.rsp == k->sp + 8 &&
			regs.rax == k->ret,
		"the exit", &k->exit);
}

/* The watchpoint of a debugger stops at the same moments. */
static int
check_watch(struct check *c, struct err *err)
{
	const struct pos start = { 0 };
	struct target_watch watch;
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .watches = &watch,
					 .n_watches = 1,
					 .call = -1 };
	size_t n = c->writes.len < CHECKED_MAX ? c->writes.len : CHECKED_MAX;
	int ret;

	if (n == 0)
		return 0;
	watch = (struct target_watch){ .addr = c->writes.v[0].addr,
				       .len = c->writes.v[0].len,
				       .process = c->writes.v[0].process };
	ret = c->t->ops->seek(c->t, &start, NULL, NULL, err);
	for (size_t i = 0; ret == 0 && i < n; i++) {
		const struct survey_write *w = &c->writes.v[i];
		struct target_stop stop;

		/* Others are other places; the same bytes are no stop. */
		if (w->process != watch.process || w->addr != watch.addr ||
		    w->len != watch.len ||
		    (w->by_kernel && memcmp(w->old, w->new, w->len) == 0))
			continue;
		ret = c->t->ops->move(c->t, &req, &stop, err);
		if (ret < 0)
			break;
		verdict(c,
			stop.why == TARGET_AT_WATCH &&
				stop.pos.seq == w->pos.seq &&
				stop.pos.pc == w->pos.pc &&
				stop.pos.visit == w->pos.visit,
			"a watchpoint stops elsewhere", &w->pos);
	}
	return ret;
}

static int
check_all(struct check *c, struct replayer *r, const struct survey_req *req,
	  struct err *err)
{
	struct survey_result res;
	int ret = survey_run(r, req, &res, err);

	if (ret < 0)
		return ret;
	printf("%zu writes, %zu calls, up to e%lu of e%lu\n", c->writes.len,
	       c->calls.len, res.upto, req->to);
	for (size_t i = 0; i < c->writes.len && i < CHECKED_MAX; i++)
		check_write(c, &c->writes.v[i * 7919 % c->writes.len]);
	for (size_t i = 0; i < c->calls.len && i < CHECKED_MAX; i++)
		check_call(c, &c->calls.v[i * 7919 % c->calls.len]);
	return check_watch(c, err);
}

static int
check(void *ctx, struct memlog *m)
{
	struct check *c = ctx;
	struct survey_req *req = c->req;
	const struct replay_opts ro = { 0 };
	struct source *src = memlog_source(m);
	struct err err = { 0 };
	struct replayer *r;
	int ret = replayer_open(&r, src, &ro, &err);

	if (ret < 0)
		return check_fail(&err, "replaying");
	c->t = replayer_target(r);
	req->to = c->t->ops->last(c->t);
	req->sink = (struct survey_sink){ on_write, on_call, on_upto, c };
	ret = check_all(c, r, req, &err);
	replayer_close(r);
	src->ops->close(src);
	if (ret < 0)
		return check_fail(&err, "checking");
	printf("%u checks, %u wrong\n", c->tried, c->wrong);
	return c->wrong ? 1 : 0;
}

int
main(int argc, char **argv)
{
	const char *functions[SURVEY_FUNCTIONS];
	struct survey_req req = { .functions = functions };
	struct check c = { .req = &req };
	bool agent = false;
	char *word;
	int opt, ret;

	while ((opt = getopt(argc, argv, "+aw:c:v")) != -1) {
		if (opt == 'a') {
			agent = true;
		} else if (opt == 'v') {
			c.verbose = true;
		} else if (opt == 'w') {
			req.variable = strsep(&optarg, ",");
			req.len = optarg ? (uint32_t)atoi(optarg) : 0;
		} else if (opt == 'c') {
			while ((word = strsep(&optarg, ",")) != NULL &&
			       req.n_functions < SURVEY_FUNCTIONS)
				functions[req.n_functions++] = word;
		} else {
			return 2;
		}
	}
	ret = check_main(argv + optind, agent, check, &c);
	vec_free(&c.writes);
	vec_free(&c.calls);
	return ret;
}
