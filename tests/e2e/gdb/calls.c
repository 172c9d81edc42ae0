/* Calls: nested, recursive, through a pointer; numbers of all kinds. */
#include <stdio.h>

struct point {
	int x, y;
};

static double half;
static struct point corner;

static long
factorial(long n)
{
	if (n <= 1)
		return 1;
	return n * factorial(n - 1);
}

static int
leaf(int a)
{
	int b = a * 2;

	return b + 1;
}

static int
middle(int a)
{
	int r = leaf(a);

	r += leaf(r);
	return r;
}

static void
move(struct point *p, int by)
{
	p->x += by;
	p->y -= by;
}

int
main(void)
{
	int (*f)(int) = middle;
	double third = 1.0 / 3;
	int m;
	long n;

	m = f(3);
	n = factorial(5);
	half = third * 1.5;
	move(&corner, m);
	printf("%d %ld %.2f %d\n", m, n, half, corner.x);
	return 0;
}
