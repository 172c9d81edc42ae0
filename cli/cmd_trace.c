#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "cli/cmd.h"
#include "cli/interrupt.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/trace_jobs.h"
#include "event/source.h"
#include "replayer/survey.h"
#include "store/checkpoint.h"
#include "store/query.h"
#include "store/store.h"
#include "store/trace.h"

#define JOBS_MAX 64u
#define PARTS_PER_JOB 3u /* where checkpoints are: ends are evener so */

struct trace {
	const char *writes, *calls, *from, *to;
	uint64_t jobs;
};

/* What is looked for: one variable, or functions. */
struct subject {
	const char *name;
	uint32_t trace;
	struct trace_range *covered;
	size_t n_covered;
	bool found;
};

/* One run of the command. */
struct tracing {
	struct cli *c;
	uint64_t rec;
	struct recording_row row;
	struct source *source;
	struct replayer *replayer;
	struct progress progress;
	struct trace_put *put;
	bool calls;
	unsigned jobs; /* processes; 0 = as many as make sense */
	uint32_t len;
	struct subject *subjects;
	size_t n;
	uint64_t from, to;
	/* Of one range: */
	const struct subject *now[SURVEY_FUNCTIONS];
	unsigned pass;
	struct survey_result res;
	uint64_t added; /* events */
};

static void
options(void *own, struct opt_list *l)
{
	struct trace *o = own;

	opt_add(l, 0, "writes", OPT_STR, &o->writes, "VAR[,LEN]",
		"every write to a variable, or to LEN bytes at it or at an "
		"address");
	opt_add(l, 0, "calls", OPT_STR, &o->calls, "FUNC[,FUNC...]",
		"every call of functions");
	opt_add(l, 0, "from", OPT_STR, &o->from, "POS",
		"not what was before this position");
	opt_add(l, 0, "to", OPT_STR, &o->to, "POS",
		"not what was after this position");
	opt_add(l, 'j', "jobs", OPT_U64, &o->jobs, "N",
		"so many processes, each for a part (as many as CPUs where "
		"the recording is indexed, else 1)");
}

/* ---- what is asked for */

static void
add_subject(struct tracing *t, const char *name)
{
	struct subject *v = arena_alloc(&t->c->arena, (t->n + 1) * sizeof(*v));

	if (t->n)
		memcpy(v, t->subjects, t->n * sizeof(*v));
	v[t->n++].name = name;
	t->subjects = v;
}

/* VAR[,LEN]; an address is written in one way only. */
static int
parse_writes(struct tracing *t, const char *text, struct err *err)
{
	char *s = arena_strdup(&t->c->arena, text), *end;
	char *comma = strrchr(s, ',');
	unsigned long long v;

	if (comma) {
		*comma = '\0';
		errno = 0;
		v = strtoull(comma + 1, &end, 0);
		if (comma[1] < '0' || comma[1] > '9' || *end || errno ||
		    v == 0 || v > SURVEY_LEN_MAX)
			return err_set(err, E_USAGE,
				       "--writes: '%s' is no length; it is 1 "
				       "to %u bytes",
				       comma + 1, SURVEY_LEN_MAX);
		t->len = (uint32_t)v;
	}
	if (*s == '\0')
		return err_set(err, E_USAGE, "--writes: which variable?");
	if (*s >= '0' && *s <= '9') {
		errno = 0;
		v = strtoull(s, &end, 0);
		if (*end || errno || v == 0)
			return err_set(err, E_USAGE,
				       "--writes: '%s' is no address", s);
		add_subject(t, text_printf(&t->c->arena, "0x%llx", v));
	} else {
		add_subject(t, s);
	}
	return 0;
}

static int
parse_calls(struct tracing *t, const char *text, struct err *err)
{
	char *s = arena_strdup(&t->c->arena, text), *word, *rest = s;

	while ((word = strsep(&rest, ",")) != NULL) {
		bool again = false;

		for (size_t i = 0; i < t->n; i++)
			again |= strcmp(t->subjects[i].name, word) == 0;
		if (*word == '\0')
			return err_set(err, E_USAGE,
				       "--calls: a name is missing in '%s'",
				       text);
		if (!again)
			add_subject(t, word);
	}
	if (t->n > SURVEY_FUNCTIONS)
		return err_set(err, E_USAGE,
			       "--calls: %zu functions; %u at a time are "
			       "possible",
			       t->n, SURVEY_FUNCTIONS);
	return 0;
}

static int
parse(struct tracing *t, const struct trace *o, struct err *err)
{
	int ret;

	if (!o->writes == !o->calls) {
		ret = err_set(err, E_USAGE,
			      "what is to be traced: --writes or --calls?");
		err_hint(err, "pastime trace --writes counter\n"
			      "pastime trace --calls malloc,free");
		return ret;
	}
	t->calls = o->calls != NULL;
	if (o->jobs > JOBS_MAX)
		return err_set(err, E_USAGE,
			       "-j %lu: at most %u processes are possible",
			       o->jobs, JOBS_MAX);
	t->jobs = (unsigned)o->jobs;
	return t->calls ? parse_calls(t, o->calls, err)
			: parse_writes(t, o->writes, err);
}

/* Positions within the code between events: all of it. */
static int
find_range(struct tracing *t, const struct trace *o, struct err *err)
{
	struct pos from = { 0 }, to = { .seq = t->row.events };
	int ret = 0;

	if (o->from)
		ret = pick_position(t->c, t->rec, o->from, &from, err);
	if (ret == 0 && o->to)
		ret = pick_position(t->c, t->rec, o->to, &to, err);
	if (ret < 0)
		return ret;
	t->from = from.seq;
	t->to = to.seq;
	if ((to.pc || to.steps) && t->to < t->row.events)
		t->to++;
	if (t->from >= t->to)
		return err_set(err, E_USAGE,
			       "between e%lu and e%lu there is nothing",
			       t->from, t->to);
	return 0;
}

static int
find_subjects(struct tracing *t, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < t->n; i++) {
		struct subject *s = &t->subjects[i];

		ret = trace_open(t->c->db, t->rec,
				 t->calls ? "calls" : "writes", s->name, t->len,
				 &s->trace, err);
		if (ret == 0)
			ret = trace_coverage(t->c->db, t->rec, s->trace,
					     &t->c->arena, &s->covered,
					     &s->n_covered, err);
	}
	return ret;
}

/* ---- what is found */

static int
on_write(void *ctx, const struct survey_write *w, struct err *err)
{
	struct tracing *t = ctx;
	struct trace_write row = {
		.trace = t->now[0]->trace,
		.nth = w->nth,
		.task = w->task,
		.process = w->process,
		.len = w->len,
		.seq = w->pos.seq,
		.pc = w->pos.pc,
		.visit = w->pos.visit,
		.addr = w->addr,
		.insn = w->insn,
		.by_kernel = w->by_kernel,
		.old = span_of(w->old, w->len),
		.new = span_of(w->new, w->len),
		.module = w->place.module,
		.function = w->place.function,
		.offset = w->place.offset,
		.source = w->place.file,
		.line = w->place.line,
	};

	trace_put_write(t->put, &row);
	return 0;
}

static int
on_call(void *ctx, const struct survey_call *c, struct err *err)
{
	struct tracing *t = ctx;
	struct trace_call row = {
		.trace = t->now[c->function]->trace,
		.nth = c->entry_nth,
		.task = c->task,
		.process = c->process,
		.depth = c->depth,
		.seq = c->entry.seq,
		.pc = c->pc,
		.visit = c->entry.visit,
		.exit_seq = c->exit.seq,
		.exit_visit = c->exit.visit,
		.exit_nth = c->exit_nth,
		.tail = c->tail,
		.ended = (unsigned)c->end,
		.sp = c->sp,
		.caller_pc = c->caller_pc,
		.ret = c->ret,
		.arguments = c->arguments,
		.result = c->result,
		.module = c->place.module,
		.function = c->place.function,
		.source = c->place.file,
		.line = c->place.line,
		.caller_module = c->caller.module,
		.caller = c->caller.function,
		.caller_source = c->caller.file,
		.caller_line = c->caller.line,
	};

	memcpy(row.args, c->args, sizeof(row.args));
	if (c->stored)
		trace_put_end(t->put, &row);
	else
		trace_put_call(t->put, &row);
	return 0;
}

static int
on_upto(void *ctx, uint64_t seq, struct err *err)
{
	struct tracing *t = ctx;

	/* Only the last pass completes what they cover. */
	return trace_put_upto(t->put, seq, t->pass + 1 >= t->res.passes, err);
}

/* ---- ranges */

/* Where the next range that is covered, or not, begins after seq. */
static bool
covered(const struct subject *s, uint64_t seq, uint64_t *until)
{
	*until = UINT64_MAX;
	for (size_t i = 0; i < s->n_covered; i++) {
		if (seq < s->covered[i].from) {
			*until = s->covered[i].from;
			return false;
		}
		if (seq < s->covered[i].to) {
			*until = s->covered[i].to;
			return true;
		}
	}
	return false;
}

static int
load_open(struct tracing *t, struct survey_req *q, struct err *err)
{
	VEC(struct survey_call) v = { 0 };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < q->n_functions; i++) {
		struct trace_call *c = NULL;
		size_t n = 0;

		ret = trace_open_calls(t->c->db, t->rec, t->now[i]->trace,
				       q->from, &t->c->arena, &c, &n, err);
		for (size_t k = 0; ret == 0 && k < n; k++) {
			struct survey_call x = {
				.function = i,
				.task = c[k].task,
				.process = c[k].process,
				.depth = c[k].depth,
				.entry = { .seq = c[k].seq,
					   .pc = c[k].pc,
					   .visit = c[k].visit },
				.entry_nth = c[k].nth,
				.pc = c[k].pc,
				.sp = c[k].sp,
				.caller_pc = c[k].caller_pc,
				.tail = c[k].tail,
				.stored = true,
			};

			vec_push(&v, x);
		}
	}
	q->open = arena_dup(&t->c->arena, v.v, v.len * sizeof(*v.v));
	q->n_open = v.len;
	vec_free(&v);
	return ret;
}

/* ---- in one process or in several */

static int
open_replay(void *ctx, struct replayer **out, struct err *err)
{
	struct replay_opts ro = { 0 };
	struct tracing *t = ctx;
	int ret = 0;

	if (!t->source)
		ret = store_source_open(t->c->db, t->rec, &t->source, err);
	if (ret == 0 && !t->replayer)
		ret = replayer_open(&t->replayer, t->source, &ro, err);
	*out = t->replayer;
	return ret;
}

static void
close_replay(void *ctx)
{
	struct tracing *t = ctx;

	if (t->replayer)
		replayer_close(t->replayer);
	if (t->source)
		t->source->ops->close(t->source);
	t->replayer = NULL;
	t->source = NULL;
}

static void
begin_pass(void *ctx, unsigned pass, unsigned passes)
{
	struct tracing *t = ctx;

	t->pass = pass;
	t->res.passes = passes;
}

/* How much replay lies before event seq. */
static double
work_at(const struct source_stored *v, size_t n, uint64_t seq)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].seq >= seq)
			return (double)v[i].work_ns;
	return n ? (double)v[n - 1].work_ns : (double)seq;
}

/*
 * Where parts begin: at stored checkpoints, so that a part need not replay what
 * is before it, with as much to replay in each; without any evenly.
 */
static int
divide(struct tracing *t, const struct survey_req *q, uint64_t **out, size_t *n,
       struct err *err)
{
	struct source_stored *v = NULL;
	size_t stored = 0, parts, k = 1;
	double from, all;
	int ret = checkpoint_list(t->c->db, t->rec, &v, &stored, err);

	if (ret < 0)
		return ret;
	if (!t->jobs)
		t->jobs = stored ? (unsigned)sysconf(_SC_NPROCESSORS_ONLN) : 1;
	if (t->jobs > JOBS_MAX)
		t->jobs = JOBS_MAX;
	parts = stored ? t->jobs * PARTS_PER_JOB : t->jobs;
	*out = arena_alloc(&t->c->arena, parts * sizeof(**out));
	*n = 0;
	from = work_at(v, stored, q->from);
	all = work_at(v, stored, q->to) - from;
	for (size_t i = 0; stored && t->jobs > 1 && i < stored; i++) {
		if (v[i].seq <= q->from || v[i].seq >= q->to || k == parts ||
		    (double)v[i].work_ns - from <
			    all * (double)k / (double)parts)
			continue;
		(*out)[(*n)++] = v[i].seq;
		while (k < parts && (double)v[i].work_ns - from >=
					    all * (double)k / (double)parts)
			k++;
	}
	for (k = 1; !stored && k < parts; k++)
		(*out)[(*n)++] = q->from + (q->to - q->from) * k / parts;
	mem_free(v);
	return 0;
}

static int
survey(struct tracing *t, struct survey_req *q, struct err *err)
{
	struct trace_jobs j = { .req = q,
				.open = open_replay,
				.close = close_replay,
				.pass = begin_pass,
				.ctx = t };
	bool found[SURVEY_FUNCTIONS] = { false };
	struct replayer *r;
	uint64_t *bounds = NULL;
	int ret = divide(t, q, &bounds, &j.n_bounds, err);

	j.bounds = bounds;
	j.jobs = t->jobs;
	/* A part begins its own; what a range before this one was replayed with
	 * is of no use to another process. */
	if (j.n_bounds > 0)
		close_replay(t);
	if (ret == 0 && j.n_bounds > 0)
		ret = trace_jobs_run(&j, &t->res, err);
	if (j.n_bounds > 0 && t->c->verbose)
		say("%u parts, %u processes at a time, %u parts once more",
		    j.parts, j.jobs, j.again);
	if (ret < 0 || j.n_bounds > 0)
		return ret;
	t->res.passes = 1;
	ret = open_replay(t, &r, err);
	for (; ret == 0 && q->pass < t->res.passes; q->pass++) {
		t->pass = q->pass;
		ret = survey_run(r, q, &t->res, err);
		for (size_t i = 0; i < SURVEY_FUNCTIONS; i++)
			t->res.found[i] = found[i] |= t->res.found[i];
	}
	return ret;
}

/* One range of those subjects that lack it. */
static int
trace_range(struct tracing *t, struct trace_range range, struct err *err)
{
	struct survey_req q = {
		.from = range.from,
		.to = range.to,
		.len = t->len,
		.sink = { on_write, on_call, on_upto, t },
		.progress = progress_step,
		.ctx = &t->progress,
	};
	const char *names[SURVEY_FUNCTIONS];
	uint32_t traces[SURVEY_FUNCTIONS];
	size_t which[SURVEY_FUNCTIONS], n = 0;
	uint64_t until;
	int ret;

	for (size_t i = 0; i < t->n; i++) {
		struct subject *s = &t->subjects[i];

		if (covered(s, range.from, &until))
			continue;
		if (covered(s, range.to, &until) && until > q.follow)
			q.follow = until;
		t->now[n] = s;
		names[n] = s->name;
		traces[n] = s->trace;
		which[n++] = i;
	}
	if (t->calls) {
		q.functions = names;
		q.n_functions = n;
	} else {
		q.variable = names[0];
	}
	ret = trace_put_begin(t->put, traces, n, range, err);
	if (ret == 0 && t->calls)
		ret = load_open(t, &q, err);
	if (ret == 0)
		ret = survey(t, &q, err);
	for (size_t i = 0; i < n; i++)
		t->subjects[which[i]].found |= t->res.found[i];
	t->added += t->res.upto - range.from;
	return ret;
}

static int
trace_ranges(struct tracing *t, struct err *err)
{
	uint64_t at = t->from;
	int ret = 0;

	while (ret == 0 && at < t->to) {
		uint64_t next = t->to, until;
		bool missing = false;

		for (size_t i = 0; i < t->n; i++) {
			missing |= !covered(&t->subjects[i], at, &until);
			if (until < next)
				next = until;
		}
		if (missing)
			ret = trace_range(t, (struct trace_range){ at, next },
					  err);
		at = next;
	}
	return ret;
}

/* A name that is nowhere is a mistake, not a variable without writes. */
static int
check_found(struct tracing *t, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < t->n; i++) {
		const struct subject *s = &t->subjects[i];

		if (s->found || s->n_covered > 0 || t->added == 0)
			continue;
		ret = trace_drop(t->c->db, t->rec, s->trace, err);
		if (ret < 0)
			break;
		ret = err_set(err, E_NOT_FOUND,
			      "no program of recording %lu has a %s '%s'",
			      t->rec, t->calls ? "function" : "variable",
			      s->name);
		err_hint(err, "names come from symbols and debug information; "
			      "LIBRARY:NAME and 0xADDRESS are possible, too");
	}
	return ret;
}

/* ---- what is shown */

#define SHOWN_MAX 1000u /* rows for people; machines get all */

static const char writes_sql[] =
	"select pos, tid, comm, case when by_kernel then 'kernel' else "
	"coalesce(function, '?') end as writer, source, line, "
	"coalesce(old_value::text, '0x' || pg_catalog.encode(old, 'hex')) as "
	"old, coalesce(new_value::text, '0x' || pg_catalog.encode(new, 'hex'))"
	" as new, pg_catalog.to_hex(addr) as addr, len "
	"from this.write where trace in (%s) and seq >= %lu and seq <= %lu "
	"order by seq, nth, addr";

static const char calls_sql[] =
	"select pos, tid, comm, depth, coalesce(function, subject) as "
	"function, arguments, result, ended, exit_pos, caller, "
	"caller_source, caller_line "
	"from this.function_call where trace in (%s) and seq >= %lu and "
	"seq <= %lu order by seq, nth, depth";

static const struct column writes_columns[] = {
	{ .name = "pos" },
	{ .name = "tid", .number = true },
	{ .name = "comm" },
	{ .name = "writer" },
	{ .name = "source", .cut = true },
	{ .name = "line", .number = true },
	{ .name = "old", .cut = true },
	{ .name = "new", .cut = true },
	{ .name = "addr", .machine = true },
	{ .name = "len", .number = true, .machine = true },
};

static const struct column calls_columns[] = {
	{ .name = "pos" },
	{ .name = "tid", .number = true },
	{ .name = "comm" },
	{ .name = "depth", .number = true },
	{ .name = "function" },
	{ .name = "arguments", .cut = true },
	{ .name = "result", .cut = true },
	{ .name = "ended" },
	{ .name = "exit_pos", .machine = true },
	{ .name = "caller" },
	{ .name = "caller_source", .machine = true },
	{ .name = "caller_line", .number = true, .machine = true },
};

static void
print(struct tracing *t, const struct sql_result *r)
{
	const struct column *cols = t->calls ? calls_columns : writes_columns;
	const char *cells[ARRAY_LEN(calls_columns)];
	struct table table;
	size_t shown = r->rows;

	table_begin(&table, t->c, cols, r->cols, stdout);
	if (table_for_people(&table) && shown > SHOWN_MAX)
		shown = SHOWN_MAX;
	for (size_t i = 0; i < shown; i++) {
		for (size_t k = 0; k < r->cols; k++)
			cells[k] = r->cells[i * r->cols + k];
		table_row(&table, cells);
	}
	table_end(&table);
	if (shown < r->rows)
		say("%s of %s; all: pastime sql %lu \"select * from %s\"",
		    text_count(&t->c->arena, shown),
		    text_counted(&t->c->arena, r->rows, "row"), t->rec,
		    t->calls ? "function_call" : "write");
}

static int
show(struct tracing *t, struct err *err)
{
	struct buf traces = { 0 }, sql = { 0 };
	struct sql_result r = { 0 };
	struct task_row *tasks;
	size_t n;
	int ret;

	for (size_t i = 0; i < t->n; i++)
		buf_printf(&traces, "%s%u", i ? ", " : "",
			   t->subjects[i].trace);
	if (t->calls)
		buf_printf(&sql, calls_sql, buf_cstr(&traces), t->from, t->to);
	else
		buf_printf(&sql, writes_sql, buf_cstr(&traces), t->from, t->to);
	/* Names of tasks are derived when they are asked for. */
	ret = query_tasks(t->c->db, t->rec, &t->c->arena, &tasks, &n, err);
	if (ret == 0)
		ret = query_sql(t->c->db, t->rec, buf_cstr(&sql), &t->c->arena,
				&r, err);
	if (ret == 0)
		print(t, &r);
	buf_free(&traces);
	buf_free(&sql);
	return ret;
}

/* ---- the command */

static int
open_all(struct tracing *t, const struct trace *o, struct err *err)
{
	int ret;

	ret = query_recording(t->c->db, t->rec, &t->c->arena, &t->row, err);
	if (ret == 0)
		ret = find_range(t, o, err);
	if (ret == 0)
		ret = find_subjects(t, err);
	t->put = trace_put_new(t->c->db, t->rec);
	return ret;
}

static void
close_all(struct tracing *t)
{
	trace_put_free(t->put);
	close_replay(t);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	const struct trace *o = own;
	struct tracing t = { .c = c };
	int ret = parse(&t, o, err);

	if (ret == 0)
		ret = pick_recording(c, argc > 0 ? argv[0] : NULL, &t.rec, err);
	interrupt_catch(NULL);
	if (ret == 0)
		ret = open_all(&t, o, err);
	if (ret == 0) {
		progress_init(&t.progress, "tracing", "events", c->quiet);
		ret = trace_ranges(&t, err);
		progress_end(&t.progress);
		if (ret == 0)
			ret = check_found(&t, err);
	}
	if (ret == 0 && !c->quiet)
		ret = show(&t, err);
	if (ret == 0 && c->verbose)
		say("%s looked at, %s found",
		    text_counted(&c->arena, t.added, "event"),
		    t.calls ? text_counted(&c->arena, t.res.calls, "call")
			    : text_counted(&c->arena, t.res.writes, "write"));
	close_all(&t);
	return ret;
}

const struct cmd cmd_trace = {
	.name = "trace",
	.operands = "[REC]",
	.summary = "every write to a variable, every call of a function, as "
		   "tables",
	.flags = CMD_DB | CMD_PTRACE | CMD_TABLE,
	.max = 1,
	.size = sizeof(struct trace),
	.options = options,
	.run = run,
};
