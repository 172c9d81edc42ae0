#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * Errors: a function that can fail returns int, >= 0 for success, or a
 * negative code: -errno, or one of ours, negated (E_GONE and so on, all from
 * 1000 up). A last parameter struct err *err (NULL allowed) receives the text
 * once, where it happened; callers on the way up may err_wrap() it.
 *
 * Libraries fill in errors and return; only cli/ prints them.
 */
#include <stdarg.h>
#include <stddef.h>

enum err_code {
#define ERR_CODE(id, name, help) E_##name = (id),
#include "base/err.def"
#undef ERR_CODE
	ERR_CODE_END
};

#define ERR_TEXT_MAX 1024

struct err {
	int code;		  /* negative, as returned; 0 = none */
	char text[ERR_TEXT_MAX];  /* what happened and why */
	char hint[ERR_TEXT_MAX];  /* what to type next, or "" */
};

/* Set err (may be NULL) to code (positive errno or E_*) and text. Returns
 * -code, so that "return err_set(err, E_DB, ...)" reads well. Does not touch
 * errno. An err that is set already is overwritten. */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As err_set with code = errno; appends ": strerror". */
int err_errno(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Put "text: " before what err says; err->code stays. Returns nothing, so that
 * nobody can take what it says about a NULL err for success: callers return the
 * code that they have. */
void err_wrap(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Say what to type next; replaces an earlier hint. */
void err_hint(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);

/* "E_DB_UNREACHABLE", "ENOENT" for a code of either sign; static storage. */
const char *err_name(int code);
/* The paragraph of "pastime help CODE", or NULL for a name we do not have. */
const char *err_help(const char *name);

#endif
