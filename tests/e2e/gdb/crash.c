#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int counter;
static int *where;

static void
set(int n)
{
	counter = n;
	printf("counter %d\n", n);
	fflush(stdout);
}

static void
crash(int *p)
{
	*p = counter;
}

int
main(void)
{
	for (int n = 1; n <= 5; n++)
		set(n);
	crash(where);
	return 0;
}
