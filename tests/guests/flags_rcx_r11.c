/* Registers around a raw system call: all but rax, rcx and r11 are kept. */
#include "guest.h"

int
main(void)
{
	uint64_t rcx = 1, r11 = 2, rax = 39, rbx, r12, r15, rip = 0;

	__asm__ volatile("mov $0x1111, %%rbx; mov $0x2222, %%r12;"
			 "mov $0x3333, %%r15; syscall; lea (%%rip), %%rdx"
			 : "+a"(rax), "+c"(rcx), "=b"(rbx), "=d"(rip)
			 :
			 : "r11", "r12", "r15", "memory");
	__asm__ volatile("mov %%r12, %0; mov %%r15, %1; mov %%r11, %2"
			 : "=r"(r12), "=r"(r15), "=r"(r11));
	CHECK(rbx == 0x1111);
	CHECK(rax == (uint64_t)getpid());
	printf("rcx is the return address %d\n", rcx == rip - 7);
	return 0;
}
