/* The initial stack: arguments, environment, auxiliary vector. */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

int
main(int argc, char **argv)
{
	const unsigned char *rnd = (const void *)getauxval(AT_RANDOM);
	const char *fn = (const char *)getauxval(AT_EXECFN);
	int n = 0;

	for (int i = 1; i < argc; i++)
		printf("arg %d %s\n", i, argv[i]);
	for (char **e = environ; *e; e++)
		n++;
	CHECK(n > 0);
	CHECK(rnd && fn && *fn);
	/* random: must be the same in replay, which the memory check sees */
	printf("execfn ends in args_env %d, random there %d\n",
	       strlen(fn) >= 8 && !strcmp(fn + strlen(fn) - 8, "args_env"),
	       fnv(0, rnd, 16) != 0);
	printf("page size %lu\n", getauxval(AT_PAGESZ));
	return 0;
}
