#ifndef CLI_TEXT_H
#define CLI_TEXT_H

/* Numbers, times and names as people read them. Results live in the arena. */
#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Formatted text in a. */
const char *text_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* 3412 -> "3,412" */
const char *text_count(struct arena *a, uint64_t n);
/* "1 event", "3,412 events" */
const char *text_counted(struct arena *a, uint64_t n, const char *noun);
/* "512 B", "4.2 KB", "1.3 GB" (powers of 1024) */
const char *text_bytes(struct arena *a, uint64_t n);
/* "850 us", "12.3 ms", "0.84 s", "3:05", "1:02:03" */
const char *text_duration(struct arena *a, uint64_t ns);
/* Local time "2024-05-31 17:02:09" */
const char *text_when(struct arena *a, uint64_t real_ns);
/* RFC 3339 in UTC, for machines */
const char *text_when_utc(struct arena *a, uint64_t real_ns);
/* A wait status: "0", "3", "SIGSEGV", "SIGABRT (core)"; "" for -1. */
const char *text_status(struct arena *a, int status);
/* Bytes that do not print are escaped: control characters reach no terminal. */
const char *text_clean(struct arena *a, const char *s);

/* Columns that s takes on a terminal. */
size_t text_columns(const char *s);
/* The longest start of s that takes at most max columns, in bytes. */
size_t text_fit(const char *s, size_t max);
/* Width of the terminal behind f, 80 when it is none. */
int text_width(FILE *f);
/* True when f is a terminal that takes colours and nobody said NO_COLOR. */
bool text_coloured(FILE *f);
/* Edit distance, for "did you mean". */
size_t text_distance(const char *a, const char *b);

#endif
