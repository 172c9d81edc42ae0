/* Many processes: a burst, zombies, a daemon's double fork, a subreaper. */
#include "guest.h"
#include <signal.h>
#include <sys/prctl.h>

int
main(void)
{
	int n = 0, st, p[2];
	pid_t pids[40], grand = 0;

	for (int i = 0; i < 40; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(i);
	}
	for (int i = 39; i >= 0; i--)
		n += reap(pids[i]) == i;
	printf("%d of 40\n", n);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1) && !pipe(p));
	pids[0] = fork();
	if (!pids[0]) {
		pid_t g = fork();

		if (!g) {
			setsid();
			while (getppid() == pids[0])
				;
			_exit(7);
		}
		CHECK(write(p[1], &g, sizeof(g)) == sizeof(g));
		_exit(0);
	}
	CHECK(reap(pids[0]) == 0 && read(p[0], &grand, sizeof(grand)) == sizeof(grand));
	CHECK(waitpid(grand, &st, 0) == grand && WEXITSTATUS(st) == 7);
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (!fork())
			_exit(0);
	while (waitpid(-1, &st, 0) > 0 || errno == EINTR)
		;
	CHECK(errno == ECHILD);
	printf("daemon reaped, ignored children gone\n");
	return 0;
}
