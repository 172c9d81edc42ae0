#include "cli/roff.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char *
render(const char *page, int width, bool colour)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	roff_print(span_str(page), f, width, colour);
	fclose(f);
	return text;
}

Test(cli_roff, a_page_becomes_text)
{
	char *s = render(".TH X 1\n"
			 ".\\\" a comment\n"
			 ".SH NAME\n"
			 "x \\- does\n"
			 "things\n"
			 ".SH OPTIONS\n"
			 ".TP\n"
			 ".BR \\-n \", \" \\-\\-name =\\fIN\\fR\n"
			 "a name\n"
			 ".TP\n"
			 ".B \\-v\n"
			 "more\n"
			 ".PP\n"
			 "The end.\n"
			 ".nf\n"
			 "  as   is\n"
			 ".fi\n",
			 60, false);

	cr_assert_str_eq(s, "NAME\n"
			    "       x - does things\n"
			    "\n"
			    "OPTIONS\n"
			    "       -n, --name=N\n"
			    "              a name\n"
			    "\n"
			    "       -v     more\n"
			    "\n"
			    "       The end.\n"
			    "         as   is\n");
	free(s);
}

Test(cli_roff, lines_are_filled_to_the_width)
{
	char *s = render(".SH A\none two three four five six seven eight "
			 "nine ten eleven\n",
			 40, false);

	cr_assert_str_eq(s, "A\n"
			    "       one two three four five six seven\n"
			    "       eight nine ten eleven\n");
	free(s);
}

Test(cli_roff, fonts_come_with_colour_only)
{
	char *plain = render("\\fBa\\fR \\fIb\\fP\n", 60, false);
	char *fonts = render("\\fBa\\fR \\fIb\\fP\n", 60, true);

	cr_assert_str_eq(plain, "       a b\n");
	cr_assert_not_null(strstr(fonts, "\033[1ma\033[0m"));
	cr_assert_not_null(strstr(fonts, "\033[4mb\033[0m"));
	free(plain);
	free(fonts);
}

/* clang-format off */
#define PAGE(symbol, name, file) \
	extern const char page_##symbol[], page_##symbol##_end[];
#include "cli/pages.def"
#undef PAGE
/* clang-format on */

Test(cli_roff, every_page_of_ours_is_rendered_without_rests)
{
	static const struct {
		const char *text, *end;
	} pages[] = {
#define PAGE(symbol, name, file) { page_##symbol, page_##symbol##_end },
#include "cli/pages.def"
#undef PAGE
	};

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		char *s = render(pages[i].text, 80, false);

		cr_assert_eq(strlen(pages[i].text),
			     (size_t)(pages[i].end - pages[i].text));
		cr_assert_not_null(strstr(s, "\nSYNOPSIS\n"));
		cr_assert_null(strstr(s, "\\f"));
		cr_assert_null(strstr(s, "\n."));
		for (char *p = s, *end; (end = strchr(p, '\n')); p = end + 1)
			cr_assert_leq(end - p, 80, "%.*s", (int)(end - p), p);
		free(s);
	}
}
