#include "cli/text.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>

#include "cli/cmd.h"

static struct arena a;

static void
setup(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC0", 1);
}

static void
teardown(void)
{
	arena_free(&a);
}

TestSuite(cli_text, .init = setup, .fini = teardown);

Test(cli_text, counts_have_separators)
{
	cr_assert_str_eq(text_count(&a, 0), "0");
	cr_assert_str_eq(text_count(&a, 999), "999");
	cr_assert_str_eq(text_count(&a, 1000), "1,000");
	cr_assert_str_eq(text_count(&a, 1234567), "1,234,567");
	cr_assert_str_eq(text_count(&a, UINT64_MAX),
			 "18,446,744,073,709,551,615");
	cr_assert_str_eq(text_counted(&a, 1, "event"), "1 event");
	cr_assert_str_eq(text_counted(&a, 2000, "event"), "2,000 events");
}

Test(cli_text, bytes_have_the_unit_that_fits)
{
	cr_assert_str_eq(text_bytes(&a, 1023), "1023 B");
	cr_assert_str_eq(text_bytes(&a, 1024), "1.0 KB");
	cr_assert_str_eq(text_bytes(&a, 10 * 1024), "10 KB");
	cr_assert_str_eq(text_bytes(&a, 5ull << 30), "5.0 GB");
	cr_assert_str_eq(text_bytes(&a, 5000ull << 40), "5000 TB");
}

Test(cli_text, durations_have_the_unit_that_fits)
{
	cr_assert_str_eq(text_duration(&a, 0), "0 us");
	cr_assert_str_eq(text_duration(&a, 850000), "850 us");
	cr_assert_str_eq(text_duration(&a, 12340000), "12.3 ms");
	cr_assert_str_eq(text_duration(&a, 840000000), "0.84 s");
	cr_assert_str_eq(text_duration(&a, 65000000000), "1:05");
	cr_assert_str_eq(text_duration(&a, 3723000000000), "1:02:03");
}

Test(cli_text, times_are_local_for_people_and_utc_for_machines)
{
	cr_assert_str_eq(text_when_utc(&a, 1700000000123456789),
			 "2023-11-14T22:13:20.123456Z");
	cr_assert_str_eq(text_when(&a, 1700000000123456789),
			 "2023-11-14 22:13:20");
}

Test(cli_text, a_wait_status_reads_as_a_number_or_a_signal)
{
	cr_assert_str_eq(text_status(&a, -1), "");
	cr_assert_str_eq(text_status(&a, 0), "0");
	cr_assert_str_eq(text_status(&a, 3 << 8), "3");
	cr_assert_str_eq(text_status(&a, SIGSEGV), "SIGSEGV");
	cr_assert_str_eq(text_status(&a, SIGABRT | 0x80), "SIGABRT (core)");
}

Test(cli_text, control_characters_do_not_reach_the_terminal)
{
	cr_assert_str_eq(text_clean(&a, "a\033[31m\n\tb\177"),
			 "a\\x1b[31m\\n\\tb\\x7f");
	cr_assert_str_eq(text_clean(&a, "\303\244"), "\303\244");
	cr_assert_str_eq(text_clean(&a, NULL), "");
}

Test(cli_text, columns_are_those_of_the_terminal)
{
	cr_assert_eq(text_columns("abc"), 3);
	cr_assert_eq(text_columns("\303\244"), 1);
	cr_assert_eq(text_columns("\346\227\245"), 2);
	cr_assert_eq(text_columns("\377"), 1);
	cr_assert_eq(text_fit("\346\227\245\346\227\245", 3), 3);
	cr_assert_eq(text_fit("abcd", 9), 4);
}

Test(cli_text, the_nearest_command_is_the_one_that_was_meant)
{
	cr_assert_str_eq(cmd_nearest("recrod")->name, "record");
	cr_assert_str_eq(cmd_nearest("reply")->name, "replay");
	cr_assert_str_eq(cmd_nearest("rec")->name, "record");
	cr_assert_null(cmd_nearest("something-else-entirely"));
	cr_assert_null(cmd_find("rec"));
}
