/*
 * Computing without calls, in ways that make one moment hard to tell from the
 * next: point_loops NAME [TURNS]. Without a name all of them, shortly.
 */
#include "guest.h"
#include <stddef.h>

static volatile unsigned long global;
static volatile int never;
static unsigned char *from, *to;
static unsigned long seed = 88172645463325252ul;

static unsigned long
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* One register, two instructions. */
static unsigned long
loop_dec(unsigned long n)
{
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n));
	return n;
}

static unsigned long
loop_inc_live(unsigned long n)
{
	unsigned long c = 0;

	/* The carry goes round: flags are never dead. */
	__asm__ volatile("clc\n1: adc $0, %1; inc %1; dec %0; jnz 1b"
			 : "+r"(n), "+r"(c));
	return c;
}

static unsigned long
loop_rcx(unsigned long n)
{
	__asm__ volatile("1: nop; loop 1b" : "+c"(n));
	return n;
}

/* Nothing changes but one word of memory; then not even flags. */
static unsigned long
loop_global(unsigned long n)
{
	global = 0;
	__asm__ volatile("1: incq %0; nopw 512(%%rax,%%rax,1); cmp %1, %0\n"
			 "	jb 1b"
			 : "+m"(global)
			 : "r"(n)
			 : "cc");
	return global;
}

static unsigned long
loop_stack(unsigned long n)
{
	volatile unsigned long count = 0;

	while (count < n)
		count++;
	return count;
}

static unsigned long
loop_heap(unsigned long n)
{
	volatile unsigned long *p = calloc(1, 65536);
	unsigned long count;

	for (p[5] = 0; p[5] < n;)
		p[5]++;
	count = p[5];
	free((void *)(uintptr_t)p);
	return count;
}

/* Progress is far from what registers point to, and far apart in time. */
struct node {
	struct node *next;
	char pad[40000];
	unsigned long count;
};

static struct node *head;
static volatile unsigned sink;

static __attribute__((noinline)) void
work(void)
{
	for (unsigned i = 0; i < 400; i++)
		sink = i * 3;
}

static unsigned long
loop_hidden(unsigned long n)
{
	struct node **q = &head;

	for (int i = 0; i < 8; i++) {
		*q = calloc(1, sizeof(**q));
		q = &(*q)->next;
	}
	*q = head;
	for (n = n / 400 + 1; head->next->next->next->count < n;) {
		work();
		head->next->next->next->count++;
	}
	return n;
}

/* The same with all registers equal each time. */
static unsigned long
loop_memory(unsigned long n)
{
	struct node *a = calloc(1, sizeof(*a));

	head = calloc(1, sizeof(*head));
	head->next = a;
	a->count = n / 40 + 1;
	__asm__ volatile("xor %%ecx, %%ecx\n"
			 "1:\n"
			 "	.rept 40\n"
			 "	movl $7, %0\n"
			 "	.endr\n"
			 "	mov %1, %%rax\n"
			 "	mov (%%rax), %%rax\n"
			 "	decq %c2(%%rax)\n"
			 "	mov $0, %%eax\n"
			 "	jnz 1b"
			 : "=m"(sink)
			 : "m"(head), "i"(offsetof(struct node, count))
			 : "rax", "rcx", "memory", "cc");
	return a->count;
}

/* A bit goes round in the carry flag, and in memory once in 64 turns. */
static unsigned long
loop_flags(unsigned long n)
{
	unsigned long bit = 1;

	__asm__ volatile("1: rclq $1, %1; lea -1(%0), %0; jrcxz 2f; jmp 1b\n"
			 "2:"
			 : "+c"(n), "+m"(bit)
			 :
			 : "cc");
	return n;
}

/* Only vector registers change between two turns of the outer loop. */
static unsigned long
loop_vector(unsigned long n)
{
	static unsigned long one[2] __attribute__((aligned(16))) = { 1, 3 };
	unsigned long out[2] = { 0 }, limit = n;

	__asm__ volatile("pxor %%xmm0, %%xmm0\n"
			 "1: paddq %1, %%xmm0\n"
			 "	movq %%xmm0, %%rax\n"
			 "	cmp %2, %%rax\n"
			 "	mov $0, %%eax\n"
			 "	nopw 512(%%rax,%%rax,1)\n"
			 "	jb 1b\n"
			 "	movdqu %%xmm0, %0"
			 : "=m"(out)
			 : "m"(one), "r"(limit)
			 : "rax", "xmm0", "cc");
	return out[1];
}

static unsigned long
loop_x87(unsigned long n)
{
	long double x = 0;

	for (unsigned long i = 0; i < n / 8; i++)
		x = x * 0.9999L + 1;
	return (unsigned long)x;
}

static unsigned long
loop_spin(unsigned long n)
{
	/* For ever, where points are taken. */
	if (n < 1ul << 30)
		return 0;
	while (!never)
		__builtin_ia32_pause();
	return 0;
}

/* The shortest of all: no place for a jump. */
static unsigned long
loop_self(unsigned long n)
{
	if (n < 1ul << 30)
		return 0;
	__asm__ volatile("1: jmp 1b\n	mov $1, %%eax" ::: "rax");
	return 0;
}

static __attribute__((noinline)) unsigned long
fib(unsigned long n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static unsigned long
loop_recurse(unsigned long n)
{
	unsigned long sum = 0;

	for (unsigned long i = 0; i < n / 5000 + 1; i++)
		sum += fib(14 + i % 7);
	return sum;
}

static void
need_buffers(void)
{
	from = calloc(1, 16 << 20);
	to = calloc(1, 16 << 20);
	for (unsigned long i = 0; i < 16 << 20; i += 8)
		from[i] = (unsigned char)next_random();
}

static unsigned long
loop_rep(unsigned long n)
{
	unsigned long sum = 0;

	need_buffers();
	for (unsigned long i = 0; i < n / 1000 + 1; i++) {
		unsigned long r = next_random(), c;
		unsigned char *d = to + (r >> 40) % (12 << 20);
		unsigned char *s = from + (r >> 20) % (12 << 20);

		c = (r >> 8) % ((r & 15) == 0  ? 4 << 20
				: (r & 15) < 4 ? 65536
					       : 256);
		switch (r & 3) {
		case 0:
			__asm__ volatile("rep movsb"
					 : "+D"(d), "+S"(s), "+c"(c)::"memory");
			break;
		case 1:
			c /= 8;
			__asm__ volatile("rep movsq"
					 : "+D"(d), "+S"(s), "+c"(c)::"memory");
			break;
		case 2:
			__asm__ volatile("rep stosb"
					 : "+D"(d), "+c"(c)
					 : "a"(r)
					 : "memory");
			break;
		case 3:
			c = c % 4096 + 1;
			__asm__ volatile("repne scasb"
					 : "+D"(s), "+c"(c)
					 : "a"(255)
					 : "memory", "cc");
			sum += c;
			break;
		}
		sum += to[(r >> 13) % (12 << 20)];
	}
	free(from);
	free(to);
	return sum;
}

static unsigned long
loop_string(unsigned long n)
{
	unsigned long sum = 0;

	need_buffers();
	for (unsigned long i = 0; i < n / 500 + 1; i++) {
		unsigned long r = next_random(), c;
		unsigned char *d = to + (r >> 40) % (12 << 20);
		unsigned char *s = from + (r >> 20) % (12 << 20);

		c = (r >> 8) % ((r & 15) < 5 ? 16384 : 300);
		switch (r & 7) {
		case 0:
			memset(d, (int)r, c);
			break;
		case 1:
			memmove(d, d + 17, c);
			break;
		case 2:
			sum += (unsigned long)(memcmp(d, s, c) > 0);
			break;
		default:
			memcpy(d, s, c);
		}
		sum += d[c / 2];
	}
	free(from);
	free(to);
	return sum;
}

static const struct {
	const char *name;
	unsigned long (*run)(unsigned long n);
} loops[] = {
	{ "dec", loop_dec },	   { "live", loop_inc_live },
	{ "rcx", loop_rcx },	   { "global", loop_global },
	{ "stack", loop_stack },   { "heap", loop_heap },
	{ "hidden", loop_hidden }, { "memory", loop_memory },
	{ "flags", loop_flags },   { "vector", loop_vector },
	{ "x87", loop_x87 },	   { "spin", loop_spin },
	{ "self", loop_self },	   { "recurse", loop_recurse },
	{ "rep", loop_rep },	   { "string", loop_string },
};

int
main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1ul << 40;
	size_t count = sizeof(loops) / sizeof(loops[0]);

	for (size_t i = 0; i < count; i++) {
		if (argc < 2)
			printf("%s %lu\n", loops[i].name, loops[i].run(100000));
		else if (strcmp(argv[1], loops[i].name) == 0)
			printf("%lu\n", loops[i].run(n));
	}
	return 0;
}
