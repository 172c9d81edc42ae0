/* A terabyte reserved, a little of it used. */
#include "guest.h"

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
	printf("reserved\n");
	return 0;
}
