/* Sorted names of modules, and those that begin with what was typed. */
#include "sym/names.h"

#include <stdlib.h>
#include <string.h>

#include "sym/dwarf.h"

struct name {
	const char *text;
	unsigned kind;
};

/* Of one module. */
struct sym_names {
	char *shown; /* whose */
	struct arena arena;
	VEC(struct name) v; /* in order */
};

void
names_free(struct symbols *s)
{
	for (size_t i = 0; i < s->names.len; i++) {
		struct sym_names *l = s->names.v[i];

		mem_free(l->shown);
		arena_free(&l->arena);
		vec_free(&l->v);
		mem_free(l);
	}
	vec_free(&s->names);
}

static int
by_text(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int d = strcmp(x->text, y->text);

	return d ? d : (x->kind > y->kind) - (x->kind < y->kind);
}

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
add(struct sym_names *l, const char *text, unsigned kind)
{
	struct name n = { arena_strdup(&l->arena, text), kind };

	vec_push(&l->v, n);
}

static void
add_symbols(struct sym_names *l, Dwfl_Module *m)
{
	int n = dwfl_module_getsymtab(m);

	for (int i = 1; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr addr;
		const char *text = dwfl_module_getsym_info(m, i, &sym, &addr,
							   NULL, NULL, NULL);
		int type = GELF_ST_TYPE(sym.st_info);

		if (!text || !*text || sym.st_shndx == SHN_UNDEF)
			continue;
		if (type == STT_FUNC || type == STT_GNU_IFUNC)
			add(l, text, SYM_FUNCTIONS);
		else if (type == STT_OBJECT)
			add(l, text, SYM_VARIABLES);
	}
}

static void
add_files(struct sym_names *l, Dwfl_Module *m)
{
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias;

	while ((unit = dwfl_module_nextcu(m, unit, &bias))) {
		const char *path = dwarf_diename(unit);

		if (path && *last_part(path))
			add(l, last_part(path), SYM_FILES);
	}
}

static void
sort(struct sym_names *l)
{
	size_t n = 0;

	if (!l->v.len)
		return;
	qsort(l->v.v, l->v.len, sizeof(*l->v.v), by_text);
	for (size_t i = 1; i < l->v.len; i++)
		if (by_text(&l->v.v[n], &l->v.v[i]) != 0)
			l->v.v[++n] = l->v.v[i];
	l->v.len = n + 1;
}

static const struct sym_names *
names_of(struct symbols *s, const struct sym_module *m)
{
	struct sym_names *l;

	for (size_t i = 0; i < s->names.len; i++)
		if (!strcmp(s->names.v[i]->shown, m->shown))
			return s->names.v[i];
	l = mem_zalloc(sizeof(*l));
	l->shown = mem_strdup(m->shown);
	add_symbols(l, m->dwfl);
	add_files(l, m->dwfl);
	sort(l);
	vec_push(&s->names, l);
	return l;
}

/* The first name that does not come before text. */
static size_t
lower_bound(const struct sym_names *l, const char *text)
{
	size_t lo = 0, hi = l->v.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(l->v.v[mid].text, text) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- what is asked for */

struct query {
	unsigned kinds;
	const char *prefix;
	size_t len;
	char *lead; /* "libc.so.6:", or "" */
	struct arena *a;
	VEC(const char *) v;
};

static char *
join(struct arena *a, const char *x, const char *y)
{
	size_t n = strlen(x), m = strlen(y);
	char *both = arena_raw(a, n + m + 1);

	memcpy(both, x, n);
	memcpy(both + n, y, m + 1);
	return both;
}

static void
collect(struct query *q, const struct sym_names *l)
{
	bool dots = strchr(q->prefix, '.') != NULL;

	for (size_t i = lower_bound(l, q->prefix); i < l->v.len; i++) {
		const struct name *n = &l->v.v[i];
		char *whole;

		if (strncmp(n->text, q->prefix, q->len) != 0)
			break;
		if (!(n->kind & q->kinds) ||
		    (n->kind != SYM_FILES && !dots && strchr(n->text, '.')))
			continue;
		whole = join(q->a, q->lead, n->text);
		vec_push(&q->v, whole);
	}
}

static int
by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In order, each once, from here on; those before here stay and are not said
 * again. */
static void
settle(struct query *q, size_t from)
{
	size_t n = from;

	if (q->v.len > from)
		qsort(q->v.v + from, q->v.len - from, sizeof(*q->v.v),
		      by_string);
	for (size_t i = from; i < q->v.len; i++) {
		const char *text = q->v.v[i];

		if ((n > from && !strcmp(q->v.v[n - 1], text)) ||
		    (from &&
		     bsearch(&text, q->v.v, from, sizeof(*q->v.v), by_string)))
			continue;
		q->v.v[n++] = text;
	}
	q->v.len = n;
}

static void
collect_modules(struct query *q, struct symbols *s)
{
	for (size_t i = 0; i < s->modules.len; i++) {
		const char *base = last_part(s->modules.v[i].shown);
		char *whole;

		if (!s->modules.v[i].dwfl || strncmp(base, q->prefix, q->len))
			continue;
		whole = join(q->a, base, ":");
		vec_push(&q->v, whole);
	}
}

void
symbols_names(struct symbols *s, unsigned kinds, const char *prefix, size_t max,
	      struct arena *a, const char ***out, size_t *n, size_t *out_all)
{
	struct query q = { .kinds = kinds, .prefix = prefix, .a = a };
	/* A single one separates a library; C++ names have two. */
	const char *colon = strchr(prefix, ':');
	bool first = true; /* the program lies before its libraries */
	size_t own = 0;

	if (colon && colon[1] == ':')
		colon = NULL;
	q.lead = arena_strdup(a, "");
	if (colon) {
		size_t lead = (size_t)(colon - prefix) + 1;

		q.lead = arena_dup(a, prefix, lead + 1);
		q.lead[lead] = '\0';
		q.prefix = colon + 1;
	}
	q.len = strlen(q.prefix);
	for (size_t i = 0; i < s->modules.len; i++) {
		const struct sym_module *m = &s->modules.v[i];
		const char *base = last_part(m->shown);
		size_t len = strlen(base);

		if (!m->dwfl || (colon && (len + 1 != strlen(q.lead) ||
					   strncmp(base, q.lead, len) != 0)))
			continue;
		collect(&q, names_of(s, m));
		if (first && !colon) {
			settle(&q, 0);
			own = q.v.len;
		}
		first = false;
	}
	if (!colon && (kinds & SYM_MODULES))
		collect_modules(&q, s);
	settle(&q, own);
	*out_all = q.v.len;
	*n = q.v.len < max ? q.v.len : max;
	*out = *n ? arena_dup(a, q.v.v, *n * sizeof(*q.v.v)) : NULL;
	vec_free(&q.v);
}
