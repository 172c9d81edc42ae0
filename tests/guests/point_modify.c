/*
 * Code that changes while it runs: point_modify [NAME [TURNS]]. Without a name
 * all of them, shortly.
 */
#include "guest.h"

/*
 * A loop in a page that it writes itself: with each turn another constant, as
 * far ahead of the loop's begin as asked for.
 *
 *	1:	mov $0, %eax		b8 imm32; the constant
 *		add %rax, %rdx
 *		incb (%rsi)		the constant, or another byte
 *		lea 0x11223344(%rax), %rcx
 *		dec %rdi
 *		jnz 1b
 *		mov %rdx, %rax
 *		ret
 */
static const unsigned char loop[] = {
	0xb8, 0,    0,	  0,	0,		  /* mov */
	0x48, 0x01, 0xc2,			  /* add */
	0xfe, 0x06,				  /* incb */
	0x48, 0x8d, 0x88, 0x44, 0x33, 0x22, 0x11, /* lea */
	0x48, 0xff, 0xcf,			  /* dec */
	0x75, 0xea,				  /* jnz */
	0x48, 0x89, 0xd0,			  /* mov */
	0xc3,					  /* ret */
};

typedef unsigned long code_fn(unsigned long n, unsigned char *counter,
			      unsigned long sum);

static unsigned char *page;

static unsigned long
run(unsigned long n, size_t counter)
{
	memcpy(page, loop, sizeof(loop));
	return ((code_fn *)(void *)page)(n, page + counter, 0);
}

/* The constant that each turn uses. */
static unsigned long
modify_itself(unsigned long n)
{
	return run(n, 1);
}

/* A byte of the same page, and of the same line, that is no code. */
static unsigned long
modify_beside(unsigned long n)
{
	return run(n, sizeof(loop) + 3);
}

/* Written anew again and again, as a JIT does that changes its mind. */
static unsigned long
modify_again(unsigned long n)
{
	unsigned long sum = 0;

	for (unsigned long i = 0; i < n / 300000 + 1; i++) {
		page[13] = (unsigned char)i;
		sum += run(n % 300000 + 1, sizeof(loop) + 64);
	}
	return sum;
}

/* Reads its own code now and then: what stands in for it must not show. */
static unsigned long
modify_sum(unsigned long n)
{
	static unsigned long (*volatile const self)(unsigned long) = modify_sum;
	const unsigned char *from = (const unsigned char *)(uintptr_t)self;
	unsigned long h = 1;

	for (unsigned long i = 0; i < n; i++) {
		h = h * 31 + i;
		for (int k = 0; i % 10000000 == 0 && k < 256; k++)
			h = h * 31 + from[k];
	}
	return h;
}

static unsigned long
mix(unsigned long h)
{
	return (h ^ h >> 29) * 0xbf58476d1ce4e5b9;
}

/* The same, once, in the middle: points before it are found with a jump. A turn
 * takes long enough for a jump to stand there all the time. */
static unsigned long
modify_once(unsigned long n)
{
	static unsigned long (*volatile const self)(unsigned long) =
		modify_once;
	const unsigned char *from = (const unsigned char *)(uintptr_t)self;
	unsigned long h = 1;

	for (unsigned long i = 0; i < n; i++) {
		h = h * 31 + i;
		for (int k = 0; i == n / 2 && k < 256; k++)
			h = h * 31 + from[k];
		h = mix(mix(mix(mix(mix(mix(h))))));
	}
	return h;
}

static const struct {
	const char *name;
	unsigned long (*run)(unsigned long n);
} ways[] = {
	{ "itself", modify_itself }, { "beside", modify_beside },
	{ "again", modify_again },   { "sum", modify_sum },
	{ "once", modify_once },
};

int
main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
	unsigned long want = 0;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (argc < 2 || strcmp(argv[1], ways[i].name) == 0)
			printf("%s %lu\n", ways[i].name, ways[i].run(n));
	}
	for (unsigned long i = 0; i < 1000; i++)
		want += i % 256;
	CHECK(modify_itself(1000) == want);
	return 0;
}
