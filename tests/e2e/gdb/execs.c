/* Executes itself, once. */
#include <stdio.h>
#include <unistd.h>

static int stage;

static void
second(void)
{
	stage = 2;
	puts("second");
}

static void
first(char *name)
{
	char *args[] = { name, "again", NULL };

	stage = 1;
	execv(name, args);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		second();
	else
		first(argv[0]);
	return 0;
}
