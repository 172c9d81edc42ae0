/* Two processes hand a byte to and fro through pipes, 200 times. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS 200

int
main(void)
{
	int to[2], fro[2], i;
	char c = 'a';
	pid_t pid;

	if (pipe(to) < 0 || pipe(fro) < 0)
		return 1;
	pid = fork();
	if (pid < 0)
		return 1;
	for (i = 0; i < TURNS; i++) {
		if (pid == 0 &&
		    (read(to[0], &c, 1) != 1 || write(fro[1], &c, 1) != 1))
			_exit(1);
		if (pid > 0 &&
		    (write(to[1], &c, 1) != 1 || read(fro[0], &c, 1) != 1))
			return 1;
	}
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	printf("%d turns\n", i);
	return 0;
}
