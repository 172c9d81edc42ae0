#include "tui/history.h"

#define HISTORY_MAX 1000u

void
history_release(struct history *h)
{
	vec_free(&h->v);
	h->at = 0;
}

void
history_leave(struct history *h, struct pos from)
{
	h->v.len = h->at;
	if (h->v.len && pos_same(&h->v.v[h->v.len - 1], &from))
		return;
	if (h->v.len == HISTORY_MAX)
		vec_remove(&h->v, 0);
	vec_push(&h->v, from);
	h->at = h->v.len;
}

/*
 * Going back leaves the place we go to in the list and puts the one we
 * come from in its stead, so that the list always holds what is behind and
 * ahead, and never where we are.
 */
static void
swap(struct pos *a, struct pos *b)
{
	struct pos c = *a;

	*a = *b;
	*b = c;
}

bool
history_back(struct history *h, struct pos *pos)
{
	if (!h->at)
		return false;
	h->at--;
	swap(&h->v.v[h->at], pos);
	return true;
}

bool
history_forward(struct history *h, struct pos *pos)
{
	if (h->at >= h->v.len)
		return false;
	swap(&h->v.v[h->at], pos);
	h->at++;
	return true;
}
