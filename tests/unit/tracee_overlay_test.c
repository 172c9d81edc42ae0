#include "tracee/overlay.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE OVERLAY_PAGE
#define PAGES 8u

/* Our own memory stands for the task's. */
static struct mem
own(void)
{
	struct mem m;

	cr_assert(mem_open(&m, getpid(), NULL) == 0);
	return m;
}

static uint8_t *
pages(void)
{
	uint8_t *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(p != MAP_FAILED);
	for (size_t i = 0; i < PAGES * PAGE; i++)
		p[i] = (uint8_t)(i / PAGE + i);
	return p;
}

static uint64_t
at(const uint8_t *p, size_t offset)
{
	return (uint64_t)(uintptr_t)p + offset;
}

Test(tracee_overlay, nothing_is_written_before_the_flush)
{
	struct overlay o = { .mem = own() };
	uint8_t *p = pages(), was[PAGES * PAGE], found[4];

	memcpy(was, p, sizeof(was));
	cr_assert(overlay_write(&o, at(p, PAGE - 2), "abcd", 4) == 0);
	cr_assert(memcmp(p, was, sizeof(was)) == 0);
	cr_assert(overlay_read(&o, at(p, PAGE - 2), found, 4) == 0);
	cr_assert(memcmp(found, "abcd", 4) == 0);
	cr_assert(overlay_flush(&o) == 0);
	memcpy(was + PAGE - 2, "abcd", 4);
	cr_assert(memcmp(p, was, sizeof(was)) == 0);
	overlay_release(&o);
	mem_close(&o.mem);
}

Test(tracee_overlay, runs_of_pages_and_gaps_come_out_right)
{
	static const size_t places[] = { 5 * PAGE + 9,	  17,
					 6 * PAGE,	  PAGE + 1,
					 3 * PAGE + 4000, 7 * PAGE - 1 };
	struct overlay o = { .mem = own() };
	uint8_t *p = pages(), want[PAGES * PAGE];

	memcpy(want, p, sizeof(want));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint8_t byte = (uint8_t)~want[places[i]];

		want[places[i]] = byte;
		cr_assert(overlay_write(&o, at(p, places[i]), &byte, 1) == 0);
	}
	cr_assert(overlay_flush(&o) == 0);
	cr_assert(memcmp(p, want, sizeof(want)) == 0);
	overlay_release(&o);
	mem_close(&o.mem);
}

/* What is not changed is nobody's to write: a page stays the file's. */
Test(tracee_overlay, bytes_that_are_the_same_are_not_written)
{
	struct overlay o = { .mem = own() };
	uint8_t *p = pages();
	uint8_t same[2 * PAGE];

	memcpy(same, p + PAGE, sizeof(same));
	same[PAGE] ^= 1;
	cr_assert(overlay_write(&o, at(p, PAGE), same, sizeof(same)) == 0);
	p[PAGE + 5] = 77; /* behind its back, to see what is written */
	p[2 * PAGE + 5] = 77;
	cr_assert(overlay_flush(&o) == 0);
	cr_assert(p[PAGE + 5] == 77);
	cr_assert(p[2 * PAGE + 5] == 77);
	cr_assert(p[2 * PAGE] == same[PAGE]);
	overlay_release(&o);
	mem_close(&o.mem);
}

Test(tracee_overlay, a_file_is_read_once_whatever_its_address)
{
	struct overlay_known known = { { 0 } };
	uint8_t *p = pages(), *q = pages(), byte;
	struct overlay o = { .mem = own(), .known = &known, .base = at(p, 0) };

	cr_assert(overlay_read(&o, at(p, PAGE + 3), &byte, 1) == 0);
	overlay_release(&o);
	q[PAGE + 3] = (uint8_t)~byte; /* not looked at: it is known */
	o.v.v = NULL;
	o.v.len = 0;
	o.base = at(q, 0);
	cr_assert(overlay_read(&o, at(q, PAGE + 3), &q[0], 1) == 0);
	cr_assert_eq(q[0], byte);
	overlay_release(&o);
	overlay_forget(&known);
	mem_close(&o.mem);
}

Test(tracee_overlay, memory_that_is_not_there_is_an_error)
{
	struct overlay o = { .mem = own() };
	uint8_t *p = pages(), byte = 1;

	cr_assert(munmap(p + PAGE, PAGE) == 0);
	cr_assert(overlay_write(&o, at(p, PAGE + 3), &byte, 1) == -EFAULT);
	cr_assert(overlay_flush(&o) == 0);
	overlay_release(&o);
	mem_close(&o.mem);
}
