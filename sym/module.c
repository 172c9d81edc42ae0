/* Which file lies where, and what its symbols say: libdwfl lives here. */
#include "sym/internal.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Debug files of the distribution: /usr/lib/debug, by build-id or by path. */
static char *debug_path = NULL;

static const Dwfl_Callbacks dwfl_callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.debuginfo_path = &debug_path,
};

struct symbols *
symbols_new(const struct sym_ops *ops)
{
	struct symbols *s = mem_zalloc(sizeof(*s));

	elf_version(EV_CURRENT); /* libelf wants it before anything else */
	s->ops = *ops;
	return s;
}

static void
modules_clear(struct symbols *s)
{
	for (size_t i = 0; i < s->modules.len; i++) {
		mem_free(s->modules.v[i].path);
		mem_free(s->modules.v[i].shown);
	}
	vec_clear(&s->modules);
	vec_clear(&s->maps);
	mem_free(s->known);
	s->known = NULL;
}

void
symbols_free(struct symbols *s)
{
	if (!s)
		return;
	modules_clear(s);
	vec_free(&s->modules);
	vec_free(&s->maps);
	unwinder_free(s->unwinder);
	names_free(s);
	disasm_close(s);
	if (s->dwfl)
		dwfl_end(s->dwfl);
	mem_free(s);
}

int64_t
symbols_read(struct symbols *s, uint64_t addr, void *out, size_t n)
{
	return s->ops.read(s->ops.ctx, addr, out, n);
}

struct sym_module *
symbols_module(struct symbols *s, uint64_t addr)
{
	for (size_t i = 0; i < s->maps.len; i++) {
		const struct sym_map *m = &s->maps.v[i];

		if (addr < m->start || addr >= m->end || !m->shown)
			continue;
		for (size_t k = 0; k < s->modules.len; k++)
			if (s->modules.v[k].shown == m->shown)
				return &s->modules.v[k];
	}
	return NULL;
}

/*
 * The main program's block ends at fs (ELF TLS, variant II). Blocks of
 * libraries are found through the runtime linker's tables: not here.
 */
static uint64_t
tls_size(Elf *elf, size_t n)
{
	bool program = false;
	uint64_t size = 0;
	GElf_Ehdr eh;
	GElf_Phdr ph;

	if (gelf_getehdr(elf, &eh))
		program = eh.e_type == ET_EXEC;
	for (size_t i = 0; i < n && gelf_getphdr(elf, (int)i, &ph); i++) {
		program |= ph.p_type == PT_INTERP;
		if (ph.p_type == PT_TLS && ph.p_align)
			size = (ph.p_memsz + ph.p_align - 1) / ph.p_align *
			       ph.p_align;
	}
	return program ? size : 0;
}

bool
symbols_tls_size(const struct sym_module *m, uint64_t *out)
{
	*out = m->tls_size;
	return m->tls_size > 0;
}

/* Fill bias and the unwind table's place from the program headers. */
static bool
module_headers(struct sym_module *m, uint64_t start, uint64_t offset)
{
	int fd = open(m->path, O_RDONLY | O_CLOEXEC);
	bool found = false;
	Elf *elf;
	size_t n = 0;

	if (fd < 0)
		return false;
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && !elf_getphdrnum(elf, &n)) {
		GElf_Phdr ph;

		for (size_t i = 0; i < n && gelf_getphdr(elf, (int)i, &ph); i++)
			if (ph.p_type == PT_LOAD && !found &&
			    (ph.p_offset & ~0xfffull) <= offset &&
			    offset < ph.p_offset + ph.p_filesz) {
				m->bias = start - (ph.p_vaddr - ph.p_offset +
						   offset);
				found = true;
			}
		for (size_t i = 0; i < n && gelf_getphdr(elf, (int)i, &ph); i++)
			if (ph.p_type == PT_GNU_EH_FRAME) {
				m->eh_hdr = ph.p_vaddr + m->bias;
				m->eh_hdr_len = ph.p_memsz;
			}
		m->tls_size = tls_size(elf, n);
	}
	elf_end(elf);
	close(fd);
	return found;
}

static void
module_add(struct symbols *s, const struct sym_map *map)
{
	struct sym_module m = { 0 };

	for (size_t i = 0; i < s->modules.len; i++) {
		struct sym_module *old = &s->modules.v[i];

		if (strcmp(old->shown, map->shown) != 0)
			continue;
		if (map->start < old->start)
			old->start = map->start;
		if (map->end > old->end)
			old->end = map->end;
		return;
	}
	m.path = mem_strdup(map->path ? map->path : "");
	m.shown = mem_strdup(map->shown);
	m.start = map->start;
	m.end = map->end;
	if (*m.path && !module_headers(&m, map->start, map->offset))
		*m.path = '\0';
	vec_push(&s->modules, m);
}

/* false: a file that can be read was refused. */
static bool
report_all(struct symbols *s)
{
	bool all = true;

	/* modules reported again under the same name and place are kept */
	dwfl_report_begin(s->dwfl);
	for (size_t i = 0; i < s->modules.len; i++) {
		struct sym_module *m = &s->modules.v[i];

		if (!*m->path)
			continue;
		m->dwfl = dwfl_report_elf(s->dwfl, m->shown, m->path, -1,
					  m->bias, true);
		all &= m->dwfl != NULL;
	}
	return all;
}

static int
report_modules(struct symbols *s, struct err *err)
{
	bool fresh = !s->dwfl;

	if (fresh)
		s->dwfl = dwfl_begin(&dwfl_callbacks);
	/* A program that is not position-independent is not known again. */
	if (s->dwfl && !report_all(s) && !fresh) {
		dwfl_end(s->dwfl);
		s->dwfl = dwfl_begin(&dwfl_callbacks);
		if (s->dwfl)
			report_all(s);
	}
	if (!s->dwfl)
		return err_set(err, E_FORMAT, "cannot start libdwfl: %s",
			       dwfl_errmsg(-1));
	if (dwfl_report_end(s->dwfl, NULL, NULL))
		return err_set(err, E_FORMAT, "libdwfl: %s", dwfl_errmsg(-1));
	return 0;
}

int
symbols_set_maps(struct symbols *s, const struct sym_map *maps, size_t n,
		 struct err *err)
{
	modules_clear(s);
	for (size_t i = 0; i < n; i++)
		if (maps[i].shown && maps[i].shown[0] &&
		    maps[i].shown[0] != '[')
			module_add(s, &maps[i]);
	for (size_t i = 0; i < n; i++) {
		struct sym_map m = maps[i];

		m.path = NULL;
		for (size_t k = 0; m.shown && k < s->modules.len; k++)
			if (!strcmp(s->modules.v[k].shown, m.shown)) {
				m.shown = s->modules.v[k].shown;
				m.path = s->modules.v[k].path;
				break;
			}
		if (!m.path)
			m.shown = NULL;
		vec_push(&s->maps, m);
	}
	return report_modules(s, err);
}

/* C++ names, when the C++ runtime is on this machine. */
static char *
demangle(const char *name)
{
	static char *(*fn)(const char *, char *, size_t *, int *);
	static bool tried;

	if (!tried) {
		void *lib = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
		void *sym = lib ? dlsym(lib, "__cxa_demangle") : NULL;

		tried = true;
		memcpy(&fn, &sym, sizeof(fn));
	}
	return fn ? fn(name, NULL, NULL, NULL) : NULL;
}

static const char *
function_name(const char *raw, struct arena *a)
{
	char *plain = !strncmp(raw, "_Z", 2) ? demangle(raw) : NULL;
	const char *name = arena_strdup(a, plain ? plain : raw);

	free(plain);
	return name;
}

/*
 * The source line of addr. libdwfl finds the compilation unit by
 * .debug_aranges, which clang does not write; then ask unit by unit.
 */
static const char *
source_line(Dwfl_Module *m, uint64_t addr, int *out_line)
{
	Dwfl_Line *found = dwfl_module_getsrc(m, addr);
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias;

	if (found)
		return dwfl_lineinfo(found, NULL, out_line, NULL, NULL, NULL);
	while ((unit = dwfl_module_nextcu(m, unit, &bias))) {
		Dwarf_Line *line;

		if (dwarf_haspc(unit, addr - bias) != 1)
			continue;
		line = dwarf_getsrc_die(unit, addr - bias);
		if (!line)
			return NULL;
		dwarf_lineno(line, out_line);
		return dwarf_linesrc(line, NULL, NULL);
	}
	return NULL;
}

/*
 * The function and the line of addr. Who steps through a program asks for the
 * same addresses again and again; they are forgotten with the mappings.
 */
static const struct sym_known *
find_place(struct symbols *s, const struct sym_module *m, uint64_t addr)
{
	struct sym_known *k;
	GElf_Off off = 0;
	GElf_Sym sym;

	if (!s->known)
		s->known = mem_calloc(SYM_KNOWN, sizeof(*s->known));
	k = &s->known[(addr ^ addr >> 12) % SYM_KNOWN];
	if (k->addr == addr)
		return k;
	*k = (struct sym_known){ .addr = addr };
	k->raw = dwfl_module_addrinfo(m->dwfl, addr, &off, &sym, NULL, NULL,
				      NULL);
	k->offset = k->raw ? off : 0;
	k->file = source_line(m->dwfl, addr, &k->line);
	return k;
}

void
symbols_lookup(struct symbols *s, uint64_t addr, struct arena *a,
	       struct sym_place *out)
{
	struct sym_module *m = symbols_module(s, addr);
	const struct sym_known *k;

	*out = (struct sym_place){ 0 };
	if (!m)
		return;
	out->module = arena_strdup(a, m->shown);
	if (!m->dwfl)
		return;
	k = find_place(s, m, addr);
	if (k->raw)
		out->function = function_name(k->raw, a);
	out->offset = k->offset;
	out->file = k->file ? arena_strdup(a, k->file) : NULL;
	out->line = k->line;
}

uint64_t
symbols_function_start(struct symbols *s, uint64_t addr)
{
	struct sym_module *m = symbols_module(s, addr);
	const struct sym_known *k =
		m && m->dwfl ? find_place(s, m, addr) : NULL;

	return k && k->raw ? addr - k->offset : 0;
}

/* How well a symbol fits a name, which tells no version: 3 is best, 0 not. */
static int
fits(const char *symbol, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(symbol, name, n) != 0)
		return 0;
	if (symbol[n] == '\0')
		return 3;
	return symbol[n] != '@' ? 0 : symbol[n + 1] == '@' ? 2 : 1;
}

/* The best match in one module: a defined function or object of that name. */
static bool
module_symbol(const struct sym_module *m, const char *name, uint64_t *out,
	      uint64_t *out_size)
{
	int n = m->dwfl ? dwfl_module_getsymtab(m->dwfl) : -1, best = 0;

	for (int i = 1; i < n && best < 3; i++) {
		GElf_Sym sym;
		GElf_Addr addr;
		const char *found = dwfl_module_getsym_info(
			m->dwfl, i, &sym, &addr, NULL, NULL, NULL);
		int type = GELF_ST_TYPE(sym.st_info);

		if (!found || sym.st_shndx == SHN_UNDEF ||
		    fits(found, name) <= best ||
		    (type != STT_FUNC && type != STT_OBJECT &&
		     type != STT_NOTYPE && type != STT_GNU_IFUNC))
			continue;
		best = fits(found, name);
		*out = addr;
		*out_size = sym.st_size;
	}
	return best > 0;
}

static const char *
basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int
symbols_by_name(struct symbols *s, const char *name, uint64_t *out,
		uint64_t *out_size, struct err *err)
{
	const char *colon = strchr(name, ':');
	size_t prefix = colon ? (size_t)(colon - name) : 0;

	/* C++ names have "::"; only a single colon separates a module */
	if (colon && colon[1] == ':')
		colon = NULL;
	for (size_t i = 0; i < s->modules.len; i++) {
		const struct sym_module *m = &s->modules.v[i];
		const char *base = basename_of(m->shown);

		if (colon && (strlen(base) != prefix ||
			      strncmp(base, name, prefix) != 0))
			continue;
		if (module_symbol(m, colon ? colon + 1 : name, out, out_size))
			return 0;
	}
	return err_set(err, E_NOT_FOUND, "no function or variable '%s'", name);
}
