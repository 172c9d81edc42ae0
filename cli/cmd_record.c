#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cmd.h"
#include "cli/link.h"
#include "cli/say.h"
#include "cli/text.h"
#include "store/query.h"

extern char **environ;

struct record {
	const char *name;
	struct opt_strs tags, env, at;
	uint64_t cpus;
	bool agent, no_agent;
	const char *checksum, *chaos, *knobs;
};

static void
options(void *own, struct opt_list *l)
{
	struct record *o = own;

	opt_add(l, 'n', "name", OPT_STR, &o->name, "NAME",
		"name of the recording; the command's name without");
	opt_add(l, 't', "tag", OPT_STRS, &o->tags, "KEY=VALUE",
		"tag the recording; may be given several times");
	opt_add(l, 'c', "cpus", OPT_U64, &o->cpus, "N",
		"how many CPUs programs are told they have (1)");
	opt_add(l, 'e', "env", OPT_STRS, &o->env, "KEY=VALUE",
		"set a variable for the command; several times");
	opt_add(l, 0, "checksum", OPT_OPT_STR, &o->checksum, "N",
		"record checksums of memory at exec and exit, and every N "
		"events; replay --verify=memory compares them");
	opt_add(l, 0, "chaos", OPT_OPT_STR, &o->chaos, "SEED",
		"hunt for races: make hostile choices of whose turn it is, "
		"where it ends and what calls answer; all are recorded");
	opt_add(l, 0, "chaos-knobs", OPT_STR, &o->knobs, "LIST",
		"which choices --chaos makes: NAME=on or NAME=off, separated "
		"by commas");
	opt_add(l, 0, "chaos-at", OPT_STRS, &o->at, "PLACES",
		"where --chaos stops tasks and lets others run: FUNCTION, "
		"FILE:LINE or 0xADDRESS, separated by commas; several times");
	opt_add(l, 0, "agent", OPT_FLAG, &o->agent, NULL,
		"let frequent system calls complete inside the program "
		"(the default)");
	opt_add(l, 0, "no-agent", OPT_FLAG, &o->no_agent, NULL,
		"trap every system call");
}

/* The environment with the variables of --env. */
static char **
make_env(const struct opt_strs *set, struct err *err)
{
	VEC(char *) env = { 0 };

	for (char **e = environ; *e; e++)
		vec_push(&env, *e);
	for (size_t i = 0; i < set->len; i++) {
		const char *eq = strchr(set->v[i], '=');
		size_t at = 0, n;

		if (!eq || eq == set->v[i]) {
			err_set(err, E_USAGE, "--env %s: not KEY=VALUE",
				set->v[i]);
			vec_free(&env);
			return NULL;
		}
		n = (size_t)(eq - set->v[i]) + 1;
		while (at < env.len && strncmp(env.v[at], set->v[i], n) != 0)
			at++;
		if (at < env.len)
			env.v[at] = mem_strdup(set->v[i]);
		else
			vec_push(&env, mem_strdup(set->v[i]));
	}
	vec_push(&env, NULL);
	return env.v;
}

static int
make_tags(const struct opt_strs *set, char ***out, struct err *err)
{
	VEC(char *) tags = { 0 };

	for (size_t i = 0; i < set->len; i++) {
		const char *eq = strchr(set->v[i], '=');

		if (!eq || eq == set->v[i])
			return err_set(err, E_USAGE, "--tag %s: not KEY=VALUE",
				       set->v[i]);
		vec_push(&tags, mem_strdup(set->v[i]));
	}
	vec_push(&tags, NULL);
	*out = tags.v;
	return 0;
}

/* A word as a shell would need it. */
static void
put_quoted(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	if (*word && word[strspn(word, plain)] == '\0') {
		buf_str(b, word);
		return;
	}
	buf_u8(b, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_str(b, "'\\''");
		else
			buf_u8(b, (uint8_t)*word);
	}
	buf_u8(b, '\'');
}

static const char *
command_text(struct arena *a, char *const *argv)
{
	struct buf b = { 0 };
	const char *text;

	for (size_t i = 0; argv[i]; i++) {
		if (i > 0)
			buf_u8(&b, ' ');
		put_quoted(&b, argv[i]);
	}
	text = arena_strdup(a, buf_cstr(&b));
	buf_free(&b);
	return text;
}

/* What we were given besides stdin, stdout and stderr belongs to the command.
 */
static void
list_extra(struct record_job *job)
{
	VEC(int) fds = { 0 };
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int fd = atoi(e->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(d))
			vec_push(&fds, fd);
	}
	if (d)
		closedir(d);
	job->extra_fds = fds.v;
	job->n_extra = fds.len;
}

/* ENOENT, EACCES or 0: most failures of execve, known before anything starts;
 * E_UNSUPPORTED for a program that can be executed but not read. */
static int
look_up(struct arena *a, const char *name, char *const *envp)
{
	const char *path = "/bin:/usr/bin";
	int code = ENOENT;

	if (strchr(name, '/') || *name == '\0') {
		struct stat st;

		if (stat(name, &st) < 0)
			return errno;
		if (S_ISDIR(st.st_mode) || access(name, X_OK) < 0)
			return EACCES;
		return access(name, R_OK) < 0 ? E_UNSUPPORTED : 0;
	}
	for (; *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			path = *envp + 5;
	}
	for (;; path++) {
		size_t n = strcspn(path, ":");
		const char *file = text_printf(a, "%.*s%s%s", (int)n, path,
					       n ? "/" : "./", name);
		int ret = look_up(a, file, envp);

		if (ret == 0 || ret == E_UNSUPPORTED)
			return ret;
		if (ret == EACCES)
			code = EACCES;
		path += n;
		if (*path == '\0')
			return code;
	}
}

static int
cannot_execute(const char *name, int code)
{
	struct err e = { 0 };

	err_set(&e, E_EXEC, "cannot %s '%s': %s",
		code == E_UNSUPPORTED ? "record" : "execute", name,
		code == E_UNSUPPORTED ? "you may execute it, but not read it"
				      : strerror(code));
	if (code == E_UNSUPPORTED)
		err_hint(&e,
			 "a recording contains the program: have it made "
			 "readable (ls -l '%s'), or record as root",
			 name);
	else if (code == EACCES)
		err_hint(&e,
			 "is it a program, and may you execute it? "
			 "ls -l '%s'",
			 name);
	else if (!strchr(name, '/'))
		err_hint(&e,
			 "no folder of PATH has it; a program of this "
			 "folder is ./%s",
			 name);
	else
		err_hint(&e, "is the path right? ls -l '%s'", name);
	say_error(&e);
	return code == ENOENT || code == ENOTDIR ? EXIT_NO_COMMAND
						 : EXIT_CANNOT_EXEC;
}

/* An option that --chaos alone gives a meaning. */
static int
needs_chaos(const char *option, const char *value, struct err *err)
{
	err_set(err, E_USAGE, "%s does nothing alone", option);
	err_hint(err, "pastime record --chaos %s=%s ...", option, value);
	return -E_USAGE;
}

/* --chaos and what belongs to it. A seed of our own is short: it may be typed.
 */
static int
set_chaos(const struct record *o, struct chaos_opts *chaos, struct err *err)
{
	uint32_t seed = 0;
	char *end = NULL;
	int ret;

	knobs_init(chaos);
	chaos->on = o->chaos != NULL;
	if (o->knobs && !o->chaos)
		return needs_chaos("--chaos-knobs", o->knobs, err);
	if (o->at.len > 0 && !o->chaos)
		return needs_chaos("--chaos-at", o->at.v[0], err);
	if (o->chaos && *o->chaos) {
		chaos->seed = strtoull(o->chaos, &end, 10);
		if (*end || *o->chaos == '-')
			return err_set(err, E_USAGE, "--chaos=%s: not a number",
				       o->chaos);
	} else if (o->chaos) {
		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			return err_errno(err, "cannot draw a seed");
		chaos->seed = seed;
	}
	ret = o->knobs ? knobs_parse(o->knobs, chaos, err) : 0;
	for (size_t i = 0; i < o->at.len && ret == 0; i++)
		ret = knobs_places(o->at.v[i], chaos, err);
	return ret;
}

/* What is known of job now is what to do; the rest is looked up. */
static int
start(struct cli *c, const struct record *o, struct record_job *job,
      struct err *err)
{
	char **tags = NULL, **env = make_env(&o->env, err);
	int ret;

	if (!env)
		return -E_USAGE;
	ret = make_tags(&o->tags, &tags, err);
	if (ret < 0)
		return ret;
	job->envp = env;
	job->tags = tags;
	job->command = command_text(&c->arena, job->argv);
	ret = look_up(&c->arena, job->argv[0], env);
	if (ret != 0)
		return cannot_execute(job->argv[0], ret);
	if (job->verbose)
		say("recording '%s'", job->name);
	return front_run(job, err);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct record *o = own;
	const char *slash = strrchr(argv[0], '/');
	struct record_job job = { .argv = argv,
				  .url = c->url,
				  .name = o->name,
				  .cpus = (unsigned)o->cpus,
				  .agent = !o->no_agent && !o->chaos,
				  .inherit = c->inherit,
				  .quiet = c->quiet,
				  .verbose = c->verbose > 0 };
	char *end = NULL;
	int ret;

	list_extra(&job);
	ret = o->name ? query_check_name(o->name, err) : 0;
	if (ret < 0)
		return ret;
	if (!job.name)
		job.name = slash && slash[1] ? slash + 1 : argv[0];
	if (o->cpus > 1024)
		return err_set(err, E_USAGE, "--cpus %lu: at most 1024",
			       o->cpus);
	if (o->checksum)
		job.checksum_every =
			*o->checksum ? strtoull(o->checksum, &end, 10) : 1;
	if (end && (*end || job.checksum_every == 0))
		return err_set(err, E_USAGE,
			       "--checksum=%s: not a number of "
			       "events",
			       o->checksum);
	ret = set_chaos(o, &job.chaos, err);
	if (ret == 0)
		ret = start(c, o, &job, err);
	knobs_release(&job.chaos);
	return ret;
}

const struct cmd cmd_record = {
	.name = "record",
	.operands = "[--] COMMAND [ARGUMENTS]",
	.summary = "run a command and record all that it does",
	.flags = CMD_PTRACE | CMD_WRAPS,
	.min = 1,
	.max = -1,
	.size = sizeof(struct record),
	.options = options,
	.run = run,
};
