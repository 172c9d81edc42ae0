#ifndef EVENT_FORMAT_PRIV_H
#define EVENT_FORMAT_PRIV_H

/*
 * What the files of the formatter share. Bytes of events are hostile: they get
 * into the text through fmt_quote and fmt_escape only.
 */
#include "event/flags.h"
#include "event/format.h"
#include "event/item.h"
#include "event/sys.h"

struct fmt {
	const struct event *ev;
	const struct format_opts *o;
	struct buf *out;
	size_t max; /* bytes of a string that are shown */
};

void fmt_init(struct fmt *f, const struct event *ev,
	      const struct format_opts *o, struct buf *out);
/* Bytes in quotes, at most f->max of them, then "...". */
void fmt_quote(struct fmt *f, struct span s);
void fmt_hex(struct fmt *f, uint64_t v);     /* 0x1000, 0 */
void fmt_pointer(struct fmt *f, uint64_t v); /* 0x1000, NULL */
void fmt_fd(struct fmt *f, int fd);
void fmt_flags(struct fmt *f, const struct flag_name *list, uint64_t v);
void fmt_enum(struct fmt *f, const struct flag_name *list, uint64_t v);
void fmt_status(struct fmt *f, int status); /* "exit status 3" */

/* Memory of the event that is recorded at addr: at most len bytes, as many as
 * lie together in one item; empty when there is none. */
struct span fmt_mem(const struct event *ev, uint64_t addr, uint64_t len);

/* Structures by type (enum arg_type); false when the bytes are too few. */
bool fmt_struct(struct fmt *f, unsigned type, struct span bytes, int nr,
		unsigned arg);
void fmt_siginfo(struct fmt *f, struct span bytes);
void fmt_sockaddr(struct fmt *f, struct span bytes);

/* Bytes of argument i that are known: what it wrote, else what went in. */
struct span fmt_arg_bytes(const struct event *ev, unsigned i);
/* What some calls have of their own, format_special.c: false = nothing. */
bool fmt_special_arg(struct fmt *f, unsigned i);
bool fmt_special_result(struct fmt *f);

/* Argument i of a call; "name(a, b) = r" of the whole. */
void fmt_arg(struct fmt *f, unsigned i);
unsigned fmt_nargs(const struct event *ev); /* those worth showing */
void fmt_call(struct fmt *f);
void fmt_result(struct fmt *f);

/* "SEGV_MAPERR", "SI_USER", or NULL. */
const char *si_code_name(int signo, int code);
/* What an item is called in details and JSON; NULL for an unknown one. */
const char *item_name(unsigned kind);

#endif
