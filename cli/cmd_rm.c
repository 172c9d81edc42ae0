#include "cli/cmd.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/text.h"
#include "store/query.h"

static int
run_rm(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	VEC(uint64_t) recs = { 0 };
	uint64_t rec;
	int ret = 0;

	/* All of them exist, or none is removed. */
	for (int i = 0; i < argc && ret == 0; i++) {
		bool named = false;

		ret = pick_recording(c, argv[i], &rec, err);
		for (size_t k = 0; ret == 0 && k < recs.len; k++)
			named |= recs.v[k] == rec;
		if (ret == 0 && !named)
			vec_push(&recs, rec);
	}
	for (size_t i = 0; i < recs.len && ret == 0; i++) {
		ret = query_remove(c->db, recs.v[i], err);
		if (ret == 0 && !c->quiet)
			printf("removed %lu\n", recs.v[i]);
	}
	if (ret == 0 && c->verbose)
		say("'pastime gc' gives back the space of contents that no "
		    "other recording needs");
	vec_free(&recs);
	return ret;
}

const struct cmd cmd_rm = {
	.name = "rm",
	.operands = "REC...",
	.summary = "remove recordings",
	.flags = CMD_DB,
	.min = 1,
	.max = -1,
	.run = run_rm,
};

static int
run_mv(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	uint64_t rec;
	int ret;

	ret = pick_recording(c, argv[0], &rec, err);
	if (ret == 0)
		ret = query_rename(c->db, rec, argv[1], err);
	return ret;
}

const struct cmd cmd_mv = {
	.name = "mv",
	.operands = "REC NAME",
	.summary = "give a recording another name",
	.flags = CMD_DB,
	.min = 2,
	.max = 2,
	.run = run_mv,
};

static int
run_gc(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	uint64_t blobs = 0, bytes = 0;
	int ret;

	ret = query_gc(c->db, &blobs, &bytes, err);
	if (ret == 0 && !c->quiet)
		printf("removed %s, %s\n",
		       text_counted(&c->arena, blobs, "unused blob"),
		       text_bytes(&c->arena, bytes));
	return ret;
}

const struct cmd cmd_gc = {
	.name = "gc",
	.summary = "remove contents that no recording needs any more",
	.flags = CMD_DB,
	.run = run_gc,
};
