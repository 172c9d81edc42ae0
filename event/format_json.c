/*
 * One JSON object per event. Addresses, arguments and hashes are strings of
 * hex digits, because many readers keep numbers as doubles. Bytes become a
 * string with one character per byte (U+0000 to U+00FF).
 */
#include <inttypes.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "event/format_priv.h"

static void
json_string(struct buf *out, struct span s)
{
	buf_str(out, "\"");
	for (size_t i = 0; i < s.len; i++) {
		const uint8_t c = s.p[i];

		if (c == '"' || c == '\\') {
			buf_u8(out, '\\');
			buf_u8(out, c);
		} else if (c >= 0x20 && c < 0x7f) {
			buf_u8(out, c);
		} else {
			buf_printf(out, "\\u%04x", c);
		}
	}
	buf_str(out, "\"");
}

static void
json_key(struct buf *out, const char *key)
{
	if (out->len && out->p[out->len - 1] != '{')
		buf_str(out, ",");
	buf_printf(out, "\"%s\":", key);
}

static void
json_text(struct buf *out, const char *key, const char *value)
{
	json_key(out, key);
	json_string(out, span_str(value));
}

static void
json_bytes(struct buf *out, const char *key, struct span value)
{
	json_key(out, key);
	json_string(out, value);
}

static void
json_u64(struct buf *out, const char *key, uint64_t v)
{
	json_key(out, key);
	buf_printf(out, "%" PRIu64, v);
}

static void
json_i64(struct buf *out, const char *key, int64_t v)
{
	json_key(out, key);
	buf_printf(out, "%" PRId64, v);
}

static void
json_hex(struct buf *out, const char *key, uint64_t v)
{
	json_key(out, key);
	buf_printf(out, "\"0x%" PRIx64 "\"", v);
}

static void
json_ids(struct buf *out, const uint8_t *ids, size_t n)
{
	json_key(out, "blobs");
	buf_str(out, "[");
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i ? ",\"" : "\"");
		for (size_t k = 0; k < sizeof(struct blob_id); k++)
			buf_printf(out, "%02x",
				   ids[i * sizeof(struct blob_id) + k]);
		buf_str(out, "\"");
	}
	buf_str(out, "]");
}

static void
json_regs(struct buf *out, struct span s)
{
	struct regs r;

	if (s.len < sizeof(r)) {
		json_bytes(out, "data", s);
		return;
	}
	memcpy(&r, s.p, sizeof(r));
	for (size_t i = 0; reg_table[i].name; i++)
		json_hex(out, reg_table[i].name, regs_get(&r, i));
}

static void
json_map(struct buf *out, const struct item *it)
{
	struct map_rec m;

	if (item_get_map(it, &m, NULL) < 0) {
		json_bytes(out, "data", it->bytes);
		return;
	}
	json_hex(out, "start", m.start);
	json_u64(out, "len", m.len);
	json_u64(out, "prot", m.prot);
	json_u64(out, "flags", m.flags);
	json_u64(out, "file", m.file);
	json_u64(out, "offset", m.offset);
	json_u64(out, "shared_id", m.shared_id);
}

static void
json_file(struct buf *out, const struct item *it)
{
	const struct blob_id *ids;
	struct file_rec r;
	const char *path;
	size_t n;

	if (item_get_file(it, &r, &path, &ids, &n, NULL) < 0) {
		json_bytes(out, "data", it->bytes);
		return;
	}
	json_u64(out, "number", r.number);
	json_text(out, "path", path);
	json_u64(out, "dev", r.dev);
	json_u64(out, "ino", r.ino);
	json_u64(out, "size", r.size);
	json_u64(out, "mtime_ns", r.mtime_ns);
	json_u64(out, "ctime_ns", r.ctime_ns);
	json_u64(out, "mode", r.mode);
	json_key(out, "whole");
	buf_str(out, r.whole ? "true" : "false");
	json_u64(out, "from", r.from);
	json_ids(out, &ids->b[0], n);
}

static void
json_input(struct buf *out, const struct event *ev, const struct item *it)
{
	const struct sys_desc *d = sys_desc(ev->call);
	const uint64_t i = it->num & 0xf;

	json_u64(out, "arg", i);
	if (i < d->nargs)
		json_text(out, "name", d->args[i].name);
	if (it->num & SYS_IN_NAME)
		json_text(out, "part", "address");
	if (it->num & SYS_IN_CONTROL)
		json_text(out, "part", "control");
}

static void
json_kv(struct buf *out, const struct item *it)
{
	const char *key;
	struct span value;

	if (item_get_kv(it, &key, &value) < 0) {
		json_bytes(out, "data", it->bytes);
		return;
	}
	json_text(out, "key", key);
	json_bytes(out, "value", value);
}

static void
json_item_body(struct buf *out, const struct event *ev, const struct item *it)
{
	switch ((enum item_kind)it->kind) {
	case ITEM_MEM_TASK:
		json_u64(out, "task", it->num);
		json_hex(out, "addr", it->addr);
		break;
	case ITEM_MEM:
	case ITEM_PATCH:
		json_hex(out, "addr", it->addr);
		break;
	case ITEM_MEM_BLOB:
	case ITEM_IN_BLOB:
		if (it->kind == ITEM_MEM_BLOB)
			json_hex(out, "addr", it->addr);
		else
			json_input(out, ev, it);
		json_u64(out, "len", it->len);
		json_ids(out, it->bytes.p,
			 it->bytes.len / sizeof(struct blob_id));
		return;
	case ITEM_ZERO:
		json_hex(out, "addr", it->addr);
		json_u64(out, "len", it->len);
		return;
	case ITEM_REGION:
		json_hex(out, "addr", it->addr);
		json_u64(out, "len", it->len);
		json_hex(out, "hash", it->num);
		return;
	case ITEM_REGS:
		json_regs(out, it->bytes);
		return;
	case ITEM_MAP:
		json_map(out, it);
		return;
	case ITEM_FILE:
		json_file(out, it);
		return;
	case ITEM_KV:
		json_kv(out, it);
		return;
	case ITEM_IN:
		json_input(out, ev, it);
		break;
	case ITEM_FD:
		json_u64(out, "fd", it->num);
		break;
	case ITEM_PAGES:
		json_hex(out, "addr", it->num);
		break;
	case ITEM_XSTATE:
	case ITEM_SIGINFO:
	case ITEM_TEXT:
	case ITEM_POINT:
		break;
	}
	json_bytes(out, "data", it->bytes);
}

static void
json_items(struct buf *out, const struct event *ev)
{
	struct item_reader ir;
	struct item it;
	bool first = true;
	int r;

	json_key(out, "items");
	buf_str(out, "[");
	item_reader_init(&ir, ev->payload);
	while ((r = item_next(&ir, &it, NULL)) != 0) {
		buf_str(out, first ? "{" : ",{");
		first = false;
		if (r < 0) {
			json_text(out, "kind", "damaged");
			buf_str(out, "}");
			break;
		}
		if (item_name(it.kind))
			json_text(out, "kind", item_name(it.kind));
		else
			json_u64(out, "kind", it.kind);
		json_item_body(out, ev, &it);
		buf_str(out, "}");
	}
	buf_str(out, "]");
}

static void
json_flags(struct buf *out, uint32_t flags)
{
	static const struct flag_name names[] = {
		{ EVF_RUNS, "runs" },
		{ EVF_ERROR, "error" },
		{ EVF_RESTART, "restart" },
		{ EVF_UNTIMED, "untimed" },
		{ EVF_REFUSED, "refused" },
		{ EVF_REWOUND, "rewound" },
		{ 0, NULL },
	};
	bool first = true;

	json_key(out, "flags");
	buf_str(out, "[");
	for (size_t i = 0; names[i].name; i++) {
		if (!(flags & names[i].value))
			continue;
		buf_printf(out, "%s\"%s\"", first ? "" : ",", names[i].name);
		first = false;
	}
	buf_str(out, "]");
}

static void
json_args(struct buf *out, const struct event *ev)
{
	json_key(out, "args");
	buf_str(out, "[");
	for (unsigned i = 0; i < 6; i++)
		buf_printf(out, "%s\"0x%" PRIx64 "\"", i ? "," : "",
			   ev->args[i]);
	buf_str(out, "]");
}

void
event_format_json(const struct event *ev, struct buf *out)
{
	const struct format_opts opts = { .max_string = 256 };
	struct buf line = { 0 };

	buf_str(out, "{");
	json_u64(out, "seq", ev->seq);
	json_u64(out, "time_ns", ev->time_ns);
	json_u64(out, "dur_ns", ev->dur_ns);
	json_u64(out, "task", ev->task);
	json_text(out, "kind", event_kind_name(ev->kind));
	if (ev->call >= 0) {
		json_text(out, "call", sys_name(ev->call));
		json_i64(out, "nr", ev->call);
	}
	json_flags(out, ev->flags);
	json_hex(out, "pc", ev->pc);
	json_hex(out, "sp", ev->sp);
	json_u64(out, "reghash", ev->reghash);
	json_args(out, ev);
	json_i64(out, "ret", ev->ret);
	if ((ev->flags & EVF_ERROR) && ev->ret < 0 && ev->ret >= -4095)
		json_text(out, "errno", errno_name((int)-ev->ret));
	event_format(ev, &opts, &line);
	json_bytes(out, "text", buf_span(&line));
	json_items(out, ev);
	buf_str(out, "}");
	buf_free(&line);
}
