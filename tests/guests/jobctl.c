/* Job control as shells do it: stop, continue, wait for each; groups. */
#include "guest.h"
#include <signal.h>

int
main(void)
{
	int st, ready[2];
	char c;
	pid_t pid;

	CHECK(!pipe(ready));
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		CHECK(write(ready[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &c, 1) == 1);
	for (int i = 0; i < 5; i++) {
		CHECK(!kill(-pid, SIGSTOP));
		CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
		CHECK(!kill(-pid, SIGCONT));
		CHECK(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st));
	}
	CHECK(!kill(-pid, SIGTSTP));
	CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP);
	CHECK(!kill(pid, SIGKILL));
	printf("ended by %d\n", -reap(pid));
	return 0;
}
