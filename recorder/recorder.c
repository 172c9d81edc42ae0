/*
 * The public face: start, one step per stop, finish. Until the command's own
 * image is there its process is ours (tracee/spawn.h): those stops pass unseen.
 */
#include "recorder/recorder.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "recorder/agent.h"
#include "recorder/chaos.h"
#include "recorder/engine.h"
#include "recorder/files.h"
#include "recorder/nondet.h"
#include "recorder/preempt.h"
#include "recorder/sched.h"
#include "recorder/seat.h"
#include "recorder/task.h"
#include "tracee/spawn.h"

#define FLUSH_MS 200u

/* --- start ------------------------------------------------------------------ */

/* Let the stops before the image pass, up to its exec stop. */
static int
reach_image(pid_t pid, struct spawned *s, struct err *err)
{
	struct stop stop;
	int ret;

	for (;;) {
		ret = stop_wait_for(pid, &stop);
		if (ret < 0) {
			errno = -ret;
			return err_errno(err, "wait for the command");
		}
		if (stop.kind == STOP_EXITED || stop.kind == STOP_KILLED) {
			ret = spawn_exec_failure(s, err);
			return ret < 0 ? ret :
					 err_set(err, E_EXEC,
						 "the command died before it "
						 "was executed");
		}
		if (stop.kind == STOP_EXEC)
			return 0;
		ret = ptrace_resume(pid, PTRACE_CONT,
				    stop.kind == STOP_SIGNAL ? stop.signo : 0);
		if (ret < 0 && ret != -E_GONE)
			return err_set(err, -ret, "resuming the command");
	}
}

static int
spawn(struct recorder *r, struct spawned *own, struct err *err)
{
	const struct spawn_opts so = {
		.keep_privs = r->opts.keep_privs,
		.filter_all = r->opts.agent_test != NULL &&
			      r->opts.agent_test->accounts,
		.cpu = -1,
	};
	struct spawned *s = r->opts.spawned;
	int ret;

	if (s == NULL) {
		ret = spawn_stopped((char **)(uintptr_t)r->opts.argv,
				    (char **)(uintptr_t)r->opts.envp, &so, own,
				    err);
		if (ret < 0)
			return ret;
		s = own;
	}
	r->first = s->pid;
	ret = spawn_seize(s, err);
	if (ret == 0)
		ret = spawn_go(s, err);
	if (ret == 0)
		ret = reach_image(s->pid, s, err);
	return ret;
}

static struct recorder *
recorder_new(const struct record_opts *o, struct sink *sink)
{
	struct recorder *r = mem_zalloc(sizeof(*r));

	r->opts = *o;
	chaos_init(r);
	if (r->opts.cpus == 0)
		r->opts.cpus = 1;
	if (r->opts.flush_ms == 0)
		r->opts.flush_ms = FLUSH_MS;
	r->sink = sink;
	r->start_ns = clock_now_ns();
	r->ranges = mem_calloc(SYS_RANGES_MAX, sizeof(*r->ranges));
	return r;
}

static void
recorder_free(struct recorder *r)
{
	sched_release_timer(r);
	preempt_release(r);
	chaos_release(r);
	files_release(r);
	nondet_release(r);
	seat_release(r);
	agent_release(r);
	warn_release(r);
	outputs_release(r);
	event_release(r);
	map_free(&r->tasks);
	vec_free(&r->unborn);
	vec_free(&r->senders);
	vec_free(&r->groups);
	vec_free(&r->spaces);
	buf_free(&r->items);
	arena_free(&r->arena);
	mem_free(r->ranges);
	mem_free(r);
}

int
recorder_start(struct recorder **out, const struct record_opts *o,
	       struct sink *sink, struct err *err)
{
	struct recorder *r = recorder_new(o, sink);
	struct spawned own = { .pid = -1, .ctl = -1, .status = -1 };
	struct task *t;
	int ret = files_init(r, err);

	if (ret == 0)
		ret = preempt_test_env(&r->opts.preempt, err);
	if (ret == 0)
		ret = nondet_init(r, err);
	if (ret == 0)
		ret = seat_init(r, err);
	if (ret == 0)
		ret = agent_init(r, err);
	if (ret == 0)
		ret = sched_init(r, err);
	if (ret == 0)
		ret = preempt_init(r, err);
	if (ret == 0)
		ret = spawn(r, &own, err);
	if (ret == 0) {
		t = task_add(r, r->first);
		ret = life_first(r, t, err);
	}
	spawn_release(&own);
	if (ret < 0) {
		if (ret == -E_GONE)
			ret = err_set(err, E_EXEC,
				      "the command was killed as it began");
		if (r->first > 0)
			kill(r->first, SIGKILL);
		recorder_free(r);
		return ret;
	}
	*out = r;
	return 0;
}

/* --- run ---------------------------------------------------------------------- */

size_t
recorder_live(const struct recorder *r)
{
	return r->tasks.len;
}

int
recorder_step(struct recorder *r, struct err *err)
{
	struct stop stop;
	int ret;

	if (r->tasks.len == 0)
		return 0;
	ret = sched_wait(r, &stop, err);
	if (ret == -ECHILD)
		return 0;
	if (ret < 0)
		return ret;
	ret = stop.kind == STOP_NONE ? sched_tick(r, err) :
				       dispatch(r, &stop, err);
	life_orphans(r);
	if (ret >= 0)
		ret = sched_pump(r, err);
	if (ret >= 0)
		ret = outputs_pump(r);
	if (ret < 0)
		return ret;
	return r->tasks.len > 0 ? 1 : 0;
}

bool
recorder_command_done(const struct recorder *r, int *out_status)
{
	if (r->first_done && out_status != NULL)
		*out_status = r->first_status;
	return r->first_done;
}

void
recorder_kill(struct recorder *r)
{
	size_t it = 0;
	uint64_t tid;
	void *t;

	while (map_next(&r->tasks, &it, &tid, &t))
		kill((pid_t)tid, SIGKILL);
}

int
recorder_finish(struct recorder *r, struct record_result *out, struct err *err)
{
	struct event ev;
	int ret;

	chaos_finish(r);
	event_begin(r, NULL, EV_end, &ev);
	ev.args[0] = (uint64_t)r->first_status;
	ev.args[1] = r->seq + 1;
	warn_items(r, &r->items);
	ret = event_put(r, &ev, err);
	/* A sink with a thread of its own has it from here on. */
	if (r->sink->ops->flush_soon == NULL)
		event_flush(r);
	if (out != NULL) {
		out->status = r->first_status;
		out->events = r->seq;
		out->tasks = r->ntasks;
		out->notes = (struct buf){ 0 };
		warn_notes(r, &out->notes);
	}
	recorder_free(r);
	return ret;
}

int
recorder_record(const struct record_opts *o, struct sink *sink,
		struct record_result *out, struct err *err)
{
	struct recorder *r;
	int ret = recorder_start(&r, o, sink, err);

	if (ret < 0)
		return ret;
	while ((ret = recorder_step(r, err)) > 0)
		continue;
	if (ret < 0) {
		recorder_kill(r);
		return ret;
	}
	ret = recorder_finish(r, out, err);
	return ret < 0 ? ret : sink->ops->close(sink, err);
}
