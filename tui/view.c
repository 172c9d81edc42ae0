#include "tui/view.h"

struct view *
view_new(const struct view_ops *ops, struct ui *ui)
{
	struct view *v = mem_zalloc(ops->size);

	ASSERT(ops->size >= sizeof(*v));
	v->ops = ops;
	v->ui = ui;
	v->dirty = DIRTY_ALL;
	return v;
}

void
view_free(struct view *v)
{
	if (!v)
		return;
	if (v->ops->release)
		v->ops->release(v);
	lines_release(&v->lines);
	mem_free(v);
}

void
view_draw(struct view *v, const struct rect *r, bool focus)
{
	unsigned dirty = v->dirty;

	if (r->h != v->rect.h || r->w != v->rect.w)
		dirty |= DIRTY_SIZE;
	v->rect = *r;
	v->dirty = 0;
	if (dirty)
		v->ops->update(v, dirty);
	if (v->ops->draw)
		v->ops->draw(v, r, focus);
	else
		lines_draw(&v->lines, r, focus);
}

bool
view_request(struct view *v, enum request r, uint64_t count)
{
	if (v->ops->request && v->ops->request(v, r, count))
		return true;
	return !v->ops->draw && lines_request(&v->lines, r, count);
}
