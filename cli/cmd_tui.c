#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "cli/cmd.h"
#include "cli/debugger.h"
#include "cli/diff.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/text.h"
#include "event/source.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "store/store.h"
#include "tui/tui.h"

struct tui {
	const char *at, *diff;
};

/*
 * What the workers of the TUI open, each for itself: connections, and one
 * replay with its own connection, source and replayer. The replay's part is
 * used by its worker only.
 */
struct session {
	struct cli *c;
	uint64_t rec;
	struct db *db;
	struct source *source;
	struct replayer *replayer;
	char *damaged; /* what to say of stored checkpoints */
	bool told;
};

static void
options(void *own, struct opt_list *l)
{
	struct tui *o = own;

	opt_add(l, 0, "at", OPT_STR, &o->at, "POS", "begin at this position");
	opt_add(l, 0, "diff", OPT_STR, &o->diff, "REC",
		"open this recording, too, both where they part");
}

static int
open_db(void *ctx, struct db **out, struct err *err)
{
	struct session *s = ctx;

	return store_open(s->c->url, out, err);
}

static void
close_db(void *ctx, struct db *db)
{
	store_close(db);
}

static void
close_replay(struct session *s)
{
	if (s->replayer)
		replayer_close(s->replayer);
	if (s->source)
		s->source->ops->close(s->source);
	store_close(s->db);
	mem_free(s->damaged);
	s->damaged = NULL;
	s->replayer = NULL;
	s->source = NULL;
	s->db = NULL;
}

static void
damaged(void *ctx, const char *why)
{
	struct session *s = ctx;

	mem_free(s->damaged);
	s->damaged = mem_printf(SAY_DAMAGED, why);
	s->told = false;
}

static const char *
warning(void *ctx)
{
	struct session *s = ctx;

	if (!s->damaged || s->told)
		return NULL;
	s->told = true;
	return s->damaged;
}

static int
open_target(void *ctx, struct target **out, struct err *err)
{
	struct session *s = ctx;
	struct replay_opts ro = { .verify_output = true,
				  .damaged = damaged,
				  .damaged_ctx = s };
	int ret;

	ret = store_open(s->c->url, &s->db, err);
	if (ret == 0)
		ret = store_source_open(s->db, s->rec, &s->source, err);
	if (ret == 0)
		ret = replayer_open(&s->replayer, s->source, &ro, err);
	if (ret < 0) {
		close_replay(s);
		return ret;
	}
	*out = replayer_target(s->replayer);
	return 0;
}

static void
close_target(void *ctx, struct target *t)
{
	close_replay(ctx);
}

/* pastime gdb at that moment; its own errors are on the terminal until its user
 * has read them. */
static int
debug(void *ctx, const char *pos, struct err *err)
{
	char gdb[] = "gdb", at[] = "--at", db[] = "--db", self[4096] = "";
	const struct session *s = ctx;
	VEC(char *) argv = { 0 };
	char *place, *url, rec[24];
	int ret;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return err_errno(err, "cannot find pastime");
	snprintf(rec, sizeof(rec), "%lu", s->rec);
	place = mem_strdup(pos);
	url = s->c->url ? mem_strdup(s->c->url) : NULL;
	vec_push(&argv, self);
	vec_push(&argv, gdb);
	vec_push(&argv, at);
	vec_push(&argv, place);
	if (url) {
		vec_push(&argv, db);
		vec_push(&argv, url);
	}
	vec_push(&argv, rec);
	vec_push(&argv, NULL);
	ret = debugger_run(argv.v, s->c->inherit, err);
	if (ret == EXIT_OURS) {
		fputs("Enter goes back to the recording ", stdout);
		fflush(stdout);
		while (read(STDIN_FILENO, gdb, 1) == 1 && gdb[0] != '\n')
			;
	}
	vec_free(&argv);
	mem_free(place);
	mem_free(url);
	return ret < 0 ? ret : 0;
}

/* What one recording is opened with. */
struct one {
	struct session session;
	struct tui_backend backend;
	struct tui_opts opts;
	char at[POS_TEXT_MAX];
};

static void
init(struct one *o, struct cli *c, uint64_t rec)
{
	o->session = (struct session){ .c = c, .rec = rec };
	o->backend = (struct tui_backend){ .recording = rec,
					   .ctx = &o->session,
					   .open_db = open_db,
					   .close_db = close_db,
					   .open_target = open_target,
					   .close_target = close_target,
					   .warning = warning };
	o->opts = (struct tui_opts){ .query = &tui_backend_query,
				     .replay = &tui_backend_replay,
				     .gdb = debug,
				     .gdb_ctx = &o->session };
	o->opts.nav_data = tui_backend_query_new(&o->backend);
	o->opts.ask_data = tui_backend_query_new(&o->backend);
	o->opts.replay_data = tui_backend_replay_new(&o->backend);
}

static void
begin_at(struct one *o, const struct pos *pos)
{
	o->opts.at = pos_format(pos, o->at);
}

/* Both begin where they part: at the event, or after the last alike. */
static void
begin_parted(struct cli *c, struct one one[2], const struct parting *p)
{
	for (int i = 0; i < 2; i++) {
		uint64_t seq = p->seq[i] ? p->seq[i] : p->alike[i];

		if (seq)
			begin_at(&one[i], &(struct pos){ .seq = seq });
		one[i].opts.greeting = text_printf(
			&c->arena,
			p->seq[i] ? "here they part; D: recording %lu"
				  : "the last event alike; D: recording %lu, "
				    "which has one more",
			one[!i].session.rec);
	}
}

static int
run_both(struct cli *c, struct one one[2], const struct pos *at,
	 struct err *err)
{
	uint64_t rec[2] = { one[0].session.rec, one[1].session.rec };
	struct parting p;
	int ret = diff_find(c, rec, &p, err);

	if (ret < 0)
		return ret;
	for (int i = 0; i < 2; i++)
		init(&one[i], c, rec[i]);
	if (ret > 0)
		begin_parted(c, one, &p);
	else
		one[0].opts.greeting = text_printf(
			&c->arena,
			"recording %lu goes the same way; D shows it", rec[1]);
	if (at)
		begin_at(&one[0], at);
	one[0].opts.other = &one[1].opts;
	return tui_run(&one[0].opts, err);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct one one[2] = { 0 };
	struct tui *o = own;
	struct pos pos;
	uint64_t rec;
	int ret;

	ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &rec, err);
	if (ret == 0 && o->at)
		ret = pick_position(c, rec, o->at, &pos, err);
	one[0].session.rec = rec;
	if (ret == 0 && o->diff)
		ret = pick_recording(c, o->diff, &one[1].session.rec, err);
	if (ret < 0)
		return ret;
	if (o->diff)
		return run_both(c, one, o->at ? &pos : NULL, err);
	init(&one[0], c, rec);
	if (o->at)
		begin_at(&one[0], &pos);
	return tui_run(&one[0].opts, err);
}

const struct cmd cmd_tui = {
	.name = "tui",
	.operands = "[REC]",
	.summary = "browse a recording and rewind it",
	.flags = CMD_DB | CMD_TTY | CMD_PTRACE,
	.max = 1,
	.size = sizeof(struct tui),
	.options = options,
	.run = run,
};
