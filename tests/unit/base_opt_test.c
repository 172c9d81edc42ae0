#include "base/opt.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct values {
	bool flag;
	int verbose;
	const char *name;
	struct opt_strs env;
	uint64_t size;
	const char *chaos;
};

static struct values val;

static const struct opt opts[] = {
	{ 'f', "flag", OPT_FLAG, &val.flag, NULL, "set the flag" },
	{ 'v', "verbose", OPT_COUNT, &val.verbose, NULL, "say more" },
	{ 'n', "name", OPT_STR, &val.name, "NAME",
	  "give it a name, which is a rather long story that does not fit" },
	{ 'E', "env", OPT_STRS, &val.env, "K=V", "set a variable" },
	{ 0, "size", OPT_U64, &val.size, "N", "as large as N" },
	{ 'c', "chaos", OPT_OPT_STR, &val.chaos, "SEED", "chaos" },
	{ 0, "flagrant-violation-of-columns", OPT_FLAG, &val.flag, NULL,
	  "no room" },
	{ 0 },
};

static int argc_left;
static char *args[32];
static struct err err;

/* Split line at spaces (into a copy that lives on) and parse it. */
static int
parse(const char *line, bool stop)
{
	static char copy[512];
	char *save;
	int argc = 0;

	memset(&val, 0, sizeof(val));
	memset(&err, 0, sizeof(err));
	argc_left = -1;
	snprintf(copy, sizeof(copy), "cmd %s", line);
	for (char *w = strtok_r(copy, " ", &save); w;
	     w = strtok_r(NULL, " ", &save))
		args[argc++] = w;
	args[argc] = NULL;
	return opt_parse(opts, argc, args, stop, &argc_left, &err);
}

Test(base_opt, every_kind_is_stored)
{
	cr_assert_eq(parse("-f -vv --name x --env=A=1 -E B=2 --size 0x10 "
			   "--verbose --chaos=9",
			   false),
		     0);
	cr_assert(val.flag);
	cr_assert_eq(val.verbose, 3);
	cr_assert_str_eq(val.name, "x");
	cr_assert_eq(val.env.len, 2);
	cr_assert_str_eq(val.env.v[0], "A=1");
	cr_assert_str_eq(val.env.v[1], "B=2");
	cr_assert_eq(val.size, 16);
	cr_assert_str_eq(val.chaos, "9");
	cr_assert_eq(argc_left, 0);
	opt_strs_free(&val.env);
}

Test(base_opt, operands_move_to_the_front)
{
	cr_assert_eq(parse("a -f b --name=q - c", false), 0);
	cr_assert_eq(argc_left, 4);
	cr_assert_str_eq(args[0], "a");
	cr_assert_str_eq(args[1], "b");
	cr_assert_str_eq(args[2], "-");
	cr_assert_str_eq(args[3], "c");
	cr_assert_null(args[4]);
}

Test(base_opt, two_dashes_end_the_options)
{
	cr_assert_eq(parse("-f -- -v -- x", false), 0);
	cr_assert_eq(argc_left, 3);
	cr_assert_str_eq(args[0], "-v");
	cr_assert_str_eq(args[1], "--");
	cr_assert_eq(val.verbose, 0);
}

Test(base_opt, a_command_line_inside_is_left_alone)
{
	cr_assert_eq(parse("-f ls -v --name", true), 0);
	cr_assert_eq(argc_left, 3);
	cr_assert_str_eq(args[1], "-v");
	cr_assert(val.flag);
	cr_assert_eq(val.verbose, 0);
	cr_assert_null(val.name);
}

Test(base_opt, letters_can_be_joined)
{
	cr_assert_eq(parse("-fvnjoe -cx -c -v", false), 0);
	cr_assert(val.flag);
	cr_assert_eq(val.verbose, 2);
	cr_assert_str_eq(val.name, "joe");
	cr_assert_str_eq(val.chaos, "", "the last one counts");
}

Test(base_opt, an_optional_argument_is_never_the_next_word)
{
	cr_assert_eq(parse("--chaos 5", false), 0);
	cr_assert_str_eq(val.chaos, "");
	cr_assert_eq(argc_left, 1);
}

Test(base_opt, long_names_can_be_abbreviated)
{
	cr_assert_eq(parse("--verb --si=3", false), 0);
	cr_assert_eq(val.verbose, 1);
	cr_assert_eq(val.size, 3);
	cr_assert_eq(parse("--flag", false), 0, "a whole name wins");
	cr_assert_eq(parse("--fla", false), -E_USAGE);
	cr_assert_str_eq(err.text, "'--fla' may be --flag or "
				   "--flagrant-violation-of-columns");
	cr_assert_eq(parse("--=x", false), -E_USAGE);
}

Test(base_opt, unknown_words_are_named_with_what_was_meant)
{
	cr_assert_eq(parse("--nmae=x", false), -E_USAGE);
	cr_assert_str_eq(err.text, "unknown option '--nmae'");
	cr_assert_str_eq(err.hint, "did you mean --name?");
	cr_assert_eq(argc_left, -1, "untouched on failure");
	cr_assert_eq(parse("--frobnicate", false), -E_USAGE);
	cr_assert_str_eq(err.hint, "");
	cr_assert_eq(parse("-fz", false), -E_USAGE);
	cr_assert_str_eq(err.text, "unknown option '-z'");
}

Test(base_opt, a_very_long_word_is_only_unknown)
{
	char line[400] = "--";

	memset(line + 2, 'q', 390);
	cr_assert_eq(parse(line, false), -E_USAGE);
}

Test(base_opt, missing_and_superfluous_arguments_are_errors)
{
	cr_assert_eq(parse("--name", false), -E_USAGE);
	cr_assert_str_eq(err.text, "--name needs NAME");
	cr_assert_eq(parse("-n", false), -E_USAGE);
	cr_assert_str_eq(err.text, "-n needs NAME");
	cr_assert_eq(parse("--flag=1", false), -E_USAGE);
	cr_assert_str_eq(err.text, "--flag takes no argument");
}

Test(base_opt, numbers_have_units_and_limits)
{
	cr_assert_eq(parse("--size 4k", false), 0);
	cr_assert_eq(val.size, 4096);
	cr_assert_eq(parse("--size 3M", false), 0);
	cr_assert_eq(val.size, 3u << 20);
	cr_assert_eq(parse("--size 0x1G", false), 0);
	cr_assert_eq(val.size, 1u << 30);
	cr_assert_eq(parse("--size 18446744073709551615", false), 0);
	cr_assert_eq(val.size, UINT64_MAX);
}

Test(base_opt, what_is_no_number_is_refused)
{
	static const char *const bad[] = {
		"",
		"x",
		"-1",
		"+1",
		"0x",
		"0x-1",
		"1kk",
		"1.5",
		"12q",
		"17179869184G",
		"99999999999999999999",
	};
	char line[64];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(line, sizeof(line), "--size=%s", bad[i]);
		cr_assert_eq(parse(line, false), -E_USAGE, "%s", bad[i]);
	}
}

Test(base_opt, help_has_two_columns_and_wraps)
{
	static const char expect[] =
		"  -f, --flag          set the flag\n"
		"  -v, --verbose       say more\n"
		"  -n, --name=NAME     give it a name, which is a\n"
		"                      rather long story that does\n"
		"                      not fit\n"
		"  -E, --env=K=V       set a variable\n"
		"      --size=N        as large as N\n"
		"  -c, --chaos[=SEED]  chaos\n"
		"      --flagrant-violation-of-columns\n"
		"                      no room\n";
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	opt_help(opts, f, 51);
	fclose(f);
	cr_assert_str_eq(text, expect);
	free(text);
}
