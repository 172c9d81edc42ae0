#include "base/mem.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIE_STATUS 125
#define WISHES_MAX 16

struct wish {
	void (*fn)(void *arg);
	void *arg;
	pid_t pid; /* a forked child does not undo what its parent did */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wish wishes[WISHES_MAX];
static size_t nwishes;
static pid_t dying_tid;

void *
mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		die("out of memory: %zu bytes", size);
	return p;
}

void *
mem_zalloc(size_t size)
{
	return mem_calloc(1, size);
}

void *
mem_calloc(size_t count, size_t size)
{
	void *p = NULL;
	size_t total;

	/* calloc checks as well, but the sanitizers make it abort. */
	if (!__builtin_mul_overflow(count, size, &total))
		p = calloc(1, total ? total : 1);
	if (!p)
		die("out of memory: %zu times %zu bytes", count, size);
	return p;
}

void *
mem_realloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		die("out of memory: %zu bytes", size);
	return p;
}

void *
mem_dup(const void *p, size_t size)
{
	void *copy = mem_alloc(size);

	if (size > 0)
		memcpy(copy, p, size);
	return copy;
}

char *
mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		die("out of memory: formatting '%s'", fmt);
	return s;
}

void
mem_free(void *p)
{
	free(p);
}

void
die_wish(void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	if (nwishes < WISHES_MAX)
		wishes[nwishes++] = (struct wish){ fn, arg, getpid() };
	else
		fn = NULL;
	pthread_mutex_unlock(&lock);
	ASSERT(fn);
}

void
die_unwish(void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	for (size_t i = nwishes; i-- > 0;) {
		if (wishes[i].fn != fn || wishes[i].arg != arg)
			continue;
		memmove(&wishes[i], &wishes[i + 1],
			(nwishes - i - 1) * sizeof(wishes[0]));
		nwishes--;
		break;
	}
	pthread_mutex_unlock(&lock);
}

static bool
take_wish(struct wish *out)
{
	bool found;

	pthread_mutex_lock(&lock);
	found = nwishes > 0;
	if (found)
		*out = wishes[--nwishes];
	pthread_mutex_unlock(&lock);
	return found;
}

/* The first thread to die does all; others wait for the end. A wish that
 * dies itself goes on with the wishes that are left. */
static void
die_alone(void)
{
	pid_t tid = gettid();
	bool first;

	pthread_mutex_lock(&lock);
	first = dying_tid == 0 || dying_tid == tid;
	if (first)
		dying_tid = tid;
	pthread_mutex_unlock(&lock);
	if (first)
		return;
	for (;;)
		pause();
}

void
die(const char *fmt, ...)
{
	struct wish w;
	va_list ap;
	char text[2048];
	int n, m;

	va_start(ap, fmt);
	n = snprintf(text, sizeof(text), "pastime: ");
	m = vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		m = 0;
	n += m;
	if ((size_t)n > sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n++] = '\n';

	die_alone();
	while (take_wish(&w)) {
		if (w.pid == getpid())
			w.fn(w.arg);
	}
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(DIE_STATUS);
	_exit(DIE_STATUS);
}

void
mem_keep_freed(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}
