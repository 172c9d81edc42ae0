/*
 * Writes and calls that are known exactly, and printed: to a counter by main,
 * by threads, by a child, by the kernel, after exec; calls that recurse, jump,
 * are left by longjmp, an exit, an exec, and return in two processes.
 */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>

#define NOINLINE __attribute__((noinline, noclone))

volatile long counter;
char line[24];
volatile char block[64] __attribute__((aligned(64)));
static jmp_buf env;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct pair {
	int a;
	double b;
};

/* ---- writes */

NOINLINE void
bump(long n)
{
	counter += n;
}

static void *
bumper(void *arg)
{
	for (int i = 0; i < 5; i++) {
		CHECK(!pthread_mutex_lock(&lock));
		bump((long)(intptr_t)arg);
		CHECK(!pthread_mutex_unlock(&lock));
		sched_yield();
	}
	return NULL;
}

/* ---- calls */

NOINLINE long
fact(int n)
{
	long r = n < 2 ? 1 : n * fact(n - 1);

	__asm__ volatile("" : "+r"(r)); /* no loop is made of it */
	return r;
}

NOINLINE int
jumper(const char *why)
{
	if (*why == 'j')
		longjmp(env, 1);
	return (int)strlen(why);
}

NOINLINE double
mixed(double x, const char *name, short s, struct pair p, unsigned char c)
{
	return x + p.a + p.b + s + c + name[0];
}

NOINLINE pid_t
forker(int n)
{
	return n ? fork() : 0;
}

NOINLINE void
last_words(int status)
{
	_exit(status);
}

NOINLINE void
become(char *self)
{
	execl(self, self, "again", NULL);
	_exit(1);
}

/* even and odd jump to each other; outer jumps to inner. */
long even(long n);
long outer(long n);
long inner(long n);
__asm__(".text\n"
	".type even,@function\n"
	"even:	test %rdi,%rdi\n"
	"	je 1f\n"
	"	dec %rdi\n"
	"	jmp odd\n"
	"1:	mov $1,%eax\n"
	"	ret\n"
	".size even,.-even\n"
	".type odd,@function\n"
	"odd:	test %rdi,%rdi\n"
	"	je 1f\n"
	"	dec %rdi\n"
	"	jmp even\n"
	"1:	xor %eax,%eax\n"
	"	ret\n"
	".size odd,.-odd\n"
	".type outer,@function\n"
	"outer:	inc %rdi\n"
	"	jmp inner\n"
	".size outer,.-outer\n"
	".type inner,@function\n"
	"inner:	lea (%rdi,%rdi),%rax\n"
	"	ret\n"
	".size inner,.-inner\n");

NOINLINE void
calls(void)
{
	volatile int jumps = 0;
	struct pair p = { 2, 0.5 };

	CHECK(fact(5) == 120);
	/* Left three times, called from the same place each time. */
	setjmp(env);
	if (jumps < 3) {
		jumps = jumps + 1;
		jumper("jump");
	}
	CHECK(jumper("stay") == 4);
	CHECK(even(5) == 0);
	CHECK(outer(20) == 42);
	CHECK(mixed(1.5, "A", -3, p, 7) == 73);
}

NOINLINE void
writes(void)
{
	pthread_t t[2];
	void *to = (void *)(uintptr_t)block;
	size_t n = sizeof(block);
	int fds[2];

	for (int i = 1; i <= 3; i++)
		bump(i);
	counter = counter; /* the same value */
	for (intptr_t i = 0; i < 2; i++)
		CHECK(!pthread_create(&t[i], NULL, bumper,
				      (void *)(i ? 1000 : i + 100)));
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(t[i], NULL));
	CHECK(pipe(fds) == 0);
	CHECK(write(fds[1], "firstfirstthird", 15) == 15);
	for (int i = 0; i < 3; i++)
		CHECK(read(fds[0], line, 5) == 5);
	close(fds[0]);
	close(fds[1]);
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"('x') : "memory");
	block[40] = 'y';
	for (int i = 0; i < 1000; i++)
		counter++;
}

NOINLINE void
children(char *self)
{
	int status;
	pid_t pid = forker(1);

	CHECK(pid >= 0);
	if (pid == 0) {
		bump(-1);
		last_words(3);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	bump(1);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		become(self);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int
main(int argc, char **argv)
{
	if (argc > 1) {
		bump(77);
		printf("again %ld\n", counter);
		return 0;
	}
	calls();
	writes();
	children(argv[0]);
	printf("%ld\n", counter);
	return 0;
}
