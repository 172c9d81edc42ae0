#include "tests/unit/replayer_script.h"

#include "replayer/internal.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* write(1, "hello\n", 6); exit(0) */
PROGRAM(hello, "mov $1, %eax; mov $1, %edi; lea hello_text(%rip), %rsi\n"
	       "mov $6, %edx; syscall\n"
	       "hello_wrote: mov $231, %eax; xor %edi, %edi; syscall\n"
	       "hello_exit: hlt\n"
	       "hello_text: .ascii \"hello\\n\"");
LABEL(hello_wrote);
LABEL(hello_exit);
LABEL(hello_text);

struct heard {
	char text[256];
	size_t len;
	int fd;
};

static void
hear(void *ctx, const struct event *ev, int fd, struct span bytes)
{
	struct heard *h = ctx;

	cr_assert_leq(h->len + bytes.len, sizeof(h->text) - 1);
	memcpy(h->text + h->len, bytes.p, bytes.len);
	h->len += bytes.len;
	h->fd = fd;
}

static void
die_after(struct script *s, uint32_t task, const uint8_t *label)
{
	struct event ev = script_event(EV_death, task);

	script_call(s, EV_enter, task, SYS_exit_group, label, 0,
		    ARGS(0, script_pc(s, hello_text), 6));
	ev.args[2] = 1;
	script_put(s, &ev);
}

static void
script_hello(struct script *s, uint64_t length, const char *in)
{
	uint64_t text;

	script_init(s);
	script_begin(s, hello, hello_end);
	text = script_pc(s, hello_text);
	if (in)
		item_put_bytes(&s->items, ITEM_IN, 1, span_str(in));
	script_call(s, EV_syscall, 1, SYS_write, hello_wrote, (int64_t)length,
		    ARGS(1, text, length));
	die_after(s, 1, hello_exit);
	script_end(s);
}

Test(replayer_step, output_is_reproduced)
{
	struct heard h = { 0 };
	struct replay_opts o = { .verify_output = true,
				 .output = hear,
				 .output_ctx = &h };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_hello(&s, 6, "hello\n");
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_eq(replayer_seq(r), s.seq);
	cr_assert_str_eq(h.text, "hello\n");
	cr_assert_eq(h.fd, 1);
	cr_assert_null(replayer_divergence(r));
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, another_argument_is_a_divergence_that_names_it)
{
	const struct divergence *d;
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_hello(&s, 5, NULL);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED);
	d = replayer_divergence(r);
	cr_assert_not_null(d);
	cr_assert_eq(d->seq, 4);
	cr_assert_eq(d->last_good, 3);
	cr_assert_not_null(strstr(d->cause, "is 0x6 instead of 0x5"), "%s",
			   d->cause);
	cr_assert_not_null(strstr(err.text, "e3"), "%s", err.text);
	/* Again, and the state is still that of the last good event. */
	cr_assert_eq(replayer_step(r, &err), -E_DIVERGED);
	cr_assert_eq(replayer_seq(r), 3);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, after_a_divergence_the_last_good_moment_can_be_looked_at)
{
	struct err err = { 0 };
	struct replayer *r;
	struct target *t;
	struct regs regs;
	struct script s;

	script_hello(&s, 5, NULL);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED);
	t = replayer_target(r);
	cr_assert_eq(t->ops->regs(t, 1, &regs, &err), 0, "%s", err.text);
	cr_assert_eq(regs.rip, CODE_BASE);
	cr_assert_eq(regs.rax, 0);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, other_output_is_a_divergence)
{
	struct replay_opts o = { .verify_output = true };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_hello(&s, 6, "hallo\n");
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED);
	cr_assert_not_null(strstr(err.text, "allo"), "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, other_memory_is_named_by_its_page)
{
	struct replay_opts o = { .verify_memory = true };
	const uint16_t pages[16] = { [2] = 7, [3] = 9 };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;
	struct event ev;

	script_init(&s);
	script_begin(&s, hello, hello_end);
	ev = script_event(EV_checksum, 1);
	item_put_region(&s.items, DATA_BASE, 65536, 1);
	item_put_bytes(&s.items, ITEM_PAGES, DATA_BASE,
		       span_of(pages, sizeof(pages)));
	script_put(&s, &ev);
	script_end(&s);
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED);
	cr_assert_not_null(strstr(err.text, "[0x600000, 0x610000)"), "%s",
			   err.text);
	cr_assert_not_null(strstr(err.text, "the page at 0x602000 first"), "%s",
			   err.text);
	replayer_close(r);
	script_free(&s);
}

/* read() into data, then getpid() with what was read as an argument. */
PROGRAM(reader, "xor %eax, %eax; xor %edi, %edi; mov $0x600000, %esi\n"
		"mov $8, %edx; syscall\n"
		"reader_read: mov 0x600000, %rdi; mov $39, %eax; syscall\n"
		"reader_pid: mov %rax, %rdi; rdtsc; mov %rax, %rsi; mov $39, "
		"%eax; syscall\n"
		"reader_tsc: mov $12, %eax; xor %edi, %edi; syscall\n"
		"reader_brk: mov $12, %eax; mov $0x702000, %edi; syscall\n"
		"reader_grown: movl $7, 0x701ff0; mov 0x701ff0, %edi; mov $39, "
		"%eax; syscall\n"
		"reader_heap: hlt");
LABEL(reader_read);
LABEL(reader_pid);
LABEL(reader_tsc);
LABEL(reader_brk);
LABEL(reader_grown);
LABEL(reader_heap);

Test(replayer_step, results_of_calls_and_rdtsc_come_from_the_log)
{
	struct regs after = { .rax = 99,
			      .rdi = 4711,
			      .eflags = 0x202,
			      .rsp = SCRIPT_SP,
			      .rsi = DATA_BASE };
	struct event ev = script_event(EV_insn, 1);
	uint64_t data = 0x1122334455667788;
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin(&s, reader, reader_end);
	item_put_mem(&s.items, DATA_BASE, span_of(&data, 8));
	script_call(&s, EV_syscall, 1, SYS_read, reader_read, 8,
		    ARGS(0, DATA_BASE, 8));
	script_call(&s, EV_syscall, 1, SYS_getpid, reader_pid, 4711,
		    ARGS(data, DATA_BASE, 8));
	ev.flags = EVF_RUNS;
	ev.args[0] = 1;
	ev.args[1] = 2;
	ev.pc = script_pc(&s, reader_pid) + 3; /* after mov %rax, %rdi */
	after.rip = ev.pc + 2;
	item_put_bytes(&s.items, ITEM_REGS, 0, span_of(&after, sizeof(after)));
	script_put(&s, &ev);
	script_call(&s, EV_syscall, 1, SYS_getpid, reader_tsc, 4711,
		    ARGS(4711, 99));
	script_call(&s, EV_syscall, 1, SYS_brk, reader_brk, 0x701000,
		    ARGS(0, 99));
	script_call(&s, EV_syscall, 1, SYS_brk, reader_grown, 0x702000,
		    ARGS(0x702000, 99));
	script_call(&s, EV_syscall, 1, SYS_getpid, reader_heap, 4711,
		    ARGS(7, 99));
	script_end(&s);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

/* Parent and child (rax = 0) add to the same address and show it to getpid. */
PROGRAM(family, "mov $56, %eax; mov $0x600800, %esi; syscall\n"
		"family_cloned: test %rax, %rax; jnz 1f\n"
		"movl $5, 0x600000\n"
		"1: incl 0x600000; mov 0x600000, %edi; mov $39, %eax; syscall\n"
		"family_told: mov %rsp, %rdi; mov $39, %eax; syscall\n"
		"family_stack: mov $39, %eax; mov %fs:0, %rdi; syscall\n"
		"family_tls: hlt");
LABEL(family_cloned);
LABEL(family_told);
LABEL(family_stack);
LABEL(family_tls);

static void
script_family(struct script *s, uint64_t flags, uint32_t space, uint64_t told)
{
	struct event ev = script_event(EV_birth, 2);
	uint64_t tls = DATA_BASE + 0x100, mark = 0xabc;

	script_init(s);
	script_begin(s, family, family_end);
	script_call(s, EV_enter, 1, SYS_clone, family_cloned, 0,
		    ARGS(0, 0x600800));
	ev.args[0] = 1001;
	ev.args[1] = flags & CLONE_THREAD ? 1 : 2;
	ev.args[2] = 1;
	ev.args[3] = flags;
	ev.args[4] = space;
	ev.pc = script_pc(s, family_cloned);
	ev.sp = 0x600800;
	(void)tls;
	item_put_mem(&s->items, DATA_BASE + 0x100, span_of(&mark, 8));
	script_put(s, &ev);
	script_call(s, EV_exit, 1, SYS_clone, family_cloned, 1001,
		    ARGS(0, 0x600800));
	/* the child first */
	ev = script_event(EV_syscall, 2);
	ev.flags = EVF_RUNS;
	ev.call = SYS_getpid;
	ev.pc = script_pc(s, family_told);
	ev.sp = 0x600800;
	ev.args[0] = 6;
	ev.args[1] = 0x600800;
	ev.ret = 2;
	script_put(s, &ev);
	script_call(s, EV_syscall, 1, SYS_getpid, family_told, 1,
		    ARGS(told, 0x600800));
	script_call(s, EV_syscall, 1, SYS_getpid, family_stack, 1,
		    ARGS(SCRIPT_SP, 0x600800));
	ev.pc = script_pc(s, family_stack);
	ev.args[0] = 0x600800;
	script_put(s, &ev);
	script_end(s);
}

Test(replayer_step, a_fork_has_memory_of_its_own)
{
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_family(&s, SIGCHLD, 3, 1);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, a_thread_shares_memory)
{
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_family(&s, CLONE_VM | CLONE_THREAD, 2, 7);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

/* A store to nowhere, whose handler returns elsewhere. */
PROGRAM(faulty, "mov $0x123000, %edi; movl $1, (%rdi)\n"
		"faulty_after: hlt\n"
		"faulty_handler: mov 8(%rsp), %rdi; mov $15, %eax; syscall\n"
		"faulty_return: hlt\n"
		"faulty_rest: movq %xmm0, %rdi; mov $39, %eax; syscall\n"
		"faulty_done: hlt");
LABEL(faulty_after);
LABEL(faulty_handler);
LABEL(faulty_return);
LABEL(faulty_rest);
LABEL(faulty_done);

static void
script_fault(struct script *s, uint64_t addr)
{
	uint64_t frame[2] = { 0, 0x5150 };
	struct regs regs = { .eflags = 0x202, .rsp = SCRIPT_SP - 256 };
	struct event ev = script_event(EV_signal, 1);

	script_init(s);
	script_begin(s, faulty, faulty_end);
	ev.flags = EVF_RUNS;
	ev.args[0] = SIGSEGV;
	ev.args[1] = SEGV_MAPERR;
	ev.args[2] = addr;
	ev.args[3] = 1;
	ev.pc = CODE_BASE + 5;
	regs.rip = script_pc(s, faulty_handler);
	item_put_mem(&s->items, SCRIPT_SP - 256, span_of(frame, 16));
	item_put_bytes(&s->items, ITEM_REGS, 0, span_of(&regs, sizeof(regs)));
	script_put(s, &ev);
	/* sigreturn goes on at faulty_rest */
	regs.rip = script_pc(s, faulty_rest);
	regs.rsp = SCRIPT_SP;
	item_put_bytes(&s->items, ITEM_REGS, 0, span_of(&regs, sizeof(regs)));
	ev = script_event(EV_syscall, 1);
	ev.flags = EVF_RUNS;
	ev.call = SYS_rt_sigreturn;
	ev.sp = SCRIPT_SP - 256;
	ev.pc = script_pc(s, faulty_return);
	ev.args[0] = 0x5150;
	script_put(s, &ev);
	script_call(s, EV_syscall, 1, SYS_getpid, faulty_done, 1, ARGS(0));
	script_end(s);
}

Test(replayer_step, a_fault_and_its_handler_come_from_the_log)
{
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_fault(&s, 0x123000);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, a_fault_at_another_address_is_a_divergence)
{
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_fault(&s, 0x124000);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED);
	cr_assert_not_null(strstr(err.text, "0x123000"), "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, a_time_bounded_switch_ends_replay_in_plain_words)
{
	struct event ev = script_event(EV_sched, 1);
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin(&s, hello, hello_end);
	ev.flags = EVF_RUNS | EVF_UNTIMED;
	script_put(&s, &ev);
	script_end(&s);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), -E_UNTIMED);
	cr_assert_not_null(strstr(err.text, "ends after event 3"), "%s",
			   err.text);
	cr_assert_eq(replayer_seq(r), 3);
	cr_assert_eq(replayer_step(r, &err), -E_UNTIMED);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, damaged_recordings_are_errors_not_crashes)
{
	static const enum event_kind kinds[] = { EV_enter,   EV_exit,
						 EV_syscall, EV_insn,
						 EV_signal,  EV_exec,
						 EV_death,   EV_memory };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct event ev = script_event(kinds[i], 77);
		struct err err = { 0 };
		struct replayer *r;
		struct script s;

		script_init(&s);
		script_begin(&s, hello, hello_end);
		script_put(&s, &ev);
		script_end(&s);
		r = script_replay(&s, NULL);
		cr_assert_eq(script_run(r, &err), -E_FORMAT, "kind %d: %s",
			     kinds[i], err.text);
		cr_assert_eq(replayer_seq(r), 3);
		replayer_close(r);
		script_free(&s);
	}
}

Test(replayer_step, a_task_without_a_program_cannot_run, .timeout = 15)
{
	static const enum event_kind kinds[] = { EV_enter, EV_syscall, EV_insn,
						 EV_signal };
	struct regs regs = { 0 };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct event birth = script_event(EV_birth, 1);
		struct event ev = script_event(kinds[i], 1);
		struct err err = { 0 };
		struct replayer *r;
		struct script s;

		script_init(&s);
		birth.args[0] = birth.args[1] = birth.args[4] = 1;
		script_put(&s, &birth);
		ev.flags = EVF_RUNS;
		ev.args[0] = 1;
		item_put_bytes(&s.items, ITEM_REGS, 0,
			       span_of(&regs, sizeof(regs)));
		script_put(&s, &ev);
		script_end(&s);
		r = script_replay(&s, NULL);
		cr_assert_eq(script_run(r, &err), -E_FORMAT, "kind %d: %s",
			     kinds[i], err.text);
		cr_assert_not_null(strstr(err.text, "not begun"), "%s",
				   err.text);
		replayer_close(r);
		script_free(&s);
	}
}

static pid_t
pid_of(struct replayer *r, uint32_t task)
{
	return world_puppet(r->now, task)->pid;
}

Test(replayer_step, a_process_killed_from_outside_is_made_anew)
{
	struct heard h = { 0 };
	struct replay_opts o = { .output = hear, .output_ctx = &h };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_hello(&s, 6, NULL);
	r = script_replay(&s, &o);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(replayer_step(r, &err), 1, "%s", err.text);
	kill(pid_of(r, 1), SIGKILL);
	cr_assert_eq(replayer_step(r, &err), -E_GONE);
	cr_assert_null(replayer_divergence(r));
	cr_assert_eq(replayer_seq(r), 3);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_str_eq(h.text, "hello\n");
	replayer_close(r);
	script_free(&s);
}

Test(replayer_step, signals_from_outside_do_not_matter)
{
	static const int signals[] = { SIGSTOP, SIGCONT, SIGTERM, SIGINT,
				       SIGTSTP, SIGSEGV, SIGTRAP };
	struct heard h = { 0 };
	struct replay_opts o = { .output = hear, .output_ctx = &h };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_hello(&s, 6, NULL);
	r = script_replay(&s, &o);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(replayer_step(r, &err), 1, "%s", err.text);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		kill(pid_of(r, 1), signals[i]);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_str_eq(h.text, "hello\n");
	replayer_close(r);
	script_free(&s);
}
