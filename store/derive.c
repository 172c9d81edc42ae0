/*
 * Interval tables, incrementally. What is open (no end yet) is loaded and its
 * rows are deleted; new events go over it; then everything is stored again:
 * no row is ever updated in place.
 */
#include "store/derive.h"

#include "base/mem.h"
#include "event/item.h"
#include "store/copy.h"
#include "store/db.h"
#include "store/intervals.h"
#include "store/keys.h"
#include "store/mappings.h"
#include "store/reader.h"

#define FLUSH_ROWS 100000
#define ANALYZE_ROWS 500
#define OID_TEXT 25
#define OID_UUID 2950

struct derive {
	struct db *db;
	uint64_t rec;
	uint64_t from, to; /* events after from, up to to */
	struct intervals iv;
	size_t stored; /* rows */
	derive_progress *progress;
	void *ctx;
};

/* ---- loading */

static char *
text_or_null(const struct db_rows *r, size_t row, size_t col, struct arena *a)
{
	return db_get_null(r, row, col)
		       ? NULL
		       : mem_strdup(db_get_text(r, row, col, a));
}

/* Words that \x01 separates, as NUL-terminated ones. */
static void
put_words(struct buf *b, const char *joined)
{
	size_t at = b->len;

	buf_put(b, joined, strlen(joined) + 1);
	for (; at < b->len; at++) {
		if (b->p[at] == 1)
			b->p[at] = '\0';
	}
}

static int
load_tasks(struct derive *d, struct arena *a, struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(d->db,
		      "delete from pastime.task where recording = $1 "
		      "and to_seq is null returning task, process, "
		      "coalesce(parent, 0), tid, space, share_group, "
		      "from_seq, from_ns, comm",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct task_iv *t = mem_zalloc(sizeof(*t));

		t->task = (uint32_t)db_get_int(&r, i, 0);
		t->process = (uint32_t)db_get_int(&r, i, 1);
		t->parent = (uint32_t)db_get_int(&r, i, 2);
		t->tid = (int)db_get_int(&r, i, 3);
		t->space = (uint32_t)db_get_int(&r, i, 4);
		t->group = (uint32_t)db_get_int(&r, i, 5);
		t->from_seq = (uint64_t)db_get_int(&r, i, 6);
		t->from_ns = (uint64_t)db_get_int(&r, i, 7);
		t->comm = text_or_null(&r, i, 8, a);
		intervals_add_task(&d->iv, t);
	}
	return rc;
}

static int
load_processes(struct derive *d, struct arena *a, struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(d->db,
		      "delete from pastime.process where recording = $1 "
		      "and to_seq is null returning process, "
		      "coalesce(parent, 0), pid, from_seq, from_ns, exe, "
		      "command",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct process_iv *p = mem_zalloc(sizeof(*p));

		p->process = (uint32_t)db_get_int(&r, i, 0);
		p->parent = (uint32_t)db_get_int(&r, i, 1);
		p->pid = (int)db_get_int(&r, i, 2);
		p->from_seq = (uint64_t)db_get_int(&r, i, 3);
		p->from_ns = (uint64_t)db_get_int(&r, i, 4);
		p->exe = text_or_null(&r, i, 5, a);
		p->command = text_or_null(&r, i, 6, a);
		intervals_add_process(&d->iv, p);
	}
	if (rc < 0)
		return rc;
	rc = db_query(d->db,
		      "delete from pastime.image where recording = $1 "
		      "and to_seq is null returning process, from_seq, exe, "
		      "pg_catalog.array_to_string(argv, E'\\x01')",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct image_iv *m = mem_zalloc(sizeof(*m));

		m->process = (uint32_t)db_get_int(&r, i, 0);
		m->from_seq = (uint64_t)db_get_int(&r, i, 1);
		m->exe = text_or_null(&r, i, 2, a);
		put_words(&m->argv, db_get_text(&r, i, 3, a));
		intervals_add_image(&d->iv, m);
	}
	return rc;
}

static int
load_descriptors(struct derive *d, struct arena *a, struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(d->db,
		      "select coalesce(max(file), 0) from pastime.open_file "
		      "where recording = $1",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	if (rc < 0)
		return rc;
	d->iv.last_file = (uint32_t)db_get_int(&r, 0, 0);
	rc = db_query(d->db,
		      "delete from pastime.open_file f "
		      "where f.recording = $1 and f.file in "
		      "(select d.file from pastime.descriptor d "
		      "where d.recording = $1 and d.to_seq is null) "
		      "returning f.file, f.from_seq, coalesce(f.process, 0), "
		      "f.name, f.local, f.peer, f.kind",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct open_file_iv *f = mem_zalloc(sizeof(*f));

		f->file = (uint32_t)db_get_int(&r, i, 0);
		f->from_seq = (uint64_t)db_get_int(&r, i, 1);
		f->process = (uint32_t)db_get_int(&r, i, 2);
		f->kind = intervals_word(db_get_text(&r, i, 6, a));
		f->name = text_or_null(&r, i, 3, a);
		f->local = text_or_null(&r, i, 4, a);
		f->peer = text_or_null(&r, i, 5, a);
		intervals_add_open_file(&d->iv, f);
	}
	if (rc < 0)
		return rc;
	rc = db_query(d->db,
		      "delete from pastime.descriptor where recording = $1 "
		      "and to_seq is null returning process, fd, from_seq, "
		      "file, how, cloexec",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct descriptor_iv *v = mem_zalloc(sizeof(*v));

		v->process = (uint32_t)db_get_int(&r, i, 0);
		v->fd = (int)db_get_int(&r, i, 1);
		v->from_seq = (uint64_t)db_get_int(&r, i, 2);
		v->file = (uint32_t)db_get_int(&r, i, 3);
		v->how = intervals_word(db_get_text(&r, i, 4, a));
		v->cloexec = db_get_int(&r, i, 5);
		intervals_add_descriptor(&d->iv, v);
	}
	return rc;
}

static int
load_mappings(struct derive *d, struct arena *a, struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(d->db,
		      "delete from pastime.mapping where recording = $1 "
		      "and to_seq is null returning space, start, len, "
		      "from_seq, prot, flags, coalesce(file, 0), file_offset, "
		      "shared",
		      DB_ARGS(DB_INT(d->rec)), a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct mapping_iv *m = mem_zalloc(sizeof(*m));

		m->space = (uint32_t)db_get_int(&r, i, 0);
		m->start = (uint64_t)db_get_int(&r, i, 1);
		m->len = (uint64_t)db_get_int(&r, i, 2);
		m->seq = (uint64_t)db_get_int(&r, i, 3);
		m->prot = (uint32_t)db_get_int(&r, i, 4);
		m->flags = (uint32_t)db_get_int(&r, i, 5);
		m->file = (uint64_t)db_get_int(&r, i, 6);
		m->offset = (uint64_t)db_get_int(&r, i, 7);
		m->shared = db_get_int(&r, i, 8);
		mappings_add(&d->iv, m);
	}
	return rc;
}

/* ---- storing */

static void
text_field(struct buf *b, const char *text)
{
	if (text)
		copy_text(b, span_str(text));
	else
		copy_null(b);
}

static bool
put_task(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct task_iv *t = d->iv.tasks.v[i];

	if (!open && !t->to_seq)
		return false;
	copy_row(b, 13);
	copy_int8(b, (int64_t)d->rec);
	copy_int4(b, (int32_t)t->task);
	copy_int4(b, (int32_t)t->process);
	copy_int4_or_null(b, t->parent, t->parent);
	copy_int4(b, t->tid);
	copy_int4(b, (int32_t)t->space);
	copy_int4(b, (int32_t)t->group);
	copy_int8(b, (int64_t)t->from_seq);
	copy_int8_or_null(b, t->to_seq != 0, t->to_seq);
	copy_int8(b, (int64_t)t->from_ns);
	copy_int8_or_null(b, t->to_ns != 0, t->to_ns);
	copy_int4_or_null(b, t->has_status, t->status);
	text_field(b, t->comm);
	return true;
}

static bool
put_process(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct process_iv *p = d->iv.processes.v[i];

	if (p->process == 0 || (!open && !p->to_seq))
		return false;
	copy_row(b, 11);
	copy_int8(b, (int64_t)d->rec);
	copy_int4(b, (int32_t)p->process);
	copy_int4_or_null(b, p->parent, p->parent);
	copy_int4(b, p->pid);
	copy_int8(b, (int64_t)p->from_seq);
	copy_int8_or_null(b, p->to_seq != 0, p->to_seq);
	copy_int8(b, (int64_t)p->from_ns);
	copy_int8_or_null(b, p->to_ns != 0, p->to_ns);
	copy_int4_or_null(b, p->has_status, p->status);
	text_field(b, p->exe);
	text_field(b, p->command);
	return true;
}

/* An array of text; PostgreSQL wants its length in front. */
static void
words_field(struct buf *b, struct span words)
{
	struct buf elems = { 0 };
	size_t n = 0, at = 0;

	while (at < words.len) {
		size_t len =
			strnlen((const char *)words.p + at, words.len - at);

		copy_text(&elems, span_of(words.p + at, len));
		at += len + 1;
		n++;
	}
	copy_be32(b, (uint32_t)(n ? 20 + elems.len : 12));
	copy_be32(b, n ? 1 : 0);
	copy_be32(b, 0);
	copy_be32(b, OID_TEXT);
	if (n) {
		copy_be32(b, (uint32_t)n);
		copy_be32(b, 1);
		buf_put(b, elems.p, elems.len);
	}
	buf_free(&elems);
}

static void
command_field(struct buf *b, struct span words)
{
	struct buf text = { 0 };

	if (words.len && words.p[words.len - 1] == '\0')
		words.len--;
	buf_put(&text, words.p, words.len);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\0')
			text.p[i] = ' ';
	}
	copy_text(b, buf_span(&text));
	buf_free(&text);
}

static bool
put_image(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct image_iv *m = d->iv.images.v[i];

	if (!open && !m->to_seq)
		return false;
	copy_row(b, 7);
	copy_int8(b, (int64_t)d->rec);
	copy_int4(b, (int32_t)m->process);
	copy_int8(b, (int64_t)m->from_seq);
	copy_int8_or_null(b, m->to_seq != 0, m->to_seq);
	text_field(b, m->exe);
	words_field(b, buf_span(&m->argv));
	command_field(b, buf_span(&m->argv));
	return true;
}

static bool
put_descriptor(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct descriptor_iv *v = d->iv.descriptors.v[i];

	if (v->process == 0 || (!open && !v->to_seq))
		return false;
	copy_row(b, 9);
	copy_int8(b, (int64_t)d->rec);
	copy_int4(b, (int32_t)v->process);
	copy_int4(b, v->fd);
	copy_int8(b, (int64_t)v->from_seq);
	copy_int8_or_null(b, v->to_seq != 0, v->to_seq);
	copy_int4(b, (int32_t)v->file);
	text_field(b, v->how);
	copy_bool(b, v->cloexec);
	text_field(b, v->closed_by);
	return true;
}

static bool
put_open_file(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct open_file_iv *f = d->iv.open_files.v[i];

	if (!open && f->refs)
		return false;
	copy_row(b, 8);
	copy_int8(b, (int64_t)d->rec);
	copy_int4(b, (int32_t)f->file);
	copy_int8(b, (int64_t)f->from_seq);
	copy_int4_or_null(b, f->process, f->process);
	text_field(b, f->kind);
	text_field(b, f->name);
	text_field(b, f->local);
	text_field(b, f->peer);
	return true;
}

static bool
put_file(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct file_iv *row = &d->iv.files.v[i];
	const struct blob_id *ids;
	struct file_rec f;
	const char *path;
	struct item it;
	size_t n;

	(void)open;
	if (!item_find(buf_span(&row->item), ITEM_FILE, UINT64_MAX, &it) ||
	    item_get_file(&it, &f, &path, &ids, &n, NULL) < 0)
		return false;
	copy_row(b, 12);
	copy_int8(b, (int64_t)d->rec);
	copy_int8(b, (int64_t)f.number);
	copy_int8(b, (int64_t)row->seq);
	copy_text(b, span_str(path));
	copy_int8(b, (int64_t)f.dev);
	copy_int8(b, (int64_t)f.ino);
	copy_int8(b, (int64_t)f.size);
	copy_int8(b, (int64_t)f.mtime_ns);
	copy_int4(b, (int32_t)f.mode);
	copy_bool(b, f.whole);
	copy_int8(b, (int64_t)f.from);
	copy_array(b, OID_UUID, n, 20);
	for (size_t k = 0; k < n; k++)
		copy_bytes(b, span_of(ids[k].b, sizeof(ids[k].b)));
	return true;
}

static bool
put_mapping(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct mapping_iv *m = d->iv.mappings.v[i];

	if (m->dropped || (!open && !m->to_seq))
		return false;
	copy_row(b, 11);
	copy_int8(b, (int64_t)d->rec);
	copy_int4(b, (int32_t)m->space);
	copy_int8(b, (int64_t)m->start);
	copy_int8(b, (int64_t)m->len);
	copy_int8(b, (int64_t)m->seq);
	copy_int4(b, (int32_t)m->prot);
	copy_int4(b, (int32_t)m->flags);
	copy_int8_or_null(b, m->file != 0, m->file);
	copy_int8(b, (int64_t)m->offset);
	copy_bool(b, m->shared);
	copy_int8_or_null(b, m->to_seq != 0, m->to_seq);
	return true;
}

static bool
put_warning(const struct derive *d, size_t i, bool open, struct buf *b)
{
	const struct warning_iv *w = &d->iv.warnings.v[i];

	(void)open;
	copy_row(b, 6);
	copy_int8(b, (int64_t)d->rec);
	copy_int8(b, (int64_t)w->seq);
	copy_int4(b, (int32_t)w->task);
	copy_int4(b, w->code);
	if (w->call >= 0)
		copy_int2(b, (int16_t)w->call);
	else
		copy_null(b);
	copy_text(b, span_str(w->note));
	return true;
}

struct table {
	const char *columns;
	/* Append row i; false: not now. open: open ones too. */
	bool (*put)(const struct derive *d, size_t i, bool open, struct buf *b);
	size_t rows; /* offset of the vector's length in struct derive */
};

#define ROWS(which) offsetof(struct derive, iv.which.len)

static const struct table tables[] = {
	{ "task (recording, task, process, parent, tid, space, share_group, "
	  "from_seq, to_seq, from_ns, to_ns, status, comm)",
	  put_task, ROWS(tasks) },
	{ "process (recording, process, parent, pid, from_seq, to_seq, "
	  "from_ns, to_ns, status, exe, command)",
	  put_process, ROWS(processes) },
	{ "image (recording, process, from_seq, to_seq, exe, argv, command)",
	  put_image, ROWS(images) },
	{ "descriptor (recording, process, fd, from_seq, to_seq, file, how, "
	  "cloexec, closed_by)",
	  put_descriptor, ROWS(descriptors) },
	{ "open_file (recording, file, from_seq, process, kind, name, local, "
	  "peer)",
	  put_open_file, ROWS(open_files) },
	{ "file (recording, file, seq, path, dev, ino, size, mtime_ns, mode, "
	  "whole, from_byte, blobs)",
	  put_file, ROWS(files) },
	{ "mapping (recording, space, start, len, from_seq, prot, flags, "
	  "file, file_offset, shared, to_seq)",
	  put_mapping, ROWS(mappings) },
	{ "warning (recording, seq, task, code, call, note)", put_warning,
	  ROWS(warnings) },
};

static int
store_table(struct derive *d, const struct table *t, bool open, struct err *err)
{
	struct buf b = { 0 };
	size_t n, stored = 0;
	char *sql;
	int rc = 0;

	memcpy(&n, (const char *)d + t->rows, sizeof(n));
	copy_start(&b);
	for (size_t i = 0; i < n; i++)
		stored += t->put(d, i, open, &b);
	d->stored += stored;
	if (stored) {
		copy_finish(&b);
		sql = mem_printf("copy pastime.%s from stdin (format binary)",
				 t->columns);
		rc = db_copy_begin(d->db, sql, err);
		if (rc == 0)
			rc = db_copy_put(d->db, buf_span(&b), err);
		if (rc == 0)
			rc = db_copy_end(d->db, NULL, err);
		mem_free(sql);
	}
	buf_free(&b);
	return rc;
}

static int
store_all(struct derive *d, bool open, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(tables); i++)
		rc = store_table(d, &tables[i], open, err);
	if (rc == 0)
		intervals_drop_closed(&d->iv);
	return rc;
}

/* ---- the pass over the chunks */

static bool
wanted_chunk(const struct db_rows *r, size_t i)
{
	for (size_t k = 0; k < db_get_array_len(r, i, 1); k++) {
		unsigned kind = (unsigned)db_get_array_int(r, i, 1, k);

		if (kind != EV_syscall && kind != EV_exit &&
		    intervals_wants(kind, -1))
			return true;
	}
	for (size_t k = 0; k < db_get_array_len(r, i, 2); k++) {
		if (intervals_wants(EV_syscall,
				    (int)db_get_array_int(r, i, 2, k)))
			return true;
	}
	return false;
}

static int
see_chunk(struct derive *d, struct chunk_reader *cr, uint64_t first,
	  struct err *err)
{
	struct chunk c;
	int rc = chunk_reader_get(cr, first, true, &c, err);

	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < c.n && c.ev[i].seq <= d->to; i++) {
		if (c.ev[i].seq > d->from)
			intervals_event(&d->iv, &c.ev[i]);
	}
	if (d->iv.descriptors.len + d->iv.tasks.len + d->iv.open_files.len +
		    d->iv.mappings.len <
	    FLUSH_ROWS)
		return 0;
	rc = chunk_reader_idle(cr, err);
	return rc < 0 ? rc : store_all(d, false, err);
}

static int
see_all(struct derive *d, struct err *err)
{
	struct chunk_reader *cr = chunk_reader_new(d->db, d->rec);
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(
		d->db,
		"select first_seq, kinds, calls from pastime.chunk "
		"where recording = $1 and first_seq + n > $2 "
		"and first_seq <= $3 order by first_seq",
		DB_ARGS(DB_INT(d->rec), DB_INT(d->from + 1), DB_INT(d->to)), &a,
		&r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		uint64_t first = (uint64_t)db_get_int(&r, i, 0);

		if (wanted_chunk(&r, i))
			rc = see_chunk(d, cr, first, err);
		if (rc == -E_FORMAT && first > d->from + 1) {
			/* What lies before the damage is usable. */
			d->to = first - 1;
			rc = 0;
			break;
		}
		if (rc == 0 && d->progress &&
		    !d->progress(d->ctx, first, d->to))
			rc = err_set(err, E_CANCELLED, "interrupted");
	}
	if (rc == 0)
		rc = chunk_reader_idle(cr, err);
	chunk_reader_free(cr);
	arena_free(&a);
	return rc;
}

static int
look(struct derive *d, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(d->db,
		      "select intervals_upto, events from pastime.recording "
		      "where recording = $1",
		      DB_ARGS(DB_INT(d->rec)), &a, &r, err);
	if (rc == 0 && r.n == 0)
		rc = err_set(err, E_NOT_FOUND, "there is no recording %lu",
			     (unsigned long)d->rec);
	if (rc == 0) {
		d->from = (uint64_t)db_get_int(&r, 0, 0);
		d->to = (uint64_t)db_get_int(&r, 0, 1);
	}
	arena_free(&a);
	return rc;
}

static int
derive_locked(struct derive *d, struct err *err)
{
	struct arena a = { 0 };
	int rc;

	rc = db_query(d->db, "select pg_catalog.pg_advisory_xact_lock($1)",
		      DB_ARGS(DB_INT(KEY_ROWS(d->rec))), NULL, NULL, err);
	if (rc == 0)
		rc = look(d, err);
	if (rc < 0 || d->from >= d->to)
		return rc;
	rc = load_processes(d, &a, err);
	if (rc == 0)
		rc = load_tasks(d, &a, err);
	if (rc == 0)
		rc = load_descriptors(d, &a, err);
	if (rc == 0)
		rc = load_mappings(d, &a, err);
	if (rc == 0)
		rc = see_all(d, err);
	if (rc == 0)
		rc = store_all(d, true, err);
	if (rc == 0)
		rc = db_query(d->db,
			      "update pastime.recording set intervals_upto = "
			      "$2 where recording = $1",
			      DB_ARGS(DB_INT(d->rec), DB_INT(d->to)), NULL,
			      NULL, err);
	arena_free(&a);
	return rc;
}

int
derive_intervals(struct db *db, uint64_t rec, derive_progress *progress,
		 void *ctx, struct err *err)
{
	struct derive d = {
		.db = db, .rec = rec, .progress = progress, .ctx = ctx
	};
	int rc;

	rc = look(&d, err);
	if (rc < 0 || d.from >= d.to)
		return rc;
	intervals_init(&d.iv);
	rc = db_begin(db, err);
	if (rc == 0)
		rc = derive_locked(&d, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	/* Much that is new: the planner should know before autovacuum comes. */
	if (rc == 0 && d.stored > ANALYZE_ROWS)
		rc = db_exec(db,
			     "analyze pastime.task, pastime.process, "
			     "pastime.image, pastime.descriptor, "
			     "pastime.open_file",
			     err);
	intervals_release(&d.iv);
	return rc;
}
