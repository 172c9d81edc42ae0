#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tracee/maps.h"
#include "tracee/site.h"

#define CODE 512
#define AT 256

/* Code of nops with a syscall instruction at AT and what is put around it. */
struct code {
	uint8_t b[CODE];
};

static void
code_init(struct code *c)
{
	memset(c->b, 0x90, sizeof(c->b));
	memcpy(c->b + AT, "\x0f\x05", 2);
}

static void
put(struct code *c, int at, const char *bytes, size_t n)
{
	memcpy(c->b + AT + at, bytes, n);
}

static bool
plan(const struct code *c, struct site_plan *out)
{
	const struct site_targets none = { 0 };

	return site_plan(span_of(c->b, CODE), AT, AT, &none, out);
}

Test(tracee_site, a_number_that_is_loaded_before_the_call_makes_room)
{
	struct site_plan p;
	struct code c;

	code_init(&c);
	put(&c, -5, "\xb8\x27\0\0\0", 5); /* mov $39, %eax */
	cr_assert(plan(&c, &p));
	cr_assert_eq(p.pre, 5);
}

Test(tracee_site, instructions_move_whole)
{
	struct site_plan p;
	struct code c;

	code_init(&c);
	/* mov %rcx, %r10; mov %r8, %rdx; mov %rdi, %rax */
	put(&c, -9, "\x49\x89\xca\x4c\x89\xc2\x48\x89\xf8", 9);
	cr_assert(plan(&c, &p));
	cr_assert_eq(p.pre, 6);
}

Test(tracee_site, loads_and_stores_move_unless_they_are_relative)
{
	struct site_plan p;
	struct code c;

	code_init(&c);
	put(&c, -7, "\x48\x8b\x47\x08\x48\x8b\xf8", 7); /* mov 8(%rdi), %rax */
	cr_assert(plan(&c, &p));
	cr_assert_eq(p.pre, 7);
	code_init(&c);
	put(&c, -7, "\x48\x8b\x05\x08\0\0\0", 7); /* mov 8(%rip), %rax */
	cr_assert_not(plan(&c, &p));
	code_init(&c);
	put(&c, -5, "\x56\x48\x83\xec\x08", 5); /* push %rsi; sub $8, %rsp */
	cr_assert_not(plan(&c, &p));
}

Test(tracee_site, nobody_branches_to_the_call_itself)
{
	struct site_plan p;
	struct code c;

	code_init(&c);
	put(&c, -5, "\xb8\x27\0\0\0", 5);
	put(&c, 20, "\x75\xea", 2); /* jne to the syscall instruction */
	cr_assert_not(plan(&c, &p));
	put(&c, 20, "\x75\xe5", 2); /* jne to the mov: as good as before */
	cr_assert(plan(&c, &p));
	put(&c, -40, "\x74\x26", 2); /* je to the syscall instruction */
	cr_assert_not(plan(&c, &p));
}

Test(tracee_site, a_far_branch_is_as_bad_as_a_near_one)
{
	uint64_t to = AT;
	struct site_targets far = { .v = &to, .len = 1 };
	struct site_plan p;
	struct code c;

	code_init(&c);
	put(&c, -5, "\xb8\x27\0\0\0", 5);
	cr_assert_not(site_plan(span_of(c.b, CODE), AT, AT, &far, &p));
	to = AT - 5;
	cr_assert(site_plan(span_of(c.b, CODE), AT, AT, &far, &p));
	cr_assert_eq(p.pre, 5);
}

Test(tracee_site, padding_after_a_return_serves_when_there_is_no_room)
{
	uint8_t hop[2];
	struct site_plan p;
	struct code c;

	code_init(&c);
	/* je 1f; xor %eax, %eax; 1: the call; ret; padding up to 16 */
	put(&c, -4, "\x74\x02\x31\xc0", 4);
	put(&c, 2, "\xc3\x0f\x1f\x80\0\0\0\0\x0f\x1f\x44\0\0\x90", 14);
	cr_assert(plan(&c, &p));
	cr_assert_eq(p.pre, 0);
	cr_assert_eq(p.hole, 3);
	site_short(&p, hop);
	cr_assert_eq(hop[0], 0xeb);
	cr_assert_eq(hop[1], 1);
}

Test(tracee_site, what_is_no_padding_is_left_alone)
{
	struct site_plan p;
	struct code c;

	code_init(&c);
	put(&c, -4, "\x74\x02\x31\xc0", 4);
	/* ret, three bytes of padding, then something else */
	put(&c, 2, "\xc3\x0f\x1f\0\x48\x89\xf8\x0f\x1f\x44\0\0\x90\x90", 14);
	cr_assert_not(plan(&c, &p));
	/* ret, padding that somebody jumps into */
	put(&c, 2, "\xc3\x0f\x1f\x80\0\0\0\0\x0f\x1f\x44\0\0\x90", 14);
	put(&c, -60, "\x75\x40", 2); /* jne to 6 behind the call */
	cr_assert_not(plan(&c, &p));
}

Test(tracee_site, a_stub_runs_what_moved_and_knows_the_way_back)
{
	static const uint8_t pre[5] = { 0xb8, 0x27, 0, 0, 0 };
	const uint64_t at = AGENT_SITES + 5 * AGENT_SITE_SIZE;
	uint8_t stub[AGENT_SITE_SIZE], jump[SITE_JUMP];
	uint64_t insn, v;
	uint32_t w;

	insn = site_stub(at, span_of(pre, 5), 0x1234567890, stub);
	memcpy(&v, stub, 8);
	cr_assert_eq(v, at + 8, "the word that the site jumps through");
	cr_assert_arr_eq(stub + 8, pre, 5);
	cr_assert_eq(stub[insn - at], 0x0f);
	cr_assert_eq(stub[insn - at + 1], 0x05);
	memcpy(&w, stub + 8 + 5 + 1, 4);
	cr_assert_eq(w, insn, "what the agent gets in rcx");
	memcpy(&v, stub + (insn - at) + 8, 8);
	cr_assert_eq(v, 0x1234567890);
	site_jump((uint32_t)at, jump, sizeof(jump));
	memcpy(&w, jump + 3, 4);
	cr_assert_eq(w, at);
}

/* Every syscall instruction of the C library, as a program would come to it. */
static void
census(int fd, unsigned *sites, unsigned *patched)
{
	struct site_targets targets;
	struct stat st;
	uint8_t *file;
	const Elf64_Phdr *ph;

	cr_assert_eq(site_scan(fd, &targets, NULL), 0);
	cr_assert_eq(fstat(fd, &st), 0);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	cr_assert_neq(file, MAP_FAILED);
	ph = (const Elf64_Phdr *)(const void *)(file + sizeof(Elf64_Ehdr));
	while (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
		ph++;
	for (size_t i = SITE_NEAR; i + SITE_AFTER < ph->p_filesz; i++) {
		const uint8_t *p = file + ph->p_offset + i;
		struct site_plan plan;

		/* followed by the check for an error: surely an instruction */
		if (memcmp(p, "\x0f\x05\x48\x3d", 4) != 0)
			continue;
		(*sites)++;
		*patched += site_plan(
			span_of(p - SITE_NEAR, SITE_NEAR + SITE_AFTER),
			SITE_NEAR, ph->p_offset + i, &targets, &plan);
	}
	munmap(file, (size_t)st.st_size);
	site_free(&targets);
}

Test(tracee_site, most_calls_of_the_c_library_can_be_patched)
{
	unsigned sites = 0, patched = 0;
	struct arena a = { 0 };
	struct vma v;
	int fd;

	cr_assert_eq(maps_query(getpid(), (uint64_t)(uintptr_t)&getppid, &a, &v,
				NULL),
		     0);
	fd = open(v.name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		cr_skip_test("no shared C library");
	census(fd, &sites, &patched);
	cr_log_info("%u of %u", patched, sites);
	cr_assert_gt(patched, sites / 10 * 9, "%u of %u", patched, sites);
	fd_close(&fd);
	arena_free(&a);
}
