/* Twelve thousand writes with a system call after each. */
#include "guest.h"

volatile long counter;

int
main(void)
{
	for (int i = 0; i < 12000; i++) {
		counter++;
		CHECK(lseek(0, 0, SEEK_CUR) >= -1);
	}
	printf("%ld\n", counter);
	return 0;
}
