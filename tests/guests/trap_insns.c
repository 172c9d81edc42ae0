/*
 * Instructions that pastime makes trap, next to traps and faults that are the
 * program's own: random numbers, int3, hlt, ud2, CPUID in generated code.
 */
#include "guest.h"
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;
static volatile int traps, code;
static void *volatile where;

static void
on_trap(int sig, siginfo_t *si, void *uc)
{
	traps++;
	code = si->si_code;
}

static void
on_fault(int sig, siginfo_t *si, void *uc)
{
	code = si->si_code;
	where = si->si_addr;
	siglongjmp(back, sig);
}

static void
handle(int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO };

	CHECK(!sigaction(sig, &sa, NULL));
}

/* What CPUID and ucontext do not tell: run it, an old CPU says SIGILL. */
#define TRY(stmt)                             \
	do {                                  \
		if (!sigsetjmp(back, 1))      \
			stmt;                 \
	} while (0)

static void
random_numbers(void)
{
	volatile uint64_t a = 0, b = 0, r15 = 0;
	volatile uint32_t c = 0;
	volatile uint16_t d = 0;
	volatile uint8_t ok = 1;

	TRY(__asm__ volatile("rdrand %0; setc %1" : "=r"(a), "=qm"(ok) : : "cc"));
	CHECK(ok);
	TRY(__asm__ volatile("rdrand %0" : "=r"(c) : : "cc"));
	TRY(__asm__ volatile("rdrand %0" : "=r"(d) : : "cc"));
	TRY(__asm__ volatile("rdseed %0" : "=r"(b) : : "cc"));
	TRY(__asm__ volatile("rdseed %%r15; mov %%r15, %0"
			     : "=r"(r15) : : "r15", "cc"));
	/* Compared by replay, not by people. */
	printf("random %s\n", a + b + c + d + r15 ? "yes" : "no");
	TRY(__asm__ volatile("rdpid %0" : "=r"(a)));
}

static int
generated_cpuid(void)
{
	/* push rbx; xor eax,eax; xor ecx,ecx; cpuid; mov eax,ebx; pop rbx; ret */
	static const uint8_t text[] = { 0x53, 0x31, 0xc0, 0x31, 0xc9, 0x0f,
					0xa2, 0x89, 0xd8, 0x5b, 0xc3 };
	unsigned a, b, c, d, got;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memcpy(p, text, sizeof(text));
	CHECK(!mprotect(p, 4096, PROT_READ | PROT_EXEC));
	got = ((unsigned (*)(void))p)();
	__cpuid_count(0, 0, a, b, c, d);
	return got == b;
}

int
main(void)
{
	int sig;

	handle(SIGILL, on_fault);
	random_numbers();
	handle(SIGTRAP, on_trap);
	__asm__ volatile("int3");
	__asm__ volatile(".byte 0xcd, 0x03"); /* the long form */
	printf("own int3 %d, kernel's code %d\n", traps, code == SI_KERNEL);
	handle(SIGSEGV, on_fault);
	sig = sigsetjmp(back, 1);
	if (!sig)
		__asm__ volatile("hlt");
	printf("hlt %d, no address %d\n", sig, where == NULL);
	sig = sigsetjmp(back, 1);
	if (!sig)
		__asm__ volatile("ud2");
	printf("ud2 %d\n", sig);
	printf("generated code agrees %d\n", generated_cpuid());
	return 0;
}
