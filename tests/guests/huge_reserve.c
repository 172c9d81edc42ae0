/*
 * A terabyte reserved, a little of it used; and 70 GB that can be written,
 * which are one mapping or several, as a locked page in their midst comes and
 * goes.
 */
#include "guest.h"

static void
locked_page(void)
{
	size_t size = 70ul << 30;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	p[4096] = 1;
	CHECK(!mlock(p + (35ul << 30), 4096));
	p[(35ul << 30)] = 2;
	p[size - 1] = 3;
}

int
main(void)
{
	size_t tb = 1ul << 40;
	char *p = mmap(NULL, tb, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t at = 0; at < tb; at += tb / 8) {
		CHECK(!mprotect(p + at, 8192, PROT_READ | PROT_WRITE));
		p[at] = 1;
	}
	CHECK(!munmap(p + tb / 2, tb / 4));
	locked_page();
	printf("reserved\n");
	return 0;
}
