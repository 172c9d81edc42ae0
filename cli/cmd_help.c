#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/roff.h"
#include "cli/text.h"

struct help {
	bool list;
};

/* clang-format off */
#define PAGE(symbol, name, file) \
	extern const char page_##symbol[], page_##symbol##_end[];
#include "cli/pages.def"
#undef PAGE

static const struct {
	const char *name;
	const char *text, *end;
} pages[] = {
#define PAGE(symbol, name, file) { name, page_##symbol, page_##symbol##_end },
#include "cli/pages.def"
#undef PAGE
};

static const struct {
	const char *name, *help;
} codes[] = {
#define ERR_CODE(id, name, help) { "E_" #name, help },
#include "base/err.def"
#undef ERR_CODE
};
/* clang-format on */

static void
options(void *own, struct opt_list *l)
{
	struct help *o = own;

	opt_add(l, 0, "list", OPT_FLAG, &o->list, NULL,
		"the names of the commands, one a line");
}

static bool
has_man(void)
{
	return system("command -v man >/dev/null 2>&1") == 0;
}

/* man(1) formats and pages; it reads the page from its standard input. */
static int
show_in_man(struct span page)
{
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	FILE *man = popen("man -l -", "w");
	int status;

	if (!man)
		return -errno;
	fwrite(page.p, 1, page.len, man);
	status = pclose(man);
	signal(SIGPIPE, old);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static void
show_page(struct span page)
{
	if (isatty(STDOUT_FILENO) && has_man() && show_in_man(page) == 0)
		return;
	roff_print(page, stdout, text_width(stdout), text_coloured(stdout));
}

static void
show_text(const char *text)
{
	size_t width = (size_t)text_width(stdout), at = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (at > 0 && at + 1 + n > width) {
			putchar('\n');
			at = 0;
		} else if (at > 0) {
			putchar(' ');
			at++;
		}
		fwrite(text, 1, n, stdout);
		at += n;
		text += n;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void
show_codes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		printf("%s\n", codes[i].name);
		show_text(codes[i].help);
		putchar('\n');
	}
}

static int
show_topic(const char *topic, struct err *err)
{
	const char *help = err_help(topic);
	const struct cmd *near = cmd_nearest(topic);
	int ret;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(pages[i].name, topic) == 0) {
			show_page(span_of(
				pages[i].text,
				(size_t)(pages[i].end - pages[i].text)));
			return 0;
		}
	}
	if (strcmp(topic, "errors") == 0) {
		show_codes();
		return 0;
	}
	if (help) {
		show_text(help);
		return 0;
	}
	ret = err_set(err, E_USAGE, "there is no help about '%s'", topic);
	err_hint(err,
		 near ? "did you mean 'pastime help %s'?\n"
			"topics are commands, error codes, errors, schema"
		      : "topics are commands, error codes, errors, schema",
		 near ? near->name : "");
	return ret;
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct help *o = own;

	if (o->list) {
		for (size_t i = 0; commands[i]; i++)
			puts(commands[i]->name);
		return 0;
	}
	if (argc == 0) {
		cmd_overview(stdout);
		return 0;
	}
	return show_topic(argv[0], err);
}

const struct cmd cmd_help = {
	.name = "help",
	.operands = "[COMMAND|CODE|errors|schema]",
	.summary = "show a manual page, or explain an error code",
	.max = 1,
	.size = sizeof(struct help),
	.options = options,
	.run = run,
};
