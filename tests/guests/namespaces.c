/* A pid namespace: other numbers inside than outside. */
#include "guest.h"
#include <sched.h>
#include <signal.h>

int
main(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) && unshare(CLONE_NEWPID))
			_exit(0);
		pid = fork();
		if (!pid) {
			CHECK(getpid() == 1 && getppid() == 0);
			pid = fork();
			if (!pid)
				_exit(getpid() == 2 ? 5 : 6);
			CHECK(pid == 2 && reap(2) == 5);
			_exit(0);
		}
		_exit(reap(pid));
	}
	printf("namespace %d\n", reap(pid));
	return 0;
}
