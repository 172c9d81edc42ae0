#include "store/ship.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "store/copy.h"
#include "store/db.h"
#include "store/frame.h"
#include "store/keys.h"
#include "store/pack.h"
#define LOG_DOMAIN "store"
#include "base/log.h"

#define STEP_BYTES (8u * 1024 * 1024)
#define SYNC_EVERY_NS UINT64_C(1000000000)
#define OID_INT2 21
#define OID_INT4 23

struct shipper {
	struct db *db;
	struct spool *spool;
	struct packer *packer;
	uint64_t recording;
	uint64_t events;     /* stored and committed */
	uint64_t at;	     /* in the spool: frames before it are committed */
	uint64_t durable_ns; /* when a commit was last waited for */
	bool ended;
	bool hidden; /* it has no events yet: marked as removed until then */
};

/* What one transaction brings. */
struct load {
	struct arena arena;
	struct buf frame; /* the last one read */
	struct buf rows;  /* of pastime.chunk */
	uint64_t next;	  /* offset behind it */
	uint64_t events, duration, bytes;
	uint32_t tasks;
	size_t chunks;
	bool end, has_status;
	int status;
};

static void
json_string(struct buf *b, const char *s)
{
	struct buf clean = { 0 };

	utf8_put(&clean, span_str(s));
	buf_u8(b, '"');
	for (size_t i = 0; i < clean.len; i++) {
		uint8_t c = clean.p[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else
			buf_u8(b, c);
	}
	buf_u8(b, '"');
	buf_free(&clean);
}

static void
tags_json(struct buf *b, struct span facts)
{
	const char *key, *value;
	size_t n = 0;

	buf_u8(b, '{');
	for (size_t i = 0; facts_at(facts, i, &key, &value); i++) {
		if (strncmp(key, "tag.", 4) != 0)
			continue;
		buf_str(b, n++ ? "," : "");
		json_string(b, key + 4);
		buf_u8(b, ':');
		json_string(b, value);
	}
	buf_u8(b, '}');
}

/* A fact as text that the server takes. */
static const char *
clean_fact(struct arena *a, struct span facts, const char *key)
{
	struct buf b = { 0 };
	const char *out;

	utf8_put(&b, span_str(facts_get(facts, key)));
	out = arena_strdup(a, buf_cstr(&b));
	buf_free(&b);
	return out;
}

static int
insert_recording(struct shipper *s, struct arena *a, struct err *err)
{
	struct span facts = spool_meta(s->spool);
	struct buf tags = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(s->db,
		      "update pastime.counter set last = last + 1 "
		      "where name = 'recording' returning last",
		      DB_NONE, a, &r, err);
	if (rc < 0)
		return rc;
	if (r.n != 1)
		return err_set(err, E_DB,
			       "pastime.counter has no row for "
			       "recordings");
	s->recording = (uint64_t)db_get_int(&r, 0, 0);
	tags_json(&tags, facts);
	rc = db_query(s->db,
		      "insert into pastime.recording (recording, uuid, name, "
		      "command, host, version, tags, started_ns, removed) "
		      "values ($1, $2::uuid, $3, $4, $5, $6, $7::jsonb, "
		      "$8::bigint, true)",
		      DB_ARGS(DB_INT(s->recording),
			      DB_TEXT(facts_get(facts, "uuid")),
			      DB_TEXT(clean_fact(a, facts, "name")),
			      DB_TEXT(clean_fact(a, facts, "command")),
			      DB_TEXT(clean_fact(a, facts, "host")),
			      DB_TEXT(facts_get(facts, "version")),
			      DB_TEXT(buf_cstr(&tags)),
			      DB_INT(strtoull(facts_get(facts, "started_ns"),
					      NULL, 10))),
		      NULL, NULL, err);
	buf_free(&tags);
	return rc;
}

static int
find_or_insert(struct shipper *s, struct arena *a, struct err *err)
{
	const char *uuid = facts_get(spool_meta(s->spool), "uuid");
	struct db_rows r;
	int rc;

	rc = db_query(s->db,
		      "select recording, events, removed and events = 0 "
		      "from pastime.recording where uuid = $1::uuid",
		      DB_ARGS(DB_TEXT(uuid)), a, &r, err);
	if (rc < 0)
		return rc;
	s->hidden = r.n == 0 || db_get_int(&r, 0, 2) != 0;
	if (r.n == 0)
		return insert_recording(s, a, err);
	s->recording = (uint64_t)db_get_int(&r, 0, 0);
	s->events = (uint64_t)db_get_int(&r, 0, 1);
	return 0;
}

int
ship_open(struct db *db, struct spool *sp, bool live, struct shipper **out,
	  struct err *err)
{
	struct shipper *s = mem_zalloc(sizeof(*s));
	struct arena a = { 0 };
	int rc;

	s->db = db;
	s->spool = sp;
	s->packer = packer_new();
	s->at = spool_start(sp);
	rc = db_begin(db, err);
	if (rc == 0)
		rc = find_or_insert(s, &a, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	if (rc == 0 && live)
		rc = db_query(db, "select pg_catalog.pg_advisory_lock($1)",
			      DB_ARGS(DB_INT(KEY_LIVE(s->recording))), NULL,
			      NULL, err);
	arena_free(&a);
	if (rc < 0) {
		ship_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
ship_close(struct shipper *s)
{
	if (!s)
		return;
	packer_free(s->packer);
	mem_free(s);
}

uint64_t
ship_recording(const struct shipper *s)
{
	return s->recording;
}

static void
copy_small(struct buf *b, const int16_t *v, size_t n)
{
	copy_array(b, OID_INT2, n, 6);
	for (size_t i = 0; i < n; i++)
		copy_int2(b, v[i]);
}

static int
load_chunk(struct shipper *s, struct load *l, struct span frame,
	   struct err *err)
{
	struct chunk_head h;
	struct buf *b = &l->rows;
	struct span data;
	int rc;

	rc = chunk_head_get(frame, &l->arena, &h, &data, err);
	if (rc < 0)
		return rc;
	/* Committed before the connection broke, though we were not told. */
	if (h.info.first_seq + h.info.n - 1 <= l->events)
		return 0;
	if (h.info.first_seq != l->events + 1)
		return err_set(err, E_FORMAT,
			       "the spool %s goes on at event %lu, the "
			       "database has %lu",
			       spool_path(s->spool),
			       (unsigned long)h.info.first_seq,
			       (unsigned long)l->events);
	if (l->chunks++ == 0)
		copy_start(b);
	copy_row(b, 13);
	copy_int8(b, (int64_t)s->recording);
	copy_int8(b, (int64_t)h.info.first_seq);
	copy_int4(b, (int32_t)h.info.n);
	copy_int8(b, (int64_t)h.info.t_min);
	copy_int8(b, (int64_t)h.info.t_max);
	copy_int4(b, (int32_t)h.info.n_errors);
	copy_small(b, h.kinds, h.n_kinds);
	copy_small(b, h.calls, h.n_calls);
	copy_array(b, OID_INT4, h.n_tasks, 8);
	for (size_t i = 0; i < h.n_tasks; i++)
		copy_int4(b, h.tasks[i]);
	copy_int2(b, (int16_t)h.codec);
	copy_int4(b, (int32_t)h.info.raw_len);
	copy_int8(b, (int64_t)XXH3_64bits(data.p, data.len));
	copy_bytes(b, data);
	l->events += h.info.n;
	l->duration = h.info.t_max > l->duration ? h.info.t_max : l->duration;
	l->tasks = h.tasks_seen;
	l->bytes += data.len;
	return 0;
}

static int
load_frame(struct shipper *s, struct load *l, const struct frame *f,
	   struct err *err)
{
	struct blob_id id;
	const char *status;

	switch (f->type) {
	case FRAME_BLOB:
		if (f->bytes.len < sizeof(id))
			return err_set(err, E_FORMAT, "a short blob frame");
		memcpy(&id, f->bytes.p, sizeof(id));
		packer_add(s->packer, &id,
			   span_of(f->bytes.p + sizeof(id),
				   f->bytes.len - sizeof(id)));
		return 0;
	case FRAME_CHUNK:
		return load_chunk(s, l, f->bytes, err);
	case FRAME_END:
		status = facts_get(f->bytes, "status");
		l->end = true;
		l->has_status = status[0] != '\0';
		l->status = atoi(status);
		return 0;
	}
	return err_set(err, E_FORMAT, "a frame of unknown type %u in %s",
		       f->type, spool_path(s->spool));
}

/* Read frames into memory until there are enough for a transaction. */
static int
load_frames(struct shipper *s, struct load *l, uint64_t upto, struct err *err)
{
	struct frame f;

	while (l->next < upto &&
	       l->rows.len + packer_bytes(s->packer) < STEP_BYTES) {
		int rc = spool_read(s->spool, l->next, &l->frame, &f, err);

		if (rc == 0)
			rc = err_set(err, E_SPOOL, "%s is damaged at byte %lu",
				     spool_path(s->spool),
				     (unsigned long)l->next);
		if (rc > 0)
			rc = load_frame(s, l, &f, err);
		if (rc < 0)
			return rc;
		l->next = f.next;
	}
	return 0;
}

static int
store_chunks(struct shipper *s, struct load *l, struct err *err)
{
	int rc;

	if (l->chunks == 0)
		return 0;
	copy_finish(&l->rows);
	rc = db_copy_begin(s->db,
			   "copy pastime.chunk (recording, first_seq, n, "
			   "t_min, t_max, n_errors, kinds, calls, tasks, "
			   "codec, raw_len, crc, data) from stdin "
			   "(format binary)",
			   err);
	if (rc == 0)
		rc = db_copy_put(s->db, buf_span(&l->rows), err);
	if (rc == 0)
		rc = db_copy_end(s->db, NULL, err);
	return rc;
}

static int
store_facts(struct shipper *s, const struct load *l, struct err *err)
{
	int rc;

	rc = db_query(s->db,
		      "update pastime.recording set events = "
		      "greatest(events, $2), duration_ns = "
		      "greatest(duration_ns, $3), tasks = greatest(tasks, $4),"
		      " bytes = bytes + $5, removed = removed and not $6 "
		      "where recording = $1",
		      DB_ARGS(DB_INT(s->recording), DB_INT(l->events),
			      DB_INT(l->duration), DB_INT(l->tasks),
			      DB_INT(l->bytes),
			      DB_BOOL(s->hidden && l->chunks > 0)),
		      NULL, NULL, err);
	if (rc == 0 && l->end)
		rc = db_query(s->db,
			      "update pastime.recording set ended = 1, "
			      "status = case when $2 then $3 end "
			      "where recording = $1",
			      DB_ARGS(DB_INT(s->recording),
				      DB_BOOL(l->has_status),
				      DB_INT(l->status)),
			      NULL, NULL, err);
	return rc;
}

/* End the transaction that went as rc says. */
static int
end(struct shipper *s, int rc, struct err *err)
{
	if (rc == 0)
		rc = db_commit(s->db, err);
	if (rc < 0) {
		db_rollback(s->db);
		packer_rolled_back(s->packer);
	}
	return rc;
}

static int
transact(struct shipper *s, struct load *l, bool durable, struct err *err)
{
	int rc;

	/* Loss of the last moments at the server is mended from the spool. */
	rc = db_exec(s->db,
		     durable ? "begin; set local synchronous_commit = on"
			     : "begin; set local synchronous_commit = off",
		     err);
	if (rc == 0)
		rc = packer_store(s->packer, s->db, s->recording, &l->bytes,
				  err);
	if (rc == 0)
		rc = store_chunks(s, l, err);
	if (rc == 0)
		rc = store_facts(s, l, err);
	return end(s, rc, err);
}

int
ship_hold_begin(struct shipper *s, struct err *err)
{
	int rc = db_exec(s->db, "begin; set local synchronous_commit = off",
			 err);

	return rc < 0 ? rc : packer_lock(s->db, err);
}

int
ship_hold(struct shipper *s, const struct blob_id *ids, size_t n,
	  bool *out_held, struct err *err)
{
	return packer_hold(s->packer, s->db, s->recording, ids, n, out_held,
			   err);
}

int
ship_hold_end(struct shipper *s, int rc, struct err *err)
{
	return end(s, rc, err);
}

int
ship_blob(struct shipper *s, const struct blob_id *id, struct span bytes,
	  struct err *err)
{
	uint64_t stored = 0;
	int rc;

	packer_add(s->packer, id, bytes);
	rc = db_begin(s->db, err);
	if (rc == 0)
		rc = packer_store(s->packer, s->db, s->recording, &stored, err);
	packer_clear(s->packer);
	return end(s, rc, err);
}

/* Recordings that were made known for what they hold, but have no events. */
static int
forget(struct db *db, const char *uuid, struct err *err)
{
	return db_query(db,
			"with gone as (delete from pastime.recording "
			"where uuid = $1::uuid and events = 0 "
			"returning recording) "
			"delete from pastime.recording_pack p using gone "
			"where p.recording = gone.recording",
			DB_ARGS(DB_TEXT(uuid)), NULL, NULL, err);
}

int
ship_forget(struct shipper *s, struct err *err)
{
	return forget(s->db, facts_get(spool_meta(s->spool), "uuid"), err);
}

int
ship_step(struct shipper *s, uint64_t upto, bool durable, struct err *err)
{
	struct load l = { .next = s->at, .events = s->events };
	uint64_t now = clock_now_ns();
	int rc;

	if (s->at >= upto)
		return 0;
	rc = load_frames(s, &l, upto, err);
	durable = (durable && l.next >= upto) || l.end ||
		  now - s->durable_ns > SYNC_EVERY_NS;
	if (rc == 0)
		rc = transact(s, &l, durable, err);
	packer_clear(s->packer);
	if (rc == 0) {
		s->at = l.next;
		s->events = l.events;
		s->ended |= l.end;
		s->hidden &= l.chunks == 0;
		if (durable) {
			s->durable_ns = now;
			spool_drop(s->spool, s->at);
		}
		rc = s->at < upto;
	}
	arena_free(&l.arena);
	buf_free(&l.frame);
	buf_free(&l.rows);
	return rc;
}

int
ship_rest(struct shipper *s, struct err *err)
{
	uint64_t upto = spool_end(s->spool);
	int rc;

	while ((rc = ship_step(s, upto, true, err)) > 0)
		;
	if (rc == 0 && !s->ended)
		rc = db_query(s->db,
			      "update pastime.recording set ended = 2 "
			      "where recording = $1 and ended = 0",
			      DB_ARGS(DB_INT(s->recording)), NULL, NULL, err);
	return rc;
}

/* A recording without events is none. */
static bool
has_chunk(struct spool *sp)
{
	uint64_t at = spool_start(sp);
	struct buf tmp = { 0 };
	struct frame f = { 0 };

	while (f.type != FRAME_CHUNK && spool_read(sp, at, &tmp, &f, NULL) > 0)
		at = f.next;
	buf_free(&tmp);
	return f.type == FRAME_CHUNK || spool_is_dropped(sp);
}

static int
ship_file(struct db *db, const char *path, const char *where, struct err *err)
{
	struct shipper *s = NULL;
	struct spool *sp = NULL;
	bool shipped = false;
	int rc;

	rc = spool_open(path, &sp, err);
	if (rc < 0)
		return rc;
	if (!has_chunk(sp)) {
		rc = forget(db, facts_get(spool_meta(sp), "uuid"), err);
		shipped = rc == 0;
	} else if (strcmp(facts_get(spool_meta(sp), "where"), where) == 0) {
		rc = ship_open(db, sp, false, &s, err);
		if (rc == 0)
			rc = ship_rest(s, err);
		shipped = rc == 0;
		ship_close(s);
	}
	spool_close(sp, shipped);
	return rc < 0 ? rc : shipped;
}

static bool
is_spool_name(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 6 && strcmp(name + n - 6, ".spool") == 0;
}

int
ship_leftovers(struct db *db, const char *dir, const char *where,
	       struct err *err)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int count = 0;

	while (d && (de = readdir(d))) {
		struct err why = { 0 };
		char *path;
		int rc;

		if (!is_spool_name(de->d_name))
			continue;
		path = mem_printf("%s/%s", dir, de->d_name);
		rc = ship_file(db, path, where, &why);
		count += rc > 0;
		if (rc == -E_SPOOL || rc == -E_FORMAT) {
			/* Never shippable: keep it, but not in the way. */
			char *aside = mem_printf("%s.damaged", path);

			rename(path, aside);
			mem_free(aside);
		}
		if (rc < 0)
			log_debug("%s: %s", path, why.text);
		mem_free(path);
		if (rc < 0 && db_is_broken(db)) {
			closedir(d);
			return err_set(err, E_DB_UNREACHABLE, "%s", why.text);
		}
	}
	if (d)
		closedir(d);
	return count;
}
