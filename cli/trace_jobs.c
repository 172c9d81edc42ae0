/*
 * Parts of a trace, each in a process of its own:
 *
 *	process: rows to a file, where it is by a pipe, at last how it ended
 *	here: parts in order; rows of one that is over go to the sink
 */
#include "cli/trace_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/vec.h"
#include "cli/interrupt.h"

#define NO_TEXT UINT32_MAX
#define FLUSH_SIZE 65536u
#define LOOK_MS 100

enum row_kind { ROW_WRITE = 1, ROW_CALL, ROW_UPTO, ROW_DONE };

struct head {
	uint32_t len; /* of what follows */
	uint32_t kind;
};

struct upto {
	uint64_t seq;
	unsigned pass, passes;
};

/* The last row of a process that ended in order. */
struct done {
	int rc;
	struct survey_result res;
	struct err err;
};

struct part {
	uint64_t from, to;
	pid_t pid; /* 0 = not begun, or over */
	bool over;
	int tell, file; /* -1 = none */
	uint64_t seen;	/* how far it is */
};

struct trace_all {
	struct trace_jobs *t;
	VEC(struct part) parts; /* in order */
	uint64_t at;		/* everything up to there was handed on */
	struct survey_result *out;
};

/* ---- the process of a part */

struct writer {
	int file, tell;
	struct buf b;
	size_t begun; /* where the row begins */
	unsigned pass;
	const struct survey_result *res;
};

static void
row_begin(struct writer *w, enum row_kind kind)
{
	struct head h = { 0, kind };

	w->begun = w->b.len;
	buf_put(&w->b, &h, sizeof(h));
}

static int
write_out(struct writer *w, struct err *err)
{
	int rc = fd_write_all(w->file, w->b.p, w->b.len);

	buf_clear(&w->b);
	return rc < 0 ? err_set(err, -rc, "cannot keep what was found: %s",
				strerror(-rc))
		      : 0;
}

static int
row_end(struct writer *w, struct err *err)
{
	uint32_t len = (uint32_t)(w->b.len - w->begun - sizeof(struct head));

	memcpy(w->b.p + w->begun, &len, sizeof(len));
	return w->b.len >= FLUSH_SIZE ? write_out(w, err) : 0;
}

static void
put_text(struct writer *w, const char *text)
{
	uint32_t len = text ? (uint32_t)strlen(text) : NO_TEXT;

	buf_put(&w->b, &len, sizeof(len));
	if (text)
		buf_put(&w->b, text, len + 1);
}

static void
put_place(struct writer *w, const struct sym_place *p)
{
	put_text(w, p->module);
	put_text(w, p->function);
	put_text(w, p->file);
}

static int
keep_write(void *ctx, const struct survey_write *v, struct err *err)
{
	struct writer *w = ctx;

	row_begin(w, ROW_WRITE);
	buf_put(&w->b, v, sizeof(*v));
	put_place(w, &v->place);
	return row_end(w, err);
}

static int
keep_call(void *ctx, const struct survey_call *c, struct err *err)
{
	struct writer *w = ctx;

	row_begin(w, ROW_CALL);
	buf_put(&w->b, c, sizeof(*c));
	put_place(w, &c->place);
	put_place(w, &c->caller);
	put_text(w, c->arguments);
	put_text(w, c->result);
	return row_end(w, err);
}

static int
keep_upto(void *ctx, uint64_t seq, struct err *err)
{
	struct writer *w = ctx;
	struct upto u = { seq, w->pass, w->res->passes };

	row_begin(w, ROW_UPTO);
	buf_put(&w->b, &u, sizeof(u));
	return row_end(w, err);
}

/* A full pipe is no harm: the next one tells. */
static bool
tell(void *ctx, uint64_t at, uint64_t to)
{
	struct writer *w = ctx;
	ssize_t n = write(w->tell, &at, sizeof(at));

	(void)to;
	return (n == (ssize_t)sizeof(at) || errno == EAGAIN) && !interrupted();
}

static int
run_part(const struct trace_all *a, const struct part *p, struct writer *w,
	 struct survey_result *res, struct err *err)
{
	struct survey_req q = *a->t->req;
	struct replayer *r = NULL;
	int rc = a->t->open(a->t->ctx, &r, err);

	q.sink = (struct survey_sink){ keep_write, keep_call, keep_upto, w };
	q.progress = tell;
	q.ctx = w;
	/* Calls that are open before it are those of the first part. */
	if (p->from != q.from)
		q.n_open = 0;
	q.limit = p->to < q.to ? q.to : 0;
	q.from = p->from;
	q.to = p->to;
	for (; rc == 0 && q.pass < res->passes; q.pass++) {
		bool found[SURVEY_FUNCTIONS];

		memcpy(found, res->found, sizeof(found));
		w->pass = q.pass;
		rc = survey_run(r, &q, res, err);
		for (size_t i = 0; i < SURVEY_FUNCTIONS; i++)
			res->found[i] |= found[i];
	}
	a->t->close(a->t->ctx);
	return rc;
}

static void __attribute__((noreturn))
be_part(const struct trace_all *a, const struct part *p, int tell_fd)
{
	struct done d = { .res.passes = 1 };
	struct writer w = { .file = p->file, .tell = tell_fd, .res = &d.res };
	int rc;

	d.rc = run_part(a, p, &w, &d.res, &d.err);
	row_begin(&w, ROW_DONE);
	buf_put(&w.b, &d, sizeof(d));
	rc = row_end(&w, NULL);
	if (rc == 0)
		rc = write_out(&w, NULL);
	_exit(rc < 0);
}

/* ---- processes */

static int
temporary(struct err *err)
{
	const char *dir = getenv("TMPDIR");
	char *path = mem_printf("%s/pastime-trace.XXXXXX",
				dir && *dir ? dir : "/tmp");
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		fd = err_errno(err, "cannot make a file like %s", path);
	else
		unlink(path);
	mem_free(path);
	return fd;
}

static int
begin_part(struct trace_all *a, struct part *p, struct err *err)
{
	pid_t us = getpid();
	int ends[2];

	p->file = temporary(err);
	if (p->file < 0)
		return p->file;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(err, "cannot make a pipe");
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != us)
			_exit(1);
		be_part(a, p, ends[1]);
	}
	close(ends[1]);
	p->tell = ends[0];
	p->seen = p->from;
	if (p->pid < 0) {
		p->pid = 0;
		return err_errno(err, "cannot start another process");
	}
	return 0;
}

/* Until it has ended, whatever signals we get. */
static void
reap(struct part *p)
{
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

static void
part_release(struct part *p)
{
	if (p->pid) {
		kill(p->pid, SIGTERM);
		reap(p);
	}
	fd_close(&p->tell);
	fd_close(&p->file);
}

/* Begin those that are wanted next, as far as there are processes. */
static int
begin_parts(struct trace_all *a, struct err *err)
{
	unsigned running = 0;
	int rc = 0;

	for (size_t i = 0; i < a->parts.len; i++)
		running += a->parts.v[i].pid != 0;
	for (size_t i = 0; rc == 0 && i < a->parts.len; i++) {
		struct part *p = &a->parts.v[i];

		if (p->pid || p->over || p->to <= a->at)
			continue;
		if (running++ >= a->t->jobs)
			break;
		rc = begin_part(a, p, err);
	}
	return rc;
}

/* What it tells, and whether it is over. */
static void
hear(struct part *p)
{
	uint64_t at[64];
	ssize_t n;

	while ((n = read(p->tell, at, sizeof(at))) >= (ssize_t)sizeof(at[0]))
		p->seen = at[(size_t)n / sizeof(at[0]) - 1];
	if (n != 0)
		return;
	reap(p);
	p->over = true;
	fd_close(&p->tell);
}

static int
wait_parts(struct trace_all *a, struct err *err)
{
	const struct survey_req *q = a->t->req;
	VEC(struct pollfd) fds = { 0 };
	uint64_t done = 0;

	for (size_t i = 0; i < a->parts.len; i++)
		if (a->parts.v[i].pid)
			vec_push(&fds, ((struct pollfd){ a->parts.v[i].tell,
							 POLLIN, 0 }));
	poll(fds.v, fds.len, LOOK_MS);
	vec_free(&fds);
	for (size_t i = 0; i < a->parts.len; i++) {
		struct part *p = &a->parts.v[i];

		if (p->pid)
			hear(p);
		if (p->over || p->seen >= p->to)
			done += p->to - p->from;
		else if (p->seen > p->from)
			done += p->seen - p->from;
	}
	if (!q->progress || q->progress(q->ctx, q->from + done, q->to))
		return 0;
	return err_set(err, E_CANCELLED, "stopped");
}

/* ---- what a part found */

struct row {
	enum row_kind kind;
	struct reader r;
};

static const char *
take_text(struct reader *r)
{
	uint32_t len = reader_u32(r);

	return len == NO_TEXT ? NULL
			      : (const char *)reader_bytes(r, len + 1ul).p;
}

static void
take_place(struct reader *r, struct sym_place *p)
{
	p->module = take_text(r);
	p->function = take_text(r);
	p->file = take_text(r);
}

static void
take(struct reader *r, void *out, size_t len)
{
	struct span s = reader_bytes(r, len);

	memset(out, 0, len);
	if (s.len)
		memcpy(out, s.p, len);
}

static bool
next_row(struct reader *all, struct row *out)
{
	struct head h = { 0 };

	if (reader_done(all))
		return false;
	take(all, &h, sizeof(h));
	out->kind = (enum row_kind)h.kind;
	reader_init(&out->r, reader_bytes(all, h.len));
	return !all->bad;
}

/*
 * A call of this part, of which only those from event at on are wanted: does it
 * depend on one that began before? Nested in one, or taken for returned when
 * it was left long ago.
 */
static bool
depends(const struct survey_call *c, uint64_t at)
{
	if (c->entry.seq >= at)
		return c->outer < at;
	return c->end == SURVEY_RETURNED && c->exit.seq >= at;
}

/* How it ended, and whether it can be used from event at on. */
static int
check_rows(struct span all, uint64_t at, struct done *d, bool *usable,
	   struct err *err)
{
	bool ended = false;
	struct reader r;
	struct row row;

	*usable = true;
	reader_init(&r, all);
	while (next_row(&r, &row)) {
		struct survey_call c;

		if (row.kind == ROW_DONE) {
			take(&row.r, d, sizeof(*d));
			ended = true;
		} else if (row.kind == ROW_CALL) {
			take(&row.r, &c, sizeof(c));
			*usable &= !depends(&c, at);
		}
	}
	return ended ? 0
		     : err_set(err, E_GONE, "a process of the trace is gone");
}

static int
hand_on(struct trace_all *a, struct row *row, uint64_t at, struct err *err)
{
	const struct survey_sink *sink = &a->t->req->sink;
	struct survey_write w;
	struct survey_call c;
	struct upto u;

	switch (row->kind) {
	case ROW_WRITE:
		take(&row->r, &w, sizeof(w));
		take_place(&row->r, &w.place);
		a->out->writes++;
		return sink->write(sink->ctx, &w, err);
	case ROW_CALL:
		take(&row->r, &c, sizeof(c));
		take_place(&row->r, &c.place);
		take_place(&row->r, &c.caller);
		c.arguments = take_text(&row->r);
		c.result = take_text(&row->r);
		if (c.entry.seq < at)
			return 0;
		a->out->calls += !c.stored;
		return sink->call(sink->ctx, &c, err);
	case ROW_UPTO:
		take(&row->r, &u, sizeof(u));
		a->t->pass(a->t->ctx, u.pass, u.passes);
		return u.seq <= at ? 0 : sink->upto(sink->ctx, u.seq, err);
	case ROW_DONE:
		break;
	}
	return 0;
}

static void
add_result(struct survey_result *to, const struct survey_result *from)
{
	to->upto = from->upto;
	if (from->passes > to->passes)
		to->passes = from->passes;
	for (size_t i = 0; i < SURVEY_FUNCTIONS; i++)
		to->found[i] |= from->found[i];
}

static int
take_rows(struct trace_all *a, struct part *p, struct span all, struct err *err)
{
	/* What was open at the first one's beginning is its own. */
	uint64_t at = p->from == a->at ? 0 : a->at;
	struct done d = { 0 };
	struct reader r;
	struct row row;
	bool usable;
	int rc = check_rows(all, at, &d, &usable, err);

	if (rc == 0 && !usable) {
		a->t->again++;
		/* Anew, from where the one before it ended. */
		part_release(p);
		*p = (struct part){ a->at, p->to, .tell = -1, .file = -1 };
		return 0;
	}
	reader_init(&r, all);
	while (rc == 0 && next_row(&r, &row))
		rc = hand_on(a, &row, at, err);
	if (rc < 0)
		return rc;
	a->t->parts++;
	add_result(a->out, &d.res);
	if (d.res.upto > a->at)
		a->at = d.res.upto;
	if (d.rc < 0 && err)
		*err = d.err;
	if (d.rc == 0 && a->at < p->to)
		return err_set(err, E_GONE, "a part of the trace ends at e%lu",
			       a->at);
	return d.rc < 0 ? d.rc : 0;
}

static int
take_part(struct trace_all *a, struct part *p, struct err *err)
{
	struct span all = { 0 };
	int rc = fd_map(p->file, &all);

	if (rc < 0)
		return err_set(err, -rc, "cannot read what was found");
	rc = take_rows(a, p, all, err);
	fd_unmap(&all);
	return rc;
}

/* The part that goes on where everything was handed on up to. */
static struct part *
next_part(struct trace_all *a)
{
	for (size_t i = 0; i < a->parts.len; i++)
		if (a->parts.v[i].to > a->at)
			return &a->parts.v[i];
	return NULL;
}

static void
make_parts(struct trace_all *a)
{
	const struct survey_req *q = a->t->req;
	uint64_t from = q->from;

	for (size_t i = 0; i <= a->t->n_bounds; i++) {
		uint64_t to = i < a->t->n_bounds ? a->t->bounds[i] : q->to;

		if (to <= from || to > q->to)
			continue;
		vec_push(&a->parts,
			 ((struct part){ from, to, .tell = -1, .file = -1 }));
		from = to;
	}
}

/* Stopped: what the first one has found by now is its last word. */
static void
take_first(struct trace_all *a)
{
	struct part *p = next_part(a);
	struct err err = { 0 };

	if (!p || !p->pid || p->from != a->at)
		return;
	kill(p->pid, SIGTERM);
	reap(p);
	p->over = true;
	take_part(a, p, &err);
}

int
trace_jobs_run(struct trace_jobs *t, struct survey_result *out, struct err *err)
{
	struct trace_all a = { .t = t, .at = t->req->from, .out = out };
	struct part *p;
	int rc = 0;

	*out = (struct survey_result){ .upto = t->req->from, .passes = 1 };
	make_parts(&a);
	while (rc == 0 && (p = next_part(&a)) != NULL) {
		if (p->over) {
			rc = take_part(&a, p, err);
			continue;
		}
		rc = begin_parts(&a, err);
		if (rc == 0)
			rc = wait_parts(&a, err);
	}
	if (rc == -E_CANCELLED)
		take_first(&a);
	for (size_t i = 0; i < a.parts.len; i++)
		part_release(&a.parts.v[i]);
	vec_free(&a.parts);
	return rc;
}
