#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tracee/mem.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

#define PAGE 4096u

static struct mem mem;
static uint8_t *page; /* two pages, then nothing */

/* A stopped child with a copy of our memory. */
static void
setup(void)
{
	struct stop st;
	pid_t pid;

	page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 2 * PAGE, PAGE);
	memset(page, 'x', 2 * PAGE);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	cr_assert_eq(ptrace_seize(pid, NULL), 0);
	cr_assert_eq(ptrace_interrupt(pid), 0);
	cr_assert_eq(stop_wait(pid, true, &st), 0);
	cr_assert_eq(mem_open(&mem, pid, NULL), 0);
}

static uint64_t
at(size_t offset)
{
	return (uint64_t)(uintptr_t)page + offset;
}

Test(tracee_mem, reading_stops_at_the_end_of_the_mapping, .init = setup)
{
	uint8_t buf[3 * PAGE];

	cr_assert_eq(mem_read(&mem, at(PAGE), buf, 3 * PAGE), (int)PAGE);
	cr_assert_eq(mem_read(&mem, at(2 * PAGE), buf, 1), -EIO);
	cr_assert_eq(mem_read_all(&mem, at(0), buf, 2 * PAGE), 0);
	cr_assert_eq(mem_read_all(&mem, at(1), buf, 2 * PAGE), -EFAULT);
	cr_assert_lt(mem_read(&mem, 0xffffffffff600000, buf, 1), 0);
}

Test(tracee_mem, writing_ignores_protection_and_stays_in_the_child,
     .init = setup)
{
	char back[8] = "";

	cr_assert_eq(mem_write_all(&mem, at(PAGE - 2), "hello", 5), 0);
	cr_assert_eq(mem_read_all(&mem, at(PAGE - 2), back, 5), 0);
	cr_assert_str_eq(back, "hello");
	cr_assert_eq(page[PAGE], 'x');
	/* Constants are in read-only pages. */
	cr_assert_eq(
		mem_write_all(&mem, (uint64_t)(uintptr_t) "constant", "C", 1),
		0);
	cr_assert_eq(mem_write(&mem, at(2 * PAGE - 1), "ab", 2), 1);
	cr_assert_eq(mem_write(&mem, at(2 * PAGE), "ab", 2), -EIO);
}

/* Without forced writes (proc_mem.force_override) /proc/PID/mem is as good as
 * read-only: a descriptor that refuses to write stands for it. */
Test(tracee_mem, what_proc_refuses_is_poked, .init = setup)
{
	struct mem ro = mem;
	char path[64], back[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/mem", mem.pid);
	ro.fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(ro.fd, 0);
	cr_assert_eq(
		mem_write_all(&ro, at(PAGE - 9), "across a page of words", 22),
		0);
	cr_assert_eq(mem_read_all(&mem, at(PAGE - 10), back, 24), 0);
	cr_assert_str_eq(back, "xacross a page of wordsx");
	cr_assert_eq(mem_write(&ro, at(2 * PAGE - 3), "abcdef", 6), 3);
	cr_assert_eq(mem_write(&ro, at(2 * PAGE), "abcdef", 6), -EIO);
	mem_close(&ro);
}

Test(tracee_mem, strings_end_at_nul_limit_or_the_mapping, .init = setup)
{
	struct buf out = { 0 };

	cr_assert_eq(mem_write_all(&mem, at(PAGE - 3), "string", 7), 0);
	buf_str(&out, "+");
	cr_assert_eq(mem_read_str(&mem, at(PAGE - 3), 100, &out), 0);
	cr_assert_str_eq(buf_cstr(&out), "+string");
	buf_clear(&out);
	cr_assert_eq(mem_read_str(&mem, at(PAGE - 3), 4, &out), 0);
	cr_assert_str_eq(buf_cstr(&out), "stri");
	buf_clear(&out);
	cr_assert_eq(mem_read_str(&mem, at(2 * PAGE - 8), 100, &out), -EFAULT);
	cr_assert_eq(out.len, 0u);
	cr_assert_eq(mem_read_str(&mem, 0, 100, &out), -EFAULT);
	buf_free(&out);
}

Test(tracee_mem, a_mapping_may_end_at_a_page_whose_string_goes_on,
     .init = setup)
{
	struct buf out = { 0 };

	cr_assert_eq(mem_read_str(&mem, at(0), 2 * PAGE, &out), 0);
	cr_assert_eq(out.len, 2 * PAGE);
	buf_free(&out);
}
