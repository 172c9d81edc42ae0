/* A function's rows of the line table (DWARF 5, 6.2), and what was inlined. */
#include "sym/lines.h"
#include "sym/dwarf.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 512u
#define NO_BLOCK (-1)

/* Code inlined into the function. Outer ones come before inner ones. */
struct block {
	Dwarf_Die die;
	Dwarf_Addr entry;
	int parent;
	const char *file;
	int line;
	bool around; /* the one who steps is inside */
};

struct build {
	struct arena *a;
	Dwarf_Die unit, function;
	Dwarf_Addr bias;
	VEC(struct block) blocks;
	VEC(struct sym_row) rows;
};

/* ---- inlined code */

static const char *
call_file(const struct build *b, Dwarf_Die *die)
{
	Dwarf_Die unit = b->unit;
	Dwarf_Files *files;
	Dwarf_Word n;
	size_t count;

	if (!die_number(die, DW_AT_call_file, &n) ||
	    dwarf_getsrcfiles(&unit, &files, &count) != 0 || n >= count)
		return NULL;
	return dwarf_filesrc(files, n, NULL, NULL);
}

static void
add_block(struct build *b, Dwarf_Die *die, int parent)
{
	struct block k = { .die = *die, .parent = parent };
	Dwarf_Word line = 0;

	die_number(die, DW_AT_call_line, &line);
	k.line = (int)line;
	k.file = call_file(b, die);
	if (dwarf_entrypc(die, &k.entry) != 0)
		k.entry = 0;
	vec_push(&b->blocks, k);
}

static void
find_blocks(struct build *b, Dwarf_Die *die, int parent)
{
	Dwarf_Die child;

	for (int ret = dwarf_child(die, &child);
	     ret == 0 && b->blocks.len < BLOCKS_MAX;
	     ret = dwarf_siblingof(&child, &child)) {
		int tag = dwarf_tag(&child), at = parent;

		if (tag == DW_TAG_inlined_subroutine) {
			add_block(b, &child, parent);
			at = (int)b->blocks.len - 1;
		} else if (tag != DW_TAG_lexical_block &&
			   tag != DW_TAG_try_block &&
			   tag != DW_TAG_catch_block) {
			continue;
		}
		find_blocks(b, &child, at);
	}
}

/* Who stands where a block begins has not entered it. */
static void
mark_around(struct build *b, Dwarf_Addr pc)
{
	for (size_t i = 0; i < b->blocks.len; i++) {
		struct block *k = &b->blocks.v[i];

		k->around = k->entry != pc && dwarf_haspc(&k->die, pc) == 1;
	}
}

/* Of the blocks that hold pc the outermost one that is not around who steps. */
static int
foreign_block(struct build *b, Dwarf_Addr pc)
{
	for (size_t i = 0; i < b->blocks.len; i++) {
		struct block *k = &b->blocks.v[i];

		if (!k->around && k->file && k->line &&
		    dwarf_haspc(&k->die, pc) == 1)
			return (int)i;
	}
	return NO_BLOCK;
}

/* ---- rows */

static uint64_t
line_id(const char *file, int line)
{
	uint64_t id = 0xcbf29ce484222325u;

	for (; file && *file; file++)
		id = (id ^ (uint8_t)*file) * 0x100000001b3u;
	return (id ^ (uint64_t)line) * 0x100000001b3u;
}

/* One entry of the table: up to the next one. */
static void
add_row(struct build *b, Dwarf_Line *line, bool statement, Dwarf_Addr lo,
	Dwarf_Addr hi)
{
	struct sym_row r = { .start = lo + b->bias, .end = hi + b->bias };
	size_t n = b->rows.len;

	dwarf_lineno(line, &r.line);
	r.file = dwarf_linesrc(line, NULL, NULL);
	if ((!statement || r.line == 0 || !r.file) && n > 0) {
		if (b->rows.v[n - 1].end == r.start)
			b->rows.v[n - 1].end = r.end;
		return;
	}
	if (r.line == 0 || !r.file)
		return;
	r.id = line_id(r.file, r.line);
	vec_push(&b->rows, r);
}

/*
 * Does the i-th entry begin a statement? Compilers mark the place of one that
 * was moved by an entry of its own without code, before that of the code.
 */
static bool
is_statement(Dwarf_Lines *lines, size_t i, Dwarf_Addr addr, int number)
{
	bool yes = false;

	for (size_t k = i + 1; k-- > 0 && !yes;) {
		Dwarf_Line *line = dwarf_onesrcline(lines, k);
		Dwarf_Addr at;
		int n = 0;

		dwarf_lineno(line, &n);
		if (dwarf_lineaddr(line, &at) != 0 || at != addr || n != number)
			break;
		dwarf_linebeginstatement(line, &yes);
	}
	return yes;
}

/* The part of [lo, hi) of the function that the entry is for. */
static void
add_range(struct build *b, Dwarf_Lines *lines, size_t n, Dwarf_Addr lo,
	  Dwarf_Addr hi)
{
	for (size_t i = 0; i + 1 < n; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		Dwarf_Line *next = dwarf_onesrcline(lines, i + 1);
		Dwarf_Addr from, to;
		bool end = false;
		int number = 0;

		dwarf_lineendsequence(line, &end);
		if (end || dwarf_lineaddr(line, &from) != 0 ||
		    dwarf_lineaddr(next, &to) != 0 || to <= from || to <= lo ||
		    from >= hi)
			continue;
		dwarf_lineno(line, &number);
		add_row(b, line, is_statement(lines, i, from, number),
			from < lo ? lo : from, to > hi ? hi : to);
	}
}

static int
by_start(const void *a, const void *b)
{
	const struct sym_row *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void
find_rows(struct build *b)
{
	Dwarf_Addr base, lo, hi;
	Dwarf_Lines *lines;
	ptrdiff_t at = 0;
	size_t n;

	if (dwarf_getsrclines(&b->unit, &lines, &n) != 0)
		return;
	while ((at = dwarf_ranges(&b->function, at, &base, &lo, &hi)) > 0)
		add_range(b, lines, n, lo, hi);
	if (b->rows.len)
		qsort(b->rows.v, b->rows.len, sizeof(*b->rows.v), by_start);
}

/* Where inlined code is, the line that calls it. */
static void
rename_inlined(struct build *b)
{
	for (size_t i = 0; i < b->rows.len; i++) {
		struct sym_row *r = &b->rows.v[i];
		int k = foreign_block(b, r->start - b->bias);

		if (k == NO_BLOCK)
			continue;
		r->file = b->blocks.v[k].file;
		r->line = b->blocks.v[k].line;
		r->id = line_id(r->file, r->line);
	}
}

/* ---- the entry */

/* endbr64, push %rbp, mov %rsp,%rbp: the lines begin behind the frame. */
static bool
makes_frame(struct symbols *s, uint64_t pc)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const uint8_t frame[] = { 0x55, 0x48, 0x89, 0xe5 };
	static const uint8_t other[] = { 0x55, 0x48, 0x8b, 0xec };
	uint8_t code[8] = { 0 };
	const uint8_t *p = code;

	if (symbols_read(s, pc, code, sizeof(code)) != (int64_t)sizeof(code))
		return false;
	if (memcmp(p, endbr, sizeof(endbr)) == 0)
		p += sizeof(endbr);
	return memcmp(p, frame, sizeof(frame)) == 0 ||
	       memcmp(p, other, sizeof(other)) == 0;
}

static void
find_body(struct symbols *s, struct build *b, struct sym_lines *out)
{
	Dwarf_Addr entry;

	if (dwarf_entrypc(&b->function, &entry) != 0)
		entry = b->rows.v[0].start - b->bias;
	out->entry = out->body = entry + b->bias;
	if (!makes_frame(s, out->entry))
		return;
	for (size_t i = 0; i + 1 < b->rows.len; i++) {
		struct sym_row *r = &b->rows.v[i];

		if (r->start != out->entry)
			continue;
		r->entry = true;
		r->id = 0;
		out->body = b->rows.v[i + 1].start;
	}
}

int
symbols_lines(struct symbols *s, uint64_t pc, bool over, struct arena *a,
	      struct sym_lines *out)
{
	struct sym_frame f = { .pc = pc, .at = pc };
	struct build b = { .a = a };
	struct scopes path;
	struct scope sc;

	*out = (struct sym_lines){ 0 };
	if (!frame_scope(s, &f, a, &sc, &path) ||
	    dwarf_tag(&sc.function) != DW_TAG_subprogram)
		return 0;
	b.unit = sc.unit;
	b.function = sc.function;
	b.bias = sc.bias;
	find_rows(&b);
	if (b.rows.len > 0 && over) {
		find_blocks(&b, &b.function, NO_BLOCK);
		mark_around(&b, pc - b.bias);
		rename_inlined(&b);
	}
	if (b.rows.len > 0)
		find_body(s, &b, out);
	out->n = b.rows.len;
	out->rows = arena_dup(a, b.rows.v, b.rows.len * sizeof(*b.rows.v));
	for (size_t i = 0; i < out->n; i++)
		out->rows[i].file = arena_strdup(a, out->rows[i].file);
	vec_free(&b.rows);
	vec_free(&b.blocks);
	return out->n > 0;
}

const struct sym_row *
lines_row(const struct sym_lines *l, uint64_t pc)
{
	for (size_t i = 0; i < l->n; i++) {
		if (pc >= l->rows[i].start && pc < l->rows[i].end)
			return &l->rows[i];
	}
	return NULL;
}

bool
symbols_has_lines(struct symbols *s, uint64_t pc)
{
	struct arena a = { 0 };
	struct sym_place place;
	bool yes;

	symbols_lookup(s, pc, &a, &place);
	yes = place.file && place.line > 0;
	arena_free(&a);
	return yes;
}

/* ---- from lines to code */

/* Is the path file, or does it end with it? */
static bool
is_file(const char *path, const char *file)
{
	size_t n = path ? strlen(path) : 0, m = strlen(file);

	return n >= m && strcmp(path + n - m, file) == 0 &&
	       (n == m || path[n - m - 1] == '/');
}

struct found {
	const char *file;
	int wanted, line; /* line: the best so far, 0 = none */
	uint64_t *out;
	size_t n, max;
};

static void
add_place(struct symbols *s, struct found *f, uint64_t pc, int line)
{
	uint64_t at;

	if (f->line && line > f->line)
		return;
	if (line != f->line)
		f->n = 0;
	f->line = line;
	at = symbols_body(s, pc);
	for (size_t i = 0; i < f->n; i++) {
		if (f->out[i] == at)
			return;
	}
	if (f->n < f->max)
		f->out[f->n++] = at;
}

static void
places_of_unit(struct symbols *s, struct found *f, Dwarf_Die *unit,
	       Dwarf_Addr bias)
{
	Dwarf_Lines *lines;
	size_t n;
	int before = 0;

	if (dwarf_getsrclines(unit, &lines, &n) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Line *l = dwarf_onesrcline(lines, i);
		bool statement = false, end = false;
		Dwarf_Addr addr;
		int line = 0;

		dwarf_linebeginstatement(l, &statement);
		dwarf_lineendsequence(l, &end);
		dwarf_lineno(l, &line);
		if (statement && !end && line >= f->wanted && line != before &&
		    dwarf_lineaddr(l, &addr) == 0 &&
		    is_file(dwarf_linesrc(l, NULL, NULL), f->file))
			add_place(s, f, addr + bias, line);
		before = line;
	}
}

size_t
symbols_places(struct symbols *s, const char *file, int line, uint64_t *out,
	       size_t max)
{
	struct found f = {
		.file = file, .wanted = line, .out = out, .max = max
	};

	for (size_t i = 0; i < s->modules.len; i++) {
		struct sym_module *m = &s->modules.v[i];
		Dwarf_Die *unit = NULL;
		Dwarf_Addr bias;

		while (m->dwfl &&
		       (unit = dwfl_module_nextcu(m->dwfl, unit, &bias)))
			places_of_unit(s, &f, unit, bias);
	}
	return f.n;
}

uint64_t
symbols_body(struct symbols *s, uint64_t pc)
{
	struct arena a = { 0 };
	struct sym_lines fn;

	if (symbols_lines(s, pc, false, &a, &fn) && pc >= fn.entry &&
	    pc < fn.body)
		pc = fn.body;
	arena_free(&a);
	return pc;
}

/* ---- from what people write to code */

static size_t
addresses(const struct symbols *s, const char *module, size_t len,
	  uint64_t addr, uint64_t *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s->modules.len && n < max; i++) {
		const struct sym_module *m = &s->modules.v[i];
		const char *slash = strrchr(m->shown, '/');
		const char *base = slash ? slash + 1 : m->shown;
		uint64_t at = m->bias + addr;

		if (*m->path && at >= m->start && at < m->end &&
		    (len == 0 ||
		     (strlen(base) == len && strncmp(base, module, len) == 0)))
			out[n++] = at;
	}
	return n;
}

size_t
symbols_named(struct symbols *s, const char *spec, uint64_t *out, size_t max)
{
	const char *colon = strrchr(spec, ':');
	const char *last = colon ? colon + 1 : spec;
	size_t before = colon ? (size_t)(colon - spec) : 0, n;
	uint64_t size, addr;
	char *end, *file;

	if (max == 0)
		return 0;
	if (strncmp(last, "0x", 2) == 0) {
		addr = strtoull(last, &end, 16);
		return *end == '\0' ? addresses(s, spec, before, addr, out, max)
				    : 0;
	}
	if (colon && *last && last[strspn(last, "0123456789")] == '\0') {
		file = mem_printf("%.*s", (int)before, spec);
		n = symbols_places(s, file, atoi(last), out, max);
		mem_free(file);
		return n;
	}
	if (symbols_by_name(s, spec, &addr, &size, NULL) < 0)
		return 0;
	out[0] = symbols_body(s, addr);
	return 1;
}
