#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "cli/cmd.h"
#include "cli/pick.h"
#include "cli/table.h"
#include "cli/text.h"
#include "event/format.h"
#include "event/sys.h"
#include "store/query.h"

#define PAGE 1000

struct show {
	const char *task, *call, *kind, *filter, *from, *to;
	bool errors, detail;
};

/* One run of the command. */
struct shown {
	struct cli *c;
	const struct show *o;
	struct event_filter *filter;
	uint64_t rec, from, to;
	struct map tasks; /* task number -> struct task_row */
	struct buf text;
};

static void
options(void *own, struct opt_list *l)
{
	struct show *o = own;

	opt_add(l, 't', "task", OPT_STR, &o->task, "N",
		"only this task: a thread id or a task number");
	opt_add(l, 'c', "call", OPT_STR, &o->call, "NAME",
		"only this system call");
	opt_add(l, 'k', "kind", OPT_STR, &o->kind, "KIND",
		"only events of this kind: syscall, signal, exec, ...");
	opt_add(l, 'e', "errors", OPT_FLAG, &o->errors, NULL,
		"only calls that failed");
	opt_add(l, 'f', "filter", OPT_STR, &o->filter, "WORDS",
		"only what matches these key:value words or SQL condition");
	opt_add(l, 0, "from", OPT_STR, &o->from, "POS",
		"begin after this position");
	opt_add(l, 0, "to", OPT_STR, &o->to, "POS", "end at this position");
	opt_add(l, 'd', "detail", OPT_FLAG, &o->detail, NULL,
		"show all arguments and data of each event");
}

static int
check_names(const struct show *o, struct err *err)
{
	int ret = 0;

	if (o->call && sys_by_name(o->call) < 0) {
		ret = err_set(err, E_USAGE, "there is no system call '%s'",
			      o->call);
		err_hint(err, "names are those of section 2 of the manual: "
			      "openat, clock_nanosleep");
	} else if (o->kind && event_kind_by_name(o->kind) == 0) {
		ret = err_set(err, E_USAGE, "there is no kind of event '%s'",
			      o->kind);
		err_hint(err, "kinds: birth, exec, syscall, enter, exit, "
			      "signal, insn, death, stop, warning, ...");
	}
	return ret;
}

/* A thread id as people see it, or a task number, as the number. */
static int
find_task(struct shown *s, const struct task_row *rows, size_t n, uint32_t *out,
	  struct err *err)
{
	char *end;
	unsigned long want = strtoul(s->o->task, &end, 10);
	const struct task_row *found = NULL;
	int ret;

	for (size_t i = 0; i < n && *end == '\0'; i++) {
		if ((unsigned long)rows[i].tid == want)
			found = &rows[i];
	}
	for (size_t i = 0; i < n && *end == '\0' && !found; i++) {
		if (rows[i].task == want)
			found = &rows[i];
	}
	if (found) {
		*out = found->task;
		return 0;
	}
	ret = err_set(err, E_NOT_FOUND, "recording %lu has no task '%s'",
		      s->rec, s->o->task);
	err_hint(err, "pastime ps %lu", s->rec);
	return ret;
}

static int
make_filter(struct shown *s, const struct task_row *rows, size_t n,
	    struct err *err)
{
	const struct show *o = s->o;
	struct buf words = { 0 };
	uint32_t task = 0;
	int ret = 0;

	if (o->filter)
		buf_printf(&words, "%s", o->filter);
	if (o->task) {
		ret = find_task(s, rows, n, &task, err);
		buf_printf(&words, " task:%" PRIu32, task);
	}
	if (o->call)
		buf_printf(&words, " call:%s", o->call);
	if (o->kind)
		buf_printf(&words, " kind:%s", o->kind);
	if (o->errors)
		buf_printf(&words, " error:any");
	if (ret == 0 && words.len > 0)
		ret = event_filter_parse(buf_cstr(&words), &s->filter, err);
	buf_free(&words);
	return ret;
}

static int
prepare(struct shown *s, int argc, char **argv, struct err *err)
{
	struct cli *c = s->c;
	struct task_row *rows = NULL;
	struct pos from, to;
	size_t n = 0;
	int ret;

	ret = check_names(s->o, err);
	if (ret == 0)
		ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &s->rec,
				     err);
	if (ret == 0)
		ret = pick_position(c, s->rec, s->o->from, &from, err);
	if (ret == 0)
		ret = pick_position(c, s->rec, s->o->to ? s->o->to : "end", &to,
				    err);
	if (ret == 0)
		ret = query_tasks(c->db, s->rec, &c->arena, &rows, &n, err);
	if (ret < 0)
		return ret;
	s->from = from.seq;
	s->to = to.seq;
	for (size_t i = 0; i < n; i++)
		map_set(&s->tasks, rows[i].task, &rows[i]);
	return make_filter(s, rows, n, err);
}

static int
tid_of(const struct shown *s, const struct event *ev)
{
	const struct task_row *row = map_get(&s->tasks, ev->task);

	return row ? row->tid : 0;
}

static void
print_text(struct shown *s, const struct event *ev, struct arena *a)
{
	struct format_opts f = { 0 };
	char place[32];

	snprintf(place, sizeof(place), "e%lu", ev->seq);
	printf("%-8s %12.6f %7d  %s", place, (double)ev->time_ns / 1e9,
	       tid_of(s, ev), text_clean(a, buf_cstr(&s->text)));
	if (ev->dur_ns > 0)
		printf("  <%s>", text_duration(a, ev->dur_ns));
	putchar('\n');
	if (!s->o->detail)
		return;
	buf_clear(&s->text);
	event_format_detail(ev, &f, &s->text);
	for (const char *p = buf_cstr(&s->text); *p;) {
		size_t len = strcspn(p, "\n");

		printf("    %.*s\n", (int)len, p);
		p += len;
		p += *p == '\n';
	}
}

static void
print_csv(struct shown *s, const struct event *ev)
{
	printf("e%lu,%.9f,%u,%d,%s,", ev->seq, (double)ev->time_ns / 1e9,
	       ev->task, tid_of(s, ev), event_kind_name(ev->kind));
	csv_cell(stdout, ev->call >= 0 ? sys_name(ev->call) : NULL);
	printf(",%ld,%lu,", ev->ret, ev->dur_ns);
	csv_cell(stdout, buf_cstr(&s->text));
	fputs("\r\n", stdout);
}

static void
print_event(struct shown *s, const struct event *ev, struct arena *a)
{
	struct format_opts f = { 0 };

	buf_clear(&s->text);
	if (s->c->json) {
		event_format_json(ev, &s->text);
		fwrite(s->text.p, 1, s->text.len, stdout);
		putchar('\n');
		return;
	}
	event_format(ev, &f, &s->text);
	if (s->c->csv)
		print_csv(s, ev);
	else
		print_text(s, ev, a);
}

static int
print_all(struct shown *s, struct err *err)
{
	struct arena a = { 0 };
	uint64_t at = s->from;
	int ret = 0;

	if (s->c->csv)
		fputs("pos,time,task,tid,kind,call,ret,dur_ns,text\r\n",
		      stdout);
	while (ret == 0 && at < s->to) {
		struct event *ev = NULL;
		uint64_t scanned = 0;
		size_t n = 0;

		ret = query_events(s->c->db, s->rec, at, false, PAGE, s->filter,
				   &a, &ev, &n, &scanned, err);
		for (size_t i = 0; ret == 0 && i < n; i++) {
			if (ev[i].seq <= s->to)
				print_event(s, &ev[i], &a);
		}
		arena_clear(&a);
		if (scanned <= at)
			break;
		at = scanned;
	}
	arena_free(&a);
	return ret;
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct shown s = { .c = c, .o = own };
	int ret;

	ret = prepare(&s, argc, argv, err);
	if (ret == 0)
		ret = print_all(&s, err);
	event_filter_free(s.filter);
	map_free(&s.tasks);
	buf_free(&s.text);
	return ret;
}

const struct cmd cmd_show = {
	.name = "show",
	.operands = "[REC]",
	.summary = "print the events of a recording",
	.flags = CMD_DB | CMD_TABLE,
	.max = 1,
	.size = sizeof(struct show),
	.options = options,
	.run = run,
};
