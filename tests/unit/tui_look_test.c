#include "tui/look.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

#define CODE 0x400000u
#define DATA 0x500000u
#define DATA_LEN 0x3000u
#define STACK 0x7ff000u

/* push rbp; mov rbp, rsp; nop; syscall; pop rbp; ret */
static const uint8_t code[] = { 0x55, 0x48, 0x89, 0xe5, 0x90,
				0x0f, 0x05, 0x5d, 0xc3 };

/* A target made of three mappings: code, data in two pieces with a guard
 * behind them, a stack. */
static const struct target_map maps[] = {
	{ CODE, CODE + 0x1000, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 0, "" },
	{ DATA, DATA + 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0, "" },
	{ DATA + 0x2000, DATA + DATA_LEN, PROT_READ, MAP_PRIVATE, 0, 0, "" },
	{ DATA + DATA_LEN, DATA + DATA_LEN + 0x1000, PROT_NONE, MAP_PRIVATE, 0,
	  0, "" },
	{ STACK, STACK + 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0,
	  "[stack]" },
};

static int
tasks(struct target *t, struct arena *a, struct target_task **out, size_t *n,
      struct err *err)
{
	struct target_task *v = arena_alloc(a, 3 * sizeof(*v));

	v[0] = (struct target_task){ .task = 1, .space = 1, .alive = true };
	v[1] = (struct target_task){ .task = 2, .space = 1, .alive = false };
	v[2] = (struct target_task){ .task = 3, .space = 2, .alive = true };
	*out = v;
	*n = 3;
	return 0;
}

static int
regs(struct target *t, uint32_t task, struct regs *out, struct err *err)
{
	if (task == 3)
		return err_set(err, E_NOT_FOUND, "task 3 has no program");
	*out = (struct regs){ .rip = CODE + 7,
			      .rsp = STACK + 0x800,
			      .rbp = 0,
			      .rdi = DATA + 0x100,
			      .rax = 5 };
	return 0;
}

static int64_t
read_at(struct target *t, uint32_t task, uint64_t addr, void *out, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		if (addr < maps[i].start || addr >= maps[i].end)
			continue;
		for (size_t k = 0; k < n; k++) {
			uint64_t at = addr + k - CODE;

			((uint8_t *)out)[k] =
				at < sizeof(code) ? code[at]
						  : (uint8_t)((addr + k) >> 8);
		}
		return (int64_t)n;
	}
	return -EFAULT;
}

static int
get_maps(struct target *t, uint32_t task, struct arena *a,
	 struct target_map **out, size_t *n, struct err *err)
{
	*out = arena_dup(a, maps, sizeof(maps));
	*n = ARRAY_LEN(maps);
	return 0;
}

static int
no_file(struct target *t, uint64_t file, struct target_file *out,
	struct err *err)
{
	return err_set(err, E_NOT_FOUND, "no file");
}

static const struct target_ops ops = {
	.tasks = tasks,
	.regs = regs,
	.read = read_at,
	.maps = get_maps,
	.file = no_file,
};

static struct target target = { &ops };

static struct tui_moment
look(struct arena *a, uint32_t task, const char *expr, int64_t shift)
{
	struct tui_moment_req req = { .pos = { .seq = 9 },
				      .task = task,
				      .frame = TUI_FRAME_AUTO,
				      .mem_expr = expr,
				      .mem_shift = shift };
	struct look *l = look_new(&target);
	struct err err = { 0 };
	struct tui_moment m;

	cr_assert_eq(look_at(l, &req, a, &m, &err), 0, "%s", err.text);
	look_free(l);
	return m;
}

Test(tui_look, registers_code_and_a_frame_without_any_symbols)
{
	struct arena a = { 0 };
	struct tui_moment m = look(&a, 1, NULL, 0);

	cr_assert_eq(m.pos.seq, 9);
	cr_assert(m.has_regs);
	cr_assert_eq(m.regs.rip, CODE + 7);
	cr_assert_geq(m.n_frames, 1);
	cr_assert_eq(m.frames[0].pc, CODE + 7);
	cr_assert_eq(m.frame, 0);
	cr_assert_gt(m.n_insns, 2);
	cr_assert_eq(m.insns[m.insn_at].addr, CODE + 7);
	cr_assert_not_null(strstr(m.insns[m.insn_at].text, "pop"));
	cr_assert_not_null(strstr(m.insns[m.insn_at + 1].text, "ret"));
	cr_assert_eq(m.n_src, 0);
	cr_assert_eq(m.n_maps, ARRAY_LEN(maps));
	arena_free(&a);
}

Test(tui_look, nobody_in_particular_is_only_the_list_of_tasks)
{
	struct arena a = { 0 };
	struct tui_moment m = look(&a, 0, NULL, 0);

	cr_assert_eq(m.n_tasks, 3);
	cr_assert_not(m.has_regs);
	cr_assert_eq(m.n_insns, 0);
	arena_free(&a);
}

Test(tui_look, the_dead_and_the_unborn_have_a_reason_and_no_registers)
{
	struct arena a = { 0 };
	struct tui_moment m = look(&a, 2, NULL, 0);

	cr_assert_not(m.has_regs);
	cr_assert_str_eq(m.note, "the task does not live here");
	m = look(&a, 77, NULL, 0);
	cr_assert_str_eq(m.note, "the task does not live here");
	m = look(&a, 3, NULL, 0);
	cr_assert_not(m.has_regs);
	cr_assert_str_eq(m.note, "task 3 has no program");
	cr_assert_eq(m.n_tasks, 3);
	arena_free(&a);
}

Test(tui_look, memory_is_a_window_around_the_address)
{
	struct arena a = { 0 };
	struct tui_moment m = look(&a, 1, "0x501800", 0);

	cr_assert_eq(m.mem_base, DATA + 0x1800);
	cr_assert_eq(m.mem_addr, DATA + 0x1000);
	cr_assert_eq(m.mem_len, TUI_MEM_WINDOW);
	cr_assert_eq(m.mem_shift, 0);
	cr_assert_eq(m.mem[0x110], 0x11);
	arena_free(&a);
}

Test(tui_look, the_window_ends_where_memory_does)
{
	struct arena a = { 0 };
	struct tui_moment m = look(&a, 1, "rdi", 0);

	/* Close to the start. */
	cr_assert_eq(m.mem_base, DATA + 0x100);
	cr_assert_eq(m.mem_addr, DATA);
	cr_assert_eq(m.mem_shift, TUI_MEM_WINDOW / 2 - 0x100);
	/* Moved on, and back by as much. */
	m = look(&a, 1, "rdi", m.mem_shift + 0x400);
	cr_assert_eq(m.mem_addr, DATA + 0x400);
	m = look(&a, 1, "rdi", -1000000);
	cr_assert_eq(m.mem_addr, DATA);
	/* Two mappings without a gap are one; a guard ends it. */
	m = look(&a, 1, "rdi", 1000000);
	cr_assert_eq(m.mem_addr + m.mem_len, DATA + DATA_LEN);
	/* A mapping of one page. */
	m = look(&a, 1, NULL, 0);
	cr_assert_eq(m.mem_base, STACK + 0x800);
	cr_assert_eq(m.mem_addr, STACK);
	cr_assert_eq(m.mem_len, 0x1000);
	arena_free(&a);
}

Test(tui_look, what_is_not_readable_is_told)
{
	struct arena a = { 0 };
	struct tui_moment m = look(&a, 1, "0x10", 0);

	cr_assert_eq(m.mem_len, 0);
	cr_assert_str_eq(m.mem_note, "0x10 is not readable");
	m = look(&a, 1, "0x503010", 0);
	cr_assert_str_eq(m.mem_note, "0x503010 is not readable");
	m = look(&a, 1, "nonsense", 0);
	cr_assert_str_eq(m.mem_note,
			 "no register or symbol is named \"nonsense\"");
	cr_assert(m.has_regs, "the rest is there");
	arena_free(&a);
}

static int
symbols(void *ctx, const char *name, uint64_t *out)
{
	if (strcmp(name, "main") != 0)
		return -E_NOT_FOUND;
	*out = 0x401000;
	return 0;
}

static uint64_t
value(const char *expr)
{
	struct regs r = { .rsp = 0x7000, .rdi = 64, .rip = 0x1234 };
	struct err err = { 0 };
	uint64_t v = 0;

	cr_assert_eq(look_value(expr, &r, symbols, NULL, &v, &err), 0, "%s: %s",
		     expr, err.text);
	return v;
}

Test(tui_look, an_address_is_a_sum)
{
	cr_assert_eq(value("4096"), 4096);
	cr_assert_eq(value("0x10"), 16);
	cr_assert_eq(value("rsp"), 0x7000);
	cr_assert_eq(value("$sp"), 0x7000);
	cr_assert_eq(value("pc"), 0x1234);
	cr_assert_eq(value("rsp+8"), 0x7008);
	cr_assert_eq(value("rsp - 0x10"), 0x6ff0);
	cr_assert_eq(value("main + rdi - 4 + 1"), 0x401000 + 61);
	cr_assert_eq(value("0-1"), UINT64_MAX);
}

Test(tui_look, what_is_no_sum_is_refused)
{
	static const char *const bad[] = { "",	    "+",     "rsp+",
					   "rsp +", "12x",   "a b",
					   "rsp 8", "[rsp]", "rsp*2" };
	struct regs r = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };
		uint64_t v = 77;

		cr_assert_eq(look_value(bad[i], &r, symbols, NULL, &v, &err),
			     -E_USAGE, "%s", bad[i]);
		cr_assert_eq(v, 77);
		cr_assert_neq(err.text[0], 0);
	}
}
