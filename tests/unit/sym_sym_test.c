/* The test looks at itself: its own memory, mappings and registers. */
#include "sym/names.h"

#include "tests/unit/sym_self.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A function whose name and lines the tests know; it recurses and notes the
 * registers at the bottom. */
__attribute__((noinline)) uint64_t landmark(struct regs *r, int depth);

uint64_t
landmark(struct regs *r, int depth)
{
	if (depth > 0)
		return landmark(r, depth - 1) + 1;
	__asm__ volatile("mov %%rsp, %0; mov %%rbp, %1; mov %%rbx, %2;"
			 "mov %%r12, %3; mov %%r13, %4; mov %%r14, %5;"
			 "mov %%r15, %6; lea (%%rip), %7"
			 : "=m"(r->rsp), "=m"(r->rbp), "=m"(r->rbx),
			   "=m"(r->r12), "=m"(r->r13), "=m"(r->r14),
			   "=m"(r->r15), "=r"(r->rip));
	return 0;
}

/* Unwinding needs the frames still alive: called at the bottom. */
struct bottom {
	struct symbols *s;
	struct arena *a;
	struct sym_frame *f;
	size_t n;
};

__attribute__((noinline)) int dive(struct bottom *b, int depth);

int
dive(struct bottom *b, int depth)
{
	struct regs r = { 0 };

	if (depth > 0)
		return dive(b, depth - 1) + 1;
	landmark(&r, 0);
	/* landmark has returned: put the registers of this frame */
	__asm__ volatile("mov %%rsp, %0; mov %%rbp, %1; mov %%rbx, %2;"
			 "lea (%%rip), %3"
			 : "=m"(r.rsp), "=m"(r.rbp), "=m"(r.rbx), "=r"(r.rip));
	return symbols_backtrace(b->s, &r, 64, b->a, &b->f, &b->n, NULL);
}

/* Looking things up must not keep modules from being told again. */
Test(sym_sym, names_are_still_there_when_mappings_are_told_again)
{
	struct arena a = { 0 };
	struct symbols *s = symbols_of_self(&a);
	struct sym_place p;
	uint64_t addr = (uint64_t)(uintptr_t)landmark, found, size;

	for (int i = 0; i < 4; i++) {
		symbols_lookup(s, addr, &a, &p);
		cr_assert_not_null(p.function);
		cr_assert_str_eq(p.function, "landmark");
		cr_assert_eq(
			symbols_by_name(s, "landmark", &found, &size, NULL), 0);
		cr_assert_eq(found, addr);
		symbols_map_self(s, &a);
	}
	symbols_free(s);
	arena_free(&a);
}

Test(sym_sym, names_functions_and_lines)
{
	struct arena a = { 0 };
	struct symbols *s = symbols_of_self(&a);
	struct sym_place p;
	uint64_t addr = (uint64_t)(uintptr_t)landmark;
	uint64_t found, size;

	symbols_lookup(s, addr + 4, &a, &p);
	cr_assert_str_eq(p.function, "landmark");
	cr_assert_eq(p.offset, 4);
	cr_assert_not_null(p.file);
	cr_assert_not_null(strstr(p.file, "sym_sym_test.c"));
	cr_assert_gt(p.line, 0);
	cr_assert_eq(symbols_by_name(s, "landmark", &found, &size, NULL), 0);
	cr_assert_eq(found, addr);
	cr_assert_lt(symbols_by_name(s, "no_such_name", &found, &size, NULL), 0);
	symbols_lookup(s, 16, &a, &p);
	cr_assert_null(p.function);
	symbols_free(s);
	arena_free(&a);
}

/* The symbol table of a library has pthread_cond_wait@GLIBC_2.2.5, which is
 * old, and pthread_cond_wait@@GLIBC_2.3.2. */
Test(sym_sym, a_name_needs_no_version)
{
	struct arena a = { 0 };
	struct symbols *s = symbols_of_self(&a);
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	uint64_t found, size;

	if (!libc)
		cr_skip_test("another libc");
	cr_assert_eq(symbols_by_name(s, "libc.so.6:pthread_cond_wait", &found,
				     &size, NULL),
		     0);
	cr_assert_eq(found,
		     (uint64_t)(uintptr_t)dlsym(libc, "pthread_cond_wait"));
	dlclose(libc);
	symbols_free(s);
	arena_free(&a);
}

Test(sym_sym, unwinds_through_recursion_to_the_start)
{
	struct arena a = { 0 };
	struct bottom b = { .a = &a, .s = symbols_of_self(&a) };
	size_t dives = 0;
	bool start_seen = false;

	cr_assert_eq(dive(&b, 3), 3);
	for (size_t i = 0; i < b.n; i++) {
		const char *f = b.f[i].place.function;

		dives += f && !strcmp(f, "dive");
		start_seen |= f && !strcmp(f, "_start");
	}
	cr_assert_eq(dives, 4, "%zu frames of dive", dives);
	cr_assert(start_seen);
	symbols_free(b.s);
	arena_free(&a);
}

Test(sym_sym, disassembles_forwards_and_backwards_alike)
{
	struct arena a = { 0 };
	struct symbols *s = symbols_of_self(&a);
	uint64_t addr = (uint64_t)(uintptr_t)landmark;
	struct sym_insn fwd[6], back[5];
	size_t n;

	cr_assert_eq(symbols_disasm(s, addr, 6, fwd, &n, NULL), 0);
	cr_assert_eq(n, 6);
	cr_assert_eq(symbols_disasm_before(s, fwd[5].addr, 5, back, &n, NULL), 0);
	cr_assert_eq(n, 5);
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(back[i].addr, fwd[i].addr);
		cr_assert_str_eq(back[i].text, fwd[i].text);
	}
	cr_assert_lt(symbols_disasm(s, 8, 1, fwd, &n, NULL), 0);
	symbols_free(s);
	arena_free(&a);
}

Test(sym_sym, reads_source_lines)
{
	struct arena a = { 0 };
	const char **lines;
	size_t n;

	cr_assert_eq(sym_source_lines(__FILE__, 1, 2, &a, &lines, &n, NULL), 0);
	cr_assert_eq(n, 2);
	cr_assert_not_null(strstr(lines[0], "The test looks at itself"));
	cr_assert_lt(sym_source_lines("/nowhere/x.c", 1, 2, &a, &lines, &n, NULL),
		     0);
	arena_free(&a);
}

/* Names of the test itself, for completion. */
int landmark_counter = 1;

static size_t
names(unsigned kinds, const char *prefix, size_t max, const char ***out,
      size_t *all, struct arena *a)
{
	struct symbols *s = symbols_of_self(a);
	size_t n;

	symbols_names(s, kinds, prefix, max, a, out, &n, all);
	symbols_free(s);
	return n;
}

Test(sym_sym, names_that_begin_so_are_found_by_kind)
{
	struct arena a = { 0 };
	const char **v;
	size_t all;

	cr_assert_eq(names(SYM_FUNCTIONS, "landmar", 10, &v, &all, &a), 1);
	cr_assert_str_eq(v[0], "landmark");
	cr_assert_eq(names(SYM_VARIABLES, "landmar", 10, &v, &all, &a), 1);
	cr_assert_str_eq(v[0], "landmark_counter");
	cr_assert_eq(names(SYM_FUNCTIONS | SYM_VARIABLES, "landmar", 10, &v,
			   &all, &a),
		     2);
	cr_assert_eq(names(SYM_FILES, "sym_sym_t", 10, &v, &all, &a), 1);
	cr_assert_str_eq(v[0], "sym_sym_test.c");
	cr_assert_eq(names(SYM_FUNCTIONS, "landmarks", 10, &v, &all, &a), 0);
	arena_free(&a);
}

Test(sym_sym, names_of_the_program_come_before_those_of_libraries)
{
	struct arena a = { 0 };
	const char **v;
	size_t all, n = names(SYM_FUNCTIONS, "", 50, &v, &all, &a);

	cr_assert_eq(n, 50);
	cr_assert_gt(all, 2000, "libraries have thousands: %zu", all);
	for (size_t i = 1; i < n; i++)
		cr_assert_lt(strcmp(v[i - 1], v[i]), 0, "%s %s", v[i - 1],
			     v[i]);
	for (size_t i = 0; i < n; i++)
		cr_assert_null(strchr(v[i], '.'), "%s", v[i]);
	arena_free(&a);
}

Test(sym_sym, a_library_before_the_name_limits_it)
{
	struct arena a = { 0 };
	const char **v;
	size_t all;

	cr_assert_eq(names(SYM_MODULES, "libc.so", 10, &v, &all, &a), 1);
	cr_assert_str_eq(v[0], "libc.so.6:");
	cr_assert_geq(names(SYM_FUNCTIONS, "libc.so.6:getpi", 10, &v, &all, &a),
		      1);
	cr_assert_str_eq(v[0], "libc.so.6:getpid");
	cr_assert_eq(names(SYM_FUNCTIONS, "libc.so.6:landm", 10, &v, &all, &a),
		     0);
	arena_free(&a);
}
