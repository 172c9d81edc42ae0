/* A program with a sandbox of its own: ERRNO, TRAP, KILL_PROCESS, KILL_THREAD.
 */
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

static void
install(int nr, uint32_t action)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 4, f };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)) {
		printf("no filters here: %s\n", strerror(errno));
		exit(0);
	}
}

static void
sys(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	CHECK(si->si_code == 1 && si->si_syscall == SYS_getuid);
	uc->uc_mcontext.gregs[REG_RAX] = 4242;
}

static void *
forbidden(void *arg)
{
	install(SYS_getegid, SECCOMP_RET_KILL_THREAD);
	syscall(SYS_getegid);
	*(int *)arg = 1; /* never */
	return NULL;
}

/* Of several threads one dies, and nobody else; then the last. */
static void
threads(void)
{
	pthread_t t;
	int survived = 0;

	CHECK(!pthread_create(&t, NULL, forbidden, &survived));
	CHECK(!pthread_join(t, NULL));
	CHECK(!survived);
	printf("one thread was killed\n");
	fflush(stdout);
	forbidden(&survived);
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = sys, .sa_flags = SA_SIGINFO };
	pid_t pid;

	install(SYS_getppid, SECCOMP_RET_ERRNO | 77);
	CHECK(syscall(SYS_getppid) == -1 && errno == 77);
	CHECK(!sigaction(SIGSYS, &sa, NULL));
	install(SYS_getuid, SECCOMP_RET_TRAP);
	CHECK(syscall(SYS_getuid) == 4242);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		install(SYS_getgid, SECCOMP_RET_KILL_PROCESS);
		syscall(SYS_getgid);
		_exit(1);
	}
	printf("sandbox works, killed by %d\n", -reap(pid));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		threads();
		_exit(1);
	}
	printf("the last one by %d\n", -reap(pid));
	return 0;
}
