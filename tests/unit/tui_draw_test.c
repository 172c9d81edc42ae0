#include "tui/draw.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tui/tty.h"

static struct tty *
open_screen(void)
{
	struct err err = { 0 };
	struct tty *t = NULL;

	cr_assert_eq(tty_open_headless(&t, 4, 20, &err), 0, "%s", err.text);
	return t;
}

static char *
dump(struct tty *t)
{
	struct buf b = { 0 };
	char *text;

	tty_dump(t, &b);
	text = mem_strdup(buf_cstr(&b));
	buf_free(&b);
	return text;
}

Test(tui_draw, text_that_does_not_fit_says_so)
{
	struct tty *t = open_screen();
	char *text;

	cr_assert_eq(draw_text(0, 0, 8, 0, STYLE_NORMAL, "12345678"), 8);
	cr_assert_eq(draw_text(1, 0, 8, 0, STYLE_NORMAL, "123456789"), 8);
	cr_assert_eq(draw_text(2, 0, 8, 4, STYLE_NORMAL, "12345678"), 4);
	text = dump(t);
	cr_assert_str_eq(text, "12345678\n1234567…\n5678\n\n");
	mem_free(text);
	tty_close(t);
}

Test(tui_draw, wide_characters_are_counted_in_columns)
{
	struct tty *t = open_screen();
	char *text;

	cr_assert_eq(draw_width("中文x"), 5);
	draw_text(0, 0, 5, 0, STYLE_NORMAL, "中文x");
	draw_text(1, 0, 4, 0, STYLE_NORMAL, "中文x");
	text = dump(t);
	cr_assert_str_eq(text, "中文x\n中 …\n\n\n");
	mem_free(text);
	tty_close(t);
}

Test(tui_draw, nothing_that_a_program_wrote_reaches_the_terminal)
{
	struct tty *t = open_screen();
	char *text;

	draw_text(0, 0, 20, 0, STYLE_NORMAL, "a\033[31mb\007\177c");
	draw_text(1, 0, 20, 0, STYLE_NORMAL, "\xff\xfex");
	draw_text(2, 0, 20, 0, STYLE_NORMAL, "x\ty");
	text = dump(t);
	cr_assert_str_eq(text, "a·[31mb··c\n??x\nx       y\n\n");
	mem_free(text);
	tty_close(t);
}

Test(tui_draw, numbers_and_times_for_people)
{
	char out[DRAW_NUMBER_MAX];

	cr_assert_str_eq(draw_number(0, out), "0");
	cr_assert_str_eq(draw_number(999, out), "999");
	cr_assert_str_eq(draw_number(1000, out), "1 000");
	cr_assert_str_eq(draw_number(UINT64_MAX, out),
			 "18 446 744 073 709 551 615");
	cr_assert_str_eq(draw_time(4512000000, out), "00:04.512");
	cr_assert_str_eq(draw_time(3723004000000, out), "1:02:03.004");
	cr_assert_str_eq(draw_duration(999, out), "0us");
	cr_assert_str_eq(draw_duration(12000, out), "12us");
	cr_assert_str_eq(draw_duration(3200000, out), "3.2ms");
	cr_assert_str_eq(draw_duration(45000000, out), "45ms");
	cr_assert_str_eq(draw_duration(1500000000, out), "1.5s");
	cr_assert_str_eq(draw_duration(UINT64_MAX, out), "18446744073s");
}

Test(tui_draw, a_locale_without_utf8_gets_ascii)
{
	setlocale(LC_CTYPE, "C");
	for (int g = 0; g < GLYPH_COUNT; g++)
		for (const char *p = draw_glyph((enum glyph)g); *p; p++)
			cr_assert_leq((uint8_t)*p, 0x7f);
	for (int i = -1; i < 10; i++)
		cr_assert_leq((uint8_t)*draw_level(i), 0x7f);
	setlocale(LC_CTYPE, "C.UTF-8");
	cr_assert_str_eq(draw_level(8), "█");
	cr_assert_str_eq(draw_level(99), "█");
	cr_assert_str_eq(draw_level(-5), " ");
}

static void
theme_is_refused(const char *text, const char *why)
{
	char path[] = "/tmp/tui_theme.XXXXXX";
	struct err err = { 0 };
	int fd = mkstemp(path);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	cr_assert_eq(draw_load_theme(path, &err), -E_FORMAT);
	cr_assert_not_null(strstr(err.text, why), "%s", err.text);
	unlink(path);
}

Test(tui_draw, a_mistake_in_a_theme_is_told_with_its_line)
{
	struct err err = { 0 };

	theme_is_refused("title bold green\nnothing red\n",
			 ":2: there is no style \"nothing\"");
	theme_is_refused("# mine\n\ntitle mauve\n",
			 ":3: \"mauve\" is no colour");
	theme_is_refused("error 256\n", ":1: \"256\" is no colour");
	cr_assert_eq(draw_load_theme("/nonexistent/theme", &err), 0);
}
