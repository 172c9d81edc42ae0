/*
 * base/mem.h inside a server: memory belongs to the current context, which an
 * error or the end of a query releases, and running out of it is an error of
 * the query. So the decoder's code needs no other way out.
 */
#include "sql/fdw/server.h"

#include <utils/memutils.h>

#include "base/mem.h"

static Size
checked(size_t size)
{
	if (size > MaxAllocHugeSize)
		die("out of memory: %zu bytes", size);
	return size ? size : 1;
}

void *
mem_alloc(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, checked(size));
}

void *
mem_zalloc(size_t size)
{
	return mem_calloc(1, size);
}

void *
mem_calloc(size_t count, size_t size)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(count, size, &total))
		die("out of memory: %zu times %zu bytes", count, size);
	p = mem_alloc(total);
	return memset(p, 0, total ? total : 1);
}

void *
mem_realloc(void *p, size_t size)
{
	return p ? repalloc_huge(p, checked(size)) : mem_alloc(size);
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
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return mem_strdup(text);
}

void
mem_free(void *p)
{
	if (p)
		pfree(p);
}

void
die(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ereport(ERROR,
		(errcode(ERRCODE_INTERNAL_ERROR), errmsg("pastime: %s", text)));
	pg_unreachable();
}
