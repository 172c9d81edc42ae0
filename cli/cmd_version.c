#include "config.h"

#include "cli/cmd.h"

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	printf("%s %s\n", PACKAGE_NAME, PACKAGE_VERSION);
	return 0;
}

const struct cmd cmd_version = {
	.name = "version",
	.summary = "show the version",
	.run = run,
};
