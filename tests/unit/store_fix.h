#ifndef TESTS_UNIT_STORE_FIX_H
#define TESTS_UNIT_STORE_FIX_H

/*
 * What tests of the store begin with: a private home, a database of their own
 * (tests/pg.sh), recordings made of generated events. A Criterion test is a
 * process of its own, so the environment may be changed at will.
 */
#include "base/err.h"
#include "event/event.h"
#include "event/sink.h"
#include "store/store.h"

/* PASTIME_HOME = a new directory, other variables of ours unset. */
void fix_home(void);
/* The same, and PASTIME_DB = a new database with the schema (empty: without).
 * Skips the test when there is no server here. */
void fix_db(void);
void fix_empty_db(void);
void fix_remove(void);
const char *fix_path(void); /* the home */

struct sink *fix_open(const char *command);
/* Put events of gen(seed) from number from to number to. */
void fix_put(struct sink *s, uint64_t seed, uint64_t from, uint64_t to);
/* A whole recording of n events; returns its number. */
uint64_t fix_record(const char *command, uint64_t seed, uint64_t n);
struct db *fix_connect(void);
/* Asserts that events 1 to n of rec are those of gen(seed), and no more. */
void fix_check(struct db *db, uint64_t rec, uint64_t seed, uint64_t n);
/* A statement that must work, and the number that its first cell is. */
int64_t fix_sql(struct db *db, const char *sql);
size_t fix_spools(void); /* files in the spool directory */

#define must(call)                                                             \
	do {                                                                   \
		int rc_ = (call);                                              \
		cr_assert_geq(rc_, 0, "%s: %s (%s)", #call, fix_err.text,      \
			      err_name(rc_));                                  \
	} while (0)
extern struct err fix_err; /* pass &fix_err to what must() wraps */

#endif
