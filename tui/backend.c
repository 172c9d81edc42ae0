/*
 * The real data: questions to a connection, moments of a target. Opened by
 * the worker that uses it, when it is first used.
 */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "tui/look.h"
#include "tui/tui.h"

struct query_side {
	const struct tui_backend *b;
	pthread_mutex_t
		lock; /* db changes under it; cancel comes from outside */
	struct db *db;
	char *filter_text; /* the filter parsed last */
	struct event_filter *filter;
};

struct replay_side {
	const struct tui_backend *b;
	struct target *target;
	struct look *look;
};

void *
tui_backend_query_new(const struct tui_backend *b)
{
	struct query_side *q = mem_zalloc(sizeof(*q));

	q->b = b;
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

static void
set_db(struct query_side *q, struct db *db)
{
	struct db *old;

	pthread_mutex_lock(&q->lock);
	old = q->db;
	q->db = db;
	pthread_mutex_unlock(&q->lock);
	if (old)
		q->b->close_db(q->b->ctx, old);
}

static int
open_db(struct query_side *q, struct err *err)
{
	struct db *db = NULL;
	int rc;

	if (q->db)
		return 0;
	rc = q->b->open_db(q->b->ctx, &db, err);
	if (rc >= 0)
		set_db(q, db);
	return rc;
}

/* A lost connection is made again for the next question. */
static int
after(struct query_side *q, int rc)
{
	if (rc == -E_DB_UNREACHABLE)
		set_db(q, NULL);
	return rc;
}

static int
parse_filter(struct query_side *q, const char *text, struct err *err)
{
	struct event_filter *f = NULL;
	int rc;

	if (q->filter_text && !strcmp(q->filter_text, text))
		return 0;
	rc = event_filter_parse(text, &f, err);
	if (rc < 0)
		return rc;
	event_filter_free(q->filter);
	mem_free(q->filter_text);
	q->filter = f;
	q->filter_text = mem_strdup(text);
	return 0;
}

static int
backend_recording(void *d, struct arena *a, struct recording_row *out,
		  struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_recording(q->db, q->b->recording, a, out, err));
}

static int
backend_tasks(void *d, struct arena *a, struct task_row **out, size_t *n,
	      struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_tasks(q->db, q->b->recording, a, out, n, err));
}

static int
backend_events(void *d, const struct tui_events_req *req, struct arena *a,
	       struct event **out, size_t *out_n, uint64_t *out_scanned,
	       struct err *err)
{
	struct query_side *q = d;
	char *text = NULL;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	if (req->filter)
		text = mem_strdup(req->filter);
	else if (req->task)
		text = mem_printf("task:%u", req->task);
	if (text)
		rc = parse_filter(q, text, err);
	if (rc >= 0)
		rc = query_events(q->db, q->b->recording, req->seq, req->back,
				  req->n, text ? q->filter : NULL, a, out,
				  out_n, out_scanned, err);
	mem_free(text);
	return after(q, rc);
}

static int
backend_seq_at_time(void *d, uint64_t time_ns, uint64_t *out, struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_seq_at_time(q->db, q->b->recording, time_ns, out,
					  err));
}

static int
backend_lanes(void *d, const struct tui_lanes_req *req, uint32_t *out,
	      struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_lanes(q->db, q->b->recording, req->from_ns,
				    req->to_ns, req->buckets, req->tasks,
				    req->n_tasks, out, err));
}

static int
backend_fds(void *d, uint32_t process, uint64_t seq, struct arena *a,
	    struct fd_row **out, size_t *n, struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_fds(q->db, q->b->recording, process, seq, a, out,
				  n, err));
}

static int
backend_output(void *d, uint32_t process, uint64_t seq, size_t max,
	       struct buf *out, struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_output(q->db, q->b->recording, process, seq, max,
				     out, err));
}

static int
backend_marks(void *d, struct arena *a, struct mark_row **out, size_t *n,
	      struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_marks(q->db, q->b->recording, a, out, n, err));
}

static int
backend_mark_set(void *d, const char *name, const char *pos, uint64_t seq,
		 const char *note, struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_mark_set(q->db, q->b->recording, name, pos, seq,
				       note, err));
}

static int
backend_mark_del(void *d, const char *name, struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc < 0)
		return rc;
	return after(q, query_mark_del(q->db, q->b->recording, name, err));
}

static int
backend_sql(void *d, const char *text, struct arena *a, struct sql_result *out,
	    struct err *err)
{
	struct query_side *q = d;
	int rc = open_db(q, err);

	if (rc >= 0)
		rc = query_fill_rows(q->db, q->b->recording, NULL, NULL, err);
	if (rc >= 0)
		rc = query_sql(q->db, q->b->recording, text, a, out, err);
	return after(q, rc);
}

static void
backend_cancel(void *d)
{
	struct query_side *q = d;

	pthread_mutex_lock(&q->lock);
	if (q->db)
		query_cancel(q->db);
	pthread_mutex_unlock(&q->lock);
}

static void
backend_query_close(void *d)
{
	struct query_side *q = d;

	set_db(q, NULL);
	event_filter_free(q->filter);
	mem_free(q->filter_text);
	pthread_mutex_destroy(&q->lock);
	mem_free(q);
}

const struct tui_query_ops tui_backend_query = {
	.recording = backend_recording,
	.tasks = backend_tasks,
	.events = backend_events,
	.seq_at_time = backend_seq_at_time,
	.lanes = backend_lanes,
	.fds = backend_fds,
	.output = backend_output,
	.marks = backend_marks,
	.mark_set = backend_mark_set,
	.mark_del = backend_mark_del,
	.sql = backend_sql,
	.cancel = backend_cancel,
	.close = backend_query_close,
};

void *
tui_backend_replay_new(const struct tui_backend *b)
{
	struct replay_side *r = mem_zalloc(sizeof(*r));

	r->b = b;
	return r;
}

static int
open_target(struct replay_side *r, struct err *err)
{
	int rc;

	if (r->target)
		return 0;
	rc = r->b->open_target(r->b->ctx, &r->target, err);
	if (rc >= 0)
		r->look = look_new(r->target);
	return rc;
}

static int
backend_move(void *d, const struct pos *from,
	     const struct target_motion_req *req, struct target_stop *out,
	     struct err *err)
{
	struct replay_side *r = d;
	int rc = open_target(r, err);

	if (rc >= 0)
		rc = r->target->ops->seek(r->target, from, req->progress,
					  req->ctx, err);
	if (rc >= 0)
		rc = r->target->ops->move(r->target, req, out, err);
	if (rc == -E_CANCELLED && r->target->ops->where(r->target, &out->pos))
		out->pos = *from;
	return rc;
}

static int
backend_event(void *d, uint64_t seq, struct arena *a, struct event *out,
	      struct err *err)
{
	struct replay_side *r = d;
	int rc = open_target(r, err);

	if (rc >= 0)
		rc = r->target->ops->event(r->target, seq, out, err);
	if (rc >= 0)
		out->payload = arena_span(a, out->payload);
	return rc;
}

static void
add_warning(struct replay_side *r, struct arena *a, struct tui_moment *out)
{
	const char *text = r->b->warning ? r->b->warning(r->b->ctx) : NULL;

	out->warning = text ? arena_strdup(a, text) : NULL;
}

static int
backend_moment(void *d, const struct tui_moment_req *req,
	       bool (*progress)(void *ctx, uint64_t at, uint64_t to), void *ctx,
	       struct arena *a, struct tui_moment *out, struct err *err)
{
	struct replay_side *r = d;
	int rc = open_target(r, err);

	if (rc < 0)
		return rc;
	rc = r->target->ops->seek(r->target, &req->pos, progress, ctx, err);
	if (rc >= 0)
		rc = look_at(r->look, req, a, out, err);
	if (rc >= 0)
		add_warning(r, a, out);
	return rc;
}

static int
backend_places(void *d, const struct pos *at, const char *spec,
	       const char *file, uint64_t *out, size_t max, size_t *n,
	       struct err *err)
{
	struct replay_side *r = d;
	int rc = open_target(r, err);

	if (rc >= 0)
		rc = r->target->ops->seek(r->target, at, NULL, NULL, err);
	return rc < 0 ? rc
		      : look_places(r->look, at->task, spec, file, out, max, n,
				    err);
}

static int
backend_names(void *d, const struct tui_names_req *req, struct arena *a,
	      const char ***out, size_t *n, size_t *all, struct err *err)
{
	struct replay_side *r = d;
	int rc = open_target(r, err);

	/* Names are of the program, whatever the moment. */
	if (rc >= 0 && look_is_part(req->prefix))
		rc = r->target->ops->seek(r->target, &req->at.pos, NULL, NULL,
					  err);
	return rc < 0 ? rc : look_names(r->look, req, a, out, n, all, err);
}

static int
backend_variable(void *d, const struct tui_moment_req *at, const char *expr,
		 struct arena *a, struct sym_var *out, struct err *err)
{
	struct replay_side *r = d;
	int rc = open_target(r, err);

	if (rc >= 0)
		rc = r->target->ops->seek(r->target, &at->pos, NULL, NULL, err);
	return rc < 0 ? rc : look_variable(r->look, at, expr, a, out, err);
}

static bool
backend_holds(void *d, uint32_t task, const char *cond)
{
	struct replay_side *r = d;

	return look_holds(r->look, task, cond);
}

static void
backend_replay_close(void *d)
{
	struct replay_side *r = d;

	look_free(r->look);
	if (r->target)
		r->b->close_target(r->b->ctx, r->target);
	mem_free(r);
}

const struct tui_replay_ops tui_backend_replay = {
	.move = backend_move,
	.event = backend_event,
	.moment = backend_moment,
	.places = backend_places,
	.names = backend_names,
	.variable = backend_variable,
	.holds = backend_holds,
	.close = backend_replay_close,
};
