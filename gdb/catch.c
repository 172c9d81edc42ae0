/* Which signals and system calls a client wants to stop for. */
#include "gdb/session.h"

#include <string.h>

#include "base/mem.h"
#include "event/event.h"

#define IGNORED 2 /* a signal's outcome, docs/EVENTS.md */

/* Numbers up to max, each followed by ';'; false when they are not. */
static bool
scan_numbers(struct scan *args, uint64_t max, bool *out)
{
	while (args->p < args->end) {
		uint64_t n = scan_hex(args);

		if (args->bad)
			return false;
		if (n < max)
			out[n] = true;
		if (args->p < args->end)
			scan_char(args, ';');
	}
	return !args->bad;
}

static void
do_pass(struct gdb_server *s, struct scan *args)
{
	memset(s->pass, 0, sizeof(s->pass));
	if (scan_numbers(args, ARRAY_LEN(s->pass), s->pass))
		reply_ok(s);
	else
		reply_error(s, 1);
}

/* "0", "1" for all, "1;N;N..." */
static void
do_catch(struct gdb_server *s, struct scan *args)
{
	bool on = scan_word(args, "1");

	if (!on)
		scan_char(args, '0');
	s->catch_calls = on && !args->bad;
	memset(s->calls, 0, sizeof(s->calls));
	s->some_calls = scan_word(args, ";");
	if (args->bad || !scan_numbers(args, ARRAY_LEN(s->calls), s->calls)) {
		s->catch_calls = false;
		reply_error(s, 1);
		return;
	}
	reply_ok(s);
}

bool
signal_is_caught(const struct gdb_server *s, const struct event *ev)
{
	return ev->args[3] != IGNORED &&
	       !s->pass[signal_to_gdb((int)ev->args[0])];
}

bool
call_is_caught(const struct gdb_server *s, int call)
{
	if (!s->catch_calls)
		return false;
	return !s->some_calls ||
	       (call >= 0 && (size_t)call < ARRAY_LEN(s->calls) &&
		s->calls[call]);
}

const struct handler catch_handlers[] = {
	{ "QPassSignals:", do_pass },
	{ "QCatchSyscalls:", do_catch },
	{ NULL, NULL },
};
