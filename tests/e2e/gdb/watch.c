/* Variables written by code, by the kernel, and through a pointer. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct account {
	int id;
	long balance;
};

static struct account alice = { 1, 100 };
static struct account bob = { 2, 50 };
static char line[16];
static int total;

static void
pay(struct account *from, struct account *to, long amount)
{
	from->balance -= amount;
	to->balance += amount;
}

static void
fill(void)
{
	int fds[2];

	pipe(fds);
	write(fds[1], "hello", 5);
	read(fds[0], line, sizeof(line));
}

static long
sum(int n)
{
	long s = 0;

	for (int i = 1; i <= n; i++)
		s += i;
	return s;
}

int
main(void)
{
	pay(&alice, &bob, 30);
	fill();
	total = (int)sum(100);
	pay(&bob, &alice, 5);
	strcpy(line, "bye");
	printf("%ld %ld %d\n", alice.balance, bob.balance, total);
	return 0;
}
