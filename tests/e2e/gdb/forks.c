/*
 * A child is forked, waits until it may count, and ends with 3. The child lives
 * when in_parent begins, and comes to in_child after count is 1: what a call
 * wakes may be recorded before the call's own end, so another event, that of
 * sched_yield, keeps the two apart.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int count, status, fds[2], alive[2];

static void
in_child(void)
{
	char c;

	read(fds[0], &c, 1);
	for (int i = 0; i < 3; i++)
		count += 10;
	_exit(3);
}

static void
in_parent(pid_t pid)
{
	count = 1;
	sched_yield();
	write(fds[1], "xx", 2);
	waitpid(pid, &status, 0);
	count = 2;
}

/* Each waits for the other one. Where it is then is shown as the library is. */
#line 1 "../meet.c"
static void
meet(pid_t pid)
{
	char c = 0;

	if (pid == 0) {
		sched_yield();
		write(alive[1], &c, 1);
		read(fds[0], &c, 1);
	} else {
		read(alive[0], &c, 1);
	}
}
#line 51 "forks.c"

int
main(void)
{
	pid_t pid;

	pipe(fds);
	pipe(alive);
	pid = fork();
	meet(pid);
	if (pid == 0)
		in_child();
	in_parent(pid);
	printf("child: %d\n", WEXITSTATUS(status));
	return 0;
}
