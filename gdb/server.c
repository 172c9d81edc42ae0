/* The loop over a client's packets. */
#include "gdb/divert.h"
#include "gdb/spot.h"
#include "gdb/thread.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define LOG_DOMAIN "gdb"
#include "base/log.h"

#define READ_SIZE 16384u

struct gdb_server *
gdb_server_new(struct target *t, const struct gdb_host *h)
{
	struct gdb_server *s = mem_zalloc(sizeof(*s));

	s->t = t;
	s->host = *h;
	s->in = s->out = s->quit = -1;
	return s;
}

void
gdb_server_free(struct gdb_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->files.len; i++)
		mem_free(s->files.v[i].path);
	files_close(s);
	divert_end(s);
	vec_free(&s->files);
	vec_free(&s->open);
	vec_free(&s->shown);
	vec_free(&s->told);
	spots_clear(s);
	vec_free(&s->spots);
	packets_release(&s->packets);
	buf_free(&s->request);
	buf_free(&s->reply);
	buf_free(&s->sent);
	buf_free(&s->xstate);
	buf_free(&s->libraries);
	buf_free(&s->xfer.text);
	mem_free(s->xfer.key);
	arena_free(&s->arena);
	mem_free(s);
}

/* ---- replies */

void
reply_ok(struct gdb_server *s)
{
	buf_clear(&s->reply);
	buf_str(&s->reply, "OK");
}

void
reply_error(struct gdb_server *s, int number)
{
	buf_clear(&s->reply);
	buf_printf(&s->reply, "E%02x", (unsigned)number & 0xff);
}

void
reply_err(struct gdb_server *s, const struct err *err)
{
	buf_clear(&s->reply);
	buf_printf(&s->reply, "E.%s", err->text);
}

static void
write_out(struct gdb_server *s, const void *p, size_t n)
{
	if (!s->gone && fd_write_all(s->out, p, n) < 0)
		s->gone = true;
}

void
server_send(struct gdb_server *s, struct span data)
{
	buf_clear(&s->sent);
	packet_put(&s->sent, data);
	log_debug("> %.*s", (int)(data.len < 200 ? data.len : 200),
		  (const char *)data.p);
	write_out(s, s->sent.p, s->sent.len);
}

/* ---- what comes */

/* Take what is there; with block wait for it. */
static void
receive(struct gdb_server *s, bool block)
{
	struct pollfd fds[] = { { .fd = s->in, .events = POLLIN },
				{ .fd = s->quit, .events = POLLIN } };
	uint8_t bytes[READ_SIZE];
	ssize_t n;

	if (poll(fds, 2, block ? -1 : 0) < 0) {
		s->gone |= errno != EINTR;
		return;
	}
	if (fds[1].revents) {
		s->gone = true;
		return;
	}
	if (!fds[0].revents)
		return;
	n = read(s->in, bytes, sizeof(bytes));
	if (n > 0)
		packets_feed(&s->packets, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		s->gone = true;
}

bool
server_go_on(void *ctx, uint64_t at, uint64_t to)
{
	struct gdb_server *s = ctx;

	(void)at;
	(void)to;
	receive(s, false);
	return !s->gone && !packets_interrupted(&s->packets);
}

/* ---- packets that concern the connection */

static void
do_supported(struct gdb_server *s, struct scan *args)
{
	while (args->p < args->end) {
		struct span f = scan_until(args, ';');

		s->multiprocess |= span_eq(f, span_str("multiprocess+"));
		s->fork_events |= span_eq(f, span_str("fork-events+"));
		s->exec_events |= span_eq(f, span_str("exec-events+"));
		s->swbreak |= span_eq(f, span_str("swbreak+"));
		s->hwbreak |= span_eq(f, span_str("hwbreak+"));
	}
	buf_printf(&s->reply,
		   "PacketSize=%x;QStartNoAckMode+;multiprocess+;"
		   "vContSupported+;swbreak+;hwbreak+;ReverseStep+;"
		   "ReverseContinue+;no-resumed+;qXfer:features:read+;"
		   "qXfer:auxv:read+;qXfer:exec-file:read+;"
		   "qXfer:threads:read+;qXfer:libraries-svr4:read+;"
		   "qXfer:siginfo:read+;qXfer:osdata:read+;QPassSignals+;"
		   "QCatchSyscalls+;"
		   "ConditionalBreakpoints+%s%s",
		   PACKET_SIZE, s->fork_events ? ";fork-events+" : "",
		   s->exec_events ? ";exec-events+" : "");
}

static void
do_no_ack(struct gdb_server *s, struct scan *args)
{
	(void)args;
	s->no_ack = true;
	reply_ok(s);
}

static void
do_ok(struct gdb_server *s, struct scan *args)
{
	(void)args;
	reply_ok(s);
}

/* vMustReplyEmpty, and what we know but do not do. */
static void
do_nothing(struct gdb_server *s, struct scan *args)
{
	(void)s;
	(void)args;
}

/* The process is not shown any more. Who leaves the only one hangs up itself.
 */
static void
do_detach(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t;
	int pid;

	reply_ok(s);
	if (!scan_word(args, ";"))
		return;
	pid = (int)scan_hex(args);
	t = process_find(s, pid);
	if (t)
		process_hide(s, t->process);
	/* It may not live at this moment. */
	for (size_t i = 0; i < s->told.len; i++) {
		if (s->told.v[i].pid == pid) {
			process_hide(s, s->told.v[i].process);
			break;
		}
	}
	if (s->shown.len > 0)
		thread_settle(s);
}

/* A replay is not killed: the client goes. */
static void
do_kill(struct gdb_server *s, struct scan *args)
{
	(void)args;
	s->gone = true;
}

static void
do_vkill(struct gdb_server *s, struct scan *args)
{
	(void)args;
	reply_ok(s);
	/* With an extended remote the connection may be used again. */
}

static const struct handler server_handlers[] = {
	{ "qSupported:", do_supported },
	{ "qSupported", do_supported },
	{ "QStartNoAckMode", do_no_ack },
	{ "vMustReplyEmpty", do_nothing },
	{ "!", do_ok },
	{ "D", do_detach },
	{ "vKill;", do_vkill },
	{ "k", do_kill },
	{ NULL, NULL },
};

/* ---- the loop */

bool
handle(struct gdb_server *s, const struct handler *v, struct scan *args)
{
	for (; v->name; v++) {
		if (scan_word(args, v->name)) {
			v->fn(s, args);
			return true;
		}
	}
	return false;
}

static void
answer(struct gdb_server *s)
{
	static const struct handler *const tables[] = {
		server_handlers, thread_handlers, register_handlers,
		query_handlers,	 file_handlers,	  spot_handlers,
		catch_handlers,	 resume_handlers,
	};
	struct scan args;

	log_debug("< %.*s", (int)(s->request.len < 200 ? s->request.len : 200),
		  (const char *)s->request.p);
	scan_init(&args, buf_span(&s->request));
	buf_clear(&s->reply);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		if (handle(s, tables[i], &args))
			break;
	}
	/* An empty reply says that the packet is unknown. */
	if (!s->gone)
		server_send(s, buf_span(&s->reply));
}

static void
take_packets(struct gdb_server *s)
{
	enum packet_kind kind;

	while (!s->gone &&
	       (kind = packets_next(&s->packets, &s->request)) != PACKET_NONE) {
		switch (kind) {
		case PACKET_DATA:
			if (!s->no_ack)
				write_out(s, "+", 1);
			answer(s);
			break;
		case PACKET_BAD:
			if (!s->no_ack)
				write_out(s, "-", 1);
			break;
		case PACKET_NAK:
			if (!s->no_ack)
				write_out(s, s->sent.p, s->sent.len);
			break;
		case PACKET_NONE:
		case PACKET_ACK:
		case PACKET_INTERRUPT: /* nothing runs */
			break;
		}
	}
}

int
gdb_server_client(struct gdb_server *s, int in, int out, int quit,
		  struct err *err)
{
	s->in = in;
	s->out = out;
	s->quit = quit;
	s->gone = s->no_ack = s->multiprocess = false;
	s->fork_events = s->exec_events = false;
	s->swbreak = s->hwbreak = false;
	s->g_task = s->c_task = 0;
	s->moved = s->has_next = false;
	vec_clear(&s->told);
	spots_clear(s);
	memset(s->pass, 0, sizeof(s->pass));
	s->catch_calls = false;
	packets_release(&s->packets);
	buf_clear(&s->sent);
	buf_clear(&s->libraries);
	thread_settle(s);
	while (!s->gone) {
		receive(s, true);
		take_packets(s);
	}
	files_close(s);
	divert_end(s);
	return 0;
}
