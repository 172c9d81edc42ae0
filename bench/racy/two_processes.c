/* Two processes count in shared memory without a lock. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS 20

static void
add(volatile int *counter)
{
	for (int i = 0; i < TURNS; i++)
		*counter = *counter + 1;
}

int
main(void)
{
	volatile int *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (counter == MAP_FAILED || (pid = fork()) < 0)
		return 2;
	add(counter);
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	printf("%d of %d\n", *counter, 2 * TURNS);
	return *counter != 2 * TURNS;
}
