#include "cli/table.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct column columns[] = {
	{ .name = "n", .number = true },
	{ .name = "text" },
	{ .name = "raw", .machine = true },
	{ .name = "last" },
};

/* Two rows through a table of the given form. */
static char *
print(struct cli c, const char *const *one, const char *const *two)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct table t;

	setlocale(LC_ALL, "C.UTF-8");
	table_begin(&t, &c, columns, ARRAY_LEN(columns), f);
	table_row(&t, one);
	if (two)
		table_row(&t, two);
	table_end(&t);
	fclose(f);
	return text;
}

static const char *const plain[] = { "7", "a", "x", "end" };
static const char *const odd[] = { "1234", "b\"\n\303\244", NULL, "" };

Test(cli_table, people_get_aligned_columns)
{
	char *s = print((struct cli){ 0 }, plain, odd);

	cr_assert_str_eq(s, "   N  TEXT   LAST\n"
			    "   7  a      end\n"
			    "1234  b\"\\n\303\244  \n");
	free(s);
}

Test(cli_table, json_is_one_object_a_line)
{
	char *s = print((struct cli){ .json = true }, plain, odd);

	cr_assert_str_eq(
		s,
		"{\"n\": 7, \"text\": \"a\", \"raw\": \"x\", \"last\": "
		"\"end\"}\n"
		"{\"n\": 1234, \"text\": \"b\\\"\\n\303\244\", \"raw\": null, "
		"\"last\": \"\"}\n");
	free(s);
}

Test(cli_table, csv_quotes_what_must_be_quoted)
{
	char *s = print((struct cli){ .csv = true }, plain, odd);

	cr_assert_str_eq(s, "n,text,raw,last\r\n"
			    "7,a,x,end\r\n"
			    "1234,\"b\"\"\n\303\244\",,\"\"\r\n");
	free(s);
}

Test(cli_table, json_numbers_are_numbers_only_when_they_read_so)
{
	static const char *const words[] = { "NaN",    "1e", "+1", "01",
					     "-0.5e3", "",   "1.", "-" };
	static const bool bare[] = { false, false, false, false,
				     true,  false, false, false };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *const row[] = { words[i], "", "", "" };
		char *s = print((struct cli){ .json = true }, row, NULL);
		char want[64];

		snprintf(want, sizeof(want),
			 bare[i] ? "{\"n\": %s," : "{\"n\": \"%s\",", words[i]);
		cr_assert(strncmp(s, want, strlen(want)) == 0, "%s", s);
		free(s);
	}
}

Test(cli_table, json_strings_are_utf8_whatever_the_bytes)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	json_string(f, "a\377\300\200\355\240\200\001\\z");
	fclose(f);
	cr_assert_str_eq(text, "\"a\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"
			       "\\u0001\\\\z\"");
	free(text);
}
