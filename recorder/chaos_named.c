/*
 * Names become places file by file: what one names in a file is kept as offsets
 * in it, which are addresses wherever it is mapped.
 *
 *   --chaos-at=NAME --file mapped--> offsets --mappings of a space--> addresses
 *
 * A line stands for its first instruction and for those of it that touch
 * memory or call: between two of them is where a race is.
 */
#include "recorder/chaos_named.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LOG_DOMAIN "recorder"
#include "base/log.h"
#include "base/mem.h"
#include "recorder/engine.h"
#include "recorder/task.h"
#include "sym/lines.h"
#include "tracee/maps.h"

#define PLACES_OF_NAME 16u
#define LINE_BYTES 4096u
#define SPRING_PERCENT 90u
#define SPRING_LEAST 5u
#define SIGNAL_PERCENT 80u
#define TIRE 16u /* a place is worth half after so many visits of a task */

struct name {
	const char *spec; /* of chaos_opts */
	bool program;	  /* an address of the program itself */
	bool found, reached;
};

/* A place in a file. */
struct file_place {
	uint64_t offset;
	uint32_t name;
};

struct named_file {
	uint64_t dev, ino, size;
	struct timespec mtime;
	VEC(struct file_place) v;
};

/* The same in a space. */
struct space_place {
	uint64_t pc;
	uint32_t name;
};

struct named_space {
	uint64_t version; /* 0: to be looked at */
	VEC(struct space_place) v;
};

struct names {
	VEC(struct name) v;
	VEC(struct named_file *) files;
	struct map spaces; /* number -> struct named_space */
	uint64_t version;
	bool refused; /* there are no debug registers */
};

/* --- state -------------------------------------------------------------------
 */

void
named_init(struct chaos *c)
{
	struct names *n;

	if (c->opts->at.len == 0)
		return;
	n = mem_zalloc(sizeof(*n));
	for (size_t i = 0; i < c->opts->at.len; i++) {
		const char *spec = c->opts->at.v[i];

		vec_push(&n->v, ((struct name){
					.spec = spec,
					.program = strncmp(spec, "0x", 2) == 0,
				}));
	}
	c->names = n;
}

void
named_release(struct chaos *c)
{
	struct names *n = c->names;
	size_t it = 0;
	uint64_t number;
	void *value;

	if (n == NULL)
		return;
	for (size_t i = 0; i < n->files.len; i++) {
		vec_free(&n->files.v[i]->v);
		mem_free(n->files.v[i]);
	}
	while (map_next(&n->spaces, &it, &number, &value)) {
		vec_free(&((struct named_space *)value)->v);
		mem_free(value);
	}
	map_free(&n->spaces);
	vec_free(&n->files);
	vec_free(&n->v);
	mem_free(n);
	c->names = NULL;
}

void
named_leaves(struct recorder *r, const struct task *t)
{
	const struct sys_call *sc = &t->call.sc;
	struct named_space *s;

	if (r->chaos->names == NULL || t->proc == NULL)
		return;
	if (sc->nr != SYS_mremap &&
	    ((sc->nr != SYS_mmap && sc->nr != SYS_mprotect &&
	      sc->nr != SYS_pkey_mprotect) ||
	     !(sc->args[2] & PROT_EXEC)))
		return;
	s = map_get(&r->chaos->names->spaces, task_space(t)->number);
	if (s != NULL)
		s->version = 0;
}

/* --- names in a file ---------------------------------------------------------
 */

/* One file, as it lies in the space of a task. */
struct look {
	const struct task *task;
	const struct maps *maps;
	const struct vma *first;
	struct symbols *sym;
	struct arena arena;
};

static int64_t
read_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	const struct look *l = ctx;

	return mem_read(&task_space(l->task)->mem, addr, out, n);
}

static bool
is_same_file(const struct vma *a, const struct vma *b)
{
	return a->ino == b->ino && a->dev == b->dev;
}

static void
add_place(const struct look *l, struct named_file *f, uint64_t pc,
	  uint32_t name)
{
	const struct vma *v = maps_find(l->maps, pc);
	struct file_place p = { .name = name };

	if (v == NULL || !is_same_file(v, l->first) || !(v->prot & PROT_EXEC))
		return;
	p.offset = pc - v->start + v->offset;
	for (size_t i = 0; i < f->v.len; i++)
		if (f->v.v[i].offset == p.offset && f->v.v[i].name == name)
			return;
	vec_push(&f->v, p);
}

/* What the line at pc touches. */
static void
add_line(struct look *l, struct named_file *f, uint64_t pc, uint32_t name)
{
	uint8_t code[LINE_BYTES];
	struct sym_lines lines;
	const struct sym_row *at;

	if (!symbols_lines(l->sym, pc, false, &l->arena, &lines) ||
	    (at = lines_row(&lines, pc)) == NULL)
		return;
	for (size_t i = 0; i < lines.n; i++) {
		const struct sym_row *row = &lines.rows[i];
		uint64_t len = row->end - row->start;
		struct places found = { .len = 0 };

		if (row->id != at->id || len > sizeof(code) ||
		    read_memory(l, row->start, code, len) != (int64_t)len)
			continue;
		places_find(span_of(code, len), row->start, &found);
		for (size_t k = 0; k < found.len; k++)
			add_place(l, f, found.v[k].pc, name);
	}
}

/* Its mappings, the file by a path that can be opened. */
static int
open_symbols(struct look *l)
{
	const struct sym_ops ops = { .read = read_memory, .ctx = l };
	VEC(struct sym_map) maps = { 0 };
	char *path =
		mem_printf("/proc/%d/root%s", l->task->tid, l->first->name);
	int ret;

	for (size_t i = 0; i < l->maps->len; i++) {
		const struct vma *v = &l->maps->v[i];

		if (is_same_file(v, l->first))
			vec_push(&maps, ((struct sym_map){
						.start = v->start,
						.end = v->end,
						.offset = v->offset,
						.prot = v->prot,
						.path = path,
						.shown = v->name,
					}));
	}
	l->sym = symbols_new(&ops);
	ret = symbols_set_maps(l->sym, maps.v, maps.len, NULL);
	vec_free(&maps);
	mem_free(path);
	return ret;
}

static void
look_into(struct names *n, const struct task *t, const struct maps *maps,
	  const struct vma *first, struct named_file *f)
{
	struct look l = { .task = t, .maps = maps, .first = first };
	uint64_t pc[PLACES_OF_NAME];

	if (open_symbols(&l) == 0) {
		for (uint32_t i = 0; i < n->v.len; i++) {
			const char *spec = n->v.v[i].spec;
			const char *colon = strrchr(spec, ':');
			size_t len =
				symbols_named(l.sym, spec, pc, PLACES_OF_NAME);

			for (size_t k = 0; k < len; k++) {
				add_place(&l, f, pc[k], i);
				if (colon != NULL && colon[1] > '0' &&
				    colon[1] <= '9')
					add_line(&l, f, pc[k], i);
			}
		}
	}
	symbols_free(l.sym);
	arena_free(&l.arena);
	log_debug("%s: %zu named places", first->name, f->v.len);
}

static const struct named_file *
file_of(struct names *n, const struct task *t, const struct maps *maps,
	const struct vma *v)
{
	char *path = mem_printf("/proc/%d/root%s", t->tid, v->name);
	struct named_file *f;
	struct stat st;
	int ret = stat(path, &st);

	mem_free(path);
	if (ret < 0)
		return NULL;
	for (size_t i = 0; i < n->files.len; i++) {
		f = n->files.v[i];
		if (f->dev == v->dev && f->ino == v->ino &&
		    f->size == (uint64_t)st.st_size &&
		    f->mtime.tv_sec == st.st_mtim.tv_sec &&
		    f->mtime.tv_nsec == st.st_mtim.tv_nsec)
			return f;
	}
	f = mem_zalloc(sizeof(*f));
	f->dev = v->dev;
	f->ino = v->ino;
	f->size = (uint64_t)st.st_size;
	f->mtime = st.st_mtim;
	vec_push(&n->files, f);
	look_into(n, t, maps, v, f);
	return f;
}

/* --- places in a space -------------------------------------------------------
 */

/* Is it the file that was executed? */
static bool
is_program(const struct task *t, const struct vma *v)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", t->tid);
	return stat(path, &st) == 0 && st.st_ino == v->ino;
}

static void
add_mapping(struct names *n, struct named_space *s, const struct task *t,
	    const struct maps *maps, const struct vma *v)
{
	const struct named_file *f = file_of(n, t, maps, v);

	for (size_t i = 0; f != NULL && i < f->v.len; i++) {
		const struct file_place *p = &f->v.v[i];
		struct name *name = &n->v.v[p->name];

		if (p->offset < v->offset ||
		    p->offset >= v->offset + (v->end - v->start) ||
		    (name->program && !is_program(t, v)))
			continue;
		name->found = true;
		vec_push(&s->v, ((struct space_place){
					.pc = v->start + p->offset - v->offset,
					.name = p->name,
				}));
	}
}

static struct named_space *
space_of(struct recorder *r, const struct task *t)
{
	struct names *n = r->chaos->names;
	uint32_t number = task_space(t)->number;
	struct named_space *s = map_get(&n->spaces, number);
	struct arena arena = { 0 };
	struct maps maps;

	if (s != NULL && s->version != 0)
		return s;
	if (s == NULL) {
		s = mem_zalloc(sizeof(*s));
		map_set(&n->spaces, number, s);
	}
	s->version = ++n->version;
	vec_clear(&s->v);
	if (maps_read(t->tid, &arena, &maps, NULL) == 0) {
		for (size_t i = 0; i < maps.len; i++) {
			const struct vma *v = &maps.v[i];

			if ((v->prot & PROT_EXEC) && v->ino != 0)
				add_mapping(n, s, t, &maps, v);
		}
	}
	arena_free(&arena);
	return s;
}

/* As long as it is alone, and no signal waits for it to come by, it is watched
 * for what nobody has reached so far. */
static bool
is_wanted(const struct recorder *r, const struct task *t, const struct name *n)
{
	return r->tasks.len > 1 || !n->reached ||
	       (t->stash.signo != 0 && !t->stash.sent);
}

uint64_t
named_version(struct recorder *r, const struct task *t)
{
	return space_of(r, t)->version << 1 | (r->tasks.len > 1);
}

unsigned
named_choose(struct recorder *r, const struct task *t, uint64_t here,
	     struct ambush *out, unsigned max, bool *at, bool *all)
{
	const struct named_space *s = space_of(r, t);
	const struct names *n = r->chaos->names;
	unsigned seen = 0, k;

	*at = false;
	for (size_t i = 0; i < s->v.len; i++) {
		const struct space_place *p = &s->v.v[i];

		*at |= p->pc == here;
		if (p->pc == here || !is_wanted(r, t, &n->v.v[p->name]))
			continue;
		/* Each of them is as likely as any other. */
		k = seen++;
		if (k >= max)
			k = (unsigned)chaos_below(r->chaos, seen);
		if (k < max)
			out[k] = (struct ambush){ .pc = p->pc, .left = 1 };
	}
	*all = seen <= max;
	return seen < max ? seen : max;
}

/* --- there -------------------------------------------------------------------
 */

void
named_reached(struct recorder *r, const struct task *t, uint64_t pc)
{
	const struct named_space *s = space_of(r, t);

	for (size_t i = 0; i < s->v.len; i++)
		if (s->v.v[i].pc == pc)
			r->chaos->names->v.v[s->v.v[i].name].reached = true;
}

void
named_refused(struct recorder *r)
{
	r->chaos->names->refused = true;
}

bool
named_springs(struct recorder *r, const struct task *t)
{
	struct chaos_task *ct = chaos_task(r, t);
	unsigned percent = SPRING_PERCENT * TIRE / (TIRE + ct->named++);

	if (t->stash.signo != 0 && !t->stash.sent)
		percent = SIGNAL_PERCENT;
	if (percent < SPRING_LEAST)
		percent = SPRING_LEAST;
	return chaos_chance(r->chaos, percent);
}

void
named_finish(struct recorder *r)
{
	const struct names *n = r->chaos->names;

	for (size_t i = 0; i < n->v.len; i++) {
		const struct name *name = &n->v.v[i];

		if (!name->found)
			warn(r, NULL, WARN_NAMED, -1,
			     "--chaos-at=%s: no program that ran has such a "
			     "function, line or address",
			     name->spec);
		else if (!name->reached)
			warn(r, NULL, WARN_NAMED, -1, "--chaos-at=%s: %s",
			     name->spec,
			     n->refused ? "cannot be watched, there are no "
					  "debug registers"
					: "was never reached");
	}
}
