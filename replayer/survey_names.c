/* Where in a space the functions and the variable are, and what is where. */
#include "replayer/survey_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "replayer/target_sym.h"
#include "sym/vars.h"
#include "tracee/maps.h"

/* ---- symbols */

static int64_t
read_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct survey *t = ((struct survey_names *)ctx)->t;
	struct target *target = replayer_target(t->r);

	return target->ops->read(target, t->task, addr, out, n);
}

static void
names_free(struct survey_names *n)
{
	if (!n || --n->users > 0)
		return;
	symbols_free(n->sym);
	map_free(&n->places);
	arena_free(&n->arena);
	mem_free(n);
}

void
survey_space_free(struct survey_space *s)
{
	names_free(s->names);
	vec_free(&s->learned);
	mem_free(s);
}

static struct survey_names *
names_new(struct survey *t)
{
	struct survey_names *n = mem_zalloc(sizeof(*n));
	struct sym_ops ops = { .read = read_memory, .ctx = n };

	n->users = 1;
	n->t = t;
	n->sym = symbols_new(&ops);
	return n;
}

static int
load_maps(struct survey *t, struct survey_names *n, uint32_t task,
	  struct err *err)
{
	struct target *target = replayer_target(t->r);
	struct target_map *maps = NULL;
	struct arena a = { 0 };
	size_t len = 0;
	int ret = target->ops->maps(target, task, &a, &maps, &len, err);

	if (ret >= 0)
		ret = symbols_set_maps(n->sym,
				       target_sym_maps(target, maps, len, &a),
				       len, err);
	arena_free(&a);
	return ret;
}

/* ---- what is looked for */

static bool
is_number(const char *s, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 0);
	return s[0] >= '0' && s[0] <= '9' && *end == '\0' && errno == 0;
}

enum tally_how
survey_how(const struct puppet *p, uint64_t addr)
{
	enum tally_how how = TALLY_OFF;
	struct arena a = { 0 };
	struct vma vma;

	if (maps_query(p->pid, addr, &a, &vma, NULL) == 0 &&
	    (vma.prot & PROT_EXEC))
		how = vma.shared || (vma.prot & PROT_WRITE) ? TALLY_DEBUG
							    : TALLY_INT3;
	arena_free(&a);
	return how;
}

void
survey_divide(struct survey_space *s, uint64_t addr, uint64_t len,
	      unsigned pass, unsigned *passes)
{
	uint64_t at = addr, end = addr + len;
	unsigned n = 0;

	s->n_watch = 0;
	s->addr = s->len = 0;
	for (; at < end; n++) {
		uint64_t piece = 8;

		while (at % piece != 0 || at + piece > end)
			piece /= 2;
		if (n / SPEC_WATCHES == pass) {
			s->watch[s->n_watch++] = (struct spec_watch){
				.addr = at,
				.len = (uint8_t)piece,
			};
			if (s->addr == 0)
				s->addr = at;
			s->len += (uint32_t)piece;
		}
		at += piece;
	}
	if (*passes < (n + SPEC_WATCHES - 1) / SPEC_WATCHES)
		*passes = (n + SPEC_WATCHES - 1) / SPEC_WATCHES;
}

static void
find_variable(struct survey *t, struct survey_space *s)
{
	const struct survey_req *q = t->req;
	struct arena a = { 0 };
	struct sym_var v = { 0 };
	uint64_t addr = 0, size = 8;

	if (!is_number(q->variable, &addr)) {
		if (symbols_var(s->names->sym, NULL, q->variable, &a, &v,
				NULL) == 0 &&
		    v.addr != 0) {
			addr = v.addr;
			size = v.size;
		} else if (symbols_by_name(s->names->sym, q->variable, &addr,
					   &size, NULL) < 0) {
			addr = 0;
		}
	}
	arena_free(&a);
	if (q->len)
		size = q->len;
	if (size == 0)
		size = 8;
	if (size > SURVEY_LEN_MAX)
		size = SURVEY_LEN_MAX;
	if (addr == 0 || addr + size < addr)
		return;
	t->out->found[0] = true;
	survey_divide(s, addr, size, q->pass, &t->out->passes);
}

static int
too_many(const struct survey *t, const struct puppet *p, size_t function,
	 struct err *err)
{
	const char *name = t->req->functions[function];

	err_set(err, E_UNSUPPORTED,
		"after e%lu process %u has more than %u addresses of what is "
		"to be traced, with '%s'",
		t->r->now->seq, p->group->num, SURVEY_ENTRIES, name);
	err_hint(err,
		 "fewer functions at a time, or those of one library: "
		 "LIBRARY:%s, or one address: 0xADDRESS",
		 name);
	return -E_UNSUPPORTED;
}

static int
add_entry(struct survey *t, struct survey_space *s, const struct puppet *p,
	  size_t function, uint64_t addr, struct err *err)
{
	struct survey_entry e = { .addr = addr, .function = function };

	for (size_t i = 0; i < s->n_entries; i++) {
		if (s->entry[i].addr == addr)
			return 0;
	}
	e.how = survey_how(p, addr);
	if (e.how == TALLY_OFF)
		return 0;
	if (s->n_entries == SURVEY_ENTRIES)
		return too_many(t, p, function, err);
	s->entry[s->n_entries++] = e;
	t->out->found[function] = true;
	return 0;
}

/* Several libraries may have a function of that name, with ld.so most do. */
static int
find_in_all(struct survey *t, struct survey_space *s, const struct puppet *p,
	    size_t function, const struct target_map *maps, size_t n,
	    struct err *err)
{
	const char *name = t->req->functions[function];
	uint64_t addr, size;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < n; i++) {
		const char *base = strrchr(maps[i].name, '/');
		struct buf both = { 0 };

		if (maps[i].file == 0 || maps[i].offset != 0)
			continue;
		buf_printf(&both, "%s:%s", base ? base + 1 : maps[i].name,
			   name);
		if (symbols_by_name(s->names->sym, buf_cstr(&both), &addr,
				    &size, NULL) == 0)
			ret = add_entry(t, s, p, function, addr, err);
		buf_free(&both);
	}
	return ret;
}

static int
find_functions(struct survey *t, struct survey_space *s, const struct puppet *p,
	       struct err *err)
{
	struct target *target = replayer_target(t->r);
	struct target_map *maps = NULL;
	struct arena a = { 0 };
	uint64_t addr, size;
	size_t n = 0;
	int ret = target->ops->maps(target, p->task, &a, &maps, &n, err);

	s->n_entries = 0;
	for (size_t i = 0; ret == 0 && i < t->req->n_functions; i++) {
		const char *name = t->req->functions[i];

		if (is_number(name, &addr) ||
		    symbols_by_name(s->names->sym, name, &addr, &size, NULL) ==
			    0)
			ret = add_entry(t, s, p, i, addr, err);
		if (ret == 0 && !strchr(name, ':'))
			ret = find_in_all(t, s, p, i, maps, n, err);
	}
	arena_free(&a);
	return ret;
}

int
survey_space(struct survey *t, const struct puppet *p,
	     struct survey_space **out, struct err *err)
{
	struct survey_space *s = map_get(&t->spaces, p->space->num);
	int ret;

	*out = s;
	if (s && !s->stale)
		return 0;
	if (!s) {
		s = mem_zalloc(sizeof(*s));
		map_set(&t->spaces, p->space->num, s);
	}
	/* Those who share the names have the mappings as they were. */
	if (s->names && s->names->users > 1) {
		s->names->users--;
		s->names = NULL;
	}
	if (!s->names)
		s->names = names_new(t);
	map_free(&s->names->places);
	s->names->places = (struct map){ 0 };
	t->task = p->task;
	ret = load_maps(t, s->names, p->task, err);
	if (ret < 0)
		return ret;
	s->stale = false;
	s->n_watch = 0;
	s->addr = s->len = 0;
	if (t->req->variable)
		find_variable(t, s);
	*out = s;
	return find_functions(t, s, p, err);
}

static void
copy_space(struct survey *t, uint32_t from, uint32_t to)
{
	struct survey_space *old = map_get(&t->spaces, from), *s;

	if (!old || from == to || map_has(&t->spaces, to))
		return;
	s = mem_zalloc(sizeof(*s));
	*s = *old;
	s->learned = (struct addresses){ 0 };
	for (size_t i = 0; i < old->learned.len; i++)
		vec_push(&s->learned, old->learned.v[i]);
	if (s->names)
		s->names->users++;
	map_set(&t->spaces, to, s);
}

/* Does something that is looked for? */
static bool
lies_in(const struct survey *t, const struct survey_space *s, uint64_t addr,
	uint64_t len)
{
	for (size_t i = 0; i < s->n_entries; i++) {
		if (s->entry[i].addr - addr < len)
			return true;
	}
	return s->len > 0 && s->addr - addr < len;
}

void
survey_remapped(struct survey *t, const struct event *ev, uint32_t space)
{
	struct survey_space *s;

	if (ev->kind == EV_birth)
		copy_space(t, space, (uint32_t)ev->args[4]);
	if (ev->kind != EV_syscall && ev->kind != EV_exit)
		return;
	s = map_get(&t->spaces, space);
	if (!s)
		return;
	/* Code, with names, comes and goes by these. */
	switch (ev->call) {
	case SYS_mmap:
	case SYS_mprotect:
		s->stale |= (ev->args[2] & PROT_EXEC) != 0;
		break;
	case SYS_munmap:
	case SYS_mremap:
		s->stale |= lies_in(t, s, ev->args[0], ev->args[1]);
		break;
	}
}

/* ---- places */

static const struct survey_at *
remember(struct survey_space *s, uint64_t key, uint64_t insn, uint64_t look)
{
	struct survey_names *n = s->names;
	struct survey_at *at = arena_alloc(&n->arena, sizeof(*at));
	struct sym_place *pl = &at->place;

	at->insn = insn;
	symbols_lookup(n->sym, look, &n->arena, pl);
	/* Names outlive the mappings that they came from. */
	if (pl->module)
		pl->module = arena_strdup(&n->arena, pl->module);
	if (pl->function)
		pl->function = arena_strdup(&n->arena, pl->function);
	if (pl->file)
		pl->file = arena_strdup(&n->arena, pl->file);
	map_set(&n->places, key, at);
	return at;
}

const struct survey_at *
survey_at(struct survey_space *s, uint64_t addr)
{
	const struct survey_at *at = map_get(&s->names->places, addr);

	return at ? at : remember(s, addr, addr, addr);
}

const struct survey_at *
survey_before(struct survey_space *s, uint64_t pc)
{
	uint64_t key = pc | 1ull << 63;
	const struct survey_at *at = map_get(&s->names->places, key);
	struct sym_insn insn;
	uint64_t start = 0;
	size_t n = 0;

	if (at)
		return at;
	if (symbols_disasm_before(s->names->sym, pc, 1, &insn, &n, NULL) == 0 &&
	    n == 1)
		start = insn.addr;
	/* A place of the line is inside the instruction in any case. */
	return remember(s, key, start, start ? start : pc - 1);
}
