/* Code that is written at run time, rewritten, checked. */
#include "guest.h"

int
main(void)
{
	/* mov $imm32, %eax; ret */
	unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
	unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum;
	int total = 0, (*fn)(void);

	CHECK(p != MAP_FAILED);
	memcpy(p, code, sizeof(code));
	fn = (int (*)(void))p;
	for (int i = 0; i < 100; i++) {
		p[1] = (unsigned char)i;
		total += fn();
	}
	CHECK(!mprotect(p, 4096, PROT_READ | PROT_EXEC) && fn() == 99);
	CHECK(!mprotect(p, 4096, PROT_READ | PROT_WRITE));
	p[1] = 7;
	CHECK(!mprotect(p, 4096, PROT_READ | PROT_EXEC) && fn() == 7);
	sum = fnv(0, (void *)main, 64);
	getppid();
	CHECK(sum == fnv(0, (void *)main, 64));
	printf("total %d\n", total);
	return 0;
}
