#include <stdlib.h>

#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/pick.h"
#include "event/source.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "store/store.h"
#include "tui/tui.h"

struct tui {
	const char *at;
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
};

static void
options(void *own, struct opt_list *l)
{
	struct tui *o = own;

	opt_add(l, 0, "at", OPT_STR, &o->at, "POS", "begin at this position");
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
	s->replayer = NULL;
	s->source = NULL;
	s->db = NULL;
}

static int
open_target(void *ctx, struct target **out, struct err *err)
{
	struct replay_opts ro = { .verify_output = true };
	struct session *s = ctx;
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

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct tui *o = own;
	struct session s = { .c = c };
	struct tui_backend b = { .ctx = &s,
				 .open_db = open_db,
				 .close_db = close_db,
				 .open_target = open_target,
				 .close_target = close_target };
	struct tui_opts to = { .query = &tui_backend_query,
			       .replay = &tui_backend_replay };
	struct pos pos;
	char at[POS_TEXT_MAX];
	int ret;

	ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &s.rec, err);
	if (ret == 0 && o->at)
		ret = pick_position(c, s.rec, o->at, &pos, err);
	if (ret < 0)
		return ret;
	if (o->at)
		to.at = pos_format(&pos, at);
	b.recording = s.rec;
	to.nav_data = tui_backend_query_new(&b);
	to.ask_data = tui_backend_query_new(&b);
	to.replay_data = tui_backend_replay_new(&b);
	return tui_run(&to, err);
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
