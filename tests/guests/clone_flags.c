/* clone with unusual sharing. */
#include "guest.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

static int shared;
static char stack[4][65536] __attribute__((aligned(16)));

static int
child(void *arg)
{
	shared++;
	if (arg)
		close(*(int *)arg);
	return 11;
}

static int
run(int flags, int which, void *arg)
{
	return reap(clone(child, stack[which] + sizeof(stack[0]), flags | SIGCHLD, arg));
}

int
main(void)
{
	int fd = open("/dev/null", O_RDONLY), st;
	pid_t tid = 0, pid;

	printf("vm %d", run(CLONE_VM, 0, NULL));
	printf(" %d\n", shared);
	printf("files %d", run(CLONE_FILES, 1, &fd));
	printf(" %d closed %d\n", shared, fcntl(fd, F_GETFD) == -1);
	printf("fs %d\n", run(CLONE_FS | CLONE_VM | CLONE_SIGHAND | CLONE_VFORK, 2, NULL));
	printf("untraced %d\n", run(CLONE_UNTRACED, 3, NULL));
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &tid, &tid, 0);
	if (!pid)
		_exit(tid == getpid() ? 0 : 1);
	CHECK(tid == pid && reap(pid) == 0);
	signal(SIGUSR2, SIG_IGN);
	/* a signal other than SIGCHLD at the end needs __WCLONE */
	pid = (pid_t)syscall(SYS_clone, SIGUSR2, 0, 0, 0, 0);
	if (!pid)
		_exit(4);
	
	CHECK(waitpid(pid, &st, __WCLONE) == pid && WEXITSTATUS(st) == 4);
	printf("clone3 %s\n", syscall(SYS_clone3, NULL, 0) == -1 ? "refused" : "?");
	return 0;
}
