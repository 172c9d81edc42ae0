#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tracee/maps.h"
#include "tracee/patch.h"

void patch_guest(void);
extern const char room_plain[], room_store[], room_branch[], room_switch[],
	room_cold[], room_far[];
extern const char patch_guest_cpuid[], patch_guest_rdrand[],
	patch_guest_table[], patch_guest_rdtsc[];

/* A function with CFI, and bytes that look like CPUID between functions. */
__asm__(".text\n"
	".globl patch_guest\n"
	".type patch_guest, @function\n"
	"patch_guest:\n"
	".cfi_startproc\n"
	"	xorl %eax, %eax\n"
	"	xorl %ecx, %ecx\n"
	".globl patch_guest_cpuid\n"
	"patch_guest_cpuid:\n"
	"	cpuid\n"
	"	movl $0x00a20f00, %eax\n" /* in an operand */
	".globl patch_guest_rdrand\n"
	"patch_guest_rdrand:\n"
	"	rdrand %r10\n"
	".globl patch_guest_rdtsc\n"
	"patch_guest_rdtsc:\n"
	"	rdtsc\n"
	"	rdtscp\n"
	"	movl $0x00310f00, %eax\n"
	"	ret\n"
	".cfi_endproc\n"
	".size patch_guest, . - patch_guest\n"
	".globl patch_guest_table\n"
	"patch_guest_table:\n"
	"	.byte 0x90, 0x0f, 0xa2, 0x90, 0x90\n"
	"	.byte 0x0f, 0xc7, 0xf0, 0x90, 0x90\n");

/* CPUIDs with and without room for a jump before them. */
__asm__(".text\n"
	".type room_guest, @function\n"
	"room_guest:\n"
	".cfi_startproc\n"
	"	movl $1, %eax\n"
	"	xorl %ecx, %ecx\n"
	".globl room_plain\n"
	"room_plain:\n"
	"	cpuid\n"
	"	movl $0, -0x10(%rsp)\n"
	".globl room_store\n"
	"room_store:\n"
	"	cpuid\n"
	"	movl $2, %eax\n"
	"1:	movl %edx, %ecx\n" /* the jump would stand here, too */
	"	xorl %edi, %edi\n"
	".globl room_branch\n"
	"room_branch:\n"
	"	cpuid\n"
	"	jz 1b\n"
	"	movl %eax, room_word(%rip)\n"
	".globl room_far\n"
	"room_far:\n"
	"	cpuid\n"
	"	ret\n"
	".cfi_endproc\n"
	".size room_guest, . - room_guest\n"
	".local room_word\n"
	".comm room_word, 4, 4\n"
	".type room_switched, @function\n"
	"room_switched:\n"
	".cfi_startproc\n"
	"	leaq 3f(%rip), %rdx\n"
	"	movslq (%rdx,%rdi,4), %rax\n"
	"	addq %rdx, %rax\n"
	"	jmp *%rax\n"
	"1:	movl $7, %eax\n"
	"2:	xorl %ecx, %ecx\n"
	".globl room_switch\n"
	"room_switch:\n"
	"	cpuid\n"
	"	ret\n"
	".cfi_endproc\n"
	".size room_switched, . - room_switched\n"
	".section .rodata\n"
	".balign 4\n"
	"3:	.long 1b - 3b, 2b - 3b, 1b - 3b\n"
	".text\n"
	".type room_split, @function\n"
	"room_split:\n"
	".cfi_startproc\n"
	"	movl $7, %eax\n"
	"4:	xorl %ecx, %ecx\n"
	".globl room_cold\n"
	"room_cold:\n"
	"	cpuid\n"
	"	ret\n"
	".cfi_endproc\n"
	".size room_split, . - room_split\n"
	"	.skip 300, 0xcc\n"
	".type room_split_cold, @function\n"
	"room_split_cold:\n"
	".cfi_startproc\n"
	"	jmp 4b\n"
	".cfi_endproc\n"
	".size room_split_cold, . - room_split_cold\n");

static uint64_t
offset_of(const char *p)
{
	struct arena a = { 0 };
	struct vma v;
	uint64_t at = (uint64_t)(uintptr_t)p;

	cr_assert_eq(maps_query(getpid(), at, &a, &v, NULL), 0);
	arena_free(&a);
	return v.offset + (at - v.start);
}

static void
scan(const char *path, struct patch_list *l)
{
	struct err err = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(patch_scan(fd, l, &err), 0, "%s", err.text);
	fd_close(&fd);
}

static const struct patch_site *
at(const struct patch_list *l, uint64_t offset)
{
	const struct patch_site *s = patch_from(l, offset);

	return s != NULL && s->offset == offset ? s : NULL;
}

Test(tracee_patch, sites_in_functions_are_found)
{
	const struct patch_site *s;
	struct patch_list l;

	scan("/proc/self/exe", &l);
	s = at(&l, offset_of(patch_guest_cpuid));
	cr_assert_not_null(s);
	cr_assert_eq(s->cls, PATCH_CPUID);
	cr_assert_eq(s->len, 2);
	cr_assert_eq(s->first, 0x0f);
	s = at(&l, offset_of(patch_guest_rdrand));
	cr_assert_not_null(s);
	cr_assert_eq(s->cls, PATCH_RDRAND);
	cr_assert_eq(s->reg, 10);
	cr_assert_eq(s->bits, 64);
	cr_assert_eq(s->len, 4);
	cr_assert_eq(s->first, 0x49);
	s = at(&l, offset_of(patch_guest_rdtsc));
	cr_assert_not_null(s);
	cr_assert_eq(s->cls, PATCH_RDTSC);
	s = at(&l, offset_of(patch_guest_rdtsc) + 2);
	cr_assert_not_null(s);
	cr_assert_eq(s->cls, PATCH_RDTSCP);
	cr_assert_eq(s->len, 3);
	cr_assert(s[1].offset > offset_of(patch_guest_rdtsc) + 11 ||
		  s + 1 == l.v + l.len);
	patch_free(&l);
}

static unsigned
room_of(const struct patch_list *l, const char *p)
{
	const struct patch_site *s = at(l, offset_of(p));

	cr_assert_not_null(s);
	cr_assert_eq(s->cls, PATCH_CPUID);
	if (s->pre != 0)
		cr_assert_eq(memcmp(s->room, p - s->pre, s->pre + 2u), 0);
	return s->pre;
}

Test(tracee_patch, a_jump_has_room_where_nothing_leads_into_it)
{
	struct patch_list l, again;
	struct buf b = { 0 };

	scan("/proc/self/exe", &l);
	cr_assert_eq(room_of(&l, room_plain), 7);
	cr_assert_eq(room_of(&l, room_store), 8);
	cr_assert_eq(room_of(&l, room_branch), 0);
	cr_assert_eq(room_of(&l, room_far), 0);
	cr_assert_eq(room_of(&l, room_switch), 0);
	cr_assert_eq(room_of(&l, room_cold), 0);
	/* And what is kept of it. */
	patch_save(&l, &b);
	cr_assert(patch_load(&again, buf_span(&b)));
	cr_assert_eq(again.len, l.len);
	cr_assert_eq(room_of(&again, room_plain), 7);
	cr_assert_eq(room_of(&again, room_branch), 0);
	patch_free(&again);
	cr_assert_not(patch_load(&again, span_of(b.p, b.len - 1)));
	buf_free(&b);
	patch_free(&l);
}

Test(tracee_patch, operands_and_tables_are_left_alone)
{
	struct patch_list l;
	uint64_t from, to;
	size_t i;

	scan("/proc/self/exe", &l);
	from = offset_of(patch_guest_table);
	to = from + 10;
	for (i = 0; i < l.len; i++)
		cr_assert(l.v[i].offset < from || l.v[i].offset >= to);
	from = offset_of(patch_guest_cpuid) + 2;
	to = offset_of(patch_guest_rdrand);
	for (i = 0; i < l.len; i++)
		cr_assert(l.v[i].offset < from || l.v[i].offset >= to);
	patch_free(&l);
}

/* A file of code without .eh_frame, and what is known about it. */
static bool
unsure_of(const void *code, size_t len)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph;
		uint8_t text[4096];
	} file = { 0 };
	int fd = memfd_create("code", MFD_CLOEXEC);
	struct patch_list l;
	bool unsure;

	memcpy(file.eh.e_ident, ELFMAG, SELFMAG);
	file.eh.e_ident[EI_CLASS] = ELFCLASS64;
	file.eh.e_machine = EM_X86_64;
	file.eh.e_phoff = offsetof(typeof(file), ph);
	file.eh.e_phentsize = sizeof(Elf64_Phdr);
	file.eh.e_phnum = 1;
	file.ph = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_offset = offsetof(typeof(file), text),
				.p_filesz = sizeof(file.text) };
	memset(file.text, 0x90, sizeof(file.text));
	cr_assert_leq(len, 1000u);
	memcpy(file.text + 1000, code, len);
	cr_assert_eq(fd_write_all(fd, &file, sizeof(file)), 0);
	cr_assert_eq(patch_scan(fd, &l, NULL), 0);
	for (size_t i = 0; i < l.len; i++)
		cr_assert_eq(l.v[i].offset, file.ph.p_offset + 1000);
	unsure = l.unsure;
	patch_free(&l);
	fd_close(&fd);
	return unsure;
}

Test(tracee_patch, an_rdtsc_that_is_not_a_site_is_not_passed_over)
{
	/* mov $0x00310f00, %eax; nop */
	static const uint8_t operand[] = { 0xb8, 0x00, 0x0f, 0x31, 0x00 };
	static const uint8_t plain[] = { 0x0f, 0x31, 0xc3 };
	/* rdtsc; ret; then what is no code */
	static const uint8_t at_end[] = { 0x0f, 0x31, 0xc3, 0x06, 0x07, 0x0e };

	cr_assert_not(unsure_of(operand, sizeof(operand)));
	cr_assert_not(unsure_of(plain, sizeof(plain)));
	cr_assert(unsure_of(at_end, sizeof(at_end)));
	cr_assert_not(unsure_of("", 0));
}

Test(tracee_patch, the_loader_has_many)
{
	struct patch_list l;
	size_t i;

	scan("/lib64/ld-linux-x86-64.so.2", &l);
	cr_assert_gt(l.len, 10u);
	for (i = 1; i < l.len; i++)
		cr_assert_lt(l.v[i - 1].offset, l.v[i].offset);
	cr_assert_null(patch_from(&l, l.v[l.len - 1].offset + 1));
	cr_assert_eq(patch_from(&l, 0), &l.v[0]);
	patch_free(&l);
}

Test(tracee_patch, what_is_not_elf_has_none)
{
	struct patch_list l;

	scan("/etc/passwd", &l);
	cr_assert_eq(l.len, 0u);
	cr_assert(l.unsure);
	scan("/dev/null", &l);
	cr_assert_eq(l.len, 0u);
	cr_assert(l.unsure);
}

/* A memfd with n bytes of our own executable, some of them overwritten. */
static int
damaged(const struct buf *exe, size_t n, size_t at_byte, uint8_t value)
{
	int fd = memfd_create("damaged", MFD_CLOEXEC);

	cr_assert_eq(fd_write_all(fd, exe->p, n), 0);
	if (at_byte < n)
		cr_assert_eq(fd_pwrite_all(fd, &value, 1, (off_t)at_byte), 0);
	return fd;
}

Test(tracee_patch, damaged_files_do_no_harm)
{
	struct buf exe = { 0 };
	struct patch_list l;
	size_t i;
	int fd;

	cr_assert_eq(fd_read_file("/proc/self/exe", &exe), 0);
	/* Every byte of the ELF and program headers, set to two values. */
	for (i = 0; i < sizeof(Elf64_Ehdr) + 13 * sizeof(Elf64_Phdr); i++) {
		fd = damaged(&exe, exe.len < 300000 ? exe.len : 300000, i,
			     i % 2 != 0 ? 0xff : 0x40);
		if (patch_scan(fd, &l, NULL) == 0)
			patch_free(&l);
		fd_close(&fd);
	}
	for (i = 1; i < 5000; i += 61) {
		fd = damaged(&exe, i, exe.len, 0);
		cr_assert_eq(patch_scan(fd, &l, NULL), 0);
		patch_free(&l);
		fd_close(&fd);
	}
	buf_free(&exe);
}

Test(tracee_patch, single_instructions_decode)
{
	static const uint8_t rdtsc[] = { 0x0f, 0x31 };
	static const uint8_t rdtscp[] = { 0x0f, 0x01, 0xf9 };
	static const uint8_t rdpid[] = { 0xf3, 0x0f, 0xc7, 0xf8 };
	static const uint8_t hlt[] = { 0xf4 };
	struct patch_site s;

	cr_assert(patch_decode(span_of(rdtsc, 2), &s));
	cr_assert_eq(s.cls, PATCH_RDTSC);
	cr_assert_eq(s.len, 2);
	cr_assert(patch_decode(span_of(rdtscp, 3), &s));
	cr_assert_eq(s.cls, PATCH_RDTSCP);
	cr_assert_eq(s.len, 3);
	cr_assert(patch_decode(span_of(rdpid, 4), &s));
	cr_assert_eq(s.cls, PATCH_RDPID);
	cr_assert_not(patch_decode(span_of(hlt, 1), &s));
	cr_assert_not(patch_decode(span_of(rdtscp, 2), &s));
	cr_assert_not(patch_decode(span_of(hlt, 0), &s));
}
