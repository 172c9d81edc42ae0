#include "cli/cmd.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/text.h"

extern const struct cmd cmd_record, cmd_replay, cmd_tui, cmd_trace, cmd_diff,
	cmd_gdb, cmd_index, cmd_show, cmd_ps, cmd_sql, cmd_ls, cmd_mv, cmd_tag,
	cmd_rm, cmd_gc, cmd_db, cmd_doctor, cmd_help, cmd_version;

const struct cmd *const commands[] = {
	&cmd_record, &cmd_replay, &cmd_tui,  &cmd_trace,   &cmd_diff,
	&cmd_gdb,    &cmd_index,  &cmd_show, &cmd_ps,	   &cmd_sql,
	&cmd_ls,     &cmd_mv,	  &cmd_tag,  &cmd_rm,	   &cmd_gc,
	&cmd_db,     &cmd_doctor, &cmd_help, &cmd_version, NULL,
};

const struct cmd *
cmd_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

const struct cmd *
cmd_nearest(const char *name)
{
	const struct cmd *best = NULL;
	size_t best_d = strlen(name) / 3 + 2;

	for (size_t i = 0; commands[i]; i++) {
		const char *has = commands[i]->name;
		size_t d = text_distance(name, has);

		/* "rec" means record, however far away. */
		if (strlen(name) >= 2 && strncmp(has, name, strlen(name)) == 0)
			d = 0;
		if (d < best_d) {
			best = commands[i];
			best_d = d;
		}
	}
	return best;
}

void
opt_add(struct opt_list *l, char letter, const char *name, enum opt_kind kind,
	void *value, const char *arg, const char *help)
{
	struct opt o = { .letter = letter,
			 .name = name,
			 .kind = kind,
			 .value = value,
			 .arg = arg,
			 .help = help };

	vec_push(&l->opts, o);
}

void
cmd_usage(const struct cmd *cmd, const struct opt *opts)
{
	printf("usage: pastime %s [OPTIONS]%s%s\n\n%s.\n\n", cmd->name,
	       cmd->operands ? " " : "", cmd->operands ? cmd->operands : "",
	       cmd->summary);
	opt_help(opts, stdout, text_width(stdout));
}

void
cmd_overview(FILE *out)
{
	fputs("usage: pastime COMMAND [OPTIONS] [ARGUMENTS]\n\n", out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %-8s  %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("\nREC is a recording: its number, its name or the start of its "
	      "UUID; without it, the latest.\n"
	      "'pastime help COMMAND' shows the manual page, 'pastime help "
	      "CODE' "
	      "explains an error.\n",
	      out);
}
