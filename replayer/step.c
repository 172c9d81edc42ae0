/*
 * What replay does with each kind of event (docs/EVENTS.md). Events that run
 * let their puppet go to its next halt and check that this is the one
 * described; the others are applied where the puppet stands.
 */
#include "replayer/agent.h"
#include "replayer/internal.h"

#include "base/mem.h"
#include "replayer/patches.h"
#include "tracee/batch.h"
#include "tracee/ptrace.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define CANONICAL_R11 0x246u
/* How long a puppet gets for any interval, and so many times what was
 * recorded. */
#define LIMIT_MIN_NS 20000000000u
#define LIMIT_FACTOR 50u

struct puppet *
step_puppet(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = world_puppet(r->now, ev->task);

	if (!p)
		err_set(err, E_FORMAT,
			"event %lu (%s) belongs to task %u, which "
			"does not exist at that moment",
			ev->seq, event_kind_name(ev->kind), ev->task);
	return p;
}

uint64_t
step_limit(const struct replayer *r, const struct event *ev)
{
	uint64_t ns = ev->time_ns > r->now->time_ns
			      ? ev->time_ns - r->now->time_ns
			      : 0;

	return LIMIT_MIN_NS + ns * LIMIT_FACTOR;
}

int
step_run(struct replayer *r, struct puppet *p, const struct event *ev,
	 struct halt *out, struct err *err)
{
	if (!p->pid)
		return err_set(err, E_FORMAT,
			       "event %lu: task %u has not begun a program",
			       ev->seq, ev->task);
	return puppet_run(r, p, step_limit(r, ev), 0, out, err);
}

int
step_to_call(struct replayer *r, struct puppet *p, const struct event *ev,
	     struct err *err)
{
	struct halt h;
	int ret = step_run(r, p, ev, &h, err);

	if (ret < 0)
		return ret;
	if (h.what != HALT_CALL)
		return diverge_halt(r, p, ev, &h, err);
	return diverge_regs(r, p, ev, p->regs.rip, &h, err);
}

/* ---- items */

static int
write_zero(struct replayer *r, struct space *s, uint64_t addr, uint64_t len,
	   struct err *err)
{
	static const uint8_t zero[65536];
	int ret = 0;

	while (ret == 0 && len > 0) {
		size_t n = len < sizeof(zero) ? len : sizeof(zero);

		ret = image_write(r, s, addr, span_of(zero, n), err);
		addr += n;
		len -= n;
	}
	return ret;
}

static int
write_item(struct replayer *r, struct space *s, const struct item *it,
	   struct err *err)
{
	struct span bytes;
	int ret;

	if (!s)
		return err_set(err, E_FORMAT,
			       "memory of a task without memory");
	if (it->kind == ITEM_ZERO)
		return write_zero(r, s, it->addr, it->len, err);
	buf_clear(&r->tmp);
	ret = source_item_bytes(r->src, it, &r->tmp, &bytes, err);
	if (ret < 0)
		return ret;
	return image_write(r, s, it->addr, bytes, err);
}

/* Facts are for people but for this one. */
static int
apply_kv(struct replayer *r, struct puppet *p, const struct item *it,
	 struct err *err)
{
	struct span value;
	const char *key;

	if (item_get_kv(it, &key, &value) < 0 || strcmp(key, "tsc") != 0 ||
	    value.len != 5 || memcmp(value.p, "traps", 5) != 0)
		return 0;
	return image_trap_tsc(r->now, p->space, err);
}

static int
apply_item(struct replayer *r, struct puppet *p, const struct item *it,
	   struct err *err)
{
	struct puppet *other;
	struct regs regs;

	switch (it->kind) {
	case ITEM_MEM:
	case ITEM_MEM_BLOB:
	case ITEM_ZERO:
		return write_item(r, p->space, it, err);
	case ITEM_MEM_TASK:
		other = world_puppet(r->now, (uint32_t)it->num);
		return write_item(r, other ? other->space : NULL, it, err);
	case ITEM_KV:
		return apply_kv(r, p, it, err);
	case ITEM_REGS:
		if (it->bytes.len != sizeof(regs))
			return err_set(err, E_FORMAT,
				       "registers of a wrong size");
		memcpy(&regs, it->bytes.p, sizeof(regs));
		puppet_set_regs(p, &regs);
		return 0;
	case ITEM_XSTATE:
		if (!p->pid || ptrace_set_xstate(p->pid, it->bytes) >= 0)
			return 0;
		return err_set(err, E_CPU,
			       "this processor cannot take over the extended "
			       "state (%zu bytes) of the recording's",
			       it->bytes.len);
	}
	return 0;
}

static int
apply_items(struct replayer *r, struct puppet *p, const struct event *ev,
	    uint64_t *at, struct err *err)
{
	struct patches patches;
	struct item_reader ir;
	struct item it;
	int ret;

	patches_init(&patches, ev);
	item_reader_init(&ir, ev->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		*at = it.addr;
		if (it.kind == ITEM_PATCH) {
			ret = patches_add(r, p->space, &patches, &it, err);
		} else {
			ret = patches_flush(r, p->space, &patches, err);
			if (ret == 0)
				ret = apply_item(r, p, &it, err);
		}
		if (ret < 0)
			break;
	}
	if (ret >= 0)
		ret = patches_flush(r, p->space, &patches, err);
	else
		patches_drop(&patches);
	return ret;
}

int
step_items(struct replayer *r, struct puppet *p, const struct event *ev,
	   struct err *err)
{
	char found[sizeof(r->div.found)];
	uint64_t at = 0;
	int ret = apply_items(r, p, ev, &at, err);

	if (ret != -EFAULT)
		return ret;
	snprintf(found, sizeof(found), "nothing mapped at 0x%lx", at);
	return diverge(r, ev, err, "memory that the event writes to", found,
		       "a mapping differs from the recording");
}

int
step_plan_maps(struct replayer *r, struct puppet *p, const struct event *ev,
	       struct batch *b, struct err *err)
{
	struct item_reader ir;
	struct map_rec m;
	struct item it;
	int ret;

	item_reader_init(&ir, ev->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		if (it.kind != ITEM_MAP)
			continue;
		ret = item_get_map(&it, &m, err);
		if (ret == 0)
			ret = image_map(r, p, &m, b, err);
		if (ret < 0)
			return ret;
	}
	return ret;
}

int
step_maps(struct replayer *r, struct puppet *p, const struct event *ev,
	  struct err *err)
{
	struct batch b;
	int ret;

	batch_init(&b, BATCH_AT);
	ret = step_plan_maps(r, p, ev, &b, err);
	return ret < 0 ? ret : puppet_batch(p, &b, err);
}

/* The value of a KV item of the event; false = there is none. */
static bool
find_kv(const struct event *ev, const char *key, struct span *out)
{
	struct item_reader ir;
	struct item it;
	const char *k;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == ITEM_KV && item_get_kv(&it, &k, out) == 0 &&
		    strcmp(k, key) == 0)
			return true;
	}
	return false;
}

static void
set_comm(struct puppet *p, struct span name)
{
	size_t n =
		name.len < sizeof(p->comm) - 1 ? name.len : sizeof(p->comm) - 1;

	memset(p->comm, 0, sizeof(p->comm));
	memcpy(p->comm, name.p, n);
}

/* ---- tasks */

int
replay_header(struct replayer *r, const struct event *ev, struct err *err)
{
	struct item_reader ir;
	struct span limits;
	struct item it;
	int ret;

	r->headed = true;
	item_reader_init(&ir, ev->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		if (it.kind != ITEM_FD || it.num > 2)
			continue;
		mem_free(r->out_name[it.num]);
		r->out_name[it.num] =
			mem_printf("%.*s", (int)it.bytes.len, it.bytes.p);
	}
	if (ret < 0)
		return ret;
	if (find_kv(ev, "rlimits", &limits) && limits.len >= 16 * 4) {
		/* pairs of soft and hard; RLIMIT_STACK is number 3 */
		memcpy(&r->stack_limit, limits.p + 16 * 3,
		       sizeof(r->stack_limit));
	}
	return cpu_check(ev, err);
}

/* The child of clone stands behind the parent's call, with 0 in rax. */
static void
child_regs(struct puppet *p, const struct puppet *parent,
	   const struct event *ev)
{
	p->regs = parent->regs;
	p->regs.rax = 0;
	p->regs.rip = ev->pc;
	p->regs.rcx = ev->pc;
	p->regs.rsp = ev->sp;
	p->regs.r11 = CANONICAL_R11;
	if (parent->call == SYS_clone && (ev->args[3] & CLONE_SETTLS))
		p->regs.fs_base = parent->args[4];
	p->dirty = true;
}

static int
fork_space(struct replayer *r, struct puppet *p, struct puppet *parent,
	   uint32_t number, struct err *err)
{
	const struct space *from = parent->space;
	bool vm = from->num == number;
	struct space *s = parent->space;
	int ret;

	ret = puppet_fork(parent, vm, &p->pid, err);
	if (ret < 0)
		return ret;
	if (!vm) {
		s = world_add_copy(r->now, number, from);
		for (size_t i = 0; i < from->unforked.len; i++) {
			if (from->unforked.v[i].advice == MADV_WIPEONFORK)
				vec_push(&s->unforked, from->unforked.v[i]);
		}
	}
	world_enter_space(p, s);
	return vm ? 0 : mem_open(&s->mem, p->pid, err);
}

int
replay_birth(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p, *parent = NULL;
	struct span comm;
	int ret = 0;

	if (world_puppet(r->now, ev->task))
		return err_set(err, E_FORMAT,
			       "event %lu: task %u is born twice", ev->seq,
			       ev->task);
	if (ev->args[2] != 0) {
		parent = world_puppet(r->now, (uint32_t)ev->args[2]);
		if (!parent || !parent->pid)
			return err_set(
				err, E_FORMAT,
				"event %lu: task %lu, the parent of task "
				"%u, does not exist",
				ev->seq, ev->args[2], ev->task);
	}
	p = world_add_puppet(r->now, ev->task);
	p->tid = (int)ev->args[0];
	p->group = world_group(r->now, (uint32_t)ev->args[1]);
	if (p->group->users++ == 0) {
		p->group->tgid = p->tid;
		p->group->parent = parent ? parent->group->num : 0;
		p->group->stack_limit =
			parent ? parent->group->stack_limit : r->stack_limit;
	}
	if (!parent) {
		p->fds = mem_zalloc(sizeof(*p->fds));
		p->fds->users = 1;
		fdtab_start(r, p->fds);
	} else {
		p->fds = parent->fds;
		if (ev->args[3] & CLONE_FILES)
			p->fds->users++;
		else
			p->fds = fdtab_copy(parent->fds);
		memcpy(p->comm, parent->comm, sizeof(p->comm));
		ret = fork_space(r, p, parent, (uint32_t)ev->args[4], err);
		child_regs(p, parent, ev);
	}
	if (find_kv(ev, "comm", &comm))
		set_comm(p, comm);
	return ret < 0 ? ret : step_items(r, p, ev, err);
}

static void
exec_facts(struct puppet *p, const struct event *ev)
{
	struct span v;

	if (find_kv(ev, "auxv", &v)) {
		buf_clear(&p->space->auxv);
		buf_put(&p->space->auxv, v.p, v.len);
	}
	if (find_kv(ev, "exe", &v)) {
		mem_free(p->space->exe);
		p->space->exe = mem_printf("%.*s", (int)v.len, v.p);
	}
	if (find_kv(ev, "comm", &v))
		set_comm(p, v);
}

int
replay_exec(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);
	struct span cpu = { 0 }, tsc;
	int ret;

	if (!p)
		return -E_FORMAT;
	puppet_kill(&p->pid);
	p->watched = 0;
	world_leave_space(r->now, p);
	ret = image_new(r, p, err);
	if (ret < 0)
		return ret;
	world_enter_space(p, world_add_space(r->now, (uint32_t)ev->args[0]));
	/* Recordings from before it was told had it always. */
	if (!find_kv(ev, "tsc", &tsc))
		ret = image_trap_tsc(r->now, p->space, err);
	if (ret < 0)
		return ret;
	find_kv(ev, "pinned", &cpu);
	p->space->cpu = place_choose(r, cpu);
	place_puppet(p);
	ret = mem_open(&p->space->mem, p->pid, err);
	if (ret == 0)
		ret = step_maps(r, p, ev, err);
	if (ret == 0)
		ret = step_items(r, p, ev, err);
	exec_facts(p, ev);
	fdtab_exec(p);
	p->space->stack = p->regs.rsp;
	p->in_call = false;
	if (ev->args[2] != 0) /* another thread than the first called it */
		p->tid = p->group->tgid;
	return ret;
}

int
replay_death(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);
	int ret = 0;

	if (!p)
		return -E_FORMAT;
	if (p->space)
		ret = step_items(r, p, ev, err);
	if (ret == 0)
		world_remove_puppet(r->now, p);
	return ret;
}

/* ---- calls */

static void
finish_call(struct puppet *p, const struct event *ev)
{
	p->regs.rip = ev->pc;
	p->regs.rax = (uint64_t)ev->ret;
	p->regs.rcx = ev->pc;
	p->regs.r11 = CANONICAL_R11;
	if (ev->flags & EVF_RESTART) {
		p->regs.rip = agent_call_place(p, ev->pc);
		p->regs.rax = (uint64_t)ev->call;
	}
	p->dirty = true;
	p->in_call = false;
}

static void
leave_trail(struct puppet *p, const struct event *ev)
{
	p->trail[p->n_trail % TRAIL].seq = ev->seq;
	p->trail[p->n_trail % TRAIL].call = ev->call;
	p->n_trail++;
}

/* After a call took place: its effects, as exit and syscall tell them. */
static int
complete_call(struct replayer *r, struct puppet *p, const struct event *ev,
	      struct err *err)
{
	int ret;

	ret = output_end(r, p, ev, err);
	if (ret == 0)
		finish_call(p, ev);
	if (ret == 0)
		ret = syscall_redo(r, p, ev, err);
	if (ret == 0)
		ret = step_items(r, p, ev, err);
	if (ret == 0)
		output_track(r, p, ev);
	return ret;
}

/* Up to the call, which begins. */
static int
begin_call(struct replayer *r, const struct event *ev, struct puppet **out,
	   struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);
	int ret;

	if (!p)
		return -E_FORMAT;
	ret = step_to_call(r, p, ev, err);
	if (ret < 0)
		return ret;
	leave_trail(p, ev);
	output_begin(p, ev);
	*out = p;
	return 0;
}

int
replay_enter(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p;
	int ret = begin_call(r, ev, &p, err);

	if (ret < 0)
		return ret;
	p->in_call = true;
	p->call = ev->call;
	memcpy(p->args, ev->args, sizeof(p->args));
	return step_items(r, p, ev, err);
}

int
replay_exit(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);

	if (!p)
		return -E_FORMAT;
	if (!p->in_call)
		return err_set(err, E_FORMAT,
			       "event %lu: task %u leaves a call "
			       "that it did not enter",
			       ev->seq, ev->task);
	return complete_call(r, p, ev, err);
}

int
replay_syscall(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p;
	int ret = begin_call(r, ev, &p, err);

	return ret < 0 ? ret : complete_call(r, p, ev, err);
}

/* ---- the rest */

int
replay_file(struct replayer *r, const struct event *ev, struct err *err)
{
	struct item it;

	if (!item_find(ev->payload, ITEM_FILE, UINT64_MAX, &it))
		return err_set(err, E_FORMAT, "event %lu tells no file",
			       ev->seq);
	return file_add(r, &it, err);
}

int
replay_memory(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);
	int ret;

	if (!p)
		return -E_FORMAT;
	ret = step_maps(r, p, ev, err); /* sizes of shared memory */
	return ret < 0 ? ret : step_items(r, p, ev, err);
}

int
replay_checksum(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p = step_puppet(r, ev, err);

	if (!p)
		return -E_FORMAT;
	return r->opts.verify_memory ? diverge_memory(r, p, ev, err) : 0;
}

int
replay_warning(struct replayer *r, const struct event *ev, struct err *err)
{
	return 0; /* for people */
}

int
replay_chaos(struct replayer *r, const struct event *ev, struct err *err)
{
	return 0; /* what it led to has events of its own */
}

int
replay_stop(struct replayer *r, const struct event *ev, struct err *err)
{
	return 0; /* a stopped process has no events until it goes on */
}

int
replay_end(struct replayer *r, const struct event *ev, struct err *err)
{
	return 0;
}

int
replay_lost(struct replayer *r, const struct event *ev, struct err *err)
{
	return 0;
}
