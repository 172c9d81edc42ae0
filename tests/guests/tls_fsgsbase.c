/* Thread pointers by call and by instruction; coroutines. */
#include "guest.h"
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>

static ucontext_t back, co[2];
static char stacks[2][65536];
static int steps;

static void
coroutine(int me)
{
	for (int i = 0; i < 100; i++) {
		steps++;
		swapcontext(&co[me], &co[!me]);
	}
}

int
main(void)
{
	static uint64_t area[8] = { 111, 222, 333 };
	uint64_t v, got;

	CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, area));
	__asm__ volatile("mov %%gs:8, %0" : "=r"(v));
	CHECK(v == 222 && !syscall(SYS_arch_prctl, ARCH_GET_GS, &got) && got == (uint64_t)area);
	if (getauxval(AT_HWCAP2) & 2) {
		__asm__ volatile("wrgsbase %0" ::"r"(area + 1));
		__asm__ volatile("mov %%gs:8, %0" : "=r"(v));
		CHECK(v == 333);
		syscall(SYS_getppid);
		__asm__ volatile("rdgsbase %0" : "=r"(v));
		CHECK(v == (uint64_t)(area + 1));
	}
	for (int i = 0; i < 2; i++) {
		getcontext(&co[i]);
		co[i].uc_stack.ss_sp = stacks[i];
		co[i].uc_stack.ss_size = sizeof(stacks[i]);
		co[i].uc_link = &back;
		makecontext(&co[i], (void (*)(void))coroutine, 1, i);
	}
	swapcontext(&back, &co[0]);
	printf("%d steps\n", steps);
	return 0;
}
