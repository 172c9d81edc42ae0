/* A child is forked, waits until it may count, and ends with 3. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int count, status, fds[2];

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
	write(fds[1], "x", 1);
	waitpid(pid, &status, 0);
	count = 2;
}

int
main(void)
{
	pid_t pid;

	pipe(fds);
	pid = fork();
	if (pid == 0)
		in_child();
	in_parent(pid);
	printf("child: %d\n", WEXITSTATUS(status));
	return 0;
}
