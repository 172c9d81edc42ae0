#include "event/event.h"

#include <string.h>

static const struct {
	unsigned id;
	const char *name;
} kinds[] = {
#define EVENT_KIND(id, name, what) { (id), #name },
#include "event/kind.def"
#undef EVENT_KIND
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *
event_kind_name(unsigned kind)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].id == kind)
			return kinds[i].name;
	return "?";
}

unsigned
event_kind_by_name(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].id;
	return 0;
}

int
event_equal(const struct event *a, const struct event *b)
{
	return a->seq == b->seq && a->time_ns == b->time_ns &&
	       a->dur_ns == b->dur_ns && a->task == b->task &&
	       a->flags == b->flags && a->kind == b->kind &&
	       a->call == b->call && a->reghash == b->reghash &&
	       a->pc == b->pc && a->sp == b->sp && a->ret == b->ret &&
	       memcmp(a->args, b->args, sizeof(a->args)) == 0 &&
	       span_eq(a->payload, b->payload);
}
