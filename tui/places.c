/* Breakpoints by name, and their conditions. */
#include "sym/lines.h"
#include "tui/cond.h"
#include "tui/look_priv.h"

#include <stdlib.h>
#include <string.h>

/* The task's space, its mappings told. */
static struct space *
space_of(struct look *l, uint32_t task, struct arena *a, struct err *err)
{
	struct tui_moment m = { .task = task };
	const struct target_task *found = NULL;
	struct target *t = l->t;
	struct space *s;

	if (t->ops->tasks(t, a, &m.tasks, &m.n_tasks, err) < 0)
		return NULL;
	for (size_t i = 0; i < m.n_tasks; i++) {
		if (m.tasks[i].task == task && m.tasks[i].alive)
			found = &m.tasks[i];
	}
	if (!found) {
		err_set(err, E_NOT_FOUND, "no program runs here");
		return NULL;
	}
	if (t->ops->maps(t, task, a, &m.maps, &m.n_maps, err) < 0)
		return NULL;
	s = look_space(l, found->space, task);
	return look_tell_maps(s, &m, a, err) < 0 ? NULL : s;
}

static bool
is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static int
find_places(struct symbols *sym, const char *spec, const char *file,
	    uint64_t *out, size_t max, size_t *n, struct err *err)
{
	char *end;

	*n = 0;
	if (is_number(spec)) {
		if (!file)
			return err_set(err, E_USAGE,
				       "no source is shown here: FILE:%s",
				       spec);
		*n = symbols_places(sym, file, atoi(spec), out, max);
	} else if (!strncmp(spec, "0x", 2)) {
		out[0] = strtoull(spec, &end, 16);
		*n = *end == 0;
	} else {
		*n = symbols_named(sym, spec, out, max);
	}
	if (*n == 0)
		return err_set(err, E_NOT_FOUND,
			       "\"%s\" is no function, line or address of the "
			       "program",
			       spec);
	return 0;
}

int
look_places(struct look *l, uint32_t task, const char *spec, const char *file,
	    uint64_t *out, size_t max, size_t *n, struct err *err)
{
	struct arena a = { 0 };
	struct space *s = space_of(l, task, &a, err);
	int rc = s ? find_places(s->sym, spec, file, out, max, n, err)
		   : -E_NOT_FOUND;

	arena_free(&a);
	return rc;
}

/* ---- conditions */

/* Where a condition is asked. */
struct scope {
	struct space *s;
	struct sym_frame *frame;
	struct arena *a;
};

static bool
value(void *ctx, const char *name, int64_t *out)
{
	struct scope *c = ctx;
	struct sym_var v;

	if (symbols_var(c->s->sym, c->frame, name, c->a, &v, NULL) < 0)
		return false;
	*out = v.number;
	return v.counts;
}

bool
look_holds(struct look *l, uint32_t task, const char *cond)
{
	struct arena a = { 0 };
	struct scope c = { .s = space_of(l, task, &a, NULL), .a = &a };
	struct cond_env env = { .value = value, .ctx = &c };
	struct regs regs;
	size_t n = 0;
	bool yes = true;

	if (c.s && l->t->ops->regs(l->t, task, &regs, NULL) == 0 &&
	    symbols_backtrace(c.s->sym, &regs, 2, &a, &c.frame, &n, NULL) ==
		    0 &&
	    n)
		yes = cond_holds(&env, cond);
	arena_free(&a);
	return yes;
}
