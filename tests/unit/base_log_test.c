#define LOG_DOMAIN "unit"
#include "base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static char path[] = "/tmp/pastime-log.XXXXXX";

/* The environment is read once per process, and every test is one. */
static void
logging(const char *spec)
{
	int fd = mkstemp(path);

	fd_close(&fd);
	setenv("PASTIME_LOG", spec, 1);
	setenv("PASTIME_LOG_FILE", path, 1);
}

static const char *
logged(struct buf *b)
{
	cr_assert_eq(fd_read_file(path, b), 0);
	unlink(path);
	return buf_cstr(b);
}

Test(base_log, off_by_default)
{
	unsetenv("PASTIME_LOG");
	cr_assert_not(log_enabled("unit", LOG_INFO));
	cr_assert_not(log_enabled("all", LOG_INFO));
	log_info("nobody reads this");
}

Test(base_log, one_line_with_tid_and_domain)
{
	struct buf b = { 0 };
	char expect[64];

	logging("unit:debug");
	errno = EXDEV;
	log_debug("n is %d", 3);
	cr_assert_eq(errno, EXDEV);
	snprintf(expect, sizeof(expect), "%d unit: n is 3\n", (int)getpid());
	cr_assert_str_eq(logged(&b), expect);
	buf_free(&b);
}

Test(base_log, levels_and_domains_choose)
{
	struct buf b = { 0 };

	logging("all:info,unit:off,store");
	cr_assert(log_enabled("tracee", LOG_INFO));
	cr_assert_not(log_enabled("tracee", LOG_DEBUG));
	cr_assert(log_enabled("store", LOG_DEBUG));
	log_info("not this");
	log_write("store", LOG_DEBUG, "this");
	cr_assert_not_null(strstr(logged(&b), "store: this\n"));
	cr_assert_null(strstr(buf_cstr(&b), "not this"));
	buf_free(&b);
}

Test(base_log, a_long_line_is_cut_off_and_still_ends)
{
	struct buf b = { 0 };
	static char big[10000];

	memset(big, 'x', sizeof(big) - 1);
	logging("unit");
	log_info("%s", big);
	logged(&b);
	cr_assert_lt(b.len, 5000);
	cr_assert_eq(b.p[b.len - 1], '\n');
	buf_free(&b);
}

Test(base_log, a_rule_without_sense_dies, .exit_code = 125)
{
	setenv("PASTIME_LOG", "unit:loud", 1);
	log_enabled("unit", LOG_INFO);
}
