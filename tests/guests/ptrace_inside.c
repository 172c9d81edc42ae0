/* A debugger inside: what it asks for is refused predictably. */
#include "guest.h"
#include <sys/ptrace.h>

int
main(void)
{
	pid_t pid = fork();
	long r;

	if (!pid) {
		r = ptrace(PTRACE_TRACEME, 0, 0, 0);
		_exit(r == -1 && errno == EPERM ? 0 : r == 0 ? 2 : 1);
	}
	/* natively TRACEME works */
	printf("traceme answered %d\n", reap(pid) != 1);
	return 0;
}
