#include <inttypes.h>

#include "base/buf.h"
#include "cli/cmd.h"
#include "cli/diff.h"
#include "cli/interrupt.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/text.h"
#include "event/format.h"
#include "store/query.h"
#include "store/store.h"

#define CONTEXT 5
#define CONTEXT_MAX 1000

struct diff {
	uint64_t context;
};

/* What is shown of one of the two: events of the task around the parting. */
struct side {
	uint64_t rec;
	struct recording_row row;
	const struct task_row *task;  /* NULL: never born */
	uint64_t seq;		      /* where it parts; 0: it has no event */
	struct event *before, *after; /* before: newest first */
	size_t n_before, n_after;     /* after: from the parting on */
};

struct differ {
	struct cli *c;
	size_t context;
	struct parting p;
	struct side side[2];
};

static void
options(void *own, struct opt_list *l)
{
	struct diff *o = own;

	o->context = CONTEXT;
	opt_add(l, 'C', "context", OPT_U64, &o->context, "N",
		"show N events of the task before and after (5)");
}

int
diff_find(struct cli *c, const uint64_t rec[2], struct parting *out,
	  struct err *err)
{
	struct source *src[2] = { NULL, NULL };
	struct progress p;
	int ret = 0;

	for (int i = 0; i < 2 && ret == 0; i++)
		ret = store_source_open(c->db, rec[i], &src[i], err);
	progress_init(&p, "comparing", "events", c->quiet);
	if (ret == 0)
		ret = parting_find(src, progress_step, &p, out, err);
	progress_end(&p);
	for (int i = 0; i < 2; i++) {
		if (src[i])
			src[i]->ops->close(src[i]);
	}
	return ret;
}

/* ---- what is around it */

static int
find_task(struct differ *d, struct side *s, uint32_t task, struct err *err)
{
	struct task_row *rows = NULL;
	size_t n = 0;
	int ret = query_tasks(d->c->db, s->rec, &d->c->arena, &rows, &n, err);

	for (size_t i = 0; ret == 0 && i < n; i++) {
		if (rows[i].task == task)
			s->task = &rows[i];
	}
	return ret;
}

/* Up to n events of the task from seq on, or before it. */
static int
events_of(struct differ *d, const struct side *s, uint64_t seq, bool back,
	  size_t n, struct event **out, size_t *out_n, struct err *err)
{
	struct event *all = arena_alloc(&d->c->arena, n * sizeof(*all));
	struct event_filter *f = NULL;
	char words[32];
	int ret;

	snprintf(words, sizeof(words), "task:%" PRIu32, s->task->task);
	ret = event_filter_parse(words, &f, err);
	*out_n = 0;
	while (ret == 0 && *out_n < n) {
		struct event *ev = NULL;
		uint64_t scanned = seq;
		size_t got = 0;

		ret = query_events(d->c->db, s->rec, seq, back, n - *out_n, f,
				   &d->c->arena, &ev, &got, &scanned, err);
		for (size_t i = 0; ret == 0 && i < got; i++)
			all[(*out_n)++] = ev[i];
		if (scanned == seq)
			break;
		seq = scanned;
	}
	event_filter_free(f);
	*out = all;
	return ret;
}

static int
look(struct differ *d, int i, struct err *err)
{
	struct side *s = &d->side[i];
	uint64_t seq;
	int ret;

	s->seq = d->p.seq[i];
	ret = find_task(d, s, d->p.task[i], err);
	if (ret < 0 || !s->task)
		return ret;
	/* Where there is no event the last one that was alike is the last. */
	seq = s->seq ? s->seq : d->p.alike[i] + 1;
	ret = events_of(d, s, seq, true, d->context, &s->before, &s->n_before,
			err);
	if (ret == 0)
		ret = events_of(d, s, seq - 1, false,
				d->context + (s->seq != 0), &s->after,
				&s->n_after, err);
	return ret;
}

/* ---- showing it */

static const char *
event_line(struct differ *d, const struct event *ev)
{
	struct format_opts f = { 0 };
	struct buf text = { 0 };
	const char *line;

	event_format(ev, &f, &text);
	line = text_clean(&d->c->arena, buf_cstr(&text));
	buf_free(&text);
	return line;
}

/* Parts in words, as few as tell it. */
static const char *
parts_text(struct differ *d)
{
	static const struct {
		unsigned part;
		const char *text;
	} names[] = {
		{ ALIKE_WHAT, "another call or event" },
		{ ALIKE_ARGS, "arguments" },
		{ ALIKE_PATH, "path or address" },
		{ ALIKE_DATA, "data" },
		{ ALIKE_RET, "result" },
	};
	struct buf text = { 0 };
	const char *out;

	if (d->p.parts == 0)
		return d->p.seq[0] ? "no such event in the second"
				   : "no such event in the first";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (d->p.parts & names[i].part)
			buf_printf(&text, "%s%s", text.len ? ", " : "",
				   names[i].text);
	}
	out = arena_strdup(&d->c->arena, buf_cstr(&text));
	buf_free(&text);
	return out;
}

static const char *
task_text(struct differ *d, const struct side *s)
{
	const struct task_row *t = s->task;

	if (!t)
		return "-";
	return text_printf(&d->c->arena, "%d %s", t->tid,
			   t->comm ? t->comm : "");
}

static const char *
pos_text(struct differ *d, uint64_t seq)
{
	return seq ? text_printf(&d->c->arena, "e%lu", seq) : NULL;
}

/* The event at row r, 0 = where they part; NULL = none. */
static const struct event *
event_at(const struct side *s, int64_t r)
{
	if (r < 0)
		return (size_t)-r <= s->n_before ? &s->before[-r - 1] : NULL;
	/* Without an event there, what follows (of no task that is alike)
	 * is not shown beside it. */
	if (!s->seq && r == 0)
		return NULL;
	r -= !s->seq;
	return (size_t)r < s->n_after ? &s->after[r] : NULL;
}

static void
print_cell(struct differ *d, const struct side *s, int64_t r, int width)
{
	const struct event *ev = event_at(s, r);
	const char *text = ev ? text_printf(&d->c->arena, "e%-6lu %s", ev->seq,
					    event_line(d, ev))
			   : r == 0 ? "(no event: the task has ended)"
				    : "";
	size_t max = width > 2 ? (size_t)width - 2 : 0;
	size_t len = text_fit(text, max);

	printf("%c %.*s", r == 0 ? '>' : ' ', (int)len, text);
	for (size_t at = text_columns(text); at < max && s == &d->side[0]; at++)
		putchar(' ');
}

static void
print_people(struct differ *d)
{
	struct arena *a = &d->c->arena;
	const struct side *s = d->side;
	int half = text_width(stdout) / 2 - 1;
	int64_t first =
		-(int64_t)(s[0].n_before > s[1].n_before ? s[0].n_before
							 : s[1].n_before);
	int64_t last = (int64_t)d->context;

	printf("recordings %lu and %lu part: %s\n", s[0].rec, s[1].rec,
	       parts_text(d));
	for (int i = 0; i < 2; i++) {
		const struct event *ev = event_at(&s[i], 0);

		printf("  %lu: %s\n", s[i].rec,
		       ev ? text_printf(a, "e%lu %s", ev->seq,
					event_line(d, ev))
			  : "no event: the task has ended");
	}
	putchar('\n');
	for (int i = 0; i < 2; i++) {
		const char *head = text_printf(
			a, "%lu %s, task %s", s[i].rec, s[i].row.name,
			text_clean(a, task_text(d, &s[i])));
		size_t len = text_fit(head, (size_t)half - 2);

		printf("  %.*s", (int)len, head);
		for (size_t at = text_columns(head);
		     i == 0 && at < (size_t)half - 2; at++)
			putchar(' ');
		fputs(i == 0 ? " |" : "\n", stdout);
	}
	for (int64_t r = first; r <= last; r++) {
		if (r > 0 && !event_at(&s[0], r) && !event_at(&s[1], r))
			break;
		print_cell(d, &s[0], r, half);
		fputs(" |", stdout);
		print_cell(d, &s[1], r, half);
		putchar('\n');
	}
	printf("\npastime tui --diff=%lu %lu shows both there\n", s[1].rec,
	       s[0].rec);
}

static const struct column columns[] = {
	{ .name = "differs" }, { .name = "rec_a", .number = true },
	{ .name = "pos_a" },   { .name = "task_a", .number = true },
	{ .name = "event_a" }, { .name = "rec_b", .number = true },
	{ .name = "pos_b" },   { .name = "task_b", .number = true },
	{ .name = "event_b" },
};

/* One row for machines; none when they do not part. */
static void
print_machine(struct differ *d, bool parted)
{
	struct arena *a = &d->c->arena;
	const char *cells[ARRAY_LEN(columns)] = { NULL };
	struct table t;

	table_begin(&t, d->c, columns, ARRAY_LEN(columns), stdout);
	if (parted) {
		cells[0] = parts_text(d);
		for (int i = 0; i < 2; i++) {
			const struct side *s = &d->side[i];
			const char **cell = cells + 1 + 4 * i;
			const struct event *ev = event_at(s, 0);

			cell[0] = text_printf(a, "%lu", s->rec);
			cell[1] = pos_text(d, s->seq);
			cell[2] = s->task ? text_printf(a, "%u", s->task->task)
					  : NULL;
			cell[3] = ev ? event_line(d, ev) : NULL;
		}
		table_row(&t, cells);
	}
	table_end(&t);
}

static void
print(struct differ *d, bool parted)
{
	struct arena *a = &d->c->arena;

	if (d->c->json || d->c->csv)
		print_machine(d, parted);
	else if (parted)
		print_people(d);
	else
		printf("recordings %lu and %lu go the same way: %s alike\n",
		       d->side[0].rec, d->side[1].rec,
		       text_counted(a, d->p.compared, "event"));
	for (int i = 0; i < 2; i++) {
		if (d->p.cut[i] && !parted)
			say("recording %lu does not end in order: compared as "
			    "far as it goes",
			    d->side[i].rec);
	}
}

static int
check(const struct diff *o, struct err *err)
{
	int ret;

	if (o->context <= CONTEXT_MAX)
		return 0;
	ret = err_set(err, E_USAGE, "--context: %lu events are too many",
		      o->context);
	err_hint(err, "at most %d; 'pastime show' prints all", CONTEXT_MAX);
	return ret;
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	const struct diff *o = own;
	struct differ d = { .c = c, .context = o->context };
	uint64_t rec[2];
	int ret = check(o, err), parted = 0;

	for (int i = 0; i < 2 && ret == 0; i++) {
		ret = pick_recording(c, argv[i], &rec[i], err);
		d.side[i].rec = rec[i];
		if (ret == 0)
			ret = query_recording(c->db, rec[i], &c->arena,
					      &d.side[i].row, err);
	}
	interrupt_catch(NULL);
	if (ret == 0)
		ret = parted = diff_find(c, rec, &d.p, err);
	for (int i = 0; i < 2 && ret > 0; i++) {
		int rc = look(&d, i, err);

		if (rc < 0)
			ret = rc;
	}
	if (ret >= 0)
		print(&d, parted > 0);
	return ret < 0 ? ret : parted ? EXIT_NO : 0;
}

const struct cmd cmd_diff = {
	.name = "diff",
	.operands = "A B",
	.summary = "the first event at which two recordings part",
	.flags = CMD_DB | CMD_TABLE,
	.min = 2,
	.max = 2,
	.size = sizeof(struct diff),
	.options = options,
	.run = run,
};
