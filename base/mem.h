#ifndef BASE_MEM_H
#define BASE_MEM_H

/* Memory that never fails: exhaustion calls die(). Any thread. */
#include <stdarg.h>
#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* count * size, checked for overflow; zeroed. */
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull));
void *mem_dup(const void *p, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((returns_nonnull));
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
void mem_free(void *p); /* NULL allowed */
/* Freed memory stays with the process, up to 64 MB: what was read and what is
 * to be written takes megabytes again and again, which the kernel would clear
 * each time. */
void mem_keep_freed(void);

/* Run the last wishes in reverse order of registration (first, so that the
 * terminal is back to normal), print "pastime: text" to stderr, exit with
 * status 125. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Register what die() must do first (restore the tty, flush); a forked child
 * does not inherit it. die_unwish takes it back. */
void die_wish(void (*fn)(void *arg), void *arg);
void die_unwish(void (*fn)(void *arg), void *arg);

/* Our own bug, never what a tracee, user, file or server did. Always on. */
#define ASSERT(x) \
	((x) ? (void)0 : die("assertion failed at %s:%d: %s", __FILE__, __LINE__, #x))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
