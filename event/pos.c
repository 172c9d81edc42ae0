#include "event/pos.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
pos_format(const struct pos *p, char text[POS_TEXT_MAX])
{
	int n = snprintf(text, POS_TEXT_MAX, "e%" PRIu64, p->seq);

	if (p->via_pc)
		n += snprintf(text + n, POS_TEXT_MAX - (size_t)n,
			      "+0x%" PRIx64 "#%" PRIu64, p->via_pc,
			      p->via_visit);
	if (p->pc)
		n += snprintf(text + n, POS_TEXT_MAX - (size_t)n,
			      "+0x%" PRIx64 "#%" PRIu64, p->pc,
			      p->visit ? p->visit : 1);
	if (p->steps)
		snprintf(text + n, POS_TEXT_MAX - (size_t)n, "+%" PRIu64,
			 p->steps);
	return text;
}

static int
order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static bool
at_event(const struct pos *p)
{
	return p->pc == 0 && p->steps == 0;
}

bool
pos_same(const struct pos *a, const struct pos *b)
{
	return a->seq == b->seq && a->pc == b->pc && a->visit == b->visit &&
	       a->steps == b->steps && a->via_pc == b->via_pc &&
	       a->via_visit == b->via_visit;
}

bool
pos_order(const struct pos *a, const struct pos *b, int *out)
{
	if (a->seq != b->seq || at_event(a) || at_event(b)) {
		*out = a->seq != b->seq ? order(a->seq, b->seq)
					: at_event(b) - at_event(a);
		return true;
	}
	/* Steps from one arrival may lead beyond the next. */
	if (a->pc != b->pc || a->via_pc != b->via_pc ||
	    a->via_visit != b->via_visit ||
	    (a->visit != b->visit && (a->steps != 0 || b->steps != 0)))
		return false;
	*out = a->visit != b->visit ? order(a->visit, b->visit)
				    : order(a->steps, b->steps);
	return true;
}

/* Digits of the given base at *s as a number; moves *s behind them. */
static bool
number(const char **s, int base, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = *s;

	for (;; p++) {
		unsigned d;

		if (isdigit((unsigned char)*p))
			d = (unsigned)(*p - '0');
		else if (base == 16 && isxdigit((unsigned char)*p))
			d = (unsigned)(tolower((unsigned char)*p) - 'a') + 10;
		else
			break;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

/* "+0x401136#17"; false when it is wrong, *pc is 0 when there is none. */
static bool
parse_arrival(const char **s, uint64_t *pc, uint64_t *visit)
{
	const char *p = *s;

	*pc = *visit = 0;
	if (p[0] != '+' || p[1] != '0' || (p[2] != 'x' && p[2] != 'X'))
		return true;
	p += 3;
	if (!number(&p, 16, pc) || *pc == 0)
		return false;
	*visit = 1;
	if (*p == '#') {
		p++;
		if (!number(&p, 10, visit) || *visit == 0)
			return false;
	}
	*s = p;
	return true;
}

/* "e1234", "e1234+0x401136#17+3", "e1234+0x401136#17+0x4005f0#3", "e1234+3". */
static bool
parse_exact(const char *s, struct pos *out)
{
	struct pos p = { 0 };

	if (*s++ != 'e' || !number(&s, 10, &p.seq))
		return false;
	if (!parse_arrival(&s, &p.pc, &p.visit))
		return false;
	if (p.pc) {
		uint64_t pc, visit;

		if (!parse_arrival(&s, &pc, &visit) || pc == p.pc)
			return false;
		if (pc) {
			p.via_pc = p.pc;
			p.via_visit = p.visit;
			p.pc = pc;
			p.visit = visit;
		}
	}
	if (*s == '+') {
		s++;
		if (!number(&s, 10, &p.steps))
			return false;
	}
	if (*s != '\0')
		return false;
	*out = p;
	return true;
}

/* A plain decimal number followed by exactly suffix; no sign, no exponent, no
 * locale. */
static bool
parse_decimal(const char *s, const char *suffix, double *out)
{
	const char *p = s;
	double v = 0, scale = 1;
	size_t digits = 0;

	for (; isdigit((unsigned char)*p); p++, digits++)
		v = v * 10 + (*p - '0');
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++, digits++) {
			scale /= 10;
			v += (*p - '0') * scale;
		}
	if (digits == 0 || digits > 30 || strcmp(p, suffix) != 0)
		return false;
	*out = v;
	return true;
}

int
pos_parse(const char *text, struct pos_spec *out, struct err *err)
{
	struct pos_spec spec = { 0 };

	if (strcmp(text, "start") == 0) {
		spec.form = POS_START;
	} else if (strcmp(text, "end") == 0) {
		spec.form = POS_END;
	} else if (text[0] == '@' && text[1] != '\0') {
		spec.form = POS_MARK;
		spec.mark = text + 1;
	} else if (parse_exact(text, &spec.pos)) {
		spec.form = POS_EXACT;
	} else if (parse_decimal(text, "%", &spec.number)) {
		spec.form = POS_PERCENT;
		if (spec.number > 100)
			return err_set(err, E_POSITION,
				       "\"%s\" is beyond 100%%", text);
	} else if (parse_decimal(text, "s", &spec.number)) {
		spec.form = POS_TIME;
	} else {
		return err_set(err, E_POSITION,
			       "\"%s\" is not a position: use e1234, "
			       "e1234+0x401136#17, start, end, 37%%, 12.5s "
			       "or @bookmark",
			       text);
	}
	*out = spec;
	return 0;
}
