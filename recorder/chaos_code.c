/*
 * The program's own code: what is mapped from files but the system's libraries,
 * and how a task gets there from where it stands.
 */
#include "recorder/chaos_priv.h"

#include <sys/mman.h>

#include "base/mem.h"
#include "recorder/task.h"
#include "tracee/maps.h"

#define TEXTS_AGE_NS (50 * MS) /* until they are looked at anew */
#define STACK_BYTES 1024u      /* looked through for return addresses */
#define THREAD_BYTES 2304u     /* struct pthread: where the thread begins */
#define POINTERS_MAX 4u
#define FAR_BYTES 4096u

void
code_release(struct chaos *c)
{
	size_t it = 0;
	uint64_t number;
	void *value;

	while (map_next(&c->texts, &it, &number, &value))
		mem_free(value);
	map_free(&c->texts);
}

static bool
is_own(const struct vma *v)
{
	static const char *const system[] = {
		"/ld-",	     "/ld.so",	   "/libc.",	  "/libc-",
		"/libm.",    "/libm-",	   "/libpthread", "/libgcc_s",
		"/ld-musl-", "/libstdc++", "/librt",	  "/libdl",
	};

	if (!(v->prot & PROT_EXEC) || v->ino == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		if (strstr(v->name, system[i]) != NULL)
			return false;
	return true;
}

struct texts *
code_of(struct recorder *r, const struct task *t)
{
	struct chaos *c = r->chaos;
	uint32_t number = task_space(t)->number;
	struct texts *x = map_get(&c->texts, number);
	struct arena arena = { 0 };
	struct maps maps;

	if (x != NULL && r->now_ns - x->read_ns < TEXTS_AGE_NS)
		return x;
	if (x == NULL) {
		x = mem_zalloc(sizeof(*x));
		map_set(&c->texts, number, x);
	}
	x->read_ns = r->now_ns;
	x->n = x->bytes = 0;
	if (maps_read(t->tid, &arena, &maps, NULL) == 0) {
		for (size_t i = 0; i < maps.len && x->n < TEXTS_MAX; i++) {
			const struct vma *v = &maps.v[i];

			if (!is_own(v))
				continue;
			x->v[x->n].start = v->start;
			x->v[x->n++].end = v->end;
			x->bytes += v->end - v->start;
		}
	}
	arena_free(&arena);
	return x;
}

static const struct span_of_text *
text_at(const struct texts *x, uint64_t addr)
{
	for (size_t i = 0; i < x->n; i++)
		if (addr >= x->v[i].start && addr < x->v[i].end)
			return &x->v[i];
	return NULL;
}

static void
find_in(const struct task *t, const struct span_of_text *s, uint64_t from,
	uint64_t to, struct places *out)
{
	uint8_t code[FAR_BYTES];
	ssize_t n;

	if (from < s->start)
		from = s->start;
	if (to > s->end)
		to = s->end;
	if (to - from > sizeof(code))
		to = from + sizeof(code);
	n = mem_read(&task_space(t)->mem, from, code, to - from);
	if (n > 0)
		places_find(span_of(code, (size_t)n), from, out);
}

bool
code_is_own(const struct texts *x, uint64_t addr)
{
	return text_at(x, addr) != NULL;
}

static bool
is_wanted(void *ctx, uint64_t addr)
{
	return text_at(ctx, addr) != NULL;
}

static void
follow(const struct task *t, struct texts *x, uint64_t pc, struct places *out)
{
	const struct places_ops ops = { .wanted = is_wanted, .ctx = x };

	places_follow(&task_space(t)->mem, pc, &ops, out);
}

/* What the words at addr point to, when it is code of the program's own. */
static void
follow_pointers(const struct task *t, struct texts *x, uint64_t addr,
		size_t bytes, struct places *out)
{
	uint64_t word[THREAD_BYTES / 8];
	ssize_t n = mem_read(&task_space(t)->mem, addr, word, bytes);
	unsigned found = 0;

	for (ssize_t i = 0; i < n / 8 && found < POINTERS_MAX; i++) {
		if (text_at(x, word[i]) == NULL)
			continue;
		found++;
		follow(t, x, word[i], out);
	}
}

void
code_near(const struct task *t, struct texts *x, struct places *out)
{
	if (text_at(x, t->last.rip) != NULL)
		follow(t, x, t->last.rip, out);
	follow_pointers(t, x, t->last.rsp, STACK_BYTES, out);
	/* The first thing that a thread does. */
	if (out->len == 0 && t->last.fs_base != 0)
		follow_pointers(t, x, t->last.fs_base, THREAD_BYTES, out);
}

void
code_far(struct chaos *c, const struct task *t, const struct texts *x,
	 struct places *out)
{
	uint64_t at = chaos_below(c, x->bytes);

	for (size_t i = 0; i < x->n; i++) {
		const struct span_of_text *s = &x->v[i];

		if (at < s->end - s->start) {
			at = s->end - s->start <= FAR_BYTES ? 0 : at;
			find_in(t, s, s->start + at, s->end, out);
			return;
		}
		at -= s->end - s->start;
	}
}

unsigned
code_returns(const struct task *t, const struct texts *x, uint64_t rsp,
	     uint64_t ret[RETURNS_MAX])
{
	uint64_t word[STACK_BYTES / 8];
	ssize_t n = mem_read(&task_space(t)->mem, rsp, word, sizeof(word));
	unsigned found = 0;

	for (ssize_t i = 0; i < n / 8 && found < RETURNS_MAX; i++)
		if (text_at(x, word[i]) != NULL)
			ret[found++] = word[i];
	return found;
}

uint64_t
code_next(const struct task *t, const struct texts *x, bool *here)
{
	uint64_t word[THREAD_BYTES / 8], ret[RETURNS_MAX];
	ssize_t n;

	*here = text_at(x, t->last.rip) == NULL;
	if (!*here)
		return t->last.rip;
	if (code_returns(t, x, t->last.rsp, ret) > 0)
		return ret[0];
	if (t->last.fs_base == 0)
		return 0;
	n = mem_read(&task_space(t)->mem, t->last.fs_base, word, sizeof(word));
	for (ssize_t i = 0; i < n / 8; i++)
		if (text_at(x, word[i]) != NULL)
			return word[i];
	return 0;
}
