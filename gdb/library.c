/*
 * The files of a process: its executable and what ld.so loaded. Names are those
 * under which the files were recorded, whatever ways the program took to them.
 */
#include "gdb/program.h"
#include "gdb/thread.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "base/mem.h"

#define LIBRARIES_MAX 10000u
#define NAME_MAX_LEN 4096u

bool
read_exact(struct gdb_server *s, uint32_t task, uint64_t addr, void *out,
	   size_t n)
{
	return s->t->ops->read(s->t, task, addr, out, n) == (int64_t)n;
}

/* Text up to its NUL, in a. */
static const char *
read_text(struct gdb_server *s, uint32_t task, uint64_t addr, struct arena *a)
{
	char *text = arena_alloc(a, NAME_MAX_LEN + 1);
	int64_t n = addr ? s->t->ops->read(s->t, task, addr, text, NAME_MAX_LEN)
			 : 0;

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static uint64_t
auxv_value(struct gdb_server *s, uint32_t task, uint64_t type)
{
	struct buf auxv = { 0 };
	uint64_t pair[2], v = 0;

	if (s->t->ops->auxv(s->t, task, &auxv, NULL) == 0) {
		for (size_t i = 0; i + sizeof(pair) <= auxv.len;
		     i += sizeof(pair)) {
			memcpy(pair, auxv.p + i, sizeof(pair));
			if (pair[0] == type)
				v = pair[1];
		}
	}
	buf_free(&auxv);
	return v;
}

/* The mapping around addr; its name is in a. */
static bool
map_around(struct gdb_server *s, uint32_t task, uint64_t addr, struct arena *a,
	   struct target_map *out)
{
	struct target_map *v = NULL;
	size_t n = 0;

	if (s->t->ops->maps(s->t, task, a, &v, &n, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (v[i].start <= addr && addr < v[i].end) {
			*out = v[i];
			return true;
		}
	}
	return false;
}

bool
executable_map(struct gdb_server *s, uint32_t task, struct target_map *out)
{
	uint64_t entry = auxv_value(s, task, AT_ENTRY);

	return entry && map_around(s, task, entry, &s->arena, out) &&
	       out->file != 0;
}

/* ---- the dynamic section */

struct image {
	uint64_t bias, dynamic;
	uint64_t interp; /* address of the name of ld.so, 0 = none */
};

static bool
find_image(struct gdb_server *s, uint32_t task, struct image *out)
{
	uint64_t at = auxv_value(s, task, AT_PHDR);
	uint64_t n = auxv_value(s, task, AT_PHNUM);
	uint64_t dynamic = 0, interp = 0;
	Elf64_Phdr ph;

	*out = (struct image){ 0 };
	for (uint64_t i = 0; i < n && i < 64; i++) {
		if (!read_exact(s, task, at + i * sizeof(ph), &ph, sizeof(ph)))
			return false;
		if (ph.p_type == PT_PHDR)
			out->bias = at - ph.p_vaddr;
		else if (ph.p_type == PT_DYNAMIC)
			dynamic = ph.p_vaddr;
		else if (ph.p_type == PT_INTERP)
			interp = ph.p_vaddr;
	}
	if (dynamic)
		out->dynamic = out->bias + dynamic;
	if (interp)
		out->interp = out->bias + interp;
	return dynamic != 0;
}

/* Where ld.so keeps its list, or 0 as long as it has none. */
static uint64_t
find_debug(struct gdb_server *s, uint32_t task)
{
	struct image im;
	Elf64_Dyn d;

	if (!find_image(s, task, &im))
		return 0;
	for (uint64_t i = 0; i < 512; i++) {
		if (!read_exact(s, task, im.dynamic + i * sizeof(d), &d,
				sizeof(d)) ||
		    d.d_tag == DT_NULL)
			return 0;
		if (d.d_tag == DT_DEBUG)
			return d.d_un.d_ptr;
	}
	return 0;
}

static void
put_library(struct gdb_server *s, uint32_t task, uint64_t lm,
	    const struct link_map *l, struct buf *out)
{
	struct arena a = { 0 };
	struct target_map m;
	const char *name;

	if (map_around(s, task, (uint64_t)(uintptr_t)l->l_ld, &a, &m) &&
	    m.file != 0)
		name = path_shown(s, &m);
	else
		name = read_text(s, task, (uint64_t)(uintptr_t)l->l_name, &a);
	if (strchr(name, '/')) { /* the vdso is not a file */
		buf_str(out, "<library name=\"");
		xml_text(out, name);
		buf_printf(out,
			   "\" lm=\"0x%lx\" l_addr=\"0x%lx\" "
			   "l_ld=\"0x%lx\" lmid=\"0x0\"/>\n",
			   lm, l->l_addr, (uint64_t)(uintptr_t)l->l_ld);
	}
	arena_free(&a);
}

/* ld.so is there before it has made its list. */
static void
put_interpreter(struct gdb_server *s, uint32_t task, struct buf *out)
{
	uint64_t base = auxv_value(s, task, AT_BASE);
	struct link_map l = { .l_addr = base };
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (!base || !read_exact(s, task, base, &eh, sizeof(eh)) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (unsigned i = 0; i < eh.e_phnum && i < 64; i++) {
		if (!read_exact(s, task, base + eh.e_phoff + i * sizeof(ph),
				&ph, sizeof(ph)))
			return;
		if (ph.p_type != PT_DYNAMIC)
			continue;
		l.l_ld = (Elf64_Dyn *)(uintptr_t)(base + ph.p_vaddr);
		put_library(s, task, base, &l, out);
	}
}

void
libraries_xml(struct gdb_server *s, uint32_t task, struct buf *out)
{
	uint64_t at = find_debug(s, task);
	struct link_map l;
	struct r_debug rd;
	uint64_t lm = 0;

	if (at && read_exact(s, task, at, &rd, sizeof(rd)))
		lm = (uint64_t)(uintptr_t)rd.r_map;
	buf_str(out, "<library-list-svr4 version=\"1.0\"");
	if (lm)
		buf_printf(out, " main-lm=\"0x%lx\"", lm);
	buf_str(out, ">\n");
	if (!lm)
		put_interpreter(s, task, out);
	/* The first one is the executable. */
	for (unsigned i = 0; lm && i < LIBRARIES_MAX; i++) {
		if (!read_exact(s, task, lm, &l, sizeof(l)))
			break;
		if (i > 0)
			put_library(s, task, lm, &l, out);
		lm = (uint64_t)(uintptr_t)l.l_next;
	}
	buf_str(out, "</library-list-svr4>\n");
}

bool
interpreter_map(struct gdb_server *s, uint32_t task, const char *name,
		struct target_map *out)
{
	struct arena a = { 0 };
	struct image im;
	bool same;

	find_image(s, task, &im);
	same = im.interp &&
	       strcmp(read_text(s, task, im.interp, &a), name) == 0;
	arena_free(&a);
	return same &&
	       map_around(s, task, auxv_value(s, task, AT_BASE), &s->arena,
			  out) &&
	       out->file != 0;
}
