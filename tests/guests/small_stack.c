/* System calls at the very edge of a stack, misaligned, red zone in use. */
#include "guest.h"

int
main(void)
{
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t got = 0, pid;

	CHECK(!mprotect(edge, 4096, PROT_NONE));
	__asm__ volatile("mov %%rsp, %%rbx; lea 4099(%2), %%rsp; mov $39, %%eax; syscall;"
			 "mov %%rbx, %%rsp; mov %%rax, %0"
			 : "=r"(pid), "+r"(got)
			 : "r"(edge)
			 : "rax", "rbx", "rcx", "r11", "memory");
	CHECK(pid == (uint64_t)getpid());
	__asm__ volatile("movq $0x1234, -64(%%rsp); mov $39, %%eax; syscall; mov -64(%%rsp), %0"
			 : "=r"(got)::"rax", "rcx", "r11", "memory");
	CHECK(got == 0x1234);
	printf("edges hold\n");
	return 0;
}
