/* Faults as a way of working: a write barrier by mprotect, a skipped
 * instruction, division by zero, an illegal instruction, a trap. */
#include "guest.h"
#include <signal.h>
#include <ucontext.h>

static char *area;
static int faults, skips;

static void
segv(int sig, siginfo_t *si, void *uc)
{
	char *page = (char *)((uintptr_t)si->si_addr & ~4095ul);

	CHECK(page >= area && page < area + 64 * 4096);
	CHECK(!mprotect(page, 4096, PROT_READ | PROT_WRITE));
	faults++;
}

static void
skip(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	uc->uc_mcontext.gregs[REG_RIP] += 2;
	skips++;
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = segv, .sa_flags = SA_SIGINFO };

	area = mmap(NULL, 64 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED && !sigaction(SIGSEGV, &sa, NULL));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 64; i++)
			area[i * 4096 + round]++;
		CHECK(!mprotect(area, 64 * 4096, PROT_READ));
	}
	printf("%d barrier faults\n", faults);
	sa.sa_sigaction = skip;
	CHECK(!sigaction(SIGILL, &sa, NULL) && !sigaction(SIGFPE, &sa, NULL));
	for (int i = 0; i < 10; i++)
		__asm__ volatile("ud2");
	for (int i = 0; i < 10; i++)
		__asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx" ::: "eax", "ecx", "edx");
	printf("%d skipped\n", skips);
	return 0;
}
