/*
 * Birth, exec and death.
 *
 * The first stop of a child and its parent's fork stop come in either order.
 * The parent stays at its fork stop until both are here, so
 * that birth is logged with the child's registers and before anything that
 * parent or child do next.
 *
 * A SIGKILL that meets a fork half-way leaves a child and no fork stop. The
 * child has not run, and nobody knows of it: it is ended, as if the kill had
 * come before the fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_DOMAIN "recorder"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "recorder/agent.h"
#include "recorder/chaos.h"
#include "recorder/engine.h"
#include "recorder/exec.h"
#include "recorder/nondet.h"
#include "recorder/sched.h"
#include "recorder/seat.h"
#include "recorder/task.h"
#include "tracee/bpf.h"

#define GONE_DEADLINE_NS 2000000000ull
#define ROBUST_MAX 2048 /* the kernel's ROBUST_LIST_LIMIT */

/* --- birth -------------------------------------------------------------- */

/* Of a new task; parent, NULL for the command, gives it its own. */
static void
put_comm(struct recorder *r, pid_t tid, const struct process *parent)
{
	struct buf b = { 0 };
	char path[64];

	if (parent != NULL && parent->comm[0] != '\0') {
		item_put_kv(&r->items, "comm", span_str(parent->comm));
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	if (fd_read_file(path, &b) == 0 && b.len > 0) {
		if (b.p[b.len - 1] == '\n')
			b.len--;
		item_put_kv(&r->items, "comm", buf_span(&b));
	}
	buf_free(&b);
}

static uint64_t
clone_flags(const struct task *parent)
{
	switch (parent->call.sc.nr) {
	case SYS_clone:
		return parent->call.sc.args[0];
	case SYS_vfork:
		return CLONE_VFORK | CLONE_VM | SIGCHLD;
	}
	return SIGCHLD;
}

/* The process (and space) of a new task. */
static void
place(struct recorder *r, struct task *c, const struct task *parent,
      uint64_t flags)
{
	struct process *from = parent->proc;
	struct space *s = from->space;
	struct process *p;

	if (flags & CLONE_THREAD) {
		process_add(from, c);
		return;
	}
	if (!(flags & CLONE_VM)) {
		struct group *g = shared_is_writable(s) ? s->group :
							  group_new(r);

		s = space_new(r, g);
		memcpy(s->mapped, from->space->mapped, sizeof(s->mapped));
		s->brk = from->space->brk;
		s->plain_brk = from->space->plain_brk;
		s->vdso = from->space->vdso;
		s->trap_tsc = from->space->trap_tsc;
		s->translates = from->space->translates;
		s->cpuid_stubs = from->space->cpuid_stubs;
		shared_fork(s, from->space);
		/* It may be dead already: then nobody reads its memory. */
		if (mem_open(&s->mem, c->tid, NULL) < 0)
			s->mem.fd = -1;
	}
	p = process_new(r, c->tid, s);
	memcpy(p->comm, from->comm, sizeof(p->comm));
	p->dumpable = from->dumpable;
	p->no_new_privs = from->no_new_privs;
	process_add(p, c);
}

static void
put_tid(struct recorder *r, const struct task *c, uint64_t addr)
{
	uint8_t word[4];

	if (mem_read_all(&task_space(c)->mem, addr, word, sizeof(word)) == 0)
		item_put_mem(&r->items, addr, span_of(word, sizeof(word)));
}

/* The child's own store of its tid, before its first stop. And the parent's,
 * which comes before others run that see it: when the parent is stopped in the
 * midst of the call, its exit is later. */
static void
put_child_tid(struct recorder *r, const struct task *c,
	      const struct task *parent, uint64_t flags)
{
	const struct sys_call *sc = &parent->call.sc;

	if (sc->nr != SYS_clone)
		return;
	if ((flags & CLONE_PARENT_SETTID) && (flags & CLONE_VM))
		put_tid(r, c, sc->args[2]);
	if (flags & CLONE_CHILD_SETTID)
		put_tid(r, c, sc->args[3]);
}

static int
birth(struct recorder *r, struct task *parent, struct task *c, struct err *err)
{
	uint64_t flags = clone_flags(parent);
	struct event ev;
	int ret;

	parent->mate = c->mate = NULL;
	task_unborn(r, c);
	if (ptrace_get_regs(c->tid, &c->last) < 0) {
		c->last = parent->call.regs; /* dead: they do not matter */
		c->last.rax = 0;
	}
	if (c->last.rip == parent->call.regs.rip)
		c->last.rip = parent->call.pc;
	c->last.rcx = c->last.rip;
	c->last.r11 = R11_CANONICAL;
	ptrace_set_regs(c->tid, &c->last);
	place(r, c, parent, flags);
	c->number = ++r->ntasks;
	c->parent = parent->number;
	if (parent->call.sc.nr == SYS_clone && (flags & CLONE_CHILD_CLEARTID))
		c->cleartid = parent->call.sc.args[3];
	if (parent->filters != NULL)
		c->filters = bpf_chain_ref(parent->filters);
	nondet_birth(c, parent);
	if ((flags & (CLONE_SIGHAND | CLONE_THREAD)) == CLONE_SIGHAND) {
		nondet_shares_handlers(parent);
		nondet_shares_handlers(c);
	}
	seat_child(c, parent);
	agent_birth(c, parent, flags);
	event_begin(r, c, EV_birth, &ev);
	ev.args[0] = (uint64_t)c->tid;
	ev.args[1] = c->proc->number;
	ev.args[2] = parent->number;
	ev.args[3] = flags;
	ev.args[4] = task_space(c)->number;
	ev.args[5] = task_group(c)->number;
	ev.ret = (int64_t)parent->call.enter_seq;
	ev.pc = c->last.rip;
	ev.sp = c->last.rsp;
	item_put_bytes(&r->items, ITEM_REGS, 0,
		       span_of(&c->last, sizeof(c->last)));
	put_child_tid(r, c, parent, flags);
	put_comm(r, c->tid, parent->proc);
	if (c->proc == parent->proc)
		c->proc->comm[0] = '\0'; /* each thread has its own */
	ret = event_put(r, &ev, err);
	if (ret < 0)
		return ret;
	if (flags & CLONE_VFORK) {
		parent->in_vfork = true;
		task_group(parent)->live--;
		parent->state = TASK_BLOCKED;
		sched_release(parent);
	}
	ret = task_resume(parent, PTRACE_SYSCALL, 0);
	if (ret < 0)
		return ret;
	if (c->stop.kind == STOP_EXIT) {
		c->state = TASK_BLOCKED;
		return life_exit_stop(r, c, err);
	}
	sched_ready(c, NEXT_RESUME);
	return chaos_birth(r, c, parent, err);
}

int
life_fork(struct recorder *r, struct task *t, struct err *err)
{
	unsigned long tid;
	struct task *c;
	int ret = ptrace_event_msg(t->tid, &tid);

	if (ret < 0)
		return ret;
	t->call.forked = true;
	c = task_get(r, (pid_t)tid);
	if (c == NULL)
		c = task_add(r, (pid_t)tid);
	if (c->stop.kind != STOP_NONE)
		return birth(r, t, c, err);
	c->mate = t;
	t->mate = c;
	return 0;
}

int
life_first_stop(struct recorder *r, struct task *t, struct err *err)
{
	if (t->mate != NULL)
		return birth(r, t->mate, t, err);
	if (t->orphan)
		return task_resume(t, PTRACE_CONT, 0);
	task_unborn(r, t);
	vec_push(&r->unborn, t);
	return 0;
}

bool
life_is_forking(const struct task *t)
{
	const struct call *c = &t->call;

	return !t->dead && c->active && !c->forked &&
	       (c->sc.nr == SYS_clone || c->sc.nr == SYS_fork ||
		c->sc.nr == SYS_vfork);
}

void
life_orphans(struct recorder *r)
{
	size_t it = 0;
	uint64_t tid;
	void *t;

	if (r->unborn.len == 0)
		return;
	while (map_next(&r->tasks, &it, &tid, &t))
		if (life_is_forking(t))
			return;
	for (size_t i = 0; i < r->unborn.len; i++) {
		r->unborn.v[i]->orphan = true;
		kill(r->unborn.v[i]->tid, SIGKILL);
		/* It may stand at its exit stop already. */
		if (r->unborn.v[i]->stop.kind == STOP_EXIT)
			task_resume(r->unborn.v[i], PTRACE_CONT, 0);
	}
	vec_clear(&r->unborn);
}

void
life_vforked(struct task *t)
{
	t->in_vfork = false;
	task_group(t)->live++;
	agent_forget_fds(task_space(t));
}

/* --- exec --------------------------------------------------------------- */

static int put_death(struct recorder *r, struct task *t, struct err *err);

/* The leader has died for the exec of another thread, mostly in an exit stop.
 * When the kill met it in a stop of ours, our resume took it on from its exit
 * stop, and this is the first that we hear. */
static int
leader_gone(struct recorder *r, struct task *t, struct err *err)
{
	int ret = 0;

	if (t->dead)
		return 0;
	if (t->call.active && !t->call.logged && !t->call.skipped)
		ret = syscall_log_enter(r, t, err);
	t->status = 0; /* what the kernel says of a thread that makes way */
	return ret < 0 ? ret : put_death(r, t, err);
}

/* The new image's space and group, in place of the old ones. */
static int
new_image(struct recorder *r, struct task *t, struct err *err)
{
	struct space *old = task_space(t);
	struct group *g;
	struct space *s;

	sched_forget(r, t);
	scratch_forget(t);
	agent_leave(t);
	old->group->live--;
	g = group_new(r);
	s = space_new(r, g);
	s->refs = 1;
	seat_exec(s, old);
	t->proc->space = s;
	space_drop(r, old);
	g->live = 1;
	g->runner = t;
	t->state = TASK_RUNNING;
	t->turn_ns = r->now_ns;
	t->cleartid = 0;
	t->proc->dumpable = 1;
	return mem_open(&s->mem, t->tid, err);
}

/* The word of CLONE_CHILD_CLEARTID in memory that others still have. */
struct cleared {
	uint64_t addr;
	uint32_t heir; /* a task of that space; 0 = none */
};

/* execve leaves the old space as the end of a task does (mm_release): the word
 * becomes 0 for those who stay there. To be asked before the space is changed.
 */
static struct cleared
cleared_by_exec(const struct recorder *r, const struct task *t)
{
	struct cleared c = { .addr = t->cleartid };
	size_t it = 0;
	uint64_t tid;
	void *p;

	while (c.addr != 0 && c.heir == 0 &&
	       map_next(&r->tasks, &it, &tid, &p)) {
		const struct task *other = p;

		if (other != t && other->proc != NULL && !other->dead &&
		    other->proc != t->proc &&
		    task_space(other) == task_space(t))
			c.heir = other->number;
	}
	return c;
}

static int
put_exec(struct recorder *r, struct task *t, struct cleared cleared,
	 struct err *err)
{
	static const uint8_t zero[4];
	struct event ev;
	int ret;

	event_begin(r, t, EV_exec, &ev);
	ret = exec_capture(r, t, err);
	if (ret < 0)
		return ret;
	if (cleared.heir != 0)
		item_put_mem_task(&r->items, cleared.heir, cleared.addr,
				  span_of(zero, sizeof(zero)));
	ret = ptrace_get_regs(t->tid, &t->last);
	if (ret < 0)
		return ret;
	ev.args[0] = task_space(t)->number;
	ev.args[1] = task_group(t)->number;
	ev.args[2] = t->call.extra[0];
	ev.call = (int16_t)t->call.sc.nr;
	ev.pc = t->last.rip;
	ev.sp = t->last.rsp;
	ret = event_put(r, &ev, err);
	if (ret == 0)
		ret = exec_privileges(r, t, err);
	if (ret < 0)
		return ret;
	return r->opts.checksum_every != 0 ? sum_event(r, t, err) : 0;
}

/* Another thread than the leader called exec: the leader died (its exit stop
 * was seen) and has no end of its own; the caller lives on under its tid. */
static int
take_place(struct recorder *r, struct task *leader, pid_t former,
	   struct task **out, struct err *err)
{
	struct task *t = task_get(r, former);
	const pid_t tid = leader->tid;
	int ret;

	ASSERT(t != NULL);
	ret = leader_gone(r, leader, err);
	if (ret < 0)
		return ret;
	t->stop = leader->stop;
	sched_forget(r, leader);
	process_remove(r, leader);
	nondet_forget(leader);
	task_free(r, leader);
	task_rename(r, t, tid);
	t->call.extra[0] = (uint64_t)former;
	*out = t;
	return 0;
}

int
life_exec(struct recorder *r, struct task *t, struct err *err)
{
	struct cleared cleared;
	unsigned long former;
	int ret = ptrace_event_msg(t->tid, &former);

	if (ret == 0 && (pid_t)former != t->tid)
		ret = take_place(r, t, (pid_t)former, &t, err);
	if (ret < 0)
		return ret;
	cleared = cleared_by_exec(r, t);
	ret = new_image(r, t, err);
	if (ret < 0)
		return ret == -ENOENT || ret == -ESRCH ? -E_GONE : ret;
	ret = put_exec(r, t, cleared, err);
	if (ret < 0)
		return ret;
	syscall_forget(t);
	return sched_continue(r, t, err);
}

int
life_first(struct recorder *r, struct task *t, struct err *err)
{
	struct group *g = group_new(r);
	struct space *s = space_new(r, g);
	struct event ev;
	int ret;

	process_add(process_new(r, t->tid, s), t);
	/* What we have, the command would have had without us. */
	t->proc->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	t->number = ++r->ntasks;
	t->state = TASK_RUNNING;
	g->runner = t;
	ret = mem_open(&s->mem, t->tid, err);
	if (ret < 0)
		return ret;
	event_begin(r, NULL, EV_header, &ev);
	ev.args[0] = clock_real_ns();
	ev.args[1] = 1;
	ret = exec_header(r, t, &r->items, err);
	if (ret < 0)
		return ret;
	outputs_init(r, t);
	ret = event_put(r, &ev, err);
	if (ret < 0)
		return ret;
	event_begin(r, t, EV_birth, &ev);
	ev.args[0] = (uint64_t)t->tid;
	ev.args[1] = t->proc->number;
	ev.args[4] = s->number;
	ev.args[5] = g->number;
	put_comm(r, t->tid, NULL);
	ret = event_put(r, &ev, err);
	if (ret < 0)
		return ret;
	t->call.sc.nr = SYS_execve;
	ret = put_exec(r, t, (struct cleared){ 0 }, err);
	if (ret < 0)
		return ret;
	return sched_continue(r, t, err);
}

/* --- death -------------------------------------------------------------- */

/* Wait until a task that was let go from its exit stop has done its last
 * stores: it is a zombie, or no more. */
static void
wait_gone(pid_t tid)
{
	uint64_t deadline = clock_now_ns() + GONE_DEADLINE_NS;
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		const char *p;
		ssize_t n;

		if (fd < 0)
			return;
		n = fd_read_full(fd, text, sizeof(text) - 1);
		fd_close(&fd);
		if (n <= 0)
			return;
		text[n] = '\0';
		p = strrchr(text, ')');
		if (p == NULL || strchr("ZX", p[2]) != NULL)
			return;
		sched_yield();
	} while (clock_now_ns() < deadline);
}

/* One robust futex of a dying owner: what the kernel will store. */
static void
put_robust_word(struct recorder *r, const struct task *t, uint64_t addr)
{
	uint32_t word;

	if (mem_read_all(&task_space(t)->mem, addr, &word, sizeof(word)) < 0 ||
	    (word & 0x3fffffffu) != (uint32_t)t->tid)
		return;
	word = (word & 0x80000000u) | 0x40000000u;
	item_put_mem(&r->items, addr, span_of(&word, sizeof(word)));
}

/* The kernel's walk (exit_robust_list), without its stores. */
static void
put_robust_list(struct recorder *r, const struct task *t)
{
	const struct mem *m = &task_space(t)->mem;
	uint64_t head = 0, len = 0, entry, list[3];

	if (syscall(SYS_get_robust_list, t->tid, &head, &len) < 0 ||
	    head == 0 || mem_read_all(m, head, list, sizeof(list)) < 0)
		return;
	entry = list[0];
	for (int i = 0; i < ROBUST_MAX && (entry & ~1ull) != head; i++) {
		uint64_t next;

		if (mem_read_all(m, entry & ~1ull, &next, sizeof(next)) < 0)
			return;
		if ((entry & ~1ull) != (list[2] & ~1ull))
			put_robust_word(r, t, (entry & ~1ull) + list[1]);
		entry = next;
	}
	if (list[2] != 0)
		put_robust_word(r, t, (list[2] & ~1ull) + list[1]);
}

/*
 * What the kernel stores between the exit stop and the end, when anyone is
 * left to see it (mm_release). A SIGKILL can move a task from the stop in which
 * we hold it to its exit stop, and our next resume takes it on from there: then
 * its end is the first that we hear, and the list is not known any more.
 */
static void
put_last_stores(struct recorder *r, const struct task *t, bool last)
{
	static const uint8_t zero[4];
	bool seen = !last || task_space(t)->refs > 1 ||
		    task_space(t)->shmaps.len > 0;

	if (t->stop.kind == STOP_EXIT && seen)
		put_robust_list(r, t);
	if (t->cleartid != 0 && space_is_shared(t))
		item_put_mem(&r->items, t->cleartid,
			     span_of(zero, sizeof(zero)));
}

static bool
is_last(const struct task *t)
{
	for (size_t i = 0; i < t->proc->tasks.len; i++)
		if (!t->proc->tasks.v[i]->dead && t->proc->tasks.v[i] != t)
			return false;
	return true;
}

/* The memory that a process leaves behind; when it was killed replay does
 * not come to the same place in its computation. */
static int
last_sum(struct recorder *r, struct task *t, struct err *err)
{
	const struct process *p = t->proc;

	if (p->space->refs > 1 || r->opts.checksum_every == 0 ||
	    t->stop.kind != STOP_EXIT || WIFSIGNALED(p->status))
		return 0;
	for (size_t i = 0; i < p->tasks.len; i++)
		if (p->tasks.v[i] != t)
			wait_gone(p->tasks.v[i]->tid);
	return sum_event(r, t, err);
}

static int
put_death(struct recorder *r, struct task *t, struct err *err)
{
	struct process *p = t->proc;
	bool last = is_last(t);
	struct event ev;
	int ret;

	/* Its own filter kills a thread without its process: others may see the
	 * last stores of such a one. */
	if (WIFSIGNALED(t->status) && !t->call.killed) {
		p->exiting = true;
		p->status = t->status;
	} else if (!p->exiting && t->tid == p->tgid) {
		p->status = t->status;
	}
	if (last) {
		ret = last_sum(r, t, err);
		if (ret < 0)
			return ret;
	}
	event_begin(r, t, EV_death, &ev);
	ev.args[0] = (uint64_t)t->status;
	if (last) {
		ev.args[1] = (uint64_t)p->status;
		ev.args[2] = 1;
	}
	put_last_stores(r, t, last);
	t->dead = true;
	if (!t->in_vfork)
		task_group(t)->live--;
	return event_put(r, &ev, err);
}

int
life_exit_stop(struct recorder *r, struct task *t, struct err *err)
{
	unsigned long status;
	bool holds_on;
	int ret = ptrace_event_msg(t->tid, &status);

	if (ret < 0)
		return ret;
	if (t->dead)
		return task_resume(t, PTRACE_CONT, 0);
	if (t->mate != NULL) {
		ret = birth(r, t, t->mate, err);
		if (ret < 0)
			return ret;
	}
	t->status = t->call.killed ? SIGSYS : (int)status;
	ret = syscall_senders(r, t, err);
	if (ret < 0)
		return ret;
	/* Killed inside a call that nobody heard of yet. */
	if (t->call.active && !t->call.logged && !t->call.skipped) {
		ret = syscall_log_enter(r, t, err);
		if (ret < 0)
			return ret;
	}
	ret = put_death(r, t, err);
	if (ret < 0)
		return ret;
	t->state = TASK_DYING;
	/* A runner keeps the baton until its last stores are done. */
	holds_on = task_group(t)->runner == t;
	if (!holds_on)
		sched_forget(r, t);
	ret = task_resume(t, PTRACE_CONT, 0);
	if (holds_on && !is_last(t) && t->tid == t->proc->tgid) {
		wait_gone(t->tid); /* a leader's end is reported last */
		sched_forget(r, t);
	} else if (holds_on && t->proc->exiting && t->proc->tasks.len > 1) {
		sched_forget(r, t); /* nobody of its process will run */
	}
	return ret;
}

int
life_reaped(struct recorder *r, struct task *t, struct err *err)
{
	const struct stop stop = t->stop;
	int ret = 0;

	if (t->proc == NULL && t->mate != NULL) {
		ret = birth(r, t->mate, t, err);
		if (ret < 0)
			return ret;
	}
	if (t->mate != NULL) {
		t->mate->mate = NULL;
		t->mate = NULL;
	}
	if (stop.tid == r->first) {
		r->first_done = true;
		r->first_status = stop.status;
	}
	if (t->proc != NULL) {
		t->stop = stop;
		if (!t->dead) {
			t->status = stop.status;
			ret = put_death(r, t, err);
		}
		syscall_forget(t);
		sched_forget(r, t);
		scratch_forget(t);
		nondet_forget(t);
		chaos_forget(r, t);
		process_remove(r, t);
	}
	task_free(r, t);
	return ret;
}
