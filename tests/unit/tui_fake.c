#include "tests/unit/tui_fake.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "base/vec.h"
#include "event/format.h"
#include "event/item.h"
#include "event/sys.h"

#define STEP_NS 1000000ull /* small: a millisecond an event */
#define SCAN_MOST 100000u  /* what the store looks at in one question */

void
fake_small(struct fake *f)
{
	*f = (struct fake){ .events = 60,
			    .name = "flaky-test",
			    .state = "done",
			    .n_marks = 1 };
	f->marks[0] = (struct mark_row){ mem_strdup("fork"), mem_strdup(""),
					 mem_strdup("e20"), 20 };
}

void
fake_big(struct fake *f)
{
	*f = (struct fake){ .events = 10000000,
			    .name = "long-run",
			    .state = "done" };
}

static void
mark_free(struct mark_row *m)
{
	mem_free((void *)(uintptr_t)m->name);
	mem_free((void *)(uintptr_t)m->note);
	mem_free((void *)(uintptr_t)m->pos);
}

void
fake_release(struct fake *f)
{
	for (size_t i = 0; i < f->n_marks; i++)
		mark_free(&f->marks[i]);
	f->n_marks = 0;
}

static void
make_call(struct event *ev, int16_t call, uint64_t a0, uint64_t a1, uint64_t a2,
	  int64_t ret)
{
	ev->call = call;
	ev->args[0] = a0;
	ev->args[1] = a1;
	ev->args[2] = a2;
	ev->ret = ret;
	ev->dur_ns = 1000 + ev->seq % 50 * 1000;
	if (ret < 0)
		ev->flags |= EVF_ERROR;
}

static void
give(struct arena *a, struct event *ev, struct buf *b)
{
	ev->payload = arena_span(a, buf_span(b));
	buf_free(b);
}

static void
make_open(struct event *ev, struct arena *a)
{
	struct buf b = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/etc/conf.d/%" PRIu64, ev->seq);
	item_put_bytes(&b, ITEM_IN, 1, span_of(path, strlen(path) + 1));
	make_call(ev, SYS_openat, (uint64_t)-100, 0x4a0000, 0,
		  ev->seq % 10 == 5 ? -ENOENT : 3);
	give(a, ev, &b);
}

static void
make_write(struct event *ev, struct arena *a)
{
	struct buf b = { 0 };
	char text[64];
	int n = snprintf(text, sizeof(text), "line %" PRIu64 "\n", ev->seq);

	item_put_bytes(&b, ITEM_IN, 1, span_of(text, (size_t)n));
	make_call(ev, SYS_write, 1, 0x4b0000, (uint64_t)n, n);
	give(a, ev, &b);
}

void
fake_event(const struct fake *f, uint64_t seq, struct arena *a,
	   struct event *out)
{
	uint64_t step = f->events > 1000 ? 1000 : STEP_NS;

	*out = (struct event){ .seq = seq,
			       .kind = EV_syscall,
			       .call = -1,
			       .time_ns = seq * step,
			       .flags = EVF_RUNS,
			       .pc = 0x401000 + seq % 16 * 4,
			       .sp = 0x7ffe0000 - seq % 8 * 16,
			       .task = seq < 20 ? 1 : (uint32_t)(seq % 3) + 1 };
	if (seq == 20) {
		out->kind = EV_birth;
		out->flags = 0;
		out->task = 2;
		out->args[0] = 4712;
		out->args[1] = 1;
		out->args[2] = 1;
	} else if (seq == f->events - 1 || seq == 40) {
		out->kind = EV_signal;
		out->task = seq == 40 ? 2 : 1;
		out->args[0] = seq == 40 ? SIGUSR1 : SIGSEGV;
		out->args[2] = seq == 40 ? 4711 : 0;
		out->args[3] = seq == 40 ? 1 : 3;
	} else if (seq == f->events) {
		out->kind = EV_death;
		out->flags = 0;
		out->task = 1;
		out->args[0] = out->args[1] = SIGSEGV;
		out->args[2] = 1;
	} else if (seq % 5 == 0) {
		make_open(out, a);
	} else if (seq % 5 == 3) {
		make_write(out, a);
	} else {
		make_call(out, seq % 2 ? SYS_getpid : SYS_close, 3, 0, 0,
			  seq % 2 ? 4711 : 0);
	}
}

static int
fake_recording(void *d, struct arena *a, struct recording_row *out,
	       struct err *err)
{
	struct fake *f = d;

	(void)a;
	if (f->fail_open)
		return err_set(err, f->fail_open, "no server answers");
	*out = (struct recording_row){
		.recording = 12,
		.uuid = "00000000-0000-0000-0000-000000000012",
		.name = f->name,
		.command = "./flaky-test -v",
		.host = "here",
		.tags = "",
		.duration_ns = f->events * (f->events > 1000 ? 1000 : STEP_NS),
		.events = f->events,
		.tasks = 3,
		.status = SIGSEGV,
		.state = f->state,
	};
	return 0;
}

static int
fake_tasks(void *d, struct arena *a, struct task_row **out, size_t *n,
	   struct err *err)
{
	const struct fake *f = d;
	uint64_t step = f->events > 1000 ? 1000 : STEP_NS;
	struct task_row *t = arena_alloc(a, 3 * sizeof(*t));

	(void)err;
	t[0] = (struct task_row){ 1,
				  1,
				  0,
				  1,
				  1,
				  4711,
				  1,
				  f->events,
				  step,
				  f->events * step,
				  SIGSEGV,
				  "main",
				  "./flaky-test -v" };
	t[1] = (struct task_row){ 2,
				  1,
				  1,
				  1,
				  1,
				  4712,
				  20,
				  0,
				  20 * step,
				  0,
				  -1,
				  "worker",
				  "./flaky-test -v" };
	t[2] = (struct task_row){ 3,
				  2,
				  1,
				  2,
				  2,
				  4713,
				  21,
				  0,
				  21 * step,
				  0,
				  -1,
				  "helper",
				  "sh -c 'sort | uniq'" };
	*out = t;
	*n = 3;
	return 0;
}

struct words {
	char key[16], value[64];
};

/* One word "key:value". */
static int
parse(const char *filter, struct words *w, struct err *err)
{
	if (sscanf(filter, "%15[a-z]:%63s", w->key, w->value) != 2 ||
	    !strstr("kind call task error", w->key))
		return err_set(err, E_USAGE, "\"%s\" is no filter", filter);
	return 0;
}

static bool
matches(const struct event *ev, const struct words *w)
{
	if (!strcmp(w->key, "kind"))
		return !strcmp(event_kind_name(ev->kind), w->value);
	if (!strcmp(w->key, "call"))
		return ev->call >= 0 && !strcmp(sys_name(ev->call), w->value);
	if (!strcmp(w->key, "task"))
		return ev->task == strtoul(w->value, NULL, 10);
	return (ev->flags & EVF_ERROR) &&
	       !strcmp(errno_name((int)-ev->ret), w->value);
}

static int
fake_events(void *d, const struct tui_events_req *req, struct arena *a,
	    struct event **out, size_t *out_n, uint64_t *out_scanned,
	    struct err *err)
{
	struct fake *f = d;
	struct event *v = arena_alloc(a, req->n * sizeof(*v));
	uint64_t seq = req->seq, looked = 0;
	struct arena tmp = { 0 };
	struct words w;
	size_t n = 0;

	atomic_fetch_add(&f->pages, 1);
	if (req->filter && parse(req->filter, &w, err) < 0)
		return -E_USAGE;
	while (n < req->n && looked++ < SCAN_MOST) {
		struct event ev;

		if (req->back ? seq <= 1 : seq >= f->events)
			break;
		seq = req->back ? seq - 1 : seq + 1;
		arena_clear(&tmp);
		fake_event(f, seq, req->filter ? &tmp : a, &ev);
		if ((req->task && ev.task != req->task) ||
		    (req->filter && !matches(&ev, &w)))
			continue;
		if (req->filter)
			fake_event(f, seq, a, &ev);
		v[n++] = ev;
	}
	arena_free(&tmp);
	*out = v;
	*out_n = n;
	*out_scanned = seq;
	return 0;
}

static int
fake_seq_at_time(void *d, uint64_t time_ns, uint64_t *out, struct err *err)
{
	const struct fake *f = d;
	uint64_t seq = time_ns / (f->events > 1000 ? 1000 : STEP_NS);

	(void)err;
	*out = seq > f->events ? f->events : seq ? seq : 1;
	return 0;
}

/* Counts by a formula; the real ones would be as many per bucket. */
static int
fake_lanes(void *d, const struct tui_lanes_req *req, uint32_t *out,
	   struct err *err)
{
	(void)d;
	(void)err;
	for (size_t t = 0; t < req->n_tasks; t++)
		for (size_t b = 0; b < req->buckets; b++)
			out[t * req->buckets + b] =
				t && b * 3 < req->buckets
					? 0
					: 1u << (b * (t + 1) % 9);
	return 0;
}

static int
fake_fds(void *d, uint32_t process, uint64_t seq, struct arena *a,
	 struct fd_row **out, size_t *n, struct err *err)
{
	struct fd_row *v = arena_alloc(a, 4 * sizeof(*v));

	(void)d;
	(void)err;
	v[0] = (struct fd_row){ 0, "tty", "/dev/pts/3", 1, false };
	v[1] = (struct fd_row){ 1, "pipe", "pipe:[4811]", 1, false };
	v[2] = (struct fd_row){ 2, "tty", "/dev/pts/3", 1, false };
	v[3] = (struct fd_row){ 3, "file", "/etc/hosts", 5, true };
	*out = v;
	*n = process == 1 && seq >= 5 ? 4 : 3;
	return 0;
}

static int
fake_output(void *d, uint32_t process, uint64_t seq, size_t max,
	    struct buf *out, struct err *err)
{
	uint64_t from = seq > 500 ? seq - 500 : 1;

	(void)d;
	(void)max;
	(void)err;
	for (uint64_t s = from; s <= seq; s++)
		if (s % 5 == 3 && (!process || s % 3 == process))
			buf_printf(out, "\033[1mline %" PRIu64 "\033[0m\n", s);
	return 0;
}

static int
fake_marks(void *d, struct arena *a, struct mark_row **out, size_t *n,
	   struct err *err)
{
	const struct fake *f = d;

	(void)err;
	*out = arena_alloc(a, (f->n_marks + 1) * sizeof(**out));
	for (size_t i = 0; i < f->n_marks; i++)
		(*out)[i] =
			(struct mark_row){ arena_strdup(a, f->marks[i].name),
					   arena_strdup(a, f->marks[i].note),
					   arena_strdup(a, f->marks[i].pos),
					   f->marks[i].seq };
	*n = f->n_marks;
	return 0;
}

static int
fake_mark_del(void *d, const char *name, struct err *err)
{
	struct fake *f = d;

	for (size_t i = 0; i < f->n_marks; i++) {
		if (strcmp(f->marks[i].name, name) != 0)
			continue;
		mark_free(&f->marks[i]);
		memmove(&f->marks[i], &f->marks[i + 1],
			(f->n_marks - i - 1) * sizeof(f->marks[0]));
		f->n_marks--;
		return 0;
	}
	return err_set(err, E_NOT_FOUND, "no bookmark @%s", name);
}

static int
fake_mark_set(void *d, const char *name, const char *pos, uint64_t seq,
	      const char *note, struct err *err)
{
	struct fake *f = d;

	fake_mark_del(d, name, NULL);
	if (f->n_marks == ARRAY_LEN(f->marks))
		return err_set(err, E_DB, "too many bookmarks");
	f->marks[f->n_marks++] =
		(struct mark_row){ mem_strdup(name), mem_strdup(note),
				   mem_strdup(pos), seq };
	return 0;
}

static int
fake_sql(void *d, const char *text, struct arena *a, struct sql_result *out,
	 struct err *err)
{
	static const char *const names[] = { "seq", "call", "path" };
	static const char *const cells[] = {
		"5",  "openat", "/etc/conf.d/5", "35", "openat", NULL,
		"60", NULL,	"two\nlines",
	};
	static const bool numeric[] = { true, false, false };
	static const char *const names_pos[] = { "pos" };
	static const char *const at[] = { "e7+0x401136#17+3", "e9+2" };

	(void)d;
	if (strstr(text, "selec "))
		return err_set(err, E_DB,
			       "ERROR: syntax error at or near \"selec\" "
			       "(42601)");
	*out = (struct sql_result){ .rows = 2, .cols = 1, .tag = "SELECT 2" };
	if (strstr(text, "select pos ")) {
		out->names = arena_dup(a, names_pos, sizeof(names_pos));
		out->cells = arena_dup(a, at, sizeof(at));
		return 0;
	}
	*out = (struct sql_result){ .rows = 3, .cols = 3, .tag = "SELECT 3" };
	out->names = arena_dup(a, names, sizeof(names));
	out->cells = arena_dup(a, cells, sizeof(cells));
	out->numeric = numeric;
	return 0;
}

static void
fake_cancel(void *d)
{
	atomic_store(&((struct fake *)d)->cancelled, true);
}

static void
fake_close(void *d)
{
	atomic_fetch_add(&((struct fake *)d)->closed, 1);
}

const struct tui_query_ops fake_query = {
	.recording = fake_recording,
	.tasks = fake_tasks,
	.events = fake_events,
	.seq_at_time = fake_seq_at_time,
	.lanes = fake_lanes,
	.fds = fake_fds,
	.output = fake_output,
	.marks = fake_marks,
	.mark_set = fake_mark_set,
	.mark_del = fake_mark_del,
	.sql = fake_sql,
	.cancel = fake_cancel,
	.close = fake_close,
};
