/*
 * touch MB SECONDS: a process of so much memory that computes for about so
 * long: each step changes a word at a random place. A line of output now and
 * then, hardly any other calls.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STEPS 1000000u /* of a round */
#define LINES 10u

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t
touch(uint64_t *v, uint64_t n, uint64_t x)
{
	for (unsigned i = 0; i < STEPS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[x % n] += x;
	}
	return x;
}

int
main(int argc, char **argv)
{
	uint64_t bytes, n, x = 88172645463325252u, *v;
	double began, each;
	uint64_t rounds;

	if (argc != 3)
		return 2;
	bytes = strtoul(argv[1], NULL, 10) << 20;
	n = bytes / sizeof(*v);
	v = n > 0 ? malloc(bytes) : NULL;
	if (!v)
		return 1;
	for (uint64_t i = 0; i < n; i++)
		v[i] = i;
	began = now();
	for (int i = 0; i < 8; i++)
		x = touch(v, n, x);
	each = (now() - began) / 8;
	rounds = (uint64_t)(strtod(argv[2], NULL) / each);
	for (uint64_t i = 1; i <= rounds; i++) {
		x = touch(v, n, x);
		if (i % (rounds / LINES + 1) == 0)
			printf("%lu %lx\n", i, x);
		fflush(stdout);
	}
	printf("%lx\n", v[x % n]);
	return 0;
}
