/* The heap and mappings in every way they change. */
#include "guest.h"
#include <sys/syscall.h>

int
main(void)
{
	char *base = sbrk(0), *p, *q;

	CHECK(sbrk(65536) == base);
	memset(base, 1, 65536);
	CHECK(brk(base + 8192) == 0);
	CHECK(brk(base + 32768) == 0);
	CHECK(base[8191] == 1 && base[8192] == 0 && base[32767] == 0);
	p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 7, 1 << 20);
	/* in the middle, fixed */
	q = mmap(p + 65536, 65536, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(q == p + 65536 && q[0] == 0 && q[-1] == 7 && q[65536] == 7);
	CHECK(mprotect(q, 4096, PROT_READ) == 0);
	CHECK(munmap(q + 4096, 4096) == 0);
	p = mremap(p + 131072, 131072, 1 << 19, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p[0] == 7 && p[131071] == 7 && p[131072] == 0);
	p = mremap(p, 1 << 19, 65536, 0);
	CHECK(p != MAP_FAILED && p[65535] == 7);
	q = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mremap(p, 65536, 65536, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	CHECK(q[100] == 7);
	p = (void *)syscall(SYS_mremap, q, 65536, 65536,
			    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	CHECK(p != MAP_FAILED && p[100] == 7 && q[100] == 0);
	CHECK(madvise(p, 8192, MADV_DONTNEED) == 0 && p[100] == 0 && p[8192] == 7);
	CHECK(madvise(p, 4096, MADV_FREE) == -1 || p[0] == 0);
	printf("heap and mappings agree\n");
	return 0;
}
