#ifndef STORE_DB_H
#define STORE_DB_H

/*
 * One connection to PostgreSQL. All of libpq is behind this header: results
 * are copied into the caller's arena, so nothing of libpq's is ever held.
 * A connection belongs to one thread at a time; db_cancel is for any other.
 *
 * Every function that talks to the server fails with E_DB (text and SQLSTATE of
 * the server) or E_DB_UNREACHABLE (the connection is gone: db_is_broken).
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>

struct db;

/*
 * conninfo: a URL or key=value words; "" leaves everything to PG* variables.
 * The session has search_path empty, UTF-8, and quiet notices.
 */
int db_connect(const char *conninfo, struct db **out, struct err *err);
void db_close(struct db *db); /* NULL allowed */
/* As given to db_connect. */
const char *db_conninfo(const struct db *db);
int db_server_version(const struct db *db); /* 150018 */
bool db_is_broken(const struct db *db);
/* The SQLSTATE of the last failure, "" when there was none. */
const char *db_sqlstate(const struct db *db);
void db_cancel(struct db *db);
/* The server is our own, the embedded one: code may be loaded into it. */
bool db_is_private(const struct db *db);
void db_set_private(struct db *db);
/* Something that lives as long as the connection, for one owner. */
void *db_companion(const struct db *db); /* or NULL */
void db_set_companion(struct db *db, void *what, void (*release)(void *));

/* A parameter of a prepared statement; its type follows from the kind. */
enum db_type {
	DB_T_NULL,
	DB_T_INT8,
	DB_T_BOOL,
	DB_T_TEXT,
	DB_T_BYTEA,
	DB_T_UUID,	 /* 16 bytes */
	DB_T_UUID_ARRAY, /* n * 16 bytes */
	DB_T_INT4_ARRAY, /* int32_t[n] */
	DB_T_INT8_ARRAY, /* int64_t[n] */
};
struct db_arg {
	enum db_type type;
	int64_t i;
	const void *p; /* text, bytes, elements: borrowed */
	size_t n;      /* bytes, or elements of an array */
};
static inline struct db_arg
db_text(const char *s)
{
	return (struct db_arg){ s ? DB_T_TEXT : DB_T_NULL, 0, s, 0 };
}
#define DB_INT(v)                                                              \
	{                                                                      \
		DB_T_INT8, (int64_t)(v), NULL, 0                               \
	}
#define DB_BOOL(v)                                                             \
	{                                                                      \
		DB_T_BOOL, (v), NULL, 0                                        \
	}
#define DB_TEXT(s) db_text(s)
#define DB_BYTEA(s)                                                            \
	{                                                                      \
		DB_T_BYTEA, 0, (s).p, (s).len                                  \
	}
#define DB_UUID(b)                                                             \
	{                                                                      \
		DB_T_UUID, 0, (b), 16                                          \
	}
#define DB_UUIDS(v, n)                                                         \
	{                                                                      \
		DB_T_UUID_ARRAY, 0, (v), (n)                                   \
	}
#define DB_INT4S(v, n)                                                         \
	{                                                                      \
		DB_T_INT4_ARRAY, 0, (v), (n)                                   \
	}
#define DB_INT8S(v, n)                                                         \
	{                                                                      \
		DB_T_INT8_ARRAY, 0, (v), (n)                                   \
	}
#define DB_ARGS(...)                                                           \
	(const struct db_arg[]){ __VA_ARGS__ },                                \
		sizeof((const struct db_arg[]){ __VA_ARGS__ }) /               \
			sizeof(struct db_arg)
#define DB_NONE NULL, 0

struct db_cell {
	struct span bytes; /* binary form, borrowed from the arena */
	bool null;
};
struct db_rows {
	size_t n, cols;
	const struct db_cell *cells;
	const uint32_t *types; /* OIDs, cols of them */
	uint64_t affected;
};
/* Getters decode by the column's type; SQL null is 0, "" or an empty span. An
 * arena string is NUL-terminated. */
int64_t db_get_int(const struct db_rows *r, size_t row, size_t col);
bool db_get_null(const struct db_rows *r, size_t row, size_t col);
struct span db_get_bytes(const struct db_rows *r, size_t row, size_t col);
/* text, name, uuid (as text made of bytes: use ::text in the query). */
const char *db_get_text(const struct db_rows *r, size_t row, size_t col,
			struct arena *a);
/* An array of int2, int4 or int8 without nulls: element i, count by *_len. */
size_t db_get_array_len(const struct db_rows *r, size_t row, size_t col);
int64_t db_get_array_int(const struct db_rows *r, size_t row, size_t col,
			 size_t i);

/* Statements without parameters or results; several by semicolon. */
int db_exec(struct db *db, const char *sql, struct err *err);
/* One statement, prepared at its first use in this connection. a and out may be
 * NULL when nothing is returned. */
int db_query(struct db *db, const char *sql, const struct db_arg *args,
	     size_t n_args, struct arena *a, struct db_rows *out,
	     struct err *err);
/* The same in two steps, to do something else while the server works. Nothing
 * else may use db in between. */
int db_query_send(struct db *db, const char *sql, const struct db_arg *args,
		  size_t n_args, struct err *err);
int db_query_wait(struct db *db, struct arena *a, struct db_rows *out,
		  struct err *err);

/* User's SQL as text: cells are strings (bytes NUL-terminated), null = .null.
 * Several statements: the last result counts. */
int db_query_text(struct db *db, const char *sql, struct arena *a,
		  struct db_rows *out, const char ***out_names,
		  const char **out_tag, struct err *err);

int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
/* Leave a transaction, if any; keeps what err says. */
void db_rollback(struct db *db);

/* COPY ... FROM STDIN (FORMAT binary); rows are built in a buf by copy.h. */
int db_copy_begin(struct db *db, const char *sql, struct err *err);
int db_copy_put(struct db *db, struct span bytes, struct err *err);
int db_copy_end(struct db *db, uint64_t *out_rows, struct err *err);

#endif
