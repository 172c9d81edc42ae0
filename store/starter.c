#include "store/starter.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/cluster.h"
#include "store/store.h"

static bool
is_running(void)
{
	struct postmaster pm;
	struct cluster c;
	bool yes;

	if (cluster_locate(&c, NULL) < 0)
		return true; /* not ours to mend; connecting will tell */
	yes = cluster_running(&c, &pm) && pm.ready;
	cluster_release(&c);
	return yes;
}

/* In the grandchild. Threads that held a lock of the C library at the fork do
 * not exist here; glibc takes care of malloc and stdio, which is all we use. */
static void __attribute__((noreturn)) starter_main(int out)
{
	struct err err = { 0 };
	int null = open("/dev/null", O_RDWR);

	setsid();
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	/* Nobody shall wait for us who waits for the other ends of what we
	 * have copies of. */
	if (out != 3)
		out = dup2(out, 3);
	close_range(4, ~0u, 0);
	err.code = cluster_start(&err);
	fd_write_all(out, &err, sizeof(err));
	_exit(0);
}

int
starter_fork(void)
{
	int ends[2];
	pid_t pid;

	if (is_running() || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		starter_main(ends[1]);
	}
	fd_close(&ends[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return ends[0];
}

int
starter_wait(int *fd, struct err *err)
{
	struct err said = { 0 };
	ssize_t n;

	if (*fd < 0)
		return 0;
	n = fd_read_full(*fd, &said, sizeof(said));
	fd_close(fd);
	if (n != (ssize_t)sizeof(said))
		return err_set(err, E_DB_UNREACHABLE,
			       "the embedded PostgreSQL was not started: the "
			       "process that does it was killed");
	if (said.code < 0 && err)
		*err = said;
	return said.code;
}
