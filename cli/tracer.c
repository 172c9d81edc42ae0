/* The recorder process of "pastime record": traces, stores, tells the front. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/link.h"
#include "recorder/recorder.h"
#include "store/home.h"
#include "store/store.h"

struct tracer {
	const struct record_job *job;
	struct spawned *spawned;
	int link;
	int signals; /* signalfd: SIGTERM, SIGINT, SIGHUP */
	pid_t command;
	atomic_bool command_done;
	struct sink *sink;
	struct recorder *recorder;
	uint64_t began_ns;
	bool no_exec;	     /* execve failed */
	struct link_msg msg; /* grows with what is known */
};

void
job_forget_fd(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0 && null != fd) {
		dup2(null, fd);
		close(null);
	}
}

void
job_close_extra(const struct record_job *job)
{
	for (size_t i = 0; i < job->n_extra; i++)
		close(job->extra_fds[i]);
}

static void
tell(struct tracer *t, enum link_kind kind)
{
	t->msg.kind = (int)kind;
	/* The front may be gone: then nobody needs to know. */
	send(t->link, &t->msg, sizeof(t->msg), MSG_NOSIGNAL);
}

/* The process id that traces pid, 0 = none. */
static pid_t
tracer_of(const char *pid)
{
	char path[64];
	uint64_t tracer = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	fd_read_number(path, "\nTracerPid:", 10, &tracer);
	return (pid_t)tracer;
}

/* Everything that we record; from /proc, as this is not the tracer's thread. */
static void
kill_recorded(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		if (isdigit((unsigned char)e->d_name[0]) &&
		    tracer_of(e->d_name) == getpid())
			kill(atoi(e->d_name), SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/*
 * Watches the front and our own signals while the tracer waits for stops: to
 * end the recorder of a daemon is to end the daemon.
 * A front that was killed before its command ended takes the command with it:
 * whoever killed "pastime record CMD" meant CMD.
 */
static void *
watch(void *ctx)
{
	struct tracer *t = ctx;
	struct pollfd p[2] = { { .fd = t->link, .events = POLLIN },
			       { .fd = t->signals, .events = POLLIN } };
	struct signalfd_siginfo si;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents &&
		    read(t->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
			kill_recorded();
		if (!p[0].revents)
			continue;
		if (!atomic_load(&t->command_done))
			kill(t->command, SIGKILL);
		p[0].fd = -1;
	}
}

/* Limits are the command's; ours are as wide as the system lets us. */
static void
raise_limits(void)
{
	static const int which[] = {
		RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU,
		RLIMIT_DATA,   RLIMIT_AS,    RLIMIT_NPROC
	};
	struct rlimit lim;

	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		if (getrlimit((__rlimit_resource_t)which[i], &lim) < 0)
			continue;
		lim.rlim_cur = lim.rlim_max;
		setrlimit((__rlimit_resource_t)which[i], &lim);
	}
}

static int
become(struct tracer *t, struct err *err)
{
	pthread_t thread;
	sigset_t all, own;
	int code;

	setsid();
	prctl(PR_SET_NAME, "pastime-rec", 0, 0, 0);
	job_forget_fd(STDIN_FILENO);
	job_forget_fd(STDOUT_FILENO);
	job_close_extra(t->job);
	raise_limits();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	/* Names of --chaos-at are looked up while the command stands: not in
	 * the network. */
	unsetenv("DEBUGINFOD_URLS");
	sigemptyset(&own);
	sigaddset(&own, SIGTERM);
	sigaddset(&own, SIGINT);
	sigaddset(&own, SIGHUP);
	t->signals = signalfd(-1, &own, SFD_CLOEXEC);
	if (t->signals < 0)
		return err_errno(err, "cannot make a signalfd");
	t->command = t->spawned->pid;
	code = pthread_create(&thread, NULL, watch, t);
	if (code != 0)
		return err_set(err, code, "cannot start a thread: %s",
			       strerror(code));
	pthread_detach(thread);
	return 0;
}

static int
start(struct tracer *t, struct err *err)
{
	const struct record_job *job = t->job;
	struct store_sink_opts so = { .url = job->url,
				      .name = job->name,
				      .command = job->command,
				      .tags = job->tags };
	char *known = NULL;
	struct record_opts ro = { .argv = job->argv,
				  .envp = job->envp,
				  .cpus = job->cpus,
				  .checksum_every = job->checksum_every,
				  .chaos = &job->chaos,
				  .agent = job->agent,
				  .keep_privs = true,
				  .spawned = t->spawned };
	int ret;

	ret = store_sink_open(&so, &t->sink, err);
	if (ret < 0)
		return ret;
	/* Where it cannot be made, files are looked at anew each time. */
	if (home_make("known", &known, NULL) == 0)
		ro.known_dir = known;
	t->began_ns = clock_now_ns();
	ret = recorder_start(&t->recorder, &ro, t->sink, err);
	t->no_exec = ret < 0 && ret > -E_GONE;
	return ret;
}

static void
note_recording(struct tracer *t)
{
	const char *uuid = store_sink_uuid(t->sink);
	const char *problem = store_sink_problem(t->sink);

	t->msg.recording = store_sink_recording(t->sink);
	snprintf(t->msg.uuid, sizeof(t->msg.uuid), "%s", uuid ? uuid : "");
	snprintf(t->msg.problem, sizeof(t->msg.problem), "%s",
		 problem ? problem : "");
}

static void
command_ended(struct tracer *t, int status)
{
	t->msg.status = status;
	t->msg.live = recorder_live(t->recorder);
	t->msg.duration_ns = clock_now_ns() - t->began_ns;
	note_recording(t);
	atomic_store(&t->command_done, true);
	tell(t, LINK_DONE);
	/* From here on daemons are recorded: hold nothing of the user's. */
	job_forget_fd(STDERR_FILENO);
}

static int
trace(struct tracer *t, struct err *err)
{
	int ret, status = 0;

	do {
		ret = recorder_step(t->recorder, err);
		if (!atomic_load(&t->command_done) &&
		    recorder_command_done(t->recorder, &status))
			command_ended(t, status);
	} while (ret > 0);
	return ret;
}

/* The command has ended: whatever happens to the recording now, its status is
 * what the front passes on. */
static int
finish(struct tracer *t, struct err *err)
{
	struct record_result res = { 0 };
	int ret;

	tell(t, LINK_ENDED);
	ret = recorder_finish(t->recorder, &res, err);
	t->recorder = NULL;
	if (ret < 0)
		return ret;
	t->msg.status = res.status;
	t->msg.events = res.events;
	t->msg.tasks = res.tasks;
	t->msg.live = 0;
	snprintf(t->msg.notes, sizeof(t->msg.notes), "%s",
		 buf_cstr(&res.notes));
	buf_free(&res.notes);
	t->msg.broken = store_sink_finish(t->sink, err) < 0;
	note_recording(t);
	return 0;
}

void
tracer_run(const struct record_job *job, struct spawned *spawned, int link)
{
	struct tracer t = { .job = job, .spawned = spawned, .link = link };
	struct err err = { 0 };
	int ret;

	ret = become(&t, &err);
	if (ret == 0)
		ret = start(&t, &err);
	if (ret == 0)
		ret = trace(&t, &err);
	if (ret == 0)
		ret = finish(&t, &err);
	if (t.sink) {
		bool known = ret < 0 || t.msg.broken;

		t.msg.broken |=
			t.sink->ops->close(t.sink, known ? NULL : &err) < 0;
	}
	t.msg.err = err;
	tell(&t, t.no_exec ? LINK_NO_EXEC
		 : ret < 0 ? LINK_FAILED
			   : LINK_STORED);
	_exit(ret < 0 ? 1 : 0);
}
