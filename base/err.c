#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct code {
	int id;
	const char *name;
	const char *help;
};

static const struct code codes[] = {
/* clang-format off */
#define ERR_CODE(id, name, help) { id, "E_" #name, help },
#include "base/err.def"
#undef ERR_CODE
	/* clang-format on */
};

static void __attribute__((format(printf, 3, 0)))
set_text(struct err *err, int code, const char *fmt, va_list ap)
{
	err->code = -code;
	err->hint[0] = '\0';
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

/* ": tail"; what does not fit is cut off. */
static void
append(struct err *err, const char *tail)
{
	size_t len = strlen(err->text);
	char *end = err->text + sizeof(err->text) - 1;
	char *p = err->text + len;

	for (const char *s = ": "; *s && p < end; s++)
		*p++ = *s;
	for (; *tail && p < end; tail++)
		*p++ = *tail;
	*p = '\0';
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	ASSERT(code > 0);
	if (err) {
		va_start(ap, fmt);
		set_text(err, code, fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return -code;
}

int
err_errno(struct err *err, const char *fmt, ...)
{
	int code = errno;
	char why[128];
	va_list ap;

	ASSERT(code > 0);
	if (err) {
		va_start(ap, fmt);
		set_text(err, code, fmt, ap);
		va_end(ap);
		append(err, strerror_r(code, why, sizeof(why)));
	}
	errno = code;
	return -code;
}

void
err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[ERR_TEXT_MAX];
	va_list ap;

	if (!err)
		return;
	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err, inner);
}

void
err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
}

void
err_clear(struct err *err)
{
	if (!err)
		return;
	err->code = 0;
	err->text[0] = '\0';
	err->hint[0] = '\0';
}

const char *
err_name(int code)
{
	int id = abs(code);
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i].id == id)
			return codes[i].name;
	}
	name = strerrorname_np(id);
	return name ? name : "E_UNKNOWN";
}

const char *
err_help(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (strcasecmp(codes[i].name, name) == 0 ||
		    strcasecmp(codes[i].name + 2, name) == 0)
			return codes[i].help;
	}
	return NULL;
}
