#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/fault.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "store/copy.h"
#include "store/pq.h"
#define LOG_DOMAIN "store"
#include "base/log.h"

/* Types of pg_type.dat; their numbers never change. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_INT2_ARRAY = 1005,
	OID_INT4_ARRAY = 1007,
	OID_INT8_ARRAY = 1016,
	OID_UUID = 2950,
	OID_UUID_ARRAY = 2951,
};

#define MAX_ARGS 32
#define CONNECT_TIMEOUT "10"

struct db {
	PGconn *conn;
	PGcancel *cancel;
	char *conninfo;
	char sqlstate[6];
	struct map prepared; /* hash of the text -> anything */
	bool in_copy, is_private;
	void *companion;
	void (*companion_release)(void *);
};

static const char session[] =
	"select pg_catalog.set_config(name, value, false) from (values "
	"('search_path', ''), ('client_min_messages', 'warning'), "
	"('datestyle', 'ISO'), ('bytea_output', 'hex'), "
	"('statement_timeout', '0'), ('lock_timeout', '0'), "
	"('standard_conforming_strings', 'on'), "
	"('idle_in_transaction_session_timeout', '0')) as s (name, value)";

/* libpq's messages end in a newline and may have several lines. */
static void
one_line(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 2 < size; text++) {
		if (*text != '\n') {
			out[n++] = *text == '\t' ? ' ' : *text;
		} else if (text[1]) {
			out[n++] = ';';
			out[n++] = ' ';
		}
	}
	out[n] = '\0';
}

static int
unreachable(struct db *db, const char *what, struct err *err)
{
	char text[512];

	one_line(text, sizeof(text), pq.PQerrorMessage(db->conn));
	return err_set(err, E_DB_UNREACHABLE, "%s: %s", what, text);
}

/* Turn the state of connection and result (may be NULL) into an error. */
static int
failed(struct db *db, const PGresult *res, const char *what, struct err *err)
{
	const char *state =
		res ? pq.PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	const char *text =
		res ? pq.PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)
		    : NULL;
	const char *detail =
		res ? pq.PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL;

	snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", state ? state : "");
	if (pq.PQstatus(db->conn) != CONNECTION_OK || !text)
		return unreachable(db, what, err);
	if (strcmp(state ? state : "", "57014") == 0)
		return err_set(err, E_CANCELLED, "%s (SQLSTATE 57014)", text);
	if (strcmp(state ? state : "", "53100") == 0) {
		err_set(err, E_DB, "%s (SQLSTATE 53100)", text);
		err_hint(err,
			 "the server's disk is full: free some space there "
			 "('pastime rm' and 'pastime gc' do)");
		return -E_DB;
	}
	return err_set(err, E_DB, "%s%s%s (SQLSTATE %s)", text,
		       detail ? "; " : "", detail ? detail : "",
		       state ? state : "?");
}

static void
drop_notice(void *arg, const PGresult *res)
{
	(void)arg, (void)res;
}

int
db_connect(const char *conninfo, struct db **out, struct err *err)
{
	/* The last word of a keyword counts, so these are defaults. */
	const char *keys[] = { "connect_timeout", "client_encoding",
			       "fallback_application_name", "dbname", NULL };
	const char *values[] = { CONNECT_TIMEOUT, "UTF8", "pastime", conninfo,
				 NULL };
	struct db *db;
	int rc;

	if (fault_hit(FAULT_db_connect))
		return err_set(err, E_DB_UNREACHABLE,
			       "cannot connect: fault point db_connect");
	rc = pq_load(err);
	if (rc < 0)
		return rc;
	db = mem_zalloc(sizeof(*db));
	db->conninfo = mem_strdup(conninfo);
	db->conn = pq.PQconnectdbParams(keys, values, 1);
	if (pq.PQstatus(db->conn) != CONNECTION_OK) {
		rc = unreachable(db, "cannot connect to PostgreSQL", err);
		err_hint(err,
			 "'pastime db status' shows which server is meant; "
			 "'pastime db start' starts the embedded one");
		db_close(db);
		return rc;
	}
	pq.PQsetNoticeReceiver(db->conn, drop_notice, NULL);
	db->cancel = pq.PQgetCancel(db->conn);
	rc = db_exec(db, session, err);
	if (rc < 0) {
		db_close(db);
		return rc;
	}
	log_debug("connected to %s", conninfo);
	*out = db;
	return 0;
}

void
db_close(struct db *db)
{
	if (!db)
		return;
	if (db->companion)
		db->companion_release(db->companion);
	pq.PQfreeCancel(db->cancel);
	pq.PQfinish(db->conn);
	map_free(&db->prepared);
	mem_free(db->conninfo);
	mem_free(db);
}

void *
db_companion(const struct db *db)
{
	return db->companion;
}

void
db_set_companion(struct db *db, void *what, void (*release)(void *))
{
	db->companion = what;
	db->companion_release = release;
}

const char *
db_conninfo(const struct db *db)
{
	return db->conninfo;
}

bool
db_is_private(const struct db *db)
{
	return db->is_private;
}

void
db_set_private(struct db *db)
{
	db->is_private = true;
}

int
db_server_version(const struct db *db)
{
	return pq.PQserverVersion(db->conn);
}

bool
db_is_broken(const struct db *db)
{
	return pq.PQstatus(db->conn) != CONNECTION_OK;
}

const char *
db_sqlstate(const struct db *db)
{
	return db->sqlstate;
}

void
db_cancel(struct db *db)
{
	char text[256];

	/* A cancel that comes too late or too early does nothing, by design. */
	if (!pq.PQcancel(db->cancel, text, sizeof(text)))
		log_debug("cancel: %s", text);
}

int
db_exec(struct db *db, const char *sql, struct err *err)
{
	PGresult *res = pq.PQexec(db->conn, sql);
	ExecStatusType st = pq.PQresultStatus(res);
	int rc = 0;

	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK &&
	    st != PGRES_EMPTY_QUERY)
		rc = failed(db, res, "the database connection was lost", err);
	pq.PQclear(res);
	return rc;
}

/* Parameters in libpq's form; buf holds those that need building. */
struct params {
	Oid types[MAX_ARGS];
	const char *values[MAX_ARGS];
	int lengths[MAX_ARGS];
	int formats[MAX_ARGS];
	struct buf buf[MAX_ARGS];
	int n;
};

static void
array_param(struct buf *b, const struct db_arg *a, uint32_t oid, uint32_t size)
{
	const uint8_t *p = a->p;

	copy_be32(b, a->n ? 1 : 0);
	copy_be32(b, 0);
	copy_be32(b, oid);
	if (a->n == 0)
		return;
	copy_be32(b, (uint32_t)a->n);
	copy_be32(b, 1);
	for (size_t i = 0; i < a->n; i++, p += size) {
		copy_be32(b, size);
		if (oid == OID_UUID) {
			buf_put(b, p, size);
		} else if (oid == OID_INT4) {
			uint32_t v;

			memcpy(&v, p, sizeof(v));
			copy_be32(b, v);
		} else {
			uint64_t v;

			memcpy(&v, p, sizeof(v));
			copy_be64(b, v);
		}
	}
}

static Oid
param(struct buf *b, const struct db_arg *a, const char **value, int *len)
{
	Oid oid = 0;

	switch (a->type) {
	case DB_T_NULL:
		*value = NULL;
		*len = 0;
		return 0;
	case DB_T_TEXT:
		/* What people typed need not be UTF-8. */
		utf8_put(b, span_str(a->p));
		*value = buf_cstr(b);
		*len = (int)b->len;
		return OID_TEXT;
	case DB_T_BYTEA:
		*value = a->n ? a->p : "";
		*len = (int)a->n;
		return OID_BYTEA;
	case DB_T_UUID:
		*value = a->p;
		*len = 16;
		return OID_UUID;
	case DB_T_INT8:
		copy_be64(b, (uint64_t)a->i);
		oid = OID_INT8;
		break;
	case DB_T_BOOL:
		buf_u8(b, a->i != 0);
		oid = OID_BOOL;
		break;
	case DB_T_UUID_ARRAY:
		array_param(b, a, OID_UUID, 16);
		oid = OID_UUID_ARRAY;
		break;
	case DB_T_INT4_ARRAY:
		array_param(b, a, OID_INT4, 4);
		oid = OID_INT4_ARRAY;
		break;
	case DB_T_INT8_ARRAY:
		array_param(b, a, OID_INT8, 8);
		oid = OID_INT8_ARRAY;
		break;
	}
	*value = (const char *)b->p;
	*len = (int)b->len;
	return oid;
}

static void
params_init(struct params *p, const struct db_arg *args, size_t n)
{
	ASSERT(n <= MAX_ARGS);
	memset(p, 0, sizeof(*p));
	p->n = (int)n;
	for (size_t i = 0; i < n; i++) {
		p->types[i] = param(&p->buf[i], &args[i], &p->values[i],
				    &p->lengths[i]);
		p->formats[i] = 1;
	}
}

static void
params_free(struct params *p)
{
	for (int i = 0; i < p->n; i++)
		buf_free(&p->buf[i]);
}

/* The name of the statement; prepares it when the connection has not yet. */
static int
prepare(struct db *db, const char *sql, const struct params *p, char name[32],
	struct err *err)
{
	uint64_t hash = XXH3_64bits(sql, strlen(sql));
	PGresult *res;
	int rc = 0;

	snprintf(name, 32, "s%016llx", (unsigned long long)hash);
	if (map_has(&db->prepared, hash))
		return 0;
	res = pq.PQprepare(db->conn, name, sql, p->n, p->types);
	if (pq.PQresultStatus(res) == PGRES_COMMAND_OK)
		map_set(&db->prepared, hash, db);
	else
		rc = failed(db, res, "the database connection was lost", err);
	pq.PQclear(res);
	return rc;
}

int
db_query_send(struct db *db, const char *sql, const struct db_arg *args,
	      size_t n_args, struct err *err)
{
	struct params p;
	char name[32];
	int rc;

	params_init(&p, args, n_args);
	rc = prepare(db, sql, &p, name, err);
	if (rc == 0 && !pq.PQsendQueryPrepared(db->conn, name, p.n, p.values,
					       p.lengths, p.formats, 1))
		rc = unreachable(db, "the database connection was lost", err);
	params_free(&p);
	return rc;
}

static void
take_rows(const PGresult *res, struct arena *a, struct db_rows *out)
{
	size_t n = (size_t)pq.PQntuples(res), cols = (size_t)pq.PQnfields(res);
	struct db_cell *cells;
	uint32_t *types;

	cells = arena_alloc(a, n * cols * sizeof(*cells));
	types = arena_alloc(a, cols * sizeof(*types));
	for (size_t c = 0; c < cols; c++)
		types[c] = pq.PQftype(res, (int)c);
	for (size_t i = 0; i < n * cols; i++) {
		int r = (int)(i / cols), c = (int)(i % cols);
		size_t len = (size_t)pq.PQgetlength(res, r, c);
		uint8_t *copy;

		cells[i].null = pq.PQgetisnull(res, r, c);
		copy = arena_raw(a, len + 1);
		memcpy(copy, pq.PQgetvalue(res, r, c), len);
		copy[len] = '\0';
		cells[i].bytes = span_of(copy, len);
	}
	out->n = n;
	out->cols = cols;
	out->cells = cells;
	out->types = types;
}

int
db_query_wait(struct db *db, struct arena *a, struct db_rows *out,
	      struct err *err)
{
	struct db_rows rows = { 0 };
	PGresult *res;
	bool seen = false;
	int rc = 0;

	while ((res = pq.PQgetResult(db->conn))) {
		ExecStatusType st = pq.PQresultStatus(res);

		seen = true;
		if (st == PGRES_TUPLES_OK && a)
			take_rows(res, a, &rows);
		else if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK &&
			 rc == 0)
			rc = failed(db, res, "the database connection was lost",
				    err);
		rows.affected = strtoull(pq.PQcmdTuples(res), NULL, 10);
		pq.PQclear(res);
	}
	if (rc == 0 && (!seen || db_is_broken(db)))
		rc = unreachable(db, "the database connection was lost", err);
	if (rc == 0 && out)
		*out = rows;
	return rc;
}

int
db_query(struct db *db, const char *sql, const struct db_arg *args,
	 size_t n_args, struct arena *a, struct db_rows *out, struct err *err)
{
	int rc = db_query_send(db, sql, args, n_args, err);

	return rc < 0 ? rc : db_query_wait(db, a, out, err);
}

static const struct db_cell *
cell(const struct db_rows *r, size_t row, size_t col)
{
	ASSERT(row < r->n && col < r->cols);
	return &r->cells[row * r->cols + col];
}

static uint64_t
be_int(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int64_t
signed_int(const uint8_t *p, size_t n)
{
	uint64_t v = be_int(p, n);

	switch (n) {
	case 2:
		return (int16_t)v;
	case 4:
		return (int32_t)v;
	}
	return (int64_t)v;
}

int64_t
db_get_int(const struct db_rows *r, size_t row, size_t col)
{
	const struct db_cell *c = cell(r, row, col);

	if (c->null)
		return 0;
	if (r->types[col] == OID_BOOL)
		return c->bytes.p[0];
	ASSERT(r->types[col] == OID_INT8 || r->types[col] == OID_INT4 ||
	       r->types[col] == OID_INT2 || r->types[col] == OID_OID);
	if (r->types[col] == OID_OID)
		return (int64_t)be_int(c->bytes.p, c->bytes.len);
	return signed_int(c->bytes.p, c->bytes.len);
}

bool
db_get_null(const struct db_rows *r, size_t row, size_t col)
{
	return cell(r, row, col)->null;
}

struct span
db_get_bytes(const struct db_rows *r, size_t row, size_t col)
{
	return cell(r, row, col)->bytes;
}

const char *
db_get_text(const struct db_rows *r, size_t row, size_t col, struct arena *a)
{
	(void)a; /* cells are NUL-terminated and live in it already */
	return (const char *)cell(r, row, col)->bytes.p;
}

/* Dimensions, flags, type, (length, lower bound) and the elements. */
size_t
db_get_array_len(const struct db_rows *r, size_t row, size_t col)
{
	struct span s = db_get_bytes(r, row, col);

	if (s.len < 20 || be_int(s.p, 4) != 1)
		return 0;
	return be_int(s.p + 12, 4);
}

int64_t
db_get_array_int(const struct db_rows *r, size_t row, size_t col, size_t i)
{
	struct span s = db_get_bytes(r, row, col);
	size_t n = db_get_array_len(r, row, col);
	size_t size;

	ASSERT(i < n);
	size = (s.len - 20) / n - 4;
	return signed_int(s.p + 20 + i * (size + 4) + 4, size);
}

/* Out of a COPY that nobody feeds or reads. */
static void
leave_copy(struct db *db, bool out)
{
	PGresult *res;
	char *row;

	if (out) {
		db_cancel(db);
		while (pq.PQgetCopyData(db->conn, &row, 0) > 0)
			pq.PQfreemem(row);
	} else {
		pq.PQputCopyEnd(db->conn, "COPY is not possible here");
	}
	while ((res = pq.PQgetResult(db->conn)))
		pq.PQclear(res);
}

int
db_query_text(struct db *db, const char *sql, struct arena *a,
	      struct db_rows *out, const char ***out_names,
	      const char **out_tag, struct err *err)
{
	PGresult *res = pq.PQexec(db->conn, sql);
	ExecStatusType st = pq.PQresultStatus(res);
	const char **names;
	int rc = 0;

	if (st == PGRES_COPY_IN || st == PGRES_COPY_OUT) {
		pq.PQclear(res);
		leave_copy(db, st == PGRES_COPY_OUT);
		return err_set(err, E_USAGE,
			       "COPY to or from the terminal is "
			       "for psql: 'pastime sql'");
	}
	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK &&
	    st != PGRES_EMPTY_QUERY) {
		rc = failed(db, res, "the database connection was lost", err);
	} else {
		*out = (struct db_rows){ 0 };
		take_rows(res, a, out);
		names = arena_alloc(a, (out->cols + 1) * sizeof(*names));
		for (size_t c = 0; c < out->cols; c++)
			names[c] = arena_strdup(a, pq.PQfname(res, (int)c));
		*out_names = names;
		*out_tag = arena_strdup(a, pq.PQcmdStatus(res));
	}
	pq.PQclear(res);
	return rc;
}

int
db_begin(struct db *db, struct err *err)
{
	return db_exec(db, "begin", err);
}

int
db_commit(struct db *db, struct err *err)
{
	/* The commit of a failed transaction says ROLLBACK and no error. */
	if (pq.PQtransactionStatus(db->conn) == PQTRANS_INERROR) {
		db_rollback(db);
		return err_set(err, E_DB, "the transaction had failed");
	}
	return db_exec(db, "commit", err);
}

void
db_rollback(struct db *db)
{
	PGresult *res;

	if (db->in_copy) {
		pq.PQputCopyEnd(db->conn, "given up");
		while ((res = pq.PQgetResult(db->conn)))
			pq.PQclear(res);
		db->in_copy = false;
	}
	if (pq.PQtransactionStatus(db->conn) != PQTRANS_IDLE &&
	    !db_is_broken(db))
		db_exec(db, "rollback", NULL);
}

int
db_copy_begin(struct db *db, const char *sql, struct err *err)
{
	PGresult *res = pq.PQexec(db->conn, sql);
	int rc = 0;

	if (pq.PQresultStatus(res) != PGRES_COPY_IN)
		rc = failed(db, res, "the database connection was lost", err);
	else
		db->in_copy = true;
	pq.PQclear(res);
	return rc;
}

int
db_copy_put(struct db *db, struct span bytes, struct err *err)
{
	if (fault_hit(FAULT_db_copy)) {
		pq.PQputCopyEnd(db->conn, "fault point db_copy");
		return 0; /* the server says so at the end */
	}
	if (pq.PQputCopyData(db->conn, (const char *)bytes.p, (int)bytes.len) <
	    0)
		return unreachable(db, "the database connection was lost", err);
	return 0;
}

int
db_copy_end(struct db *db, uint64_t *out_rows, struct err *err)
{
	PGresult *res;
	int rc = 0;

	db->in_copy = false;
	if (pq.PQputCopyEnd(db->conn, NULL) < 0 && db_is_broken(db))
		return unreachable(db, "the database connection was lost", err);
	while ((res = pq.PQgetResult(db->conn))) {
		if (pq.PQresultStatus(res) != PGRES_COMMAND_OK && rc == 0)
			rc = failed(db, res, "the database connection was lost",
				    err);
		if (out_rows)
			*out_rows = strtoull(pq.PQcmdTuples(res), NULL, 10);
		pq.PQclear(res);
	}
	if (rc == 0 && db_is_broken(db))
		rc = unreachable(db, "the database connection was lost", err);
	return rc;
}
