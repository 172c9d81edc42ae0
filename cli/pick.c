#include "cli/pick.h"

#include <string.h>

#include "store/query.h"
#include "store/store.h"

int
pick_recording(struct cli *c, const char *rec, uint64_t *out, struct err *err)
{
	return store_find(c->db, rec, out, err);
}

static int
pick_mark(struct cli *c, uint64_t rec, const char *name, struct pos *out,
	  struct err *err)
{
	struct mark_row *marks = NULL;
	struct pos_spec spec;
	size_t n = 0;
	int ret;

	ret = query_marks(c->db, rec, &c->arena, &marks, &n, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(marks[i].name, name) != 0)
			continue;
		ret = pos_parse(marks[i].pos, &spec, err);
		if (ret == 0)
			*out = spec.pos;
		return ret;
	}
	ret = err_set(err, E_NOT_FOUND, "recording %lu has no bookmark '%s'",
		      rec, name);
	if (n > 0)
		err_hint(err, "one that it has: @%s", marks[0].name);
	else
		err_hint(err, "it has none; 'm' in 'pastime tui' sets one");
	return ret;
}

int
pick_position(struct cli *c, uint64_t rec, const char *text, struct pos *out,
	      struct err *err)
{
	struct recording_row row;
	struct pos_spec spec = { .form = POS_START };
	struct pos pos = { 0 };
	int ret;

	if (text) {
		ret = pos_parse(text, &spec, err);
		if (ret < 0)
			return ret;
	}
	ret = query_recording(c->db, rec, &c->arena, &row, err);
	if (ret < 0)
		return ret;
	switch (spec.form) {
	case POS_START:
		break;
	case POS_EXACT:
		pos = spec.pos;
		break;
	case POS_END:
		pos.seq = row.events;
		break;
	case POS_PERCENT:
		pos.seq = (uint64_t)(spec.number / 100 * (double)row.events);
		break;
	case POS_TIME:
		ret = query_seq_at_time(c->db, rec,
					(uint64_t)(spec.number * 1e9), &pos.seq,
					err);
		break;
	case POS_MARK:
		ret = pick_mark(c, rec, spec.mark, &pos, err);
		break;
	}
	if (ret < 0)
		return ret;
	if (pos.seq > row.events) {
		ret = err_set(err, E_POSITION,
			      "there is no event e%lu: recording %lu ends with "
			      "e%lu",
			      pos.seq, rec, row.events);
		err_hint(err,
			 "positions are e0 to e%lu, start, end, 37%%, "
			 "12.5s, @bookmark",
			 row.events);
		return ret;
	}
	*out = pos;
	return 0;
}
