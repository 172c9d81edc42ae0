/*
 * Call sites: which are patched, and when. A site has shown that it is one by a
 * call that came from it. That is known of its file from then on: where the
 * same file is mapped by another image, its sites that were seen often are
 * patched together, as soon as the first call comes from there.
 */
#include "recorder/agent_priv.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "recorder/files.h"
#include "recorder/task.h"
#include "tracee/maps.h"

#define SEEN_BY_SPACE 12u /* calls before the agent comes in */
#define SEEN_BY_SITE 2u	  /* and before a site is patched */
#define KNOWN_FROM                                                             \
	4u /* so many of a file: the agent pays from the first call */
#define NEVER ((void *)(uintptr_t)UINT32_MAX)

/* ---- files */

/* The entry of a file that is mapped at vma, with what is known of it. */
static int
entry_of(struct recorder *r, struct task *t, const struct vma *vma,
	 uint64_t number, struct agent_file **out, struct err *err)
{
	struct agent_file *f = map_get(&r->agent->files, number);
	int fd;

	if (f == NULL) {
		fd = files_open(r, t, vma->start, err);
		if (fd < 0)
			return fd;
		f = agent_file_load(r, fd);
		map_set(&r->agent->files, number, f);
	}
	*out = f;
	return 0;
}

static int
file_of(struct recorder *r, struct task *t, const struct vma *vma,
	uint64_t number, struct agent_file **out, struct err *err)
{
	struct agent_file *f;
	int ret = entry_of(r, t, vma, number, &f, err);

	if (ret == 0 && !f->scanned)
		ret = site_scan(f->fd, &f->targets, err);
	if (ret < 0)
		return ret;
	f->scanned = true;
	*out = f;
	return 0;
}

static struct agent_range *
find_range(struct agent_space *a, uint64_t pc)
{
	for (size_t i = 0; i < a->ranges.len; i++)
		if (pc - a->ranges.v[i].start <
		    a->ranges.v[i].end - a->ranges.v[i].start)
			return &a->ranges.v[i];
	return NULL;
}

/* The private mapping of a file's code that pc is in; *out NULL: in none. */
static int
range_of(struct recorder *r, struct task *t, uint64_t pc,
	 struct agent_range **out, struct err *err)
{
	struct agent_space *a = task_space(t)->agent;
	struct agent_range range;
	struct vma vma = { 0 };
	int ret;

	if (a->remapped != task_space(t)->remapped)
		vec_clear(&a->ranges);
	a->remapped = task_space(t)->remapped;
	*out = find_range(a, pc);
	if (*out != NULL)
		return 0;
	arena_clear(&r->agent->arena);
	ret = task_mapping(t, pc, &r->agent->arena, &vma, err);
	if (ret < 0 || vma.ino == 0 || vma.shared ||
	    (vma.prot & PROT_EXEC) == 0)
		return ret == -ENOENT ? 0 : ret;
	range = (struct agent_range){ .start = vma.start,
				      .end = vma.end,
				      .offset = vma.offset };
	ret = files_capture_all(r, t, &vma, vma.prot, &range.number, err);
	if (ret < 0 || range.number == 0)
		return ret;
	ret = file_of(r, t, &vma, range.number, &range.file, err);
	if (ret < 0)
		return ret;
	vec_push(&a->ranges, range);
	*out = &a->ranges.v[a->ranges.len - 1];
	return 0;
}

/* ---- one site */

/* How the site can be patched; false: it cannot. */
static bool
look_at(const struct task *t, const struct agent_range *range, uint64_t after,
	struct agent_known *out)
{
	uint8_t code[SITE_NEAR + SITE_AFTER];
	uint64_t insn = after - 2, from, to;
	size_t at;

	from = insn - range->start > SITE_NEAR ? insn - SITE_NEAR
					       : range->start;
	to = range->end - insn > SITE_AFTER ? insn + SITE_AFTER : range->end;
	at = insn - from;
	*out = (struct agent_known){ .after = after - range->start +
					      range->offset };
	if (mem_read_all(&task_space(t)->mem, from, code, to - from) < 0 ||
	    !site_plan(span_of(code, to - from), at, out->after - 2,
		       &range->file->targets, &out->plan))
		return false;
	memcpy(out->code, code + at - out->plan.pre, out->plan.pre + 2);
	if (out->plan.pre == 0)
		memcpy(out->hole, code + (int64_t)at + out->plan.hole,
		       sizeof(out->hole));
	return true;
}

static bool
put_code(struct recorder *r, struct overlay *o, uint64_t addr, const void *p,
	 size_t n)
{
	if (overlay_write(o, addr, p, n) < 0)
		return false;
	item_put_bytes(&r->items, ITEM_PATCH, addr, span_of(p, n));
	return true;
}

/* The jump to the stub, over the site or in the hole. */
static bool
put_jump(struct recorder *r, struct overlay *o, uint64_t insn, uint64_t stub,
	 const struct site_plan *plan)
{
	uint8_t jump[SITE_PRE_MAX + 2], hop[2];
	unsigned len = plan->pre != 0 ? plan->pre + 2 : SITE_JUMP;

	site_jump((uint32_t)stub, jump, len);
	if (plan->pre != 0)
		return put_code(r, o, insn - plan->pre, jump, len);
	site_short(plan, hop);
	return put_code(r, o, insn + (uint64_t)(int64_t)plan->hole, jump,
			len) &&
	       put_code(r, o, insn, hop, sizeof(hop));
}

/* Stubs that are to be written together, one behind the other, and the jumps to
 * them. */
struct stubs {
	uint64_t at; /* of the first */
	struct buf bytes;
	struct overlay *code;
};

static uint64_t
first_free(const struct agent_space *a)
{
	return AGENT_SITES + (a->sites.len + 1) * AGENT_SITE_SIZE;
}

/* other is in the kernel, in this very call, and will stop at its end: should
 * it be issued again, that can be in the stub (syscall_exit). */
static bool
waits_behind(const struct task *other, uint64_t after)
{
	const struct call *c = &other->call;

	return c->active && c->regs.rip == after && c->logged &&
	       !c->restarting && !c->again && c->move == NULL &&
	       ((other->state == TASK_BLOCKED &&
		 other->stop.kind == STOP_NONE) ||
		(other->state == TASK_READY && other->next == NEXT_EXIT));
}

static void
patch(struct recorder *r, struct task *t, uint64_t after,
      const struct agent_known *k, struct stubs *out)
{
	struct agent_space *a = task_space(t)->agent;
	struct agent_site s = { .after = after, .pre = (uint8_t)k->plan.pre };
	uint64_t at = first_free(a);

	if (a->sites.len + 1 >= AGENT_SITES_MAX ||
	    !put_jump(r, out->code, after - 2, at, &k->plan))
		return;
	s.insn = site_stub(at, span_of(k->code, k->plan.pre), after,
			   buf_grow(&out->bytes, AGENT_SITE_SIZE));
	vec_push(&a->sites, s);
	for (size_t i = 0; i < t->proc->tasks.len; i++) {
		struct task *other = t->proc->tasks.v[i];

		if (other != t && waits_behind(other, after))
			other->call.regs.rip = s.insn + 2;
	}
}

static int
put_stubs(struct recorder *r, struct task *t, struct stubs *s, struct err *err)
{
	bool done = s->bytes.len == 0 ||
		    agent_put_bytes(r, t, s->at, s->bytes.p, s->bytes.len);

	buf_free(&s->bytes);
	return done ? 0 : err_set(err, EFAULT, "stubs of task %d", t->tid);
}

/* Where other goes on, or may have its call issued again. */
static uint64_t
pc_of(const struct task *other)
{
	struct regs regs;

	if (other->inside)
		return other->inside_pc;
	if (other->call.active)
		return other->call.regs.rip;
	if (other->stop.kind == STOP_NONE ||
	    ptrace_get_regs(other->tid, &regs) < 0)
		return UINT64_MAX;
	return regs.rip;
}

/* Nobody else can be on the way through the site, before its end. */
static bool
is_alone(const struct task *t, uint64_t after)
{
	if (task_space(t)->refs != 1)
		return false;
	for (size_t i = 0; i < t->proc->tasks.len; i++) {
		const struct task *other = t->proc->tasks.v[i];
		uint64_t at;

		if (other == t || other->dead || waits_behind(other, after))
			continue;
		at = pc_of(other);
		if (at == UINT64_MAX || after - at <= SITE_PRE_MAX + 2)
			return false;
	}
	return true;
}

/* ---- all that are known of a file */

/* n bytes at addr are as in the file. */
static bool
is_same(struct overlay *o, uint64_t addr, const uint8_t *is, size_t n)
{
	uint8_t found[SITE_PRE_MAX + 2];

	return n <= sizeof(found) && overlay_read(o, addr, found, n) == 0 &&
	       memcmp(found, is, n) == 0;
}

/* It stands there as it is in the file, and its hole is free. */
static bool
is_as_known(struct overlay *o, uint64_t after, const struct agent_known *k)
{
	size_t n = k->plan.pre + 2;
	uint64_t hole = after - 2 + (uint64_t)(int64_t)k->plan.hole;

	return is_same(o, after - n, k->code, n) &&
	       (k->plan.pre != 0 || is_same(o, hole, k->hole, sizeof(k->hole)));
}

/* t does not go on in the midst of it. */
static bool
is_elsewhere(const struct task *t, uint64_t after)
{
	return after - t->call.pc - 1 >= SITE_PRE_MAX + 2;
}

static int
spread(struct recorder *r, struct task *t, const struct agent_range *range,
       struct overlay *o, struct err *err)
{
	struct agent_space *a = task_space(t)->agent;
	struct stubs stubs = { .at = first_free(a), .code = o };

	if (map_get(&a->spread, range->number) != NULL)
		return 0;
	map_set(&a->spread, range->number, NEVER);
	for (size_t i = 0; i < range->file->known.len; i++) {
		const struct agent_known *k = &range->file->known.v[i];
		uint64_t after = range->start + k->after - range->offset;

		if (after - 2 - range->start < range->end - range->start - 2 &&
		    is_elsewhere(t, after) && is_alone(t, after) &&
		    is_as_known(o, after, k))
			patch(r, t, after, k, &stubs);
	}
	return put_stubs(r, t, &stubs, err);
}

bool
agent_knows(struct recorder *r, struct task *t, const struct vma *vma,
	    uint64_t file)
{
	struct agent_file *f;

	return r->agent != NULL && file != 0 && !vma->shared &&
	       (vma->prot & PROT_EXEC) != 0 &&
	       entry_of(r, t, vma, file, &f, NULL) == 0 &&
	       f->known.len >= KNOWN_FROM;
}

int
agent_code_mapped(struct recorder *r, struct task *t, const struct vma *vma,
		  uint64_t file, struct overlay *o, struct err *err)
{
	struct agent_space *a = task_space(t)->agent;
	struct agent_range range = { .start = vma->start,
				     .end = vma->end,
				     .offset = vma->offset,
				     .number = file };

	if (a == NULL || !a->on || a->refused || !agent_knows(r, t, vma, file))
		return 0;
	range.file = map_get(&r->agent->files, file);
	return spread(r, t, &range, o, err);
}

/* ---- what has been seen */

/* How often calls came from there, with this one; 0: it cannot be patched. */
static uintptr_t
count(struct agent_file *f, uint64_t place)
{
	uintptr_t n = (uintptr_t)map_get(&f->count, place);

	if (n == (uintptr_t)NEVER)
		return 0;
	map_set(&f->count, place, (void *)(n + 1));
	return n + 1;
}

static bool
is_time(const struct recorder *r, const struct agent_space *a,
	const struct agent_file *f)
{
	unsigned from = r->opts.agent_from;

	if (a->on)
		return true;
	if (from != 0)
		return a->seen >= from;
	return a->seen >= SEEN_BY_SPACE || f->known.len >= KNOWN_FROM;
}

/* Where in the list it is, or belongs. */
static size_t
find_known(const struct agent_file *f, uint64_t place)
{
	size_t i = 0;

	while (i < f->known.len && f->known.v[i].after < place)
		i++;
	return i;
}

/* The site that t stands behind; false: it cannot be patched. */
static bool
learn(const struct task *t, const struct agent_range *range,
      struct agent_known *out)
{
	uint64_t place = t->call.pc - range->start + range->offset;
	struct agent_file *f = range->file;
	size_t i = find_known(f, place);
	struct agent_known k;

	if (i == f->known.len || f->known.v[i].after != place) {
		if (!look_at(t, range, t->call.pc, &k)) {
			map_set(&f->count, place, NEVER);
			return false;
		}
		vec_push(&f->known, k);
		f->grown = true;
		memmove(&f->known.v[i + 1], &f->known.v[i],
			(f->known.len - 1 - i) * sizeof(k));
		f->known.v[i] = k;
	}
	*out = f->known.v[i];
	return true;
}

static int
patch_here(struct recorder *r, struct task *t, const struct agent_range *range,
	   struct overlay *o, struct err *err)
{
	struct stubs stubs = { .at = first_free(task_space(t)->agent),
			       .code = o };
	struct agent_known k;

	if (learn(t, range, &k) && is_as_known(o, t->call.pc, &k))
		patch(r, t, t->call.pc, &k, &stubs);
	return put_stubs(r, t, &stubs, err);
}

/* The call of t at its own site, which is in *out; NULL: at none. *n: how often
 * one came from there, 0: it cannot be patched. */
static int
came_from(struct recorder *r, struct task *t, struct agent_range **out,
	  uintptr_t *n, struct err *err)
{
	struct agent_space *a = task_space(t)->agent;
	int ret;

	*out = NULL;
	if (a->refused || t->call.regs.rip != t->call.pc)
		return 0;
	ret = range_of(r, t, t->call.pc, out, err);
	if (ret == 0 && *out != NULL)
		*n = count((*out)->file,
			   t->call.pc - (*out)->start + (*out)->offset);
	return ret;
}

int
agent_site_left(struct recorder *r, struct task *t, struct err *err)
{
	unsigned from = r->opts.agent_from;
	struct agent_range *range;
	struct agent_known k;
	uintptr_t n = 0;
	int ret = came_from(r, t, &range, &n, err);

	if (ret == 0 && n >= (from != 0 ? from : SEEN_BY_SITE))
		learn(t, range, &k);
	return ret;
}

int
agent_site_seen(struct recorder *r, struct task *t, struct err *err)
{
	struct agent_space *a = task_space(t)->agent;
	unsigned from = r->opts.agent_from;
	struct overlay o = { .mem = mem_of_task(&task_space(t)->mem, t->tid) };
	struct agent_range *range;
	uintptr_t n = 0;
	int ret = came_from(r, t, &range, &n, err);

	if (ret < 0 || range == NULL)
		return ret;
	if (n == 0 || !is_time(r, a, range->file) || !is_alone(t, t->call.pc))
		return 0;
	if (!a->on) {
		ret = agent_bring_in(r, t, err);
		a->on = ret > 0;
		a->refused = ret == 0;
		if (ret <= 0)
			return ret;
	}
	ret = spread(r, t, range, &o, err);
	if (ret == 0 && n >= (from != 0 ? from : SEEN_BY_SITE))
		ret = patch_here(r, t, range, &o, err);
	if (ret == 0 && overlay_flush(&o) < 0)
		ret = err_set(err, EFAULT, "code of task %d", t->tid);
	overlay_release(&o);
	return ret;
}
