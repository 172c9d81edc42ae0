/*
 * Where the agent is. A space begins without it; calls trap and are counted by
 * site. When enough of them could have been made by the agent, it is mapped,
 * and the sites that come again are patched, each after one of its calls, when
 * the space has one task, which stands behind it: nobody is in the bytes that
 * change.
 *
 * What replay needs of this, stubs, jumps and the word that the stubs jump
 * through, are items of the event of that call.
 */
#include "recorder/agent_priv.h"

#include <cpuid.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <x86intrin.h>

#include "agent/blob.h"
#include "base/clock.h"
#include "base/fd.h"
#include "recorder/files.h"
#include "recorder/nondet.h"
#include "recorder/sched.h"
#include "recorder/task.h"
#include "tracee/maps.h"
#include "tracee/probe.h"

#define SHY_NS 20000000u /* once broken off, calls wait where they trap */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define HWCAP2_FSGSBASE 2u
#define CPUID_POWER 0x80000007u
#define CPUID_INVARIANT_TSC 0x100u

/* Every call that the agent may make. */
static const bool made[SYS_MAX] = {
#define AGENT_ROW(nr, name, class, path, out, bytes) [nr] = true,
#include "agent/calls.def"
};

bool
agent_makes(int nr)
{
	return nr >= 0 && nr < SYS_MAX && made[nr];
}

/* The TSC counts at one rate, and all CPUs agree on it. */
static bool
has_tsc(void)
{
	unsigned a, b, c, d = 0;

	return __get_cpuid(CPUID_POWER, &a, &b, &c, &d) != 0 &&
	       (d & CPUID_INVARIANT_TSC) != 0;
}

int
agent_init(struct recorder *r, struct err *err)
{
	struct agent *a;

	/* Hostile answers are given where calls trap. */
	if (!r->opts.agent || r->chaos != NULL || probe_denied_name("agent"))
		return 0;
	r->agent = a = mem_zalloc(sizeof(*a));
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
		a->flags = AGENT_FSGSBASE;
	a->has_tsc = has_tsc();
	/* Records of several tasks need their own segment bases. */
	a->hands_over =
		(a->flags & AGENT_FSGSBASE) != 0 && !probe_denied_name("baton");
	a->tsc = __rdtsc();
	a->tsc_ns = clock_now_ns();
	agent_clock_init(a);
	return 0;
}

void
agent_release(struct recorder *r)
{
	struct agent *a = r->agent;
	uint64_t key;
	void *value;
	size_t it = 0;

	if (a == NULL)
		return;
	while (map_next(&a->files, &it, &key, &value))
		agent_file_free(r, value);
	map_free(&a->files);
	arena_free(&a->arena);
	buf_free(&a->vdso);
	mem_free(a);
	r->agent = NULL;
}

void
agent_forget(struct space *s)
{
	struct agent_space *a = s->agent;

	if (a == NULL)
		return;
	map_free(&a->spread);
	vec_free(&a->ranges);
	vec_free(&a->sites);
	vec_free(&a->seats);
	mem_free(a);
	s->agent = NULL;
}

uint64_t
agent_view(const struct task *t, uint64_t pc)
{
	static const uint8_t call[2] = { 0x0f, 0x05 };
	uint8_t code[16]; /* from two bytes before pc */
	uint64_t after;

	if (pc - AGENT_SITES >= AGENT_SITES_LEN ||
	    mem_read_all(&task_space(t)->mem, pc - 2, code, sizeof(code)) < 0)
		return pc;
	if (memcmp(code, call, sizeof(call)) == 0) {
		memcpy(&after, code + 8, sizeof(after));
		return after;
	}
	if (memcmp(code + 2, call, sizeof(call)) != 0 ||
	    mem_read_all(&task_space(t)->mem, pc + 8, &after, sizeof(after)) <
		    0)
		return pc;
	return after - 2;
}

/* ---- who makes the calls */

/*
 * The tasks of a space share the agent's stack and ring: no task is stopped
 * for another's sake while it is in there. So it has to come out, to a call
 * that traps, when its turn is over.
 */
static bool
may_enter(const struct task *t, const struct agent_space *a)
{
	const struct group *g = task_group(t);

	if (g->ready.len > 0 && a->r->now_ns - t->turn_ns >= TURN_NS)
		return false;
	return g->wanted.len == 0 && t->stash.signo == 0 &&
	       t->filters == NULL && !a->hold && !a->refused;
}

/* Nobody maps a file that somebody may write. */
static bool
may_write(const struct recorder *r)
{
	for (size_t i = 0; i < r->spaces.len; i++)
		if (r->spaces.v[i]->shmaps.len > 0)
			return false;
	return true;
}

static void
set_word(struct space *s, uint64_t offset, uint64_t *is, uint64_t v)
{
	if (*is == v)
		return;
	if (mem_write_all(&s->mem, AGENT_DATA + offset, &v, sizeof(v)) == 0)
		*is = v;
}

uint64_t
agent_permitted(const struct space *s)
{
	const struct agent_space *a = s->agent;
	const struct group *g = s->group;
	uint64_t flags = AGENT_ON;

	if (may_write(a->r))
		flags |= AGENT_WRITES;
	if (a->r->tasks.len == 1)
		flags |= AGENT_ALONE;
	if (s->brk != 0 && s->plain_brk)
		flags |= AGENT_BRK;
	if (g->live <= 1)
		flags |= AGENT_SINGLE;
	if (g->ready.len == 0 && (g->live <= 1 || a->r->now_ns >= a->shy_ns))
		flags |= AGENT_WAITS;
	return flags;
}

void
agent_set_flags(struct space *s, uint64_t flags)
{
	const struct agent *a = s->agent->r->agent;

	flags |= a->flags;
	if (a->has_tsc && !s->trap_tsc)
		flags |= AGENT_TSC;
	set_word(s, offsetof(struct agent_data, flags), &s->agent->flags,
		 flags);
}

void
agent_let_in(struct space *s)
{
	if (s->agent->enter != AGENT_CODE && !s->agent->fresh)
		agent_forget_fds(s);
	s->agent->fresh = false;
	set_word(s, offsetof(struct agent_data, enter), &s->agent->enter,
		 AGENT_CODE);
}

void
agent_resume(struct task *t)
{
	struct space *s = task_space(t);
	struct agent_space *a = s->agent;
	uint64_t flags;

	if (a == NULL || !a->on || task_group(t)->runner != t)
		return;
	if (may_enter(t, a) && agent_seat(t)) {
		agent_let_in(s);
		flags = agent_permitted(s);
		if (agent_may_block(s, t))
			flags |= AGENT_BLOCKS;
		if ((flags & AGENT_BLOCKS) != 0 &&
		    task_group(t)->ready.len == 0) {
			flags |= AGENT_BATON;
			a->undrained = true;
		}
	} else {
		flags = 0;
		set_word(s, offsetof(struct agent_data, enter), &a->enter,
			 AGENT_TRAP);
	}
	agent_give(t);
	agent_set_flags(s, flags);
}

void
agent_hold(struct space *s)
{
	struct agent_space *a = s->agent;

	if (a == NULL || !a->on)
		return;
	agent_close(s);
	agent_settle(s);
	a->hold = true;
	agent_set_flags(s, 0);
	set_word(s, offsetof(struct agent_data, enter), &a->enter, AGENT_TRAP);
}

/* Where it may be about to wait it is interrupted: see agent/enter.S. */
static void
break_off(struct task *t)
{
	struct agent_space *a = task_space(t)->agent;
	uint64_t inside = 0;

	if (t->interrupted ||
	    mem_read_all(&task_space(t)->mem,
			 AGENT_DATA + offsetof(struct agent_data, inside),
			 &inside, sizeof(inside)) < 0 ||
	    inside == 0)
		return;
	a->shy_ns = a->r->now_ns + SHY_NS;
	t->taking.asked_ns = a->r->now_ns;
	t->interrupted = ptrace_interrupt(t->tid) == 0;
}

static bool
may_be_inside(const struct task *t)
{
	return t != NULL && t->proc != NULL && t->stop.kind == STOP_NONE &&
	       !t->call.active && task_space(t)->agent != NULL &&
	       task_space(t)->agent->on;
}

void
agent_break(struct task *t)
{
	if (!may_be_inside(t))
		return;
	agent_hold(task_space(t));
	break_off(t);
}

void
agent_no_waits(struct task *t)
{
	struct agent_space *a;

	if (!may_be_inside(t))
		return;
	a = task_space(t)->agent;
	if (a->enter != AGENT_CODE ||
	    (a->flags & (AGENT_WAITS | AGENT_SINGLE)) == 0)
		return;
	agent_set_flags(task_space(t),
			a->flags & ~(uint64_t)(AGENT_WAITS | AGENT_SINGLE));
	break_off(t);
}

void
agent_no_writes(struct recorder *r)
{
	for (size_t i = 0; r->agent != NULL && i < r->spaces.len; i++) {
		struct space *s = r->spaces.v[i];

		if (s->agent != NULL && s->agent->on)
			agent_set_flags(s, s->agent->flags &
						   ~(uint64_t)AGENT_WRITES);
	}
}

void
agent_forget_fds(struct space *s)
{
	static const uint8_t unknown[AGENT_FDS];

	if (s->agent != NULL && s->agent->on)
		mem_write_all(&s->mem,
			      AGENT_DATA + offsetof(struct agent_data, kind),
			      unknown, sizeof(unknown));
}

/* A fork copies it all; the ring is empty at a fork. */
static void
copy_space(struct space *to, const struct space *from)
{
	const struct agent_space *old = from->agent;
	struct agent_space *a = mem_zalloc(sizeof(*a));
	uint64_t key;
	void *value;
	size_t it = 0;

	a->r = old->r;
	a->on = old->on;
	a->refused = old->refused;
	a->held = UINT64_MAX;
	a->enter = old->enter;
	a->flags = old->flags & ~(uint64_t)AGENT_BATON;
	a->ndevs = old->ndevs;
	a->files_told = old->files_told;
	a->seen = old->seen;
	for (size_t i = 0; i < old->sites.len; i++)
		vec_push(&a->sites, old->sites.v[i]);
	while (map_next(&old->spread, &it, &key, &value))
		map_set(&a->spread, key, value);
	to->agent = a;
}

void
agent_birth(struct task *c, struct task *t, uint64_t flags)
{
	struct space *s = task_space(c), *from = task_space(t);

	if (from->agent == NULL)
		return;
	if (s != from)
		copy_space(s, from);
	/* Descriptors that come and go in another space, or that differ in one
	 * space; and a process that may be stopped while it is in there. */
	if (s != from && (flags & CLONE_FILES))
		s->agent->refused = from->agent->refused = true;
	if (s == from && !(flags & (CLONE_VFORK | CLONE_THREAD)))
		s->agent->refused = true;
	if (flags & CLONE_FILES)
		agent_forget_fds(from);
}

int
agent_sigreturn(struct task *t, struct regs *regs)
{
	const struct agent_space *a = task_space(t)->agent;

	for (size_t i = 0; a != NULL && i < a->sites.len; i++) {
		const struct agent_site *s = &a->sites.v[i];
		uint64_t insn = s->after - 2, back = insn - regs->rip;

		if (back > s->pre)
			continue;
		/* The same instruction in the stub. */
		regs->rip = back == 0
				    ? s->insn
				    : AGENT_SITES + (i + 1) * AGENT_SITE_SIZE +
					      8 + (s->pre - back);
		return ptrace_set_regs(t->tid, regs);
	}
	return 0;
}

/* ---- into the space */

static void
add_map(struct batch *b, uint64_t start, uint64_t len, int prot, int how)
{
	batch_add(b, SYS_mmap, start, start, len, (uint64_t)prot,
		  (uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how),
		  UINT64_MAX, 0);
}

void
agent_add_maps(const struct recorder *r, const struct space *s, struct batch *b)
{
	add_map(b, AGENT_SITES, AGENT_CODE + AGENT_CODE_LEN - AGENT_SITES,
		PROT_READ | PROT_EXEC, MAP_FIXED_NOREPLACE);
	add_map(b, AGENT_DATA, AGENT_DATA_LEN, PROT_READ | PROT_WRITE,
		MAP_FIXED_NOREPLACE);
	if (agent_has_clocks(r, s))
		add_map(b, AGENT_VDSO, s->vdso, PROT_READ | PROT_EXEC,
			MAP_FIXED);
}

/* A piece of it that replay has, too. */
static void
put_map(struct recorder *r, uint64_t start, uint64_t len, uint32_t prot)
{
	const struct map_rec m = {
		.start = start,
		.len = len,
		.prot = prot,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS,
	};

	item_put_map(&r->items, &m);
}

bool
agent_put_bytes(struct recorder *r, struct task *t, uint64_t addr,
		const void *p, size_t n)
{
	const struct mem m = mem_of_task(&task_space(t)->mem, t->tid);

	if (mem_write_all(&m, addr, p, n) < 0)
		return false;
	item_put_bytes(&r->items, ITEM_PATCH, addr, span_of(p, n));
	return true;
}

static bool
write_data(struct recorder *r, struct task *t, bool clocks)
{
	struct agent_space *a = task_space(t)->agent;
	struct agent_data d = {
		.enter = AGENT_TRAP,
		.flags = r->agent->flags,
		.baton = AGENT_BATON_KEPT,
		.room = r->opts.agent_room != 0 ? r->opts.agent_room
						: AGENT_RING_LEN,
		.ndevs = r->agent->ndevs,
	};

	memcpy(d.dev, r->agent->dev, sizeof(d.dev));
	if (clocks)
		memcpy(d.clock, r->agent->clock, sizeof(d.clock));
	d.noutputs = outputs_list(r, d.output, AGENT_OUTPUTS);
	a->enter = d.enter;
	a->held = d.baton;
	a->flags = d.flags;
	a->ndevs = r->agent->ndevs;
	if (mem_write_all(&task_space(t)->mem, AGENT_DATA, &d, sizeof(d)) < 0)
		return false;
	agent_map_tell(r, t);
	return true;
}

/* Into memory that is mapped. False: it cannot be. */
static bool
furnish(struct recorder *r, struct task *t)
{
	static const uint8_t trap[] = { 0xff, 0xe1 }; /* jmp *%rcx */
	const struct mem m = mem_of_task(&task_space(t)->mem, t->tid);
	const uint64_t enter = AGENT_TRAP;

	ASSERT(agent_code_len <= AGENT_CODE_LEN);
	if (mem_write_all(&m, AGENT_CODE, agent_code, agent_code_len) < 0 ||
	    !write_data(r, t, agent_clock_put(r, t)))
		return false;
	put_map(r, AGENT_SITES, AGENT_SITES_LEN, PROT_READ | PROT_EXEC);
	put_map(r, AGENT_DATA, AGENT_DATA_SHARED, PROT_READ | PROT_WRITE);
	item_put_bytes(&r->items, ITEM_PATCH, AGENT_DATA,
		       span_of(&enter, sizeof(enter)));
	return agent_put_bytes(r, t, AGENT_TRAP, trap, sizeof(trap));
}

int
agent_bring_in(struct recorder *r, struct task *t, struct err *err)
{
	struct batch_done done = { 0 };
	struct batch b;
	int ret;

	batch_init(&b, BATCH_AT);
	agent_add_maps(r, task_space(t), &b);
	ret = batch_run(t->tid, &task_space(t)->mem, &b, &done, err);
	if (ret == 0)
		ret = nondet_repair(t, SIGTRAP, err);
	return ret < 0 ? ret : done.n == b.n && furnish(r, t);
}

static void
agent_new(struct recorder *r, struct space *s)
{
	s->agent = mem_zalloc(sizeof(*s->agent));
	s->agent->r = r;
}

void
agent_image(struct recorder *r, struct task *t)
{
	struct space *s = task_space(t);

	agent_new(r, s);
	s->agent->on = s->agent->fresh = furnish(r, t);
	s->agent->refused = !s->agent->on;
}

/* ---- what has been seen */

/* File systems that give back what they were given, and never wait for long. */
static bool
is_plain_fs(const char *path)
{
	static const uint32_t known[] = {
		0xef53,	    /* ext2, ext3, ext4 */
		0x58465342, /* xfs */
		0x9123683e, /* btrfs */
		0x01021994, /* tmpfs */
		0x794c7630, /* overlayfs */
		0xf2f52010, /* f2fs */
		0x2fc12fc1, /* zfs */
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((uint32_t)fs.f_type == known[i])
			return true;
	return false;
}

/* The descriptor that the call was about, or made; -1 = none. */
static int64_t
fd_of(const struct sys_call *c)
{
	switch (c->nr) {
	case SYS_open:
	case SYS_openat:
		return c->ret;
	case SYS_read:
	case SYS_pread64:
	case SYS_write:
	case SYS_pwrite64:
	case SYS_getdents64:
	case SYS_lseek:
	case SYS_close:
		return (int)c->args[0];
	}
	return -1;
}

/* The file system of that descriptor may be one that the agent may use. */
static void
learn_fs(struct agent *a, const struct task *t)
{
	int64_t fd = fd_of(&t->call.sc);
	char path[64];
	struct stat st;
	size_t i = 0;

	if (fd < 0 || a->ndevs == AGENT_DEVS)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->tid, (int)fd);
	if (stat(path, &st) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	while (i < a->ndevs && a->dev[i] != st.st_dev)
		i++;
	if (i == a->ndevs && is_plain_fs(path))
		a->dev[a->ndevs++] = st.st_dev;
}

/* Tell the space of those it does not know. */
static void
tell_fs(const struct agent *a, struct space *s)
{
	const uint64_t n = a->ndevs;

	if (s->agent->ndevs == n)
		return;
	if (mem_write_all(&s->mem,
			  AGENT_DATA + offsetof(struct agent_data, dev), a->dev,
			  sizeof(a->dev)) == 0 &&
	    mem_write_all(&s->mem,
			  AGENT_DATA + offsetof(struct agent_data, ndevs), &n,
			  sizeof(n)) == 0)
		s->agent->ndevs = n;
	agent_forget_fds(s);
}

int
agent_seen(struct recorder *r, struct task *t, struct err *err)
{
	struct space *s = task_space(t);
	const struct call *c = &t->call;

	if (s->agent == NULL)
		agent_new(r, s);
	s->agent->hold = false;
	agent_test_round(r, t);
	if (s->agent->on && (c->desc->flags & SYSF_FD))
		agent_forget_fds(s);
	if ((c->skipped && c->desc->errno_refused == 0) ||
	    !agent_makes(c->sc.nr))
		return 0;
	learn_fs(r->agent, t);
	if (s->agent->on) {
		tell_fs(r->agent, s);
		agent_map_tell(r, t);
	}
	s->agent->seen++;
	return agent_site_seen(r, t, err);
}

int
agent_left(struct recorder *r, struct task *t, struct err *err)
{
	struct space *s = task_space(t);

	if (r->agent == NULL)
		return 0;
	if (s->agent == NULL)
		agent_new(r, s);
	return agent_site_left(r, t, err);
}
