#ifndef STORE_KEYS_H
#define STORE_KEYS_H

/*
 * Advisory locks, which tell sessions of the same database about each other.
 * KEY_BASE + recording: a recorder ships it (held as long as it is connected).
 * KEY_ROWS + recording: somebody fills its rows or intervals.
 * KEY_GC: shared by who stores blobs, exclusive for who removes them.
 */
#include <stdint.h>

#define KEY_BASE INT64_C(0x7061737400000000) /* "past" */
#define KEY_SCHEMA (KEY_BASE + 0x7fffffff)
#define KEY_GC (KEY_BASE + 0x7ffffffe)
#define KEY_LIVE(rec) (KEY_BASE + (int64_t)(rec))
#define KEY_ROWS(rec) (KEY_BASE + 0x40000000 + (int64_t)(rec))

#endif
