/*
 * A system call whose argument is loaded just before it. When its site is
 * patched the load moves elsewhere; a fault in it must be told as one of where
 * it was, and the handler must be able to go on there.
 */
#include "guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define TIMES 40
#define OFFSET 0x100

/* getpid, with a load of seven bytes between number and call. */
__asm__(".globl load_and_call, the_load\n"
	".balign 16\n"
	"load_and_call:\n"
	"	mov	$39, %eax\n"
	"	xor	%esi, %esi\n"
	"the_load:\n"
	"	mov	0x100(%rdi), %rsi\n"
	"	syscall\n"
	"	ret\n");

long load_and_call(const void *from);
extern const char the_load[];

static char *good;
static volatile int faults, wrong;

static void
on_fault(int signo, siginfo_t *si, void *ctx)
{
	ucontext_t *u = ctx;

	faults++;
	wrong += (uintptr_t)u->uc_mcontext.gregs[REG_RIP] !=
			 (uintptr_t)the_load ||
		 si->si_addr != (char *)NULL + 64 + OFFSET;
	u->uc_mcontext.gregs[REG_RDI] = (greg_t)(uintptr_t)good;
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO };
	long pid = getpid();

	good = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(good != MAP_FAILED);
	CHECK(!sigaction(SIGSEGV, &sa, NULL));
	for (int i = 0; i < TIMES; i++) {
		CHECK(load_and_call(good) == pid);
		CHECK(load_and_call((char *)NULL + 64) == pid);
	}
	CHECK(faults == TIMES);
	CHECK(wrong == 0);
	printf("%d faults where they should be\n", faults);
	return 0;
}
