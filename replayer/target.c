/* The replayer as a target: what a debugger sees of the moment it stands at. */
#include "replayer/checkpoint.h"

#include "agent/abi.h"
#include "base/mem.h"
#include "replayer/agent.h"
#include "replayer/timeline.h"
#include "tracee/maps.h"
#include "tracee/ptrace.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define EFLAGS_DEBUG 0x10100u /* RF and TF are those of our stops */

/* The mappings of a space, read once per moment. */
struct target_maps {
	struct target_maps *next;
	const struct space *space;
	struct arena arena;
	struct maps maps;
};

static struct replayer *
of(struct target *t)
{
	return (struct replayer *)((char *)t -
				   offsetof(struct replayer, target));
}

struct target *
replayer_target(struct replayer *r)
{
	return &r->target;
}

void
target_forget(struct replayer *r)
{
	while (r->maps) {
		struct target_maps *m = r->maps;

		r->maps = m->next;
		arena_free(&m->arena);
		mem_free(m);
	}
}

static int
find_puppet(struct replayer *r, uint32_t task, struct puppet **out,
	    struct err *err)
{
	int ret = replayer_refresh(r, err);

	if (ret < 0)
		return ret;
	*out = world_puppet(r->now, task);
	if (*out && (*out)->pid)
		return 0;
	return err_set(err, E_NOT_FOUND, "task %u has no program at e%lu", task,
		       r->now->seq);
}

static int
find_maps(struct replayer *r, const struct puppet *p, const struct maps **out,
	  struct err *err)
{
	struct target_maps *m;
	int ret;

	for (m = r->maps; m && m->space != p->space; m = m->next)
		;
	if (!m) {
		m = mem_zalloc(sizeof(*m));
		m->space = p->space;
		ret = maps_read(p->pid, &m->arena, &m->maps, err);
		if (ret < 0) {
			arena_free(&m->arena);
			mem_free(m);
			return ret;
		}
		m->next = r->maps;
		r->maps = m;
	}
	*out = &m->maps;
	return 0;
}

static int
target_seek(struct target *t, const struct pos *p,
	    bool (*progress)(void *, uint64_t, uint64_t), void *ctx,
	    struct err *err)
{
	return inside_seek(of(t), p, NULL, 0, progress, ctx, err);
}

static int
target_where(struct target *t, struct pos *out)
{
	inside_pos(of(t), out);
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const struct target_task *x = a, *y = b;

	return (x->task > y->task) - (x->task < y->task);
}

static int
target_tasks(struct target *t, struct arena *a, struct target_task **out,
	     size_t *n, struct err *err)
{
	struct replayer *r = of(t);
	struct target_task *v;
	size_t it = 0, len = 0;
	uint64_t key;
	void *val;
	int ret = replayer_refresh(r, err);

	if (ret < 0)
		return ret;
	v = arena_alloc(a, (r->now->puppets.len + 1) * sizeof(*v));
	while (map_next(&r->now->puppets, &it, &key, &val)) {
		const struct puppet *p = val;

		v[len++] = (struct target_task){
			.task = p->task,
			.process = p->group->num,
			.space = p->space ? p->space->num : 0,
			.tid = p->tid,
			.tgid = p->group->tgid,
			.alive = true,
			.in_call = p->in_call,
			.call = p->in_call ? p->call : -1,
			.pc = p->regs.rip,
			.comm = arena_strdup(a, p->comm),
		};
	}
	qsort(v, len, sizeof(*v), by_number);
	*out = v;
	*n = len;
	return 0;
}

static int
target_regs(struct target *t, uint32_t task, struct regs *out, struct err *err)
{
	struct puppet *p;
	int ret = find_puppet(of(t), task, &p, err);

	if (ret < 0)
		return ret;
	*out = p->regs;
	out->rip = agent_shown(p);
	out->eflags &= ~(uint64_t)EFLAGS_DEBUG;
	out->orig_rax = p->in_call ? (uint64_t)p->call : UINT64_MAX;
	return 0;
}

static int
target_xstate(struct target *t, uint32_t task, struct buf *out, struct err *err)
{
	struct puppet *p;
	int ret = find_puppet(of(t), task, &p, err);

	if (ret < 0)
		return ret;
	ret = ptrace_get_xstate(p->pid, out);
	return ret < 0 ? err_set(err, -ret,
				 "cannot read the vector registers of task %u",
				 task)
		       : 0;
}

static int64_t
target_read(struct target *t, uint32_t task, uint64_t addr, void *out, size_t n)
{
	struct replayer *r = of(t);
	const struct maps *maps;
	const struct vma *v;
	struct puppet *p;
	size_t done = 0;

	if (find_puppet(r, task, &p, NULL) < 0 ||
	    find_maps(r, p, &maps, NULL) < 0)
		return -EFAULT;
	/* Never outside of mappings: a stack would grow by being looked at. */
	while (done < n && (v = maps_find(maps, addr + done)) != NULL) {
		size_t len = v->end - (addr + done);
		ssize_t got;

		if (len > n - done)
			len = n - done;
		got = mem_read(&p->space->mem, addr + done,
			       (uint8_t *)out + done, len);
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done > 0 || n == 0 ? (int64_t)done : -EFAULT;
}

static const char *
map_name(struct replayer *r, const struct space *s, const struct vma *v,
	 uint64_t *file)
{
	const struct pfile *f;
	uint64_t id;

	if (file_of_name(v->name, file)) {
		f = map_get(&r->files, *file);
		return f ? f->path : "";
	}
	if (sharedmem_of_name(v->name, &id))
		return "[shared]";
	if (v->start <= s->stack && s->stack < v->end)
		return "[stack]";
	if (s->brk_start && v->start < s->brk && s->brk_start < v->end)
		return "[heap]";
	if (v->start == AGENT_BASE ||
	    (v->start >= AGENT_SITES && v->end <= AGENT_DATA + AGENT_DATA_LEN))
		return "[pastime]";
	return strcmp(v->name, "[vsyscall]") == 0 ? "[vsyscall]" : "";
}

/* What a copy of a world divides is one mapping to those who look at it. */
static bool
continues(const struct target_map *a, const struct target_map *b)
{
	return a->end == b->start && a->prot == b->prot &&
	       a->flags == b->flags && a->file == b->file &&
	       strcmp(a->name, b->name) == 0 &&
	       (a->file == 0 || a->offset + (a->end - a->start) == b->offset);
}

static int
target_maps(struct target *t, uint32_t task, struct arena *a,
	    struct target_map **out, size_t *n, struct err *err)
{
	struct replayer *r = of(t);
	const struct maps *maps;
	struct target_map *v;
	struct puppet *p;
	size_t len = 0;
	int ret = find_puppet(r, task, &p, err);

	if (ret == 0)
		ret = find_maps(r, p, &maps, err);
	if (ret < 0)
		return ret;
	v = arena_alloc(a, (maps->len + 1) * sizeof(*v));
	for (size_t i = 0; i < maps->len; i++) {
		const struct vma *m = &maps->v[i];
		struct target_map one = { .start = m->start,
					  .end = m->end,
					  .prot = m->prot,
					  .flags = m->shared ? MAP_SHARED
							     : MAP_PRIVATE,
					  .offset = m->offset };

		one.name = arena_strdup(a, map_name(r, p->space, m, &one.file));
		if (len > 0 && continues(&v[len - 1], &one))
			v[len - 1].end = one.end;
		else
			v[len++] = one;
	}
	*out = v;
	*n = len;
	return 0;
}

static int
target_file(struct target *t, uint64_t number, struct target_file *out,
	    struct err *err)
{
	struct replayer *r = of(t);
	struct pfile *f = file_get(r, number, err);
	int ret;

	if (!f)
		return -E_FORMAT;
	ret = file_link(r, f, err);
	if (ret < 0)
		return ret;
	*out = (struct target_file){ .recorded_path = f->path,
				     .local_path = f->link };
	return 0;
}

static int
target_auxv(struct target *t, uint32_t task, struct buf *out, struct err *err)
{
	struct puppet *p;
	int ret = find_puppet(of(t), task, &p, err);

	if (ret < 0)
		return ret;
	buf_clear(out);
	buf_put(out, p->space->auxv.p, p->space->auxv.len);
	return 0;
}

static int
target_move(struct target *t, const struct target_motion_req *req,
	    struct target_stop *out, struct err *err)
{
	return timeline_move(of(t), req, out, err);
}

static int
target_compare(struct target *t, const struct pos *a, const struct pos *b,
	       int *out, struct err *err)
{
	struct pos x = *a, y = *b;
	int ret = inside_resolve(of(t), &x, err);

	if (ret == 0)
		ret = inside_resolve(of(t), &y, err);
	return ret < 0 ? ret : timeline_compare(of(t), &x, &y, out, err);
}

static int
target_event(struct target *t, uint64_t seq, struct event *out, struct err *err)
{
	struct replayer *r = of(t);
	int ret;

	r->reseek = true; /* the replay's own reading was disturbed */
	ret = source_seek(r->src, seq, err);
	if (ret == 0)
		ret = source_next(r->src, out, err);
	if (ret < 0)
		return ret;
	return ret == 1 && out->seq == seq
		       ? 0
		       : err_set(err, E_POSITION, "there is no event e%lu",
				 seq);
}

static uint64_t
target_last(struct target *t)
{
	return of(t)->src->ops->last_seq(of(t)->src);
}

static int
target_divert(struct target *t, struct diversion **out, struct err *err)
{
	return diversion_open(of(t), out, err);
}

static int
target_checkpoint(struct target *t, struct err *err)
{
	return replayer_checkpoint(of(t), err);
}

static void
target_close(struct target *t)
{
	/* The replayer is its owner's. */
}

const struct target_ops replayer_target_ops = {
	.seek = target_seek,
	.where = target_where,
	.tasks = target_tasks,
	.regs = target_regs,
	.xstate = target_xstate,
	.read = target_read,
	.maps = target_maps,
	.file = target_file,
	.auxv = target_auxv,
	.move = target_move,
	.compare = target_compare,
	.event = target_event,
	.last = target_last,
	.divert = target_divert,
	.checkpoint = target_checkpoint,
	.close = target_close,
};
