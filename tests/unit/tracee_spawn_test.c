#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/unit/tracee_mini.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

static void
run(struct mini *m, struct buf *out, const char *const argv[])
{
	mini_start(m, argv);
	mini_run(m);
	mini_output(m, out);
}

Test(tracee_spawn, true_runs_with_all_calls_trapped)
{
	struct mini m = { 0 };
	struct buf out = { 0 };

	run(&m, &out, (const char *const[]){ "true", NULL });
	cr_assert(WIFEXITED(m.status));
	cr_assert_eq(WEXITSTATUS(m.status), 0);
	cr_assert_eq(m.execs, 1u);
	/* A dynamic program makes more than twenty. */
	cr_assert_gt(m.calls, 20u);
	buf_free(&out);
}

Test(tracee_spawn, ls_prints_what_is_there)
{
	struct mini m = { 0 };
	struct buf out = { 0 };

	run(&m, &out, (const char *const[]){ "ls", "/proc/self/", NULL });
	cr_assert_eq(m.status, 0);
	cr_assert_not_null(strstr(buf_cstr(&out), "\nmaps\n"));
	buf_free(&out);
}

Test(tracee_spawn, a_shell_pipeline_gets_a_page_per_image)
{
	struct mini m = { 0 };
	struct buf out = { 0 };

	run(&m, &out,
	    (const char *const[]){ "bash", "-c",
				   "for i in 1 2 3; do /bin/echo $i; done | "
				   "(/bin/cat; exit 3)",
				   NULL });
	cr_assert_str_eq(buf_cstr(&out), "1\n2\n3\n");
	cr_assert_eq(WEXITSTATUS(m.status), 3);
	cr_assert_eq(m.execs, 5u);
	cr_assert_eq(m.agents, m.execs);
	buf_free(&out);
}

Test(tracee_spawn, the_page_is_in_the_maps_of_the_program)
{
	struct mini m = { 0 };
	struct buf out = { 0 };

	run(&m, &out,
	    (const char *const[]){ "grep", "^70000000-70008000 r-xp",
				   "/proc/self/maps", NULL });
	cr_assert_eq(m.status, 0, "%s", buf_cstr(&out));
	buf_free(&out);
}

/* Let what is traced run to its end, like a recorder before the first image. */
static int
drain(void)
{
	struct stop st;
	int status = -1;

	while (stop_wait(-1, true, &st) == 0) {
		status = st.status;
		if (st.kind != STOP_EXITED && st.kind != STOP_KILLED)
			ptrace_resume(st.tid, PTRACE_CONT, 0);
	}
	return status;
}

static int
exec_failure(const char *name, char *const envp[], int *status)
{
	char *argv[] = { mem_strdup(name), NULL };
	struct spawn_opts o = { .cpu = -1 };
	struct spawned s;
	struct err err;
	int ret;

	cr_assert_eq(spawn_stopped(argv, envp, &o, &s, &err), 0);
	cr_assert_eq(spawn_exec_failure(&s, &err), 0);
	cr_assert_eq(spawn_seize(&s, &err), 0, "%s", err.text);
	cr_assert_eq(spawn_go(&s, &err), 0);
	*status = drain();
	ret = spawn_exec_failure(&s, &err);
	spawn_release(&s);
	mem_free(argv[0]);
	return ret;
}

Test(tracee_spawn, what_does_not_exist_is_enoent)
{
	char path[] = "PATH=/bin:/etc/passwd:/nonexistent:/usr/bin";
	char *envp[2] = { path, NULL };
	int status;

	cr_assert_eq(exec_failure("no-such-command-here", envp, &status),
		     -ENOENT);
	cr_assert_eq(WEXITSTATUS(status), 127);
	cr_assert_eq(exec_failure("", envp, &status), -ENOENT);
	cr_assert_eq(exec_failure("/no/such/command", envp, &status), -ENOENT);
}

Test(tracee_spawn, what_may_not_be_executed_is_eacces)
{
	char dir[] = "/tmp/pt-spawn.XXXXXX";
	char *file, *path;
	char *envp[2] = { NULL, NULL };
	int status;

	cr_assert_not_null(mkdtemp(dir));
	file = mem_printf("%s/tool", dir);
	path = mem_printf("PATH=%s:/nonexistent", dir);
	envp[0] = path;
	cr_assert_eq(mkdir(file, 0755), 0); /* also for root */
	cr_assert_eq(exec_failure("tool", envp, &status), -EACCES);
	cr_assert_eq(WEXITSTATUS(status), 126);
	cr_assert_eq(exec_failure(file, envp, &status), -EACCES);
	rmdir(file);
	rmdir(dir);
	mem_free(file);
	mem_free(path);
}

Test(tracee_spawn, a_script_without_an_interpreter_goes_to_sh)
{
	char file[] = "/tmp/pt-spawn.XXXXXX";
	struct mini m = { 0 };
	struct buf out = { 0 };
	int fd = mkstemp(file);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "echo $1-$2\n", 11), 11);
	fchmod(fd, 0755);
	close(fd);
	run(&m, &out, (const char *const[]){ file, "a", "b", NULL });
	cr_assert_str_eq(buf_cstr(&out), "a-b\n");
	unlink(file);
	buf_free(&out);
}

Test(tracee_spawn, the_program_inherits_the_signals_of_the_shell)
{
	static const char script[] = "grep -E '^Sig(Blk|Ign)' "
				     "/proc/self/status | tr -d '\\t\\n'";
	struct spawn_inherit in;
	struct mini m = { 0 };
	struct buf out = { 0 };
	uint64_t blocked, ignored;
	sigset_t set;

	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	spawn_inherit_get(&in);
	cr_assert_eq(in.ignored & 1, 1u);
	/* What pastime does for itself must not reach the program. */
	signal(SIGINT, SIG_IGN);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	m.inherit = &in;
	run(&m, &out, (const char *const[]){ "sh", "-c", script, NULL });
	cr_assert_eq(sscanf(buf_cstr(&out), "SigBlk:%" SCNx64 "SigIgn:%" SCNx64,
			    &blocked, &ignored),
		     2);
	cr_assert_eq(blocked, 0x200);
	/* glibc's posix_spawn, thus make, leaves its own 32 and 33 ignored. */
	cr_assert_eq(ignored & ~(3ull << 31), 1);
	buf_free(&out);
}

Test(tracee_spawn, without_a_tracer_the_child_goes_away)
{
	char *argv[] = { mem_strdup("true"), NULL };
	struct spawn_opts o = { .cpu = -1 };
	struct spawned s;
	struct err err;
	int status;

	cr_assert_eq(spawn_stopped(argv, environ, &o, &s, &err), 0);
	spawn_disown(&s);
	cr_assert_eq(waitpid(s.pid, &status, 0), s.pid);
	cr_assert_eq(WEXITSTATUS(status), 125);
	cr_assert_eq(spawn_exec_failure(&s, &err), 0);
	spawn_release(&s);
	mem_free(argv[0]);
}

/* Front and tracer as two processes: the tracer is not the parent. */
Test(tracee_spawn, a_sibling_traces_and_the_front_gets_the_status)
{
	char *argv[] = { mem_strdup("sh"), mem_strdup("-c"),
			 mem_strdup("exit 42"), NULL };
	struct spawn_opts o = { .cpu = -1 };
	struct spawned s;
	struct err err;
	int status;
	pid_t tracer;

	cr_assert_eq(spawn_stopped(argv, environ, &o, &s, &err), 0);
	tracer = fork();
	cr_assert_geq(tracer, 0);
	if (tracer == 0) {
		if (spawn_seize(&s, NULL) < 0 || spawn_go(&s, NULL) < 0)
			_exit(1);
		spawn_release(&s);
		_exit(WEXITSTATUS(drain()) == 42 ? 0 : 2);
	}
	spawn_disown(&s);
	cr_assert_eq(waitpid(s.pid, &status, 0), s.pid);
	cr_assert_eq(WEXITSTATUS(status), 42);
	cr_assert_eq(waitpid(tracer, &status, 0), tracer);
	cr_assert_eq(status, 0);
	spawn_release(&s);
	for (unsigned i = 0; i < 3; i++)
		mem_free(argv[i]);
}
