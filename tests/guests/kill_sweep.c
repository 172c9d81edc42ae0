/* SIGKILL at moments that sweep over what children do: trapped instructions,
 * calls, a fork, an exec. */
#include "guest.h"
#include <signal.h>
#include <time.h>
#include <x86intrin.h>

#define ROUNDS 96
#define STEP_NS 25000

static volatile uint64_t sink;

static void
busy(char **argv)
{
	for (int i = 0; i < 20; i++) {
		sink += __rdtsc();
		getppid();
	}
	if (!fork())
		_exit(0);
	execl(argv[0], argv[0], "x", NULL);
	_exit(1);
}

int
main(int argc, char **argv)
{
	int ends = 0;

	if (argc > 1)
		return 0;
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec wait = { 0, i * STEP_NS };
		pid_t pid = fork();
		int end;

		if (!pid)
			busy(argv);
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		end = reap(pid);
		ends += end == 0 || end == -SIGKILL;
	}
	printf("%d ends\n", ends);
	return 0;
}
