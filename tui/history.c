#include "tui/history.h"

#define HISTORY_MAX 1000u

void
history_release(struct history *h)
{
	vec_free(&h->v);
	h->at = 0;
}

void
history_leave(struct history *h, uint64_t seq)
{
	h->v.len = h->at;
	if (h->v.len && h->v.v[h->v.len - 1] == seq)
		return;
	if (h->v.len == HISTORY_MAX)
		vec_remove(&h->v, 0);
	vec_push(&h->v, seq);
	h->at = h->v.len;
}

/*
 * Going back leaves the place we go to in the list and puts the one we
 * come from in its stead, so that the list always holds what is behind and
 * ahead, and never where we are.
 */
bool
history_back(struct history *h, uint64_t now, uint64_t *out)
{
	if (!h->at)
		return false;
	h->at--;
	*out = h->v.v[h->at];
	h->v.v[h->at] = now;
	return true;
}

bool
history_forward(struct history *h, uint64_t now, uint64_t *out)
{
	if (h->at >= h->v.len)
		return false;
	*out = h->v.v[h->at];
	h->v.v[h->at] = now;
	h->at++;
	return true;
}
