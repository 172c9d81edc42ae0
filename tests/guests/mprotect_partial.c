/* Calls that fail half way: what they did before they failed stays done. */
#include "guest.h"

int
main(void)
{
	char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *f;
	char line[256];
	int readonly = 0;

	CHECK(p != MAP_FAILED);
	memset(p, 5, 16 * 4096);
	CHECK(munmap(p + 8 * 4096, 4096) == 0);
	CHECK(mprotect(p + 4 * 4096, 8 * 4096, PROT_READ) == -1 && errno == ENOMEM);
	CHECK(madvise(p + 6 * 4096, 6 * 4096, MADV_DONTNEED) == -1 && errno == ENOMEM);
	f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;
		char prot[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, prot) == 3 &&
		    from == (unsigned long)p + 4 * 4096)
			readonly = !strcmp(prot, "r--p");
	}
	fclose(f);
	CHECK(p[0] == 5 && p[12 * 4096] == 5);
	printf("part became read-only %d, beyond the hole zero %d\n", readonly,
	       p[9 * 4096] == 0);
	return 0;
}
