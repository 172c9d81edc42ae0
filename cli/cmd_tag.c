#include <string.h>

#include "cli/cmd.h"
#include "cli/pick.h"
#include "cli/text.h"
#include "store/query.h"

/* "k=v" sets, "k=" removes. */
static int
set_tag(struct cli *c, uint64_t rec, const char *word, struct err *err)
{
	const char *eq = strchr(word, '=');
	const char *key;

	if (!eq || eq == word)
		return err_set(err, E_USAGE,
			       "'%s' is no tag: tags are KEY=VALUE", word);
	key = text_printf(&c->arena, "%.*s", (int)(eq - word), word);
	return query_tag(c->db, rec, key, eq[1] ? eq + 1 : NULL, err);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct recording_row row;
	uint64_t rec;
	int ret;

	ret = pick_recording(c, argv[0], &rec, err);
	for (int i = 1; i < argc && ret == 0; i++)
		ret = set_tag(c, rec, argv[i], err);
	if (ret < 0 || argc > 1)
		return ret;
	ret = query_recording(c->db, rec, &c->arena, &row, err);
	if (ret == 0 && row.tags && *row.tags)
		puts(row.tags);
	return ret;
}

const struct cmd cmd_tag = {
	.name = "tag",
	.operands = "REC [KEY=VALUE...]",
	.summary = "set tags of a recording (KEY= removes one), or show them",
	.flags = CMD_DB,
	.min = 1,
	.max = -1,
	.run = run,
};
