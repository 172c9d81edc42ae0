/* vfork and posix_spawn: the child writes the parent's memory, execs, fails. */
#include "guest.h"
#include <sched.h>
#include <signal.h>
#include <spawn.h>

extern char **environ;

static char stack[65536];

static int
run_true(void *arg)
{
	execl("/bin/true", "true", NULL);
	return 1;
}

int
main(void)
{
	char *argv[] = { "sh", "-c", "exit 5", NULL };
	volatile int shared = 0;
	pid_t pid = vfork();

	if (!pid) {
		shared = 42;
		_exit(3);
	}
	printf("vfork child %d wrote %d\n", reap(pid), shared);
	pid = vfork();
	if (!pid) {
		execv("/bin/sh", argv);
		_exit(127);
	}
	printf("exec %d\n", reap(pid));
	pid = vfork();
	if (!pid) {
		execv("/no/such/program", argv);
		shared = errno;
		_exit(127);
	}
	printf("failed exec %d, errno %d\n", reap(pid), shared);
	CHECK(!posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ));
	printf("spawn %d\n", reap(pid));
	CHECK(posix_spawn(&pid, "/no/such/program", NULL, NULL, argv, environ) == ENOENT);
	/* its exec ends the child's share in our memory, and clears the word */
	shared = 77;
	pid = clone(run_true, stack + sizeof(stack),
		    CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, NULL,
		    &shared);
	CHECK(reap(pid) == 0);
	printf("the word after its exec: %d\n", shared);
	printf("system %d\n", WEXITSTATUS(system("exit 6")));
	return 0;
}
