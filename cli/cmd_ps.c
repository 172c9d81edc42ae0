#include "cli/cmd.h"
#include "cli/pick.h"
#include "cli/table.h"
#include "cli/text.h"
#include "store/query.h"

/*
 * A process is the tasks with one process number. Its parent is the process of
 * the task that forked its first task.
 */
struct proc {
	uint32_t number;
	const struct task_row *first; /* lowest task number: the leader */
	const struct task_row *last;  /* the one that died last */
	size_t threads, alive;
	size_t parent; /* index, or SIZE_MAX */
	bool printed;
};

struct tree {
	struct cli *c;
	struct table t;
	struct proc *p;
	size_t n;
};

static const struct column columns[] = {
	{ .name = "pid", .number = true },
	{ .name = "process", .machine = true, .number = true },
	{ .name = "parent", .machine = true, .number = true },
	{ .name = "task", .number = true },
	{ .name = "threads", .number = true },
	{ .name = "born" },
	{ .name = "died" },
	{ .name = "time", .number = true },
	{ .name = "status" },
	{ .name = "command", .cut = true },
};

static size_t
find_proc(const struct proc *p, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i].number == number)
			return i;
	}
	return SIZE_MAX;
}

static void
add_task(struct proc *p, const struct task_row *t)
{
	if (!p->first)
		p->first = t;
	p->threads++;
	p->alive += t->died_seq == 0;
	if (!p->last || t->died_seq > p->last->died_seq)
		p->last = t;
}

/* tasks are in the order of their numbers. */
static size_t
gather(struct cli *c, const struct task_row *tasks, size_t n, struct proc **out)
{
	struct proc *p = arena_alloc(&c->arena, (n + 1) * sizeof(*p));
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = find_proc(p, count, tasks[i].process);

		if (at == SIZE_MAX) {
			at = count++;
			p[at] = (struct proc){ .number = tasks[i].process,
					       .parent = SIZE_MAX };
			for (size_t j = 0; j < i; j++) {
				if (tasks[j].task == tasks[i].parent)
					p[at].parent = find_proc(
						p, at, tasks[j].process);
			}
		}
		add_task(&p[at], &tasks[i]);
	}
	*out = p;
	return count;
}

static void
print_proc(struct tree *tr, const struct proc *p, int depth)
{
	struct arena *a = &tr->c->arena;
	bool people = table_for_people(&tr->t);
	bool dead = p->alive == 0;
	uint64_t ns = dead ? p->last->died_ns - p->first->born_ns : 0;
	const char *command = p->first->cmdline && *p->first->cmdline
				      ? p->first->cmdline
				      : p->first->comm;
	const char *cells[] = {
		text_printf(a, "%d", p->first->tid),
		text_printf(a, "%u", p->number),
		p->parent == SIZE_MAX
			? NULL
			: text_printf(a, "%d", tr->p[p->parent].first->tid),
		text_printf(a, "%u", p->first->task),
		text_printf(a, "%zu", p->threads),
		text_printf(a, "e%lu", p->first->born_seq),
		dead	 ? text_printf(a, "e%lu", p->last->died_seq)
		: people ? "-"
			 : NULL,
		!dead	 ? (people ? "-" : NULL)
		: people ? text_duration(a, ns)
			 : text_printf(a, "%.6f", (double)ns / 1e9),
		!dead ? (people ? "-" : NULL) : text_status(a, p->last->status),
		people ? text_printf(a, "%*s%s", depth * 2, "", command)
		       : command,
	};

	_Static_assert(ARRAY_LEN(cells) == ARRAY_LEN(columns), "one each");
	table_row(&tr->t, cells);
}

/* p and its descendants; processes are few enough for n times n. */
static void
print_tree(struct tree *tr, size_t at, int depth)
{
	tr->p[at].printed = true;
	print_proc(tr, &tr->p[at], depth);
	for (size_t i = 0; i < tr->n; i++) {
		if (tr->p[i].parent == at && !tr->p[i].printed)
			print_tree(tr, i, depth + 1);
	}
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct task_row *tasks = NULL;
	struct tree tr = { .c = c };
	uint64_t rec;
	size_t n = 0;
	int ret;

	ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &rec, err);
	if (ret == 0)
		ret = query_tasks(c->db, rec, &c->arena, &tasks, &n, err);
	if (ret < 0)
		return ret;
	tr.n = gather(c, tasks, n, &tr.p);
	table_begin(&tr.t, c, columns, ARRAY_LEN(columns), stdout);
	for (size_t i = 0; i < tr.n; i++) {
		if (!tr.p[i].printed)
			print_tree(&tr, i, 0);
	}
	table_end(&tr.t);
	return 0;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.operands = "[REC]",
	.summary = "show the process tree of a recording",
	.flags = CMD_DB | CMD_TABLE,
	.max = 1,
	.run = run,
};
