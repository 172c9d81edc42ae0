/* qXfer: objects that are read in pieces. */
#include "gdb/divert.h"
#include "gdb/program.h"
#include "gdb/thread.h"

#include <string.h>

#include "base/mem.h"
#include "event/event.h"
#include "event/item.h"

static int
make_features(struct gdb_server *s, struct span annex, struct buf *out)
{
	if (!span_eq(annex, span_str("target.xml")))
		return -E_NOT_FOUND;
	registers_xml(s, out);
	return 0;
}

static int
make_threads(struct gdb_server *s, struct span annex, struct buf *out)
{
	(void)annex;
	threads_xml(s, out);
	return 0;
}

static int
make_auxv(struct gdb_server *s, struct span annex, struct buf *out)
{
	(void)annex;
	return s->t->ops->auxv(s->t, thread_current(s), out, NULL);
}

static int
make_exec_file(struct gdb_server *s, struct span annex, struct buf *out)
{
	const struct target_task *t;
	struct target_map m;
	struct scan args;

	scan_init(&args, annex);
	t = process_scan(s, &args);
	if (!t || !executable_map(s, t->task, &m))
		return -E_NOT_FOUND;
	buf_str(out, path_shown(s, &m));
	return 0;
}

static int
make_libraries(struct gdb_server *s, struct span annex, struct buf *out)
{
	(void)annex;
	libraries_xml(s, thread_current(s), out);
	buf_clear(&s->libraries);
	buf_put(&s->libraries, out->p, out->len);
	return 0;
}

/* What the handler was given, or would have been. */
static int
make_siginfo(struct gdb_server *s, struct span annex, struct buf *out)
{
	divert_expect(s);
	struct event ev = { 0 };
	struct pos at = { 0 };
	struct item item;

	(void)annex;
	s->t->ops->where(s->t, &at);
	if (at.pc != 0 || at.seq == 0 ||
	    s->t->ops->event(s->t, at.seq, &ev, NULL) < 0 ||
	    ev.kind != EV_signal || ev.task != thread_current(s) ||
	    !item_find(ev.payload, ITEM_SIGINFO, UINT64_MAX, &item))
		return -E_NOT_FOUND;
	buf_put(out, item.bytes.p, item.bytes.len);
	return 0;
}

static int
make_osdata(struct gdb_server *s, struct span annex, struct buf *out)
{
	return osdata_xml(s, annex, out);
}

static const struct object {
	const char *name;
	int (*make)(struct gdb_server *s, struct span annex, struct buf *out);
} objects[] = {
	{ "features:read:", make_features },
	{ "threads:read:", make_threads },
	{ "auxv:read:", make_auxv },
	{ "exec-file:read:", make_exec_file },
	{ "libraries-svr4:read:", make_libraries },
	{ "siginfo:read:", make_siginfo },
	{ "osdata:read:", make_osdata },
};

static void
read_object(struct gdb_server *s, const struct object *o, struct scan *args)
{
	struct span annex = scan_until(args, ':');
	struct xfer *x = &s->xfer;
	uint64_t offset, len;
	char *key;

	offset = scan_hex(args);
	scan_char(args, ',');
	len = scan_hex(args);
	if (!scan_done(args)) {
		reply_error(s, 0);
		return;
	}
	key = mem_printf("%s%u:%.*s", o->name, thread_current(s),
			 (int)annex.len, (const char *)annex.p);
	if (offset == 0 || !x->key || strcmp(key, x->key) != 0) {
		buf_clear(&x->text);
		mem_free(x->key);
		x->key = NULL;
		if (o->make(s, annex, &x->text) < 0) {
			mem_free(key);
			reply_error(s, 0);
			return;
		}
		x->key = key;
	} else {
		mem_free(key);
	}
	if (offset > x->text.len)
		offset = x->text.len;
	if (len > PACKET_SIZE / 2 - 8) /* all may need an escape */
		len = PACKET_SIZE / 2 - 8;
	if (len > x->text.len - offset)
		len = x->text.len - offset;
	buf_u8(&s->reply, offset + len < x->text.len ? 'm' : 'l');
	buf_put(&s->reply, x->text.p + offset, len);
}

void
xfer_handle(struct gdb_server *s, struct scan *args)
{
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		if (scan_word(args, objects[i].name)) {
			read_object(s, &objects[i], args);
			return;
		}
	}
}
