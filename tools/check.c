#include "tools/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
check_fail(const struct err *err, const char *what)
{
	fprintf(stderr, "%s: %s: %s: %s\n", program_invocation_short_name, what,
		err_name(err->code), err->text);
	return 2;
}

int
check_record(const struct record_opts *o, struct memlog *m,
	     struct record_result *out)
{
	struct record_opts ro = *o;
	struct err err = { 0 };

	ro.envp = environ;
	ro.keep_privs = geteuid() == 0;
	if (recorder_record(&ro, memlog_sink(m), out, &err) < 0)
		return check_fail(&err, "recording");
	return 0;
}

int
check_command(char **argv, bool agent, struct memlog *m)
{
	const struct record_opts o = { .argv = argv,
				       .agent = agent,
				       .agent_from = 1 };
	struct record_result result;

	return check_record(&o, m, &result);
}

int
check_main(char **argv, bool agent, int (*fn)(void *ctx, struct memlog *m),
	   void *ctx)
{
	struct memlog *m;
	int ret;

	if (argv[0] == NULL)
		return 2;
	m = memlog_new();
	ret = check_command(argv, agent, m);
	if (ret == 0)
		ret = fn(ctx, m);
	memlog_free(m);
	return ret;
}

uint64_t
check_pick(unsigned short seed[3], uint64_t n)
{
	return n ? (uint64_t)(erand48(seed) * (double)n) : 0;
}
