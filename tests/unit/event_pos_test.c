#include "event/pos.h"

#include <criterion/criterion.h>

static void
comes_back(const char *text)
{
	struct pos_spec spec;
	char out[POS_TEXT_MAX];

	cr_assert_eq(pos_parse(text, &spec, NULL), 0, "%s", text);
	cr_assert_eq(spec.form, POS_EXACT);
	cr_assert_str_eq(pos_format(&spec.pos, out), text);
}

Test(event_pos, an_exact_position_is_printed_as_it_was_typed)
{
	comes_back("e0");
	comes_back("e1234");
	comes_back("e1234+3");
	comes_back("e1234+0x401136#17");
	comes_back("e1234+0x401136#17+3");
	comes_back("e18446744073709551615+0xffffffffffffffff"
		   "#18446744073709551615+18446744073709551615");
}

Test(event_pos, the_first_visit_is_meant_when_none_is_given)
{
	struct pos_spec spec;

	cr_assert_eq(pos_parse("e7+0x401136", &spec, NULL), 0);
	cr_assert_eq(spec.pos.pc, 0x401136);
	cr_assert_eq(spec.pos.visit, 1);
}

Test(event_pos, an_arrival_may_count_from_another)
{
	static const char name[] = "e7+0x401136#17+0x4005f0#3+2";
	char text[POS_TEXT_MAX];
	struct pos_spec spec;

	cr_assert_eq(pos_parse(name, &spec, NULL), 0);
	cr_assert_eq(spec.pos.via_pc, 0x401136);
	cr_assert_eq(spec.pos.via_visit, 17);
	cr_assert_eq(spec.pos.pc, 0x4005f0);
	cr_assert_eq(spec.pos.visit, 3);
	cr_assert_eq(spec.pos.steps, 2);
	cr_assert_str_eq(pos_format(&spec.pos, text), name);
}

Test(event_pos, names_are_the_same_in_all_their_parts)
{
	const struct pos p = { 7, 1, 0x40, 2, 3, 0x50, 4 };
	struct pos q = p;

	q.task = 0;
	cr_assert(pos_same(&p, &q));
	q = p, q.via_pc++;
	cr_assert_not(pos_same(&p, &q));
	q = p, q.via_visit++;
	cr_assert_not(pos_same(&p, &q));
	q = p, q.visit++;
	cr_assert_not(pos_same(&p, &q));
	q = p, q.steps++;
	cr_assert_not(pos_same(&p, &q));
	q = p, q.seq++;
	cr_assert_not(pos_same(&p, &q));
}

Test(event_pos, the_longest_name_fits)
{
	const uint64_t most = UINT64_MAX;
	const struct pos p = { most, 1, most, most, most, most - 1, most };
	char text[POS_TEXT_MAX];
	struct pos_spec spec;

	cr_assert_eq(pos_parse(pos_format(&p, text), &spec, NULL), 0);
	cr_assert_eq(spec.pos.steps, most);
}

Test(event_pos, the_other_forms)
{
	struct pos_spec spec;

	cr_assert_eq(pos_parse("start", &spec, NULL), 0);
	cr_assert_eq(spec.form, POS_START);
	cr_assert_eq(pos_parse("end", &spec, NULL), 0);
	cr_assert_eq(spec.form, POS_END);
	cr_assert_eq(pos_parse("37%", &spec, NULL), 0);
	cr_assert_eq(spec.form, POS_PERCENT);
	cr_assert_float_eq(spec.number, 37, 1e-9);
	cr_assert_eq(pos_parse("12.5s", &spec, NULL), 0);
	cr_assert_eq(spec.form, POS_TIME);
	cr_assert_float_eq(spec.number, 12.5, 1e-9);
	cr_assert_eq(pos_parse("@here", &spec, NULL), 0);
	cr_assert_eq(spec.form, POS_MARK);
	cr_assert_str_eq(spec.mark, "here");
}

Test(event_pos, anything_else_is_refused)
{
	static const char *const bad[] = {
		"",	     "e",	  "1234",
		"e-1",	     "e+1",	  "e1 ",
		" e1",	     "e1+",	  "e1+0x",
		"e1+0x0",    "e1+0x5#0",  "e1+0x5#",
		"e1+0x5##1", "e1+0x5#1+", "e18446744073709551616",
		"101%",	     "%",	  "1e3s",
		"-1s",	     "s",	  ".s",
		"@",	     "START",	  "e1+0x10000000000000000",
		"nan%",
	};
	struct pos_spec spec;
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(pos_parse(bad[i], &spec, &err), -E_POSITION, "%s",
			     bad[i]);
		cr_assert_neq(err.text[0], '\0');
	}
}

static int
order_of(const char *a, const char *b)
{
	struct pos_spec x, y;
	int out = 99;

	cr_assert_eq(pos_parse(a, &x, NULL), 0, "%s", a);
	cr_assert_eq(pos_parse(b, &y, NULL), 0, "%s", b);
	return pos_order(&x.pos, &y.pos, &out) ? out : 99;
}

Test(event_pos, names_tell_the_order_where_they_can)
{
	cr_assert_lt(order_of("e3", "e4"), 0);
	cr_assert_gt(order_of("e5", "e4+0x10#7"), 0);
	cr_assert_lt(order_of("e4", "e4+0x10#1"), 0);
	cr_assert_gt(order_of("e4+1", "e4"), 0);
	cr_assert_lt(order_of("e4+0x10#2", "e4+0x10#11"), 0);
	cr_assert_lt(order_of("e4+0x10#2+1", "e4+0x10#2+3"), 0);
	cr_assert_eq(order_of("e4+0x10#2+1", "e4+0x10#2+1"), 0);
	cr_assert_eq(order_of("e4", "e4"), 0);
}

Test(event_pos, names_do_not_tell_the_order_of_different_places)
{
	cr_assert_eq(order_of("e4+0x10#1", "e4+0x20#1"), 99);
	cr_assert_eq(order_of("e4+0x10#2+9", "e4+0x10#3"), 99);
	cr_assert_eq(order_of("e4+7", "e4+0x10#3"), 99);
}
