#include "tests/unit/replayer_script.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SHARED_BASE 0x700000ul
#define TASKS 4u
#define ROUNDS 40u

/*
 * Maps shared memory, starts a thread, a child that shares nothing else, and a
 * thread of that child; each then counts in private and in shared memory, in a
 * vector register and on pages of its own, and tells with getpid.
 */
PROGRAM(crowd,
	"mov $9, %eax; syscall\n"
	"crowd_mapped: mov $56, %eax; syscall\n"
	"crowd_thread: test %rax, %rax; jz crowd_count\n"
	"mov $56, %eax; syscall\n"
	"crowd_child: test %rax, %rax; jnz crowd_count\n"
	"mov $56, %eax; syscall\n"
	"crowd_grandchild: nop\n"
	"crowd_count: pcmpeqd %xmm1, %xmm1; psubd %xmm1, %xmm0\n"
	"1: incq 0x600000; mov 0x600000, %rdi\n"
	"incq 0x700000; mov 0x700000, %rsi\n"
	"psubd %xmm1, %xmm0; movd %xmm0, %edx\n"
	"mov %rdi, %r8; and $3, %r8; shl $12, %r8; mov %rsi, 0x600010(%r8)\n"
	"mov $39, %eax; syscall\n"
	"crowd_told: jmp 1b");
LABEL(crowd_mapped);
LABEL(crowd_thread);
LABEL(crowd_child);
LABEL(crowd_grandchild);
LABEL(crowd_told);

/* What the four counters stand at; spaces of tasks 1, 2 and of 3, 4. */
struct crowd {
	struct script s;
	uint64_t private[2], shared, turns[TASKS + 1];
	uint64_t r8[TASKS + 1];
};

static void
crowd_clone(struct crowd *c, uint32_t parent, uint32_t child, uint32_t space,
	    uint64_t flags, const uint8_t *label)
{
	struct event ev = script_event(EV_birth, child);

	script_call(&c->s, EV_enter, parent, SYS_clone, label, 0, NULL);
	ev.args[0] = 1000 + child;
	ev.args[1] = child;
	ev.args[2] = parent;
	ev.args[3] = flags;
	ev.args[4] = space;
	ev.pc = script_pc(&c->s, label);
	script_put(&c->s, &ev);
	script_call(&c->s, EV_exit, parent, SYS_clone, label, 1000 + child,
		    NULL);
}

static void
crowd_turn(struct crowd *c, uint32_t task)
{
	uint64_t *mine = &c->private[task > 2];
	uint64_t turns = ++c->turns[task] + 1;

	++*mine;
	++c->shared;
	c->r8[task] = (*mine & 3) << 12;
	script_call(&c->s, EV_syscall, task, SYS_getpid, crowd_told, 1,
		    ARGS(*mine, c->shared, turns, 0, c->r8[task]));
}

static void
crowd_init(struct crowd *c)
{
	struct map_rec m = { .start = SHARED_BASE,
			     .len = 0x1000,
			     .prot = PROT_READ | PROT_WRITE,
			     .flags = MAP_SHARED,
			     .shared_id = 1 };

	*c = (struct crowd){ 0 };
	script_init(&c->s);
	script_begin(&c->s, crowd, crowd_end);
	item_put_map(&c->s.items, &m);
	script_call(&c->s, EV_syscall, 1, SYS_mmap, crowd_mapped, SHARED_BASE,
		    NULL);
	crowd_clone(c, 1, 2, 2, CLONE_VM, crowd_thread);
	crowd_clone(c, 1, 3, 3, SIGCHLD, crowd_child);
	crowd_clone(c, 3, 4, 3, CLONE_VM, crowd_grandchild);
	for (unsigned i = 0; i < ROUNDS; i++)
		crowd_turn(c, 1 + (i * 7 + i / 5) % TASKS);
	script_end(&c->s);
}

/* Everything that can be seen of a moment. */
static void
picture(struct replayer *r, struct buf *out)
{
	struct target *t = replayer_target(r);
	struct target_task *tasks;
	struct arena a = { 0 };
	struct err err = { 0 };
	size_t n;

	buf_clear(out);
	cr_assert_eq(t->ops->tasks(t, &a, &tasks, &n, &err), 0, "%s", err.text);
	for (size_t i = 0; i < n; i++) {
		struct regs regs;
		struct buf x = { 0 };

		if (tasks[i].space == 0)
			continue;
		cr_assert_eq(t->ops->regs(t, tasks[i].task, &regs, &err), 0);
		cr_assert_eq(t->ops->xstate(t, tasks[i].task, &x, &err), 0);
		buf_put(out, &tasks[i].task, 4);
		buf_put(out, &regs, offsetof(struct regs, orig_rax));
		buf_put(out, &regs.rip, 8);
		buf_put(out, x.p + 160, 256); /* xmm */
		buf_free(&x);
		t->ops->read(t, tasks[i].task, DATA_BASE,
			     buf_grow(out, DATA_LEN), DATA_LEN);
		x.p = buf_grow(out, 0x1000);
		if (t->ops->read(t, tasks[i].task, SHARED_BASE, x.p, 0x1000) <
		    0)
			memset(x.p, 0, 0x1000);
	}
	arena_free(&a);
}

static void
visit_at_random(struct replayer *r, struct buf *seen, uint64_t last, unsigned n)
{
	struct err err = { 0 };
	struct buf now = { 0 };
	unsigned seed = 1;

	for (unsigned i = 0; i < n; i++) {
		uint64_t seq = 3 + (uint64_t)rand_r(&seed) % (last - 3);

		cr_assert_eq(replayer_seek(r, seq, NULL, NULL, &err), 0, "%s",
			     err.text);
		cr_assert_eq(replayer_seq(r), seq);
		picture(r, &now);
		cr_assert(span_eq(buf_span(&now), buf_span(&seen[seq])),
			  "e%lu looks different the second time", seq);
	}
	buf_free(&now);
}

static void
crowd_test(const struct replay_opts *o, bool step_back)
{
	struct err err = { 0 };
	struct replayer *r;
	struct crowd c;
	struct buf *seen;

	crowd_init(&c);
	r = script_replay(&c.s, o);
	seen = mem_calloc(c.s.seq + 1, sizeof(*seen));
	while (replayer_seq(r) < c.s.seq) {
		cr_assert_eq(replayer_step(r, &err), 1, "%s", err.text);
		picture(r, &seen[replayer_seq(r)]);
	}
	for (uint64_t seq = c.s.seq; step_back && seq >= 3; seq--) {
		struct buf now = { 0 };

		cr_assert_eq(replayer_seek(r, seq, NULL, NULL, &err), 0, "%s",
			     err.text);
		picture(r, &now);
		cr_assert(span_eq(buf_span(&now), buf_span(&seen[seq])),
			  "e%lu looks different backwards", seq);
		buf_free(&now);
	}
	visit_at_random(r, seen, c.s.seq, 40);
	replayer_close(r);
	for (uint64_t seq = 0; seq <= c.s.seq; seq++)
		buf_free(&seen[seq]);
	mem_free(seen);
	script_free(&c.s);
}

Test(replayer_checkpoint, without_any_a_seek_starts_over)
{
	crowd_test(&(struct replay_opts){ 0 }, false);
}

Test(replayer_checkpoint, a_seek_from_checkpoints_shows_the_same_states)
{
	crowd_test(&(struct replay_opts){ .checkpoint_events = 5 }, true);
}

Test(replayer_checkpoint, one_at_every_event)
{
	crowd_test(&(struct replay_opts){ .checkpoint_events = 1 }, true);
}

Test(replayer_checkpoint, the_budget_thins_them_out)
{
	crowd_test(&(struct replay_opts){ .checkpoint_events = 1,
					  .checkpoint_bytes = 400000 },
		   true);
}

Test(replayer_checkpoint, one_that_was_asked_for_is_there)
{
	/* None by time, however slow this machine is. */
	struct replay_opts o = { .checkpoint_events = 1000 };
	struct err err = { 0 };
	struct replayer *r;
	struct crowd c;

	crowd_init(&c);
	r = script_replay(&c.s, &o);
	cr_assert_eq(replayer_seek(r, 20, NULL, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(replayer_checkpoints(r), 0);
	cr_assert_eq(replayer_checkpoint(r, &err), 0, "%s", err.text);
	cr_assert_eq(replayer_checkpoint(r, &err), 0, "%s", err.text);
	cr_assert_eq(replayer_checkpoints(r), 1);
	cr_assert_eq(replayer_seek(r, 10, NULL, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(replayer_checkpoints(r), 1);
	replayer_close(r);
	script_free(&c.s);
}

static bool
no_further(void *ctx, uint64_t at, uint64_t to)
{
	*(uint64_t *)ctx = at;
	return false;
}

Test(replayer_checkpoint, a_seek_can_be_cancelled_and_taken_up_again)
{
	struct err err = { 0 };
	struct replayer *r;
	uint64_t at = 0;
	struct crowd c;

	crowd_init(&c);
	r = script_replay(&c.s, NULL);
	cr_assert_eq(replayer_seek(r, c.s.seq, no_further, &at, &err),
		     -E_CANCELLED);
	cr_assert_gt(at, 0);
	cr_assert_eq(replayer_seq(r), at);
	cr_assert_eq(replayer_seek(r, c.s.seq, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_assert_eq(replayer_seek(r, c.s.seq + 1, NULL, NULL, &err),
		     -E_POSITION);
	replayer_close(r);
	script_free(&c.s);
}

/* A parent's range that forks must not see: in checkpoints it is there. */
PROGRAM(hidden, "movl $1, 0x601000; mov $28, %eax; syscall\n"
		"hidden_advised: incl 0x601000; mov 0x601000, %edi; mov $39, "
		"%eax; syscall\n"
		"hidden_told: jmp hidden_advised");
LABEL(hidden_advised);
LABEL(hidden_told);

Test(replayer_checkpoint, what_forks_do_not_copy_is_kept)
{
	struct replay_opts o = { .checkpoint_events = 1 };
	static const int advice[] = { MADV_DONTFORK, MADV_WIPEONFORK };

	for (int k = 0; k < 2; k++) {
		struct err err = { 0 };
		struct replayer *r;
		struct regs start = { .rip = CODE_BASE,
				      .rsp = SCRIPT_SP,
				      .rdi = 0x601000,
				      .rsi = 0x1000,
				      .rdx = (uint64_t)advice[k],
				      .eflags = 0x202 };
		struct event ev = script_event(EV_memory, 1);
		struct script s;

		script_init(&s);
		script_begin(&s, hidden, hidden_end);
		item_put_bytes(&s.items, ITEM_REGS, 0,
			       span_of(&start, sizeof(start)));
		script_put(&s, &ev);
		script_call(&s, EV_syscall, 1, SYS_madvise, hidden_advised, 0,
			    ARGS(0x601000, 0x1000, (uint64_t)advice[k]));
		for (uint64_t i = 2; i < 12; i++)
			script_call(&s, EV_syscall, 1, SYS_getpid, hidden_told,
				    0, ARGS(i, 0x1000, (uint64_t)advice[k]));
		script_end(&s);
		r = script_replay(&s, &o);
		cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
		for (uint64_t seq = s.seq - 1; seq > 4; seq--) {
			cr_assert_eq(replayer_seek(r, seq, NULL, NULL, &err), 0,
				     "%s", err.text);
			cr_assert_eq(replayer_step(r, &err), 1, "%s", err.text);
		}
		replayer_close(r);
		script_free(&s);
	}
}
