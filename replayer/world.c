#include "replayer/internal.h"

#include "base/mem.h"

struct world *
world_new(void)
{
	return mem_zalloc(sizeof(struct world));
}

struct puppet *
world_puppet(struct world *w, uint32_t task)
{
	return map_get(&w->puppets, task);
}

struct puppet *
world_add_puppet(struct world *w, uint32_t task)
{
	struct puppet *p = mem_zalloc(sizeof(*p));

	p->task = task;
	map_set(&w->puppets, task, p);
	return p;
}

struct group *
world_group(struct world *w, uint32_t num)
{
	struct group *g = map_get(&w->groups, num);

	if (!g) {
		g = mem_zalloc(sizeof(*g));
		g->num = num;
		map_set(&w->groups, num, g);
	}
	return g;
}

struct space *
world_add_space(struct world *w, uint32_t num)
{
	struct space *s = mem_zalloc(sizeof(*s));

	s->num = num;
	s->mem.fd = -1;
	s->cpu = -1;
	map_set(&w->spaces, num, s);
	return s;
}

struct space *
world_add_copy(struct world *w, uint32_t num, const struct space *from)
{
	struct space *s = world_add_space(w, num);

	s->brk = from->brk;
	s->brk_start = from->brk_start;
	s->stack = from->stack;
	s->cpu = from->cpu;
	s->traps_tsc = from->traps_tsc;
	s->has_agent = from->has_agent; /* as its memory */
	s->exe = from->exe ? mem_strdup(from->exe) : NULL;
	buf_put(&s->auxv, from->auxv.p, from->auxv.len);
	return s;
}

void
world_enter_space(struct puppet *p, struct space *s)
{
	p->space = s;
	s->users++;
}

static void
space_free(struct space *s)
{
	mem_close(&s->mem);
	buf_free(&s->auxv);
	vec_free(&s->unforked);
	mem_free(s->exe);
	mem_free(s);
}

void
world_leave_space(struct world *w, struct puppet *p)
{
	struct space *s = p->space;

	p->space = NULL;
	if (!s || --s->users > 0)
		return;
	/* A space with the same number may be in the making already. */
	if (map_get(&w->spaces, s->num) == s)
		map_del(&w->spaces, s->num);
	space_free(s);
}

void
world_drop_space(struct world *w, struct space *s)
{
	map_del(&w->spaces, s->num);
	space_free(s);
}

struct puppet *
world_in_space(struct world *w, const struct space *s)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&w->puppets, &it, &key, &val)) {
		struct puppet *p = val;

		if (p->space == s && p->pid)
			return p;
	}
	return NULL;
}

void
world_remove_puppet(struct world *w, struct puppet *p)
{
	puppet_kill(&p->pid);
	world_leave_space(w, p);
	if (p->group && --p->group->users == 0) {
		map_del(&w->groups, p->group->num);
		mem_free(p->group);
	}
	fdtab_release(p->fds);
	buf_free(&p->out);
	map_del(&w->puppets, p->task);
	mem_free(p);
}

struct shared *
world_shared(struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->shared.len; i++) {
		if (w->shared.v[i]->id == id)
			return w->shared.v[i];
	}
	return NULL;
}

void
world_free(struct replayer *r, struct world *w)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	if (!w)
		return;
	while (it = 0, map_next(&w->puppets, &it, &key, &val)) {
		puppet_kill_later(r, val);
		world_remove_puppet(w, val);
	}
	puppet_reap(r, false);
	for (size_t i = 0; i < w->shared.len; i++)
		sharedmem_free(r, w->shared.v[i]);
	vec_free(&w->shared);
	inside_clear(&w->inside);
	map_free(&w->puppets);
	map_free(&w->spaces);
	map_free(&w->groups);
	mem_free(w);
}
