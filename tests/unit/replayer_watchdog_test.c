#include "replayer/internal.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t
endless(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			;
	}
	cr_assert_gt(pid, 0);
	return pid;
}

Test(replayer_watchdog, it_stops_what_runs_for_too_long)
{
	struct watchdog *w = watchdog_new(NULL);
	pid_t pid = endless();
	int status;

	watchdog_arm(w, pid, 1000000);
	/* Without its SIGSTOP this would wait for ever. */
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status));
	cr_assert_eq(WSTOPSIG(status), SIGSTOP);
	cr_assert(watchdog_disarm(w));
	watchdog_free(w);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

Test(replayer_watchdog, it_leaves_alone_what_is_in_time)
{
	struct watchdog *w = watchdog_new(NULL);
	pid_t pid = endless();
	int status;

	watchdog_arm(w, pid, 3600ull * 1000000000);
	cr_assert_not(watchdog_disarm(w));
	/* A second run is measured from its own begin. */
	watchdog_arm(w, pid, 3600ull * 1000000000);
	cr_assert_not(watchdog_disarm(w));
	cr_assert_eq(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	watchdog_free(w);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}
