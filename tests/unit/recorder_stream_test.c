/* What every stream of events obeys (docs/EVENTS.md), and how calls, turns,
 * signals and deaths look in it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/recorder_tape.h"

#define TASKS_MAX 256

struct state {
	bool born, dead, in_call;
	const struct event *enter;
};

static void
check_call(const struct event *ev, struct state *s)
{
	switch (ev->kind) {
	case EV_enter:
		cr_assert(!s->in_call, "e%lu: enter inside a call", ev->seq);
		s->in_call = true;
		s->enter = ev;
		break;
	case EV_exit:
		cr_assert(s->in_call, "e%lu: exit without enter", ev->seq);
		cr_assert_eq(ev->call, s->enter->call);
		cr_assert_eq(ev->pc, s->enter->pc);
		cr_assert_arr_eq(ev->args, s->enter->args, sizeof(ev->args));
		s->in_call = false;
		break;
	case EV_exec:
		s->in_call = false;
		break;
	}
	if ((ev->kind == EV_exit || ev->kind == EV_syscall) &&
	    ev->call != SYS_rt_sigreturn)
		cr_assert(ev->ret < -516 || ev->ret > -512,
			  "e%lu: a kernel-internal result", ev->seq);
}

/* The rules of docs/EVENTS.md that can be seen from the stream alone. */
static void
check_stream(const struct tape *t)
{
	static struct state states[TASKS_MAX];

	memset(states, 0, sizeof(states));
	cr_assert_eq(t->events.v[0].kind, EV_header);
	cr_assert_eq(t->events.v[t->events.len - 1].kind, EV_end);
	for (size_t i = 0; i < t->events.len; i++) {
		const struct event *ev = &t->events.v[i];
		struct state *s = &states[ev->task];

		cr_assert_lt(ev->task, TASKS_MAX);
		if (i > 0)
			cr_assert_geq(ev->time_ns, ev[-1].time_ns);
		if (ev->task == TASK_NONE)
			continue;
		if (ev->kind == EV_birth)
			s->born = true;
		cr_assert(s->born, "e%lu: before its birth", ev->seq);
		cr_assert(!s->dead, "e%lu: after its death", ev->seq);
		if ((ev->flags & EVF_RUNS) && ev->kind != EV_enter)
			cr_assert(!s->in_call, "e%lu: ran inside a call",
				  ev->seq);
		check_call(ev, s);
		s->dead = ev->kind == EV_death;
	}
	for (size_t i = 0; i < TASKS_MAX; i++)
		cr_assert_eq(states[i].born, states[i].dead, "task %zu", i);
}

static const struct event *
find_call(const struct tape *t, uint64_t seq, enum event_kind kind, int nr)
{
	const struct event *ev;

	while ((ev = tape_next(t, seq, kind)) != NULL && ev->call != nr)
		seq = ev->seq;
	return ev;
}

static void
guest_obeys(const char *name)
{
	struct tape t;

	tape_guest(&t, name);
	cr_assert_eq(t.result.status, 0, "%s: status %#x", name,
		     (unsigned)t.result.status);
	check_stream(&t);
	tape_free(&t);
}

Test(recorder_stream, threads_obey_the_rules)
{
	guest_obeys("threads_mutex_cond");
	guest_obeys("blocking_buffers");
	guest_obeys("exec_thread");
}

Test(recorder_stream, signals_obey_the_rules)
{
	guest_obeys("sa_restart_matrix");
	guest_obeys("nanosleep_restart");
	guest_obeys("sig_nested");
	guest_obeys("sig_compute");
	guest_obeys("alarm_prof");
}

Test(recorder_stream, trees_obey_the_rules)
{
	guest_obeys("fork_tree");
	guest_obeys("vfork_exec");
	guest_obeys("exit_races");
	guest_obeys("kill_sweep");
	guest_obeys("map_shared_merge");
	guest_obeys("jobctl");
}

Test(recorder_stream, a_lone_task_has_no_enter_but_for_its_end)
{
	struct tape t;
	const struct event *ev;

	tape_record(&t, (const char *const[]){ "cat", "/dev/null", NULL });
	ev = tape_next(&t, 0, EV_enter);
	cr_assert_not_null(ev);
	cr_assert_eq(ev->call, SYS_exit_group);
	cr_assert_null(tape_next(&t, ev->seq, EV_enter));
	cr_assert_not_null(find_call(&t, 0, EV_syscall, SYS_read));
	tape_free(&t);
}

Test(recorder_stream, a_call_that_blocks_among_threads_has_an_enter)
{
	struct tape t;
	const struct event *ev;

	tape_guest(&t, "blocking_buffers");
	ev = find_call(&t, 0, EV_enter, SYS_readv);
	cr_assert_not_null(ev);
	cr_assert(ev->flags & EVF_RUNS);
	ev = find_call(&t, ev->seq, EV_exit, SYS_readv);
	cr_assert_not_null(ev);
	cr_assert_eq(ev->ret, 12);
	cr_assert_eq(ev->flags & EVF_RUNS, 0);
	tape_free(&t);
}

/* A write counts from when it began: the reader may be out first. */
Test(recorder_stream, nobody_reads_what_is_not_yet_written)
{
	int written = 0, read = 0, turns = 0;
	struct tape t;

	tape_guest(&t, "ping_pipes");
	for (size_t i = 0; i < t.events.len; i++) {
		const struct event *ev = &t.events.v[i];

		if (ev->call == SYS_write && ev->kind != EV_exit)
			written++;
		if (ev->call != SYS_read || ev->kind == EV_enter ||
		    ev->ret != 1)
			continue;
		read++;
		cr_assert_geq(written, read, "event %zu", i + 1);
		turns++;
	}
	cr_assert_eq(turns, 400);
	tape_free(&t);
}

Test(recorder_stream, birth_stands_between_the_parents_enter_and_exit)
{
	struct tape t;
	const struct event *enter, *birth, *exit;

	tape_record(&t, (const char *const[]){ "sh", "-c", "true & wait",
					       NULL });
	birth = tape_next(&t, tape_next(&t, 0, EV_birth)->seq, EV_birth);
	cr_assert_not_null(birth);
	cr_assert_eq(birth->args[2], 1u);
	enter = &t.events.v[birth->ret - 1];
	cr_assert_eq(enter->kind, EV_enter);
	cr_assert_eq(enter->task, 1u);
	exit = find_call(&t, birth->seq, EV_exit, enter->call);
	cr_assert_eq((uint64_t)exit->ret, birth->args[0]);
	tape_free(&t);
}

Test(recorder_stream, a_fault_kills_with_its_status)
{
	struct tape t;
	const struct event *ev, *sig;

	tape_record(&t, (const char *const[]){ "sh", "-c", "kill -SEGV $$",
					       NULL });
	cr_assert(WIFSIGNALED(t.result.status));
	cr_assert_eq(WTERMSIG(t.result.status), SIGSEGV);
	sig = tape_next(&t, 0, EV_signal);
	cr_assert_eq(sig->args[0], (uint64_t)SIGSEGV);
	cr_assert_eq(sig->args[3], 3u);
	ev = tape_next(&t, sig->seq, EV_death);
	cr_assert_eq(ev->args[2], 1u);
	cr_assert(WIFSIGNALED((int)ev->args[1]));
	check_stream(&t);
	tape_free(&t);
}

Test(recorder_stream, a_signal_in_computation_comes_before_the_next_call)
{
	struct tape t;
	const struct event *ev = NULL;
	unsigned rewound = 0;
	uint64_t seq = 0;

	tape_guest(&t, "sig_compute");
	while ((ev = tape_next(&t, seq, EV_signal)) != NULL) {
		seq = ev->seq;
		cr_assert_eq(ev->flags & EVF_UNTIMED, 0);
		if (!(ev->flags & EVF_REWOUND))
			continue;
		rewound++;
		cr_assert(ev->flags & EVF_RUNS);
		/* its registers and its frame are in the event */
		cr_assert(item_find(ev->payload, ITEM_REGS, UINT64_MAX,
				    &(struct item){ 0 }));
		cr_assert(item_find(ev->payload, ITEM_MEM, UINT64_MAX,
				    &(struct item){ 0 }));
	}
	cr_assert_gt(rewound, 0u);
	tape_free(&t);
}

Test(recorder_stream, a_spin_on_memory_is_ended_at_a_point)
{
	const struct event *ev;
	struct item it;
	struct tape t;

	tape_guest(&t, "spin_flag");
	ev = tape_next(&t, 0, EV_sched);
	cr_assert_not_null(ev);
	cr_assert_eq(ev->flags, EVF_RUNS);
	cr_assert_eq(ev->args[0], 2u);
	cr_assert_eq(ev->args[1], 0u);
	cr_assert_neq(ev->reghash, 0u);
	cr_assert(item_find(ev->payload, ITEM_POINT, UINT64_MAX, &it));
	cr_assert_eq(t.result.notes.len, 0u);
	check_stream(&t);
	tape_free(&t);
}

Test(recorder_stream, refusals_are_flagged_and_noted_once)
{
	const struct event *ev;
	struct tape t;

	tape_guest(&t, "refusals");
	ev = find_call(&t, 0, EV_syscall, SYS_userfaultfd);
	cr_assert_not_null(ev);
	cr_assert_eq(ev->ret, -ENOSYS);
	cr_assert(ev->flags & EVF_REFUSED);
	cr_assert(ev->flags & EVF_ERROR);
	cr_assert_not_null(strstr(buf_cstr(&t.result.notes), "userfaultfd"));
	tape_free(&t);
}

Test(recorder_stream, programs_see_one_cpu)
{
	const struct event *ev;
	struct item it;
	struct tape t;

	tape_record(&t, (const char *const[]){ "nproc", NULL });
	ev = find_call(&t, 0, EV_syscall, SYS_sched_getaffinity);
	cr_assert_not_null(ev);
	cr_assert(item_find(ev->payload, ITEM_MEM, UINT64_MAX, &it));
	cr_assert_eq(it.bytes.p[0], 1u);
	for (size_t i = 1; i < it.bytes.len; i++)
		cr_assert_eq(it.bytes.p[i], 0u);
	tape_free(&t);
}

Test(recorder_stream, a_command_that_is_not_there_says_so)
{
	const char *const argv[] = { "/nonexistent/command", NULL };
	const struct record_opts o = {
		.argv = (char *const *)(uintptr_t)argv,
		.envp = environ,
	};
	struct memlog *log = memlog_new();
	struct recorder *r;
	struct err err = { 0 };

	cr_assert_eq(recorder_start(&r, &o, memlog_sink(log), &err), -ENOENT);
	cr_assert_gt(strlen(err.text), 0u);
	memlog_free(log);
}

/* ---- a sink that stores events until it is asked to write them */

static int
flush_fails(struct sink *s, struct err *err)
{
	return err_set(err, E_SPOOL, "no space left");
}

Test(recorder_stream, a_sink_that_cannot_flush_ends_the_recording_alone)
{
	const char *argv[] = { "/bin/true", NULL };
	const struct record_opts o = {
		.argv = (char *const *)(uintptr_t)argv,
		.envp = environ,
		.flush_ms = 1,
	};
	struct record_result result;
	struct memlog *log = memlog_new();
	struct sink_ops ops = *memlog_sink(log)->ops;
	struct sink *sink = memlog_sink(log);
	struct err err = { 0 };
	struct recorder *r;
	int ret;

	ops.flush = flush_fails;
	sink->ops = &ops;
	cr_assert_eq(recorder_start(&r, &o, sink, &err), 0, "%s", err.text);
	while ((ret = recorder_step(r, &err)) > 0)
		continue;
	cr_assert_eq(ret, 0, "%s", err.text);
	cr_assert_eq(recorder_finish(r, &result, &err), 0, "%s", err.text);
	cr_assert_eq(result.status, 0);
	cr_assert_not_null(strstr(buf_cstr(&result.notes), "no space left"));
	buf_free(&result.notes);
	memlog_free(log);
}
