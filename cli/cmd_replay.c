#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/interrupt.h"
#include "cli/moment.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/text.h"
#include "event/source.h"
#include "replayer/replayer.h"
#include "replayer/stored.h"
#include "replayer/target.h"
#include "store/query.h"
#include "store/store.h"

struct replay {
	const char *at;
	const char *verify;
	bool positions;
};

/* One run of the command. */
struct replaying {
	struct cli *c;
	uint64_t rec;
	struct recording_row row;
	struct source *source;
	struct replayer *replayer;
	struct progress progress;
	uint64_t began_ns, out_bytes[2];
	bool output_failed;
	VEC(struct arrival_row) arrivals; /* counted, not stored yet */
};

static void
options(void *own, struct opt_list *l)
{
	struct replay *o = own;

	opt_add(l, 0, "at", OPT_STR, &o->at, "POS",
		"stop at this position and show the program there");
	opt_add(l, 0, "verify", OPT_STR, &o->verify, "WHAT",
		"memory: compare checksums of memory, too (for recordings "
		"made with --checksum)");
	opt_add(l, 0, "positions", OPT_FLAG, &o->positions, NULL,
		"count how often the instruction of each execution point is "
		"reached; show has its position then");
}

static void
on_output(void *ctx, const struct event *ev, int fd, struct span bytes)
{
	struct replaying *r = ctx;
	int to = fd == STDERR_FILENO ? STDERR_FILENO : STDOUT_FILENO;

	progress_end(&r->progress);
	r->out_bytes[to == STDERR_FILENO] += bytes.len;
	if (!r->output_failed && fd_write_all(to, bytes.p, bytes.len) < 0)
		r->output_failed = true;
}

static void
on_point(void *ctx, const struct replay_point *p)
{
	const struct arrival_row row = { p->seq, p->visits };
	struct replaying *r = ctx;

	if (p->found && p->visits != 0)
		vec_push(&r->arrivals, row);
}

static int
open_all(struct replaying *r, const struct replay *o, struct err *err)
{
	struct replay_opts ro = {
		.verify_memory = o->verify != NULL,
		.verify_output = true,
		.output = o->at ? NULL : on_output,
		.output_ctx = r,
		.point = o->at ? NULL : on_point,
		.point_ctx = r,
		.count_visits = o->positions,
	};
	int ret;

	ret = query_recording(r->c->db, r->rec, &r->c->arena, &r->row, err);
	if (ret == 0)
		ret = store_source_open(r->c->db, r->rec, &r->source, err);
	if (ret == 0)
		ret = replayer_open(&r->replayer, r->source, &ro, err);
	return ret;
}

static void
close_all(struct replaying *r)
{
	if (r->replayer)
		replayer_close(r->replayer);
	if (r->source)
		r->source->ops->close(r->source);
}

/* The text says what was expected and found, and the likely cause; what can be
 * looked at next is ours to say. */
static int
parted(const struct replaying *r, struct err *err)
{
	const struct divergence *d = replayer_divergence(r->replayer);
	uint64_t good = d ? d->last_good : replayer_seq(r->replayer);
	uint64_t bad = d ? d->seq : good + 1;

	if (err->hint[0] == '\0')
		err_hint(err,
			 "pastime replay %lu --at e%lu\n"
			 "pastime show %lu --from e%lu --to e%lu",
			 r->rec, good, r->rec, good > 10 ? good - 10 : 0, bad);
	say_error(err);
	return EXIT_NO;
}

static void
summarise(struct replaying *r, const struct replay *o)
{
	struct arena *a = &r->c->arena;
	uint64_t ns = clock_now_ns() - r->began_ns;
	uint64_t n = replayer_seq(r->replayer);

	say("replayed #%lu: %s in %s (recorded in %s), %s/s, %s of output "
	    "identical%s",
	    r->rec, text_counted(a, n, "event"), text_duration(a, ns),
	    text_duration(a, r->row.duration_ns),
	    text_counted(a, ns ? (uint64_t)((double)n * 1e9 / (double)ns) : 0,
			 "event"),
	    text_bytes(a, r->out_bytes[0] + r->out_bytes[1]),
	    o->verify ? ", memory identical" : "");
}

static int
replay_all(struct replaying *r, const struct replay *o, struct err *err)
{
	int ret;

	r->began_ns = clock_now_ns();
	progress_init(&r->progress, "replaying", "events", r->c->quiet);
	/* Output on the terminal is progress enough. */
	r->progress.off |= isatty(STDOUT_FILENO);
	do {
		ret = replayer_run(r->replayer, err);
		if (!progress_step(&r->progress, replayer_seq(r->replayer),
				   r->row.events))
			ret = err_set(err, E_CANCELLED, "interrupted");
	} while (ret > 0 && !r->output_failed);
	progress_end(&r->progress);
	if (r->output_failed)
		return err_set(err, EIO, "cannot write the program's output");
	if (ret == -E_DIVERGED || ret == -E_UNTIMED)
		return parted(r, err);
	if (ret == 0 && strcmp(r->row.state, "cut off") == 0 && !r->c->quiet)
		say("recording %lu was cut off at e%lu; everything up to there "
		    "is reproduced",
		    r->rec, r->row.events);
	if (ret == 0 && r->c->verbose)
		summarise(r, o);
	return ret;
}

static int
replay_at(struct replaying *r, const char *at, struct err *err)
{
	struct target *t = replayer_target(r->replayer);
	struct pos pos;
	int ret;

	ret = pick_position(r->c, r->rec, at, &pos, err);
	if (ret < 0)
		return ret;
	progress_init(&r->progress, "seeking", "events", r->c->quiet);
	ret = t->ops->seek(t, &pos, progress_step, &r->progress, err);
	progress_end(&r->progress);
	if (stored_problem(r->replayer) && !r->c->quiet)
		say(SAY_DAMAGED, stored_problem(r->replayer));
	if (ret == -E_DIVERGED || ret == -E_UNTIMED)
		return parted(r, err);
	if (ret == 0)
		ret = moment_print(r->c, r->rec, t, err);
	return ret;
}

/* They are right even when the replay came to no good end later. */
static void
keep_arrivals(struct replaying *r)
{
	struct err err = { 0 };

	if (r->arrivals.len > 0 &&
	    query_arrivals_put(r->c->db, r->rec, r->arrivals.v, r->arrivals.len,
			       &err) < 0)
		say("positions were not stored: %s", err.text);
	vec_free(&r->arrivals);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	const struct replay *o = own;
	struct replaying r = { .c = c };
	int ret;

	if (o->verify && strcmp(o->verify, "memory") != 0)
		return err_set(err, E_USAGE,
			       "--verify=%s: what can be verified is memory",
			       o->verify);
	ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &r.rec, err);
	interrupt_catch(NULL);
	if (ret == 0)
		ret = open_all(&r, o, err);
	if (ret == 0)
		ret = o->at ? replay_at(&r, o->at, err)
			    : replay_all(&r, o, err);
	close_all(&r);
	keep_arrivals(&r);
	return ret;
}

const struct cmd cmd_replay = {
	.name = "replay",
	.operands = "[REC]",
	.summary = "replay a recording, verify it, print the program's output",
	.flags = CMD_DB | CMD_PTRACE,
	.max = 1,
	.size = sizeof(struct replay),
	.options = options,
	.run = run,
};
