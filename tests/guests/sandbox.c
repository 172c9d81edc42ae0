/* What sandboxes do: namespaces, chroot, no_new_privs, a child that shares
 * memory with its parent. */
#include "guest.h"
#include <sched.h>
#include <sys/prctl.h>

int
main(void)
{
	int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	CHECK(word != MAP_FAILED);
	if (!pid) {
		word[1] = unshare(CLONE_NEWUSER) == 0 || unshare(CLONE_NEWNS) == 0;
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		if (word[1] && !chroot("/proc/self/fdinfo"))
			CHECK(!chdir("/"));
		word[0] = 99;
		_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	}
	printf("child %d\n", reap(pid));
	return 0;
}
