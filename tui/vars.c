/*
 * Variables in scope in the frame whose source is shown. Enter opens and
 * closes what has parts; what changed since the last stop has a star.
 */
#include <inttypes.h>
#include <string.h>

#include "tui/ui.h"

/* Paths that are open are so in every frame that has them. */
struct vars_view {
	struct view view;
	VEC(char *) open;
};

static const struct sym_var *
var_before(const struct ui *ui, const char *path)
{
	const struct tui_moment *b = &ui->before.m, *m = &ui->moment.m;

	if (!ui->before.valid || b->task != m->task || !b->vars_function ||
	    !m->vars_function || strcmp(b->vars_function, m->vars_function))
		return NULL;
	for (size_t i = 0; i < b->n_vars; i++)
		if (!strcmp(b->vars[i].path, path))
			return &b->vars[i];
	return NULL;
}

static void
add_var(struct view *v, const struct sym_var *var, size_t at)
{
	const struct sym_var *old = var_before(v->ui, var->path);
	bool changed = old && strcmp(old->value, var->value) != 0;
	struct buf text = { 0 };
	struct line *line;

	buf_printf(&text, "%*s%c %s", 2 * (int)var->depth, "",
		   !var->parts ? ' '
		   : var->open ? '-'
			       : '+',
		   var->name);
	if (var->value && *var->value)
		buf_printf(&text, " = %s", var->value);
	if (var->type)
		buf_printf(&text, "  %s", var->type);
	line = lines_add(&v->lines, changed ? STYLE_CHANGED : STYLE_NORMAL,
			 buf_cstr(&text));
	line->gutter = changed ? '*' : 0;
	line->num = at;
	buf_free(&text);
}

static void
vars_update(struct view *v, unsigned dirty)
{
	const struct tui_moment *m = &v->ui->moment.m;

	if (!(dirty & DIRTY_MOMENT) || !moment_known(v))
		return;
	lines_clear(&v->lines);
	for (size_t i = 0; i < m->n_vars; i++)
		add_var(v, &m->vars[i], i);
	if (m->n_vars)
		return;
	if (!m->has_regs)
		lines_add(&v->lines, STYLE_DIM,
			  m->note ? m->note : "no task here");
	else
		lines_add_wrapped(&v->lines, STYLE_DIM, v->rect.w - 1,
				  "no variables: the program was built without "
				  "-g, or this frame has none");
}

static void
toggle(struct vars_view *w, const char *path)
{
	for (size_t i = 0; i < w->open.len; i++) {
		if (strcmp(w->open.v[i], path) != 0)
			continue;
		mem_free(w->open.v[i]);
		w->open.v[i] = w->open.v[--w->open.len];
		return;
	}
	vec_push(&w->open, mem_strdup(path));
}

const char *const *
vars_open(const struct ui *ui, size_t *n)
{
	const struct vars_view *w =
		(const struct vars_view *)ui->views[VIEW_VARS];

	*n = w->open.len;
	return (const char *const *)w->open.v;
}

static bool
vars_request(struct view *v, enum request r, uint64_t count)
{
	const struct tui_moment *m = &v->ui->moment.m;
	const struct line *line = lines_current(&v->lines);
	const struct sym_var *var;

	(void)count;
	if (r != REQ_ENTER || !line || !v->ui->moment.valid ||
	    line->num >= m->n_vars)
		return false;
	var = &m->vars[line->num];
	if (!var->parts)
		return true;
	toggle((struct vars_view *)v, var->path);
	moment_want(v->ui);
	return true;
}

static void
vars_label(const struct view *v, struct buf *out)
{
	const struct tui_moment *m = &v->ui->moment.m;

	if (v->ui->moment.valid && m->vars_function)
		buf_printf(out, " %s", m->vars_function);
	state_label(v, out);
}

static void
vars_release(struct view *v)
{
	struct vars_view *w = (struct vars_view *)v;

	for (size_t i = 0; i < w->open.len; i++)
		mem_free(w->open.v[i]);
	vec_free(&w->open);
}

const struct view_ops vars_ops = {
	.title = "Vars",
	.slot = SLOT_STATE,
	.size = sizeof(struct vars_view),
	.update = vars_update,
	.request = vars_request,
	.label = vars_label,
	.release = vars_release,
};
