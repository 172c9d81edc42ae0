/*
 * RDTSC in code that nobody could search beforehand: generated, moved, reset to
 * the file's, and run by tasks that were there before the code was. Its values
 * are printed: a replay that lets one pass prints others.
 */
#include "guest.h"
#include <pthread.h>
#include <x86intrin.h>

#define ROUNDS 5

static uint64_t (*generated)(void);
static int to_thread[2], from_thread[2];

static void
rounds(const char *who, uint64_t (*fn)(void))
{
	uint64_t last = 0;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t now = fn();

		CHECK(now > last);
		printf("%s %lx\n", who, (unsigned long)now);
		last = now;
	}
	fflush(stdout);
}

/* It blocks in a call while the code comes into being. */
static void *
thread(void *arg)
{
	char c;

	CHECK(read(to_thread[0], &c, 1) == 1);
	rounds("thread", generated);
	CHECK(write(from_thread[1], "x", 1) == 1);
	return arg;
}

/* In pages of its own, so that they can be reset. */
static uint64_t __attribute__((noinline, aligned(4096), section(".text.own")))
in_file(void)
{
	return __rdtsc();
}

static void __attribute__((noinline, aligned(4096), section(".text.own")))
after_it(void)
{
}

static void *
make_code(void)
{
	/* rdtsc; shl $32, %rdx; or %rdx, %rax; ret */
	static const uint8_t text[] = { 0x0f, 0x31, 0x48, 0xc1, 0xe2,
					0x20, 0x48, 0x09, 0xd0, 0xc3 };
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memcpy(p, text, sizeof(text));
	CHECK(!mprotect(p, 4096, PROT_READ | PROT_EXEC));
	return p;
}

static void
in_child(const char *who, uint64_t (*fn)(void))
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		rounds(who, fn);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Pages of the file as they are there, without what was patched. */
static void
reset_child(void)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(!madvise((void *)in_file, 4096, MADV_DONTNEED));
		rounds("reset", in_file);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int
main(int argc, char **argv)
{
	pthread_t t;
	void *code;
	char c;

	rounds("file", in_file);
	after_it();
	if (argc > 1)
		return 0;
	reset_child();
	rounds("file", in_file);
	CHECK(!pipe(to_thread) && !pipe(from_thread));
	CHECK(!pthread_create(&t, NULL, thread, NULL));
	code = make_code();
	generated = (uint64_t(*)(void))code;
	rounds("generated", generated);
	CHECK(write(to_thread[1], "x", 1) == 1);
	CHECK(read(from_thread[0], &c, 1) == 1);
	pthread_join(t, NULL);
	in_child("child", generated);
	code = mremap(code, 4096, 8192, MREMAP_MAYMOVE);
	CHECK(code != MAP_FAILED);
	rounds("moved", (uint64_t(*)(void))code);
	/* All is as in the beginning after an execve. */
	execl("/proc/self/exe", "rdtsc_jit", "again", NULL);
	return 1;
}
