#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

/*
 * The schema in the database: numbered migrations (sql/NNN_*.sql), then
 * views and functions, which are made again whenever their text changed, then
 * the name tables. The texts are part of the program.
 */
#include "base/err.h"

struct db;

/*
 * Bring db to this program's schema, under an advisory lock, all or nothing.
 * Two round trips when there is nothing to do. Errors: E_SCHEMA_NEWER when a
 * newer program was there, E_DB.
 */
int schema_ensure(struct db *db, struct err *err);

#endif
