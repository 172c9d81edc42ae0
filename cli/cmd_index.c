/* Replay once and leave checkpoints in the database. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/interrupt.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/text.h"
#include "event/source.h"
#include "replayer/replayer.h"
#include "replayer/stored.h"
#include "store/checkpoint.h"
#include "store/query.h"
#include "store/store.h"

#define EVERY_NS 1000000000u /* of replay between two checkpoints */
#define COST_SHARE 2u	     /* at least so many times what storing one took */
#define PART_NS 20000000u    /* at least so much of a computation at a time */
#define TAIL 64u	     /* events at the end that are looked at */

struct index_opts {
	const char *every;
	bool drop;
};

/* One run of the command. */
struct indexing {
	struct cli *c;
	uint64_t rec;
	struct recording_row row;
	struct source *source;
	struct replayer *replayer;
	struct checkpoint_put *put;
	struct progress progress;
	uint64_t every_ns;
	uint64_t last_work, far_ns; /* of the last one; to the next one */
	unsigned stored, refused;
	char why[sizeof(((struct err *)0)->text)];
};

static void
options(void *own, struct opt_list *l)
{
	struct index_opts *o = own;

	opt_add(l, 0, "every", OPT_STR, &o->every, "SECONDS",
		"a checkpoint after so much time of replay (1)");
	opt_add(l, 0, "drop", OPT_FLAG, &o->drop, NULL,
		"remove the checkpoints; gc then frees their space");
}

static int
parse_every(const char *text, uint64_t *out, struct err *err)
{
	char *end;
	double v;

	*out = EVERY_NS;
	if (!text)
		return 0;
	v = strtod(text, &end);
	if (text[0] < '0' || text[0] > '9' || *end || !(v >= 0 && v <= 1e6))
		return err_set(err, E_USAGE,
			       "--every: '%s' is no number of seconds", text);
	*out = (uint64_t)(v * 1e9);
	return 0;
}

static int
put_blob(void *ctx, const struct blob_id *id, struct span bytes,
	 struct err *err)
{
	return checkpoint_put_blob(ctx, id, bytes, err);
}

/* Where the replay stands. What cannot be stored is left out. */
static int
store_here(struct indexing *x, uint64_t part, struct err *err)
{
	struct source_stored at = { replayer_seq(x->replayer), part,
				    stored_work(x->replayer) };
	uint64_t began = clock_now_ns();
	struct buf state = { 0 };
	int ret = stored_save(x->replayer, put_blob, x->put, &state, err);

	if (ret == 0)
		ret = checkpoint_put_done(x->put, &at, buf_span(&state), err);
	buf_free(&state);
	x->last_work = at.work_ns;
	x->far_ns = (clock_now_ns() - began) * COST_SHARE;
	if (x->far_ns < x->every_ns)
		x->far_ns = x->every_ns;
	if (ret == 0) {
		x->stored++;
	} else if (ret == -E_UNSUPPORTED) {
		x->refused++;
		snprintf(x->why, sizeof(x->why), "%s", err->text);
		checkpoint_put_cancel(x->put);
		err_clear(err);
		ret = 0;
	}
	return ret;
}

/* From the last one that is stored. */
static int
continue_from(struct indexing *x, struct err *err)
{
	struct source_stored at;
	int ret = x->source->ops->stored(x->source, x->row.events, 0, &at, err);

	if (ret <= 0)
		return ret;
	ret = replayer_seek(x->replayer, at.seq, progress_step, &x->progress,
			    err);
	x->last_work = stored_work(x->replayer);
	return ret;
}

/* Just before the last code that runs: who opens a recording at its end wants
 * to see the processes there, and steps back from it. */
static int
find_end(struct indexing *x, uint64_t *out, struct err *err)
{
	uint64_t from = x->row.events > TAIL ? x->row.events - TAIL : 1;
	struct event ev;
	int ret = x->source->ops->seek(x->source, from, err);

	*out = 0;
	while (ret >= 0 && (ret = source_next(x->source, &ev, err)) > 0) {
		if ((ev.flags & EVF_RUNS) && ev.seq > 1)
			*out = ev.seq - 1;
	}
	return ret;
}

static bool
is_due(const struct indexing *x, uint64_t end)
{
	uint64_t seq = replayer_seq(x->replayer);

	return seq == end || seq == x->row.events ||
	       stored_work(x->replayer) - x->last_work >= x->far_ns;
}

/* In code that takes long before the next event: some of them in it. */
static int
index_inside(struct indexing *x, struct err *err)
{
	uint64_t part = 0, seq = replayer_seq(x->replayer);
	uint64_t ns = x->every_ns / 4;
	int ret;

	if (ns < PART_NS)
		ns = PART_NS;
	while ((ret = stored_go_inside(x->replayer, ns, err)) > 0) {
		if (stored_work(x->replayer) - x->last_work >= x->far_ns)
			ret = store_here(x, ++part, err);
		if (ret >= 0 &&
		    !progress_step(&x->progress, seq, x->row.events))
			ret = err_set(err, E_CANCELLED, "interrupted");
		if (ret < 0)
			return ret;
	}
	return ret;
}

static int
index_all(struct indexing *x, struct err *err)
{
	uint64_t end;
	int ret = find_end(x, &end, err);

	x->far_ns = x->every_ns;
	if (ret == 0)
		ret = continue_from(x, err);
	while (ret == 0 && (ret = index_inside(x, err)) == 0) {
		ret = replayer_run_to(
			x->replayer,
			replayer_seq(x->replayer) < end ? end : x->row.events,
			err);
		if (ret <= 0)
			break;
		ret = is_due(x, end) ? store_here(x, 0, err) : 0;
		if (ret == 0 &&
		    !progress_step(&x->progress, replayer_seq(x->replayer),
				   x->row.events))
			ret = err_set(err, E_CANCELLED, "interrupted");
	}
	return ret;
}

static int
drop(struct indexing *x, struct err *err)
{
	uint64_t n = 0;
	int ret = checkpoint_drop_stored(x->c->db, x->rec, &n, err);

	if (ret == 0 && !x->c->quiet)
		say("%s of recording %lu removed%s",
		    text_counted(&x->c->arena, n, "checkpoint"), x->rec,
		    n ? "; 'pastime gc' frees their space" : "");
	return ret;
}

static int
open_all(struct indexing *x, struct err *err)
{
	const struct replay_opts ro = { 0 };
	int ret = query_recording(x->c->db, x->rec, &x->c->arena, &x->row, err);

	if (ret == 0 && strcmp(x->row.state, "running") == 0)
		ret = err_set(err, E_USAGE, "recording %lu is still being made",
			      x->rec);
	if (ret == 0)
		ret = store_source_open(x->c->db, x->rec, &x->source, err);
	if (ret == 0)
		ret = replayer_open(&x->replayer, x->source, &ro, err);
	x->put = checkpoint_put_new(x->c->db, x->rec);
	return ret;
}

static void
close_all(struct indexing *x)
{
	checkpoint_put_free(x->put);
	if (x->replayer)
		replayer_close(x->replayer);
	if (x->source)
		x->source->ops->close(x->source);
}

static void
tell(struct indexing *x)
{
	struct err err = { 0 };

	query_recording(x->c->db, x->rec, &x->c->arena, &x->row, &err);
	say("recording %lu has %s more, %s of them in all", x->rec,
	    text_counted(&x->c->arena, x->stored, "checkpoint"),
	    text_bytes(&x->c->arena, x->row.indexed));
	if (x->refused)
		say("%s left out: %s",
		    text_counted(&x->c->arena, x->refused, "checkpoint"),
		    x->why);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	const struct index_opts *o = own;
	struct indexing x = { .c = c };
	int ret = parse_every(o->every, &x.every_ns, err);

	if (ret == 0)
		ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &x.rec, err);
	if (ret < 0 || o->drop)
		return ret < 0 ? ret : drop(&x, err);
	interrupt_catch(NULL);
	ret = open_all(&x, err);
	if (ret == 0) {
		progress_init(&x.progress, "indexing", "events", c->quiet);
		ret = index_all(&x, err);
		progress_end(&x.progress);
	}
	if ((ret == 0 || x.stored) && !c->quiet)
		tell(&x);
	close_all(&x);
	return ret;
}

const struct cmd cmd_index = {
	.name = "index",
	.operands = "[REC]",
	.summary = "store checkpoints, so that seeking need not replay from "
		   "the start",
	.flags = CMD_DB | CMD_PTRACE,
	.max = 1,
	.size = sizeof(struct index_opts),
	.options = options,
	.run = run,
};
