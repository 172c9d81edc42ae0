/* Memory, and questions that are one answer each. */
#include "gdb/divert.h"
#include "gdb/program.h"
#include "gdb/thread.h"

#include <string.h>

#include "base/mem.h"

#define EFAULT_NUMBER 14
#define PAGE 4096u

/* What is at GDB_MOVED_AT. */
static void
put_moved(struct gdb_server *s, struct buf *out)
{
	const struct target_task *t = thread_find(s, s->task);
	struct buf now = { 0 };
	bool other;

	libraries_xml(s, thread_current(s), &now);
	other = s->libraries.len > 0 &&
		!span_eq(buf_span(&now), buf_span(&s->libraries));
	buf_u8(out, s->moved);
	buf_u8(out, s->moved && other);
	buf_u8(out, s->moved && t && !process_told(s, t->process));
	buf_u8(out, 0);
	buf_u32(out, t ? (uint32_t)t->tgid : 0);
	buf_free(&now);
}

static bool
read_moved(struct gdb_server *s, uint64_t addr, uint64_t len)
{
	struct buf bytes = { 0 };
	uint64_t at = addr - GDB_MOVED_AT;

	if (at >= GDB_MOVED_LEN || len > GDB_MOVED_LEN - at)
		return false;
	put_moved(s, &bytes);
	hex_put(&s->reply, bytes.p + at, len);
	buf_free(&bytes);
	return true;
}

static void
do_read_memory(struct gdb_server *s, struct scan *args)
{
	uint64_t addr, len;
	uint8_t *bytes;
	int64_t n;

	addr = scan_hex(args);
	scan_char(args, ',');
	len = scan_hex(args);
	if (!scan_done(args)) {
		reply_error(s, 1);
		return;
	}
	if (read_moved(s, addr, len))
		return;
	if (len > PACKET_SIZE / 2 - 8)
		len = PACKET_SIZE / 2 - 8;
	bytes = mem_alloc(len + 1);
	n = s->t->ops->read(s->t, thread_current(s), addr, bytes, len);
	if (n < 0 || (n == 0 && len > 0))
		reply_error(s, EFAULT_NUMBER);
	else
		hex_put(&s->reply, bytes, (size_t)n);
	mem_free(bytes);
}

static bool
write_bytes(struct span text, bool binary, struct buf *out)
{
	if (!binary)
		return hex_get(text, out);
	buf_put(out, text.p, text.len);
	return true;
}

static void
write_memory(struct gdb_server *s, struct scan *args, bool binary)
{
	uint64_t addr = scan_hex(args), len;
	struct buf bytes = { 0 };
	struct err err = { 0 };

	scan_char(args, ',');
	len = scan_hex(args);
	scan_char(args, ':');
	if (args->bad || !write_bytes(scan_rest(args), binary, &bytes) ||
	    bytes.len != len)
		reply_error(s, 1);
	else if (divert_write(s, addr, buf_span(&bytes), &err) < 0)
		reply_err(s, &err);
	else
		reply_ok(s);
	buf_free(&bytes);
}

static void
do_write_hex(struct gdb_server *s, struct scan *args)
{
	write_memory(s, args, false);
}

static void
do_write_binary(struct gdb_server *s, struct scan *args)
{
	write_memory(s, args, true);
}

/* gdb offers to look up symbols for us: no need. */
static void
do_symbol(struct gdb_server *s, struct scan *args)
{
	(void)args;
	reply_ok(s);
}

static void
do_tls(struct gdb_server *s, struct scan *args)
{
	uint32_t task = thread_scan(s, args);
	uint64_t offset, lm, addr;
	struct err err = { 0 };

	scan_char(args, ',');
	offset = scan_hex(args);
	scan_char(args, ',');
	lm = scan_hex(args);
	if (!scan_done(args))
		reply_error(s, 1);
	else if (tls_address(s, task, lm, &addr, &err) < 0)
		reply_err(s, &err);
	else
		buf_printf(&s->reply, "%lx", addr + offset);
}

/* For lldb: what it talks to. */
static void
do_host(struct gdb_server *s, struct scan *args)
{
	struct buf triple = { 0 };

	(void)args;
	buf_str(&triple, "x86_64-unknown-linux-gnu");
	buf_str(&s->reply, "triple:");
	hex_put(&s->reply, triple.p, triple.len);
	buf_str(&s->reply, ";ptrsize:8;endian:little;");
	buf_free(&triple);
}

static void
do_process(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t = thread_find(s, thread_current(s));

	if (!t) {
		reply_error(s, 1);
		return;
	}
	buf_printf(&s->reply, "pid:%x;", (unsigned)t->tgid);
	do_host(s, args);
}

static void
do_region(struct gdb_server *s, struct scan *args)
{
	uint32_t task = thread_current(s);
	struct arena a = { 0 };
	struct target_map *v = NULL;
	uint64_t addr = scan_hex(args), end = UINT64_MAX;
	size_t n = 0;

	if (!scan_done(args) ||
	    s->t->ops->maps(s->t, task, &a, &v, &n, NULL) < 0) {
		reply_error(s, 1);
		arena_free(&a);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (addr < v[i].start) {
			end = v[i].start;
			break;
		}
		if (addr >= v[i].end)
			continue;
		buf_printf(&s->reply, "start:%lx;size:%lx;permissions:%s%s%s;",
			   v[i].start, v[i].end - v[i].start,
			   v[i].prot & 1 ? "r" : "", v[i].prot & 2 ? "w" : "",
			   v[i].prot & 4 ? "x" : "");
		if (v[i].name[0]) {
			buf_str(&s->reply, "name:");
			hex_put(&s->reply, v[i].name, strlen(v[i].name));
			buf_str(&s->reply, ";");
		}
		break;
	}
	if (s->reply.len == 0) {
		addr &= ~(uint64_t)(PAGE - 1);
		buf_printf(&s->reply, "start:%lx;size:%lx;", addr, end - addr);
	}
	arena_free(&a);
}

const struct handler query_handlers[] = {
	{ "qXfer:", xfer_handle },
	{ "qRcmd,", monitor_handle },
	{ "qSymbol:", do_symbol },
	{ "qGetTLSAddr:", do_tls },
	{ "qHostInfo", do_host },
	{ "qProcessInfo", do_process },
	{ "qMemoryRegionInfo:", do_region },
	{ "m", do_read_memory },
	{ "M", do_write_hex },
	{ "X", do_write_binary },
	{ NULL, NULL },
};
