/* A child is forked, counts, and ends with 3; the parent waits for it. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int count;
static int status;

static void
in_child(void)
{
	for (int i = 0; i < 3; i++)
		count += 10;
	_exit(3);
}

static void
in_parent(pid_t pid)
{
	count = 1;
	waitpid(pid, &status, 0);
	count = 2;
}

int
main(void)
{
	pid_t pid;

	count = 0;
	pid = fork();
	if (pid == 0)
		in_child();
	in_parent(pid);
	printf("child: %d\n", WEXITSTATUS(status));
	return 0;
}
