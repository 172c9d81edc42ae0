#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

Test(base_err, set_returns_the_negative_code_and_keeps_errno)
{
	struct err err = { 0 };

	errno = EAGAIN;
	cr_assert_eq(err_set(&err, E_DB, "no %s", "table"), -E_DB);
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(err.code, -E_DB);
	cr_assert_str_eq(err.text, "no table");
	cr_assert_str_eq(err.hint, "");
}

Test(base_err, null_is_allowed_everywhere)
{
	cr_assert_eq(err_set(NULL, ENOENT, "x"), -ENOENT);
	errno = EIO;
	cr_assert_eq(err_errno(NULL, "x"), -EIO);
	err_wrap(NULL, "x");
	err_hint(NULL, "x");
	err_clear(NULL);
}

Test(base_err, errno_is_appended_as_text)
{
	struct err err = { 0 };

	errno = ENOENT;
	cr_assert_eq(err_errno(&err, "open %s", "/x"), -ENOENT);
	cr_assert_str_eq(err.text, "open /x: No such file or directory");
	cr_assert_eq(errno, ENOENT);
}

Test(base_err, wrap_goes_in_front_and_keeps_code_and_hint)
{
	struct err err = { 0 };

	err_set(&err, E_GONE, "task 7 died");
	err_hint(&err, "look elsewhere");
	err_wrap(&err, "replaying event %d", 9);
	cr_assert_eq(err.code, -E_GONE);
	cr_assert_str_eq(err.text, "replaying event 9: task 7 died");
	cr_assert_str_eq(err.hint, "look elsewhere");
}

Test(base_err, setting_again_drops_the_old_hint)
{
	struct err err = { 0 };

	err_set(&err, E_GONE, "a");
	err_hint(&err, "b");
	err_set(&err, E_DB, "c");
	cr_assert_str_eq(err.hint, "");
	err_clear(&err);
	cr_assert_eq(err.code, 0);
	cr_assert_str_eq(err.text, "");
}

Test(base_err, long_text_is_cut_off)
{
	static char big[3 * ERR_TEXT_MAX];
	struct err err = { 0 };

	memset(big, 'x', sizeof(big) - 1);
	err_set(&err, E_DB, "%s", big);
	cr_assert_eq(strlen(err.text), ERR_TEXT_MAX - 1);
	err_wrap(&err, "abc");
	cr_assert_eq(strlen(err.text), ERR_TEXT_MAX - 1);
	cr_assert_eq(strncmp(err.text, "abc: xxx", 8), 0);
	err_wrap(&err, "%s", big);
	errno = EIO;
	err_errno(&err, "%s", big);
	cr_assert_eq(strlen(err.text), ERR_TEXT_MAX - 1);
}

Test(base_err, names_take_either_sign)
{
	cr_assert_str_eq(err_name(-E_DB_UNREACHABLE), "E_DB_UNREACHABLE");
	cr_assert_str_eq(err_name(E_USAGE), "E_USAGE");
	cr_assert_str_eq(err_name(-ENOENT), "ENOENT");
	cr_assert_str_eq(err_name(999999), "E_UNKNOWN");
}

Test(base_err, help_is_found_by_name)
{
	cr_assert_not_null(err_help("E_DB"));
	cr_assert_eq(err_help("db"), err_help("E_DB"));
	cr_assert_null(err_help("E_NOPE"));
}

/* Ids are printed, stored and looked up: they never change. */
Test(base_err, ids_are_golden)
{
	static const struct {
		int id;
		const char *name;
	} golden[] = {
		{ 1000, "E_GONE" },
		{ 1001, "E_DIVERGED" },
		{ 1002, "E_UNSUPPORTED" },
		{ 1003, "E_DB" },
		{ 1004, "E_FORMAT" },
		{ 1005, "E_USAGE" },
		{ 1006, "E_DB_UNREACHABLE" },
		{ 1007, "E_PTRACE_DENIED" },
		{ 1008, "E_NESTED" },
		{ 1009, "E_CPU" },
		{ 1010, "E_NOT_FOUND" },
		{ 1011, "E_AMBIGUOUS" },
		{ 1012, "E_POSITION" },
		{ 1013, "E_SCHEMA_NEWER" },
		{ 1014, "E_SPOOL" },
		{ 1015, "E_EXEC" },
		{ 1016, "E_END" },
		{ 1017, "E_BUSY" },
		{ 1018, "E_CANCELLED" },
		{ 1019, "E_UNTIMED" },
	};

	for (size_t i = 0; i < ARRAY_LEN(golden); i++)
		cr_assert_str_eq(err_name(golden[i].id), golden[i].name);
}
