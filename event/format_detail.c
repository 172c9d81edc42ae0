/* All of an event, for the detail pane and "show --detail". */
#include <inttypes.h>

#include "base/mem.h"
#include "event/format_priv.h"

#define DUMP_MAX (64u * 1024) /* bytes of one item */
#define DUMP_COLUMNS 16u

const char *
item_name(unsigned kind)
{
	switch ((enum item_kind)kind) {
	case ITEM_MEM:
		return "mem";
	case ITEM_MEM_BLOB:
		return "mem_blob";
	case ITEM_IN:
		return "in";
	case ITEM_IN_BLOB:
		return "in_blob";
	case ITEM_REGS:
		return "regs";
	case ITEM_XSTATE:
		return "xstate";
	case ITEM_SIGINFO:
		return "siginfo";
	case ITEM_MAP:
		return "map";
	case ITEM_FILE:
		return "file";
	case ITEM_KV:
		return "kv";
	case ITEM_TEXT:
		return "text";
	case ITEM_MEM_TASK:
		return "mem_task";
	case ITEM_FD:
		return "fd";
	case ITEM_REGION:
		return "region";
	case ITEM_ZERO:
		return "zero";
	case ITEM_PATCH:
		return "patch";
	case ITEM_PAGES:
		return "pages";
	case ITEM_POINT:
		return "point";
	}
	return NULL;
}

/* "  7ffe1000  68 65 6c 6c 6f ...  |hello|" */
static void
dump(struct buf *out, uint64_t addr, struct span s)
{
	const size_t n = s.len < DUMP_MAX ? s.len : DUMP_MAX;

	for (size_t at = 0; at < n; at += DUMP_COLUMNS) {
		size_t row = n - at < DUMP_COLUMNS ? n - at : DUMP_COLUMNS;

		buf_printf(out, "  %08" PRIx64 " ", addr + at);
		for (size_t i = 0; i < DUMP_COLUMNS; i++) {
			if (i % 8 == 0)
				buf_str(out, " ");
			if (i < row)
				buf_printf(out, "%02x ", s.p[at + i]);
			else
				buf_str(out, "   ");
		}
		buf_str(out, " |");
		for (size_t i = 0; i < row; i++) {
			uint8_t c = s.p[at + i];

			buf_u8(out, c >= 0x20 && c < 0x7f ? c : '.');
		}
		buf_str(out, "|\n");
	}
	if (n < s.len)
		buf_printf(out, "  ... %zu bytes more\n", s.len - n);
}

static void
detail_regs(struct buf *out, struct span s)
{
	struct regs r;

	if (s.len < sizeof(r)) {
		dump(out, 0, s);
		return;
	}
	memcpy(&r, s.p, sizeof(r));
	for (size_t i = 0; reg_table[i].name; i++)
		buf_printf(out, "  %-8s 0x%016" PRIx64 "%s", reg_table[i].name,
			   regs_get(&r, i),
			   i % 3 == 2 || !reg_table[i + 1].name ? "\n" : "");
}

static void
detail_map(struct buf *out, const struct item *it)
{
	struct map_rec m;

	if (item_get_map(it, &m, NULL) < 0) {
		buf_str(out, "mapping: damaged\n");
		return;
	}
	buf_printf(out, "mapping: %" PRIx64 "-%" PRIx64 " %c%c%c%c", m.start,
		   m.start + m.len, m.prot & 1 ? 'r' : '-',
		   m.prot & 2 ? 'w' : '-', m.prot & 4 ? 'x' : '-',
		   m.flags & 1 ? 's' : 'p');
	if (m.file)
		buf_printf(out, " file %" PRIu64 " at %#" PRIx64, m.file,
			   m.offset);
	if (m.shared_id)
		buf_printf(out, " shared object %" PRIu64, m.shared_id);
	buf_str(out, "\n");
}

static void
detail_file(struct buf *out, const struct item *it)
{
	const struct blob_id *ids;
	struct file_rec r;
	const char *path;
	size_t n;

	if (item_get_file(it, &r, &path, &ids, &n, NULL) < 0) {
		buf_str(out, "file: damaged\n");
		return;
	}
	buf_printf(out, "file %" PRIu64 ": \"", r.number);
	buf_escape(out, span_str(path));
	buf_printf(out,
		   "\"\nsize: %" PRIu64 ", %s from %" PRIu64
		   ", %zu pieces\ndevice: %#" PRIx64 ", inode: %" PRIu64
		   ", mode: %#o\n",
		   r.size, r.whole ? "whole" : "part", r.from, n, r.dev, r.ino,
		   r.mode);
}

/* Of which argument an input is: "buf", "msg (address)". */
static void
input_name(struct buf *out, const struct event *ev, uint64_t num)
{
	const struct sys_desc *d = sys_desc(ev->call);
	const uint64_t i = num & 0xf;

	if (i < d->nargs && num < 0x40)
		buf_str(out, d->args[i].name);
	else
		buf_printf(out, "%" PRIu64, num);
	if (num & SYS_IN_NAME)
		buf_str(out, " (address)");
	if (num & SYS_IN_CONTROL)
		buf_str(out, " (control)");
}

static void
detail_bytes(struct buf *out, const struct event *ev, const struct item *it)
{
	switch ((enum item_kind)it->kind) {
	case ITEM_MEM:
	case ITEM_PATCH:
		buf_printf(out, "%s: %zu bytes at %#" PRIx64 "\n",
			   it->kind == ITEM_MEM ? "memory" : "code replaced",
			   it->bytes.len, it->addr);
		break;
	case ITEM_MEM_TASK:
		buf_printf(out,
			   "memory of task %" PRIu64 ": %zu bytes at %#" PRIx64
			   "\n",
			   it->num, it->bytes.len, it->addr);
		break;
	case ITEM_IN:
		buf_str(out, "input ");
		input_name(out, ev, it->num);
		buf_printf(out, ": %zu bytes\n", it->bytes.len);
		break;
	default:
		buf_printf(out, "item %u: %zu bytes\n", it->kind,
			   it->bytes.len);
		break;
	}
	dump(out, it->addr, it->bytes);
}

static void
detail_named(struct buf *out, const struct item *it)
{
	const char *key;
	struct span value;

	switch ((enum item_kind)it->kind) {
	case ITEM_KV:
		if (item_get_kv(it, &key, &value) < 0)
			return;
		buf_escape(out, span_str(key));
		buf_printf(out, ": %s\n", value.len ? "" : "\"\"");
		dump(out, 0, value);
		return;
	case ITEM_TEXT:
		buf_str(out, "text: ");
		break;
	case ITEM_FD:
		buf_printf(out, "descriptor %" PRIu64 ": ", it->num);
		break;
	default:
		break;
	}
	buf_escape(out, it->bytes);
	buf_str(out, "\n");
}

static void
detail_item(struct fmt *f, const struct item *it)
{
	struct buf *out = f->out;

	switch ((enum item_kind)it->kind) {
	case ITEM_MEM_BLOB:
		buf_printf(out,
			   "memory: %" PRIu64 " bytes at %#" PRIx64
			   ", stored apart\n",
			   it->len, it->addr);
		return;
	case ITEM_IN_BLOB:
		buf_str(out, "input ");
		input_name(out, f->ev, it->num);
		buf_printf(out, ": %" PRIu64 " bytes, stored apart\n", it->len);
		return;
	case ITEM_REGS:
		buf_str(out, "registers after it:\n");
		detail_regs(out, it->bytes);
		return;
	case ITEM_XSTATE:
		buf_printf(out, "extended state: %zu bytes\n", it->bytes.len);
		return;
	case ITEM_POINT:
		buf_printf(out, "execution point: %zu bytes\n", it->bytes.len);
		return;
	case ITEM_PAGES: /* of the region above it */
		return;
	case ITEM_SIGINFO:
		buf_str(out, "siginfo: ");
		fmt_siginfo(f, it->bytes);
		buf_str(out, "\n");
		return;
	case ITEM_MAP:
		detail_map(out, it);
		return;
	case ITEM_FILE:
		detail_file(out, it);
		return;
	case ITEM_REGION:
		if (it->num == 0) {
			buf_printf(out, "left out: %" PRIx64 "-%" PRIx64 "\n",
				   it->addr, it->addr + it->len);
			return;
		}
		buf_printf(out,
			   "region: %" PRIx64 "-%" PRIx64 " hash %016" PRIx64
			   "\n",
			   it->addr, it->addr + it->len, it->num);
		return;
	case ITEM_ZERO:
		buf_printf(out, "zeros: %" PRIu64 " bytes at %#" PRIx64 "\n",
			   it->len, it->addr);
		return;
	case ITEM_KV:
	case ITEM_TEXT:
	case ITEM_FD:
		detail_named(out, it);
		return;
	case ITEM_MEM:
	case ITEM_IN:
	case ITEM_MEM_TASK:
	case ITEM_PATCH:
		break;
	}
	detail_bytes(out, f->ev, it);
}

static bool
is_call(const struct event *ev)
{
	return ev->kind == EV_enter || ev->kind == EV_exit ||
	       ev->kind == EV_syscall;
}

static void
detail_call(struct fmt *f)
{
	const struct sys_desc *d = sys_desc(f->ev->call);

	buf_printf(f->out, "call: %s (%s)\n", sys_name(f->ev->call), d->group);
	for (unsigned i = 0; i < d->nargs; i++) {
		buf_printf(f->out, "%s: ", d->args[i].name);
		fmt_arg(f, i);
		buf_str(f->out, "\n");
	}
	if (f->ev->kind == EV_enter)
		return;
	buf_str(f->out, "result: ");
	fmt_result(f);
	buf_str(f->out, "\n");
}

static void
detail_flags(struct fmt *f)
{
	static const struct flag_name names[] = {
		{ EVF_RUNS, "runs" },
		{ EVF_ERROR, "error" },
		{ EVF_RESTART, "restart" },
		{ EVF_UNTIMED, "untimed" },
		{ EVF_REFUSED, "refused" },
		{ EVF_REWOUND, "rewound" },
		{ 0, "none" },
		{ 0, NULL },
	};

	buf_str(f->out, "flags: ");
	fmt_flags(f, names, f->ev->flags);
	buf_str(f->out, "\n");
}

void
event_format_detail(const struct event *ev, const struct format_opts *o,
		    struct buf *out)
{
	struct item_reader ir;
	struct item it;
	struct fmt f;
	int r;

	fmt_init(&f, ev, o, out);
	if (!o || !o->max_string)
		f.max = 1024;
	buf_printf(out, "event: e%" PRIu64 " (%s)\ntask: %u\n", ev->seq,
		   event_kind_name(ev->kind), ev->task);
	buf_printf(out, "time: %" PRIu64 ".%09" PRIu64 " s\n",
		   ev->time_ns / 1000000000, ev->time_ns % 1000000000);
	if (ev->dur_ns)
		buf_printf(out, "took: %" PRIu64 " ns\n", ev->dur_ns);
	if (is_call(ev)) {
		detail_call(&f);
	} else {
		buf_str(out, "what: ");
		event_format(ev, o, out);
		buf_str(out, "\n");
	}
	detail_flags(&f);
	if (ev->pc)
		buf_printf(out, "pc: %#" PRIx64 "\nsp: %#" PRIx64 "\n", ev->pc,
			   ev->sp);
	item_reader_init(&ir, ev->payload);
	while ((r = item_next(&ir, &it, NULL)) > 0)
		detail_item(&f, &it);
	if (r < 0)
		buf_str(out, "the rest of its data is damaged\n");
}
