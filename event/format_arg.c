/* Arguments and results of calls as text, from the rows of the table. */
#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>

#include "event/format_priv.h"
#include "event/sys_entry.h"

#define AT_FDCWD_ -100

void
fmt_init(struct fmt *f, const struct event *ev, const struct format_opts *o,
	 struct buf *out)
{
	f->ev = ev;
	f->o = o;
	f->out = out;
	f->max = o && o->max_string ? o->max_string : 32;
}

void
fmt_quote(struct fmt *f, struct span s)
{
	const bool cut = s.len > f->max;

	if (cut)
		s.len = f->max;
	buf_str(f->out, "\"");
	buf_escape(f->out, s);
	buf_str(f->out, cut ? "\"..." : "\"");
}

void
fmt_hex(struct fmt *f, uint64_t v)
{
	if (v)
		buf_printf(f->out, "0x%" PRIx64, v);
	else
		buf_str(f->out, "0");
}

void
fmt_pointer(struct fmt *f, uint64_t v)
{
	if (v)
		buf_printf(f->out, "0x%" PRIx64, v);
	else
		buf_str(f->out, "NULL");
}

void
fmt_fd(struct fmt *f, int fd)
{
	const char *name = NULL;

	buf_printf(f->out, "%d", fd);
	if (fd >= 0 && f->o && f->o->fd_name)
		name = f->o->fd_name(f->o->ctx, f->ev, fd);
	if (name) {
		buf_str(f->out, "<");
		buf_escape(f->out, span_str(name));
		buf_str(f->out, ">");
	}
}

void
fmt_enum(struct fmt *f, const struct flag_name *list, uint64_t v)
{
	for (const struct flag_name *n = list; n->name; n++) {
		if (n->value == v) {
			buf_str(f->out, n->name);
			return;
		}
	}
	fmt_hex(f, v);
}

/* Some lists begin with a small number in the low bits: take it out first. */
static uint64_t
flags_number(struct fmt *f, const struct flag_name *list, uint64_t v)
{
	uint64_t mask = 0;

	if (list == flags_open)
		mask = 3;
	else if (list == flags_sock_type)
		mask = 15;
	else if (list == flags_clone)
		mask = 0x7f;
	if (list == flags_ipc && (v & 0777)) { /* a mode in the low bits */
		buf_printf(f->out, "%#o", (unsigned)(v & 0777));
		return v & ~(uint64_t)0777;
	}
	if (!mask)
		return v;
	if (list == flags_open && (v & mask) == 0)
		buf_str(f->out, "O_RDONLY");
	else if (list == flags_clone && (v & mask))
		buf_str(f->out, signal_name((int)(v & mask)));
	else if (v & mask)
		fmt_enum(f, list, v & mask);
	return v & ~mask;
}

void
fmt_flags(struct fmt *f, const struct flag_name *list, uint64_t v)
{
	const size_t start = f->out->len;
	uint64_t left = flags_number(f, list, v);

	for (const struct flag_name *n = list; n->name; n++) {
		if (n->value == 0 || (left & n->value) != n->value)
			continue;
		buf_printf(f->out, "%s%s", f->out->len > start ? "|" : "",
			   n->name);
		left &= ~n->value;
	}
	if (left) {
		if (f->out->len > start)
			buf_str(f->out, "|");
		fmt_hex(f, left);
	}
	if (f->out->len == start)
		fmt_enum(f, list, 0);
}

struct span
fmt_mem(const struct event *ev, uint64_t addr, uint64_t len)
{
	static const uint8_t zeros[4096];
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		uint64_t skip = addr - it.addr;

		if ((it.kind != ITEM_MEM && it.kind != ITEM_ZERO) ||
		    addr < it.addr || skip >= it.len)
			continue;
		if (len > it.len - skip)
			len = it.len - skip;
		if (it.kind == ITEM_MEM)
			return span_of(it.bytes.p + skip, (size_t)len);
		return span_of(zeros, len < sizeof(zeros) ? (size_t)len
							  : sizeof(zeros));
	}
	return (struct span){ 0 };
}

/* Bytes of argument i that are known: what it wrote, else what went in. */
struct span
fmt_arg_bytes(const struct event *ev, unsigned i)
{
	const struct sys_arg *a = &sys_desc(ev->call)->args[i];
	struct span s = { 0 };
	struct item it;
	uint64_t len = UINT64_MAX;

	if (a->len_from == LEN_CONST)
		len = a->len_k;
	if ((a->dir & DIR_OUT) && ev->args[i])
		s = fmt_mem(ev, ev->args[i], len);
	if (s.len == 0 && item_find(ev->payload, ITEM_IN, i, &it))
		s = it.bytes;
	if (s.len > len)
		s.len = (size_t)len;
	return s;
}

static bool
arg_known(const struct event *ev, unsigned i)
{
	struct item it;

	return fmt_arg_bytes(ev, i).len > 0 ||
	       item_find(ev->payload, ITEM_IN, i, &it);
}

/* A string that went in or came out; what is cut off ends with the NUL. */
static void
arg_string(struct fmt *f, const struct sys_arg *a, unsigned i)
{
	struct span s = fmt_arg_bytes(f->ev, i);
	const uint8_t *nul = s.len ? memchr(s.p, '\0', s.len) : NULL;
	struct item it;

	if (!arg_known(f->ev, i)) {
		if (item_find(f->ev->payload, ITEM_IN_BLOB, i, &it))
			buf_printf(f->out, "<%" PRIu64 " bytes>", it.len);
		else
			fmt_pointer(f, f->ev->args[i]);
		return;
	}
	if (nul)
		s.len = (size_t)(nul - s.p);
	if (a->type == ARG_PATH) { /* paths are shown whole */
		buf_str(f->out, "\"");
		buf_escape(f->out, s);
		buf_str(f->out, "\"");
	} else {
		fmt_quote(f, s);
	}
}

/* A buffer; large contents are in blobs, which the formatter cannot read. */
static void
arg_buffer(struct fmt *f, const struct sys_arg *a, unsigned i)
{
	struct span s = fmt_arg_bytes(f->ev, i);
	struct item_reader ir;
	struct item it;

	if (s.len > 0 && f->ev->ret >= 0) {
		const uint64_t ret = (uint64_t)f->ev->ret;

		/* Neighbouring outputs may lie in the same item. */
		if (a->len_from == LEN_RET && a->len_k == 1 && s.len > ret)
			s.len = (size_t)ret;
		fmt_quote(f, s);
		return;
	}
	if (f->ev->ret == 0 && a->len_from == LEN_RET &&
	    f->ev->kind != EV_enter && f->ev->args[i]) {
		buf_str(f->out, "\"\"");
		return;
	}
	item_reader_init(&ir, f->ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if ((it.kind == ITEM_IN_BLOB && it.num == i) ||
		    (it.kind == ITEM_MEM_BLOB && it.addr == f->ev->args[i])) {
			buf_printf(f->out, "<%" PRIu64 " bytes>", it.len);
			return;
		}
	}
	fmt_pointer(f, f->ev->args[i]);
}

/* All pieces of a scatter list, in order; skip is a range of memory that is
 * no data (a msghdr). */
static void
arg_pieces(struct fmt *f, const struct sys_arg *a, unsigned i, uint64_t skip,
	   uint64_t skip_len)
{
	/* sendmmsg's vector is INOUT for its lengths, vmsplice's lists for the
	 * direction that nobody knows. */
	const bool in = a->dir == DIR_IN ||
			(a->dir == DIR_INOUT && a->len_from == LEN_MMSG);
	struct item_reader ir;
	struct item it;
	unsigned n = 0;

	buf_str(f->out, "[");
	item_reader_init(&ir, f->ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		const bool blob =
			it.kind == ITEM_IN_BLOB || it.kind == ITEM_MEM_BLOB;
		const bool data =
			it.kind == ITEM_IN || it.kind == ITEM_IN_BLOB
				? in && it.num == i
				: !in && (it.kind == ITEM_MEM || blob) &&
					  it.addr - skip >= skip_len;

		if (!data)
			continue;
		if (n++)
			buf_str(f->out, ", ");
		if (n > 8) {
			buf_str(f->out, "...");
			break;
		}
		if (blob)
			buf_printf(f->out, "<%" PRIu64 " bytes>", it.len);
		else
			fmt_quote(f, it.bytes);
	}
	buf_str(f->out, "]");
}

static void
arg_message(struct fmt *f, const struct sys_arg *a, unsigned i)
{
	struct item it;

	if (f->ev->payload.len == 0) {
		fmt_pointer(f, f->ev->args[i]);
		return;
	}
	buf_str(f->out, "{");
	if (item_find(f->ev->payload, ITEM_IN, i | SYS_IN_NAME, &it)) {
		buf_str(f->out, "name=");
		fmt_sockaddr(f, it.bytes);
		buf_str(f->out, ", ");
	}
	buf_str(f->out, "data=");
	arg_pieces(f, a, i, f->ev->args[i],
		   a->len_from == LEN_MMSG
			   ? MMSGHDR_LEN * (uint64_t)(uint32_t)f->ev->args[2]
			   : MSGHDR_LEN);
	if (item_find(f->ev->payload, ITEM_IN, i | SYS_IN_CONTROL, &it)) {
		buf_str(f->out, ", control=");
		fmt_quote(f, it.bytes);
	}
	buf_str(f->out, "}");
}

/* CPU clocks of processes and threads, and clocks of descriptors. */
static void
arg_clock(struct fmt *f, int32_t clock)
{
	if (clock >= 0)
		fmt_enum(f, flags_clock, (uint32_t)clock);
	else if ((clock & 7) == 3)
		buf_printf(f->out, "FD_TO_CLOCKID(%d)", ~(clock >> 3));
	else
		buf_printf(f->out, "MAKE_%s_CPUCLOCK(%d, %d)",
			   clock & 4 ? "THREAD" : "PROCESS", ~(clock >> 3),
			   clock & 3);
}

/* Numbers; false when the type is that of something in memory. */
static bool
arg_number(struct fmt *f, const struct sys_arg *a, uint64_t v)
{
	switch ((enum arg_type)a->type) {
	case ARG_INT:
	case ARG_PID:
		buf_printf(f->out, "%" PRId32, (int32_t)v);
		return true;
	case ARG_UINT:
		buf_printf(f->out, "%" PRIu32, (uint32_t)v);
		return true;
	case ARG_LONG:
		buf_printf(f->out, "%" PRId64, (int64_t)v);
		return true;
	case ARG_ULONG:
		buf_printf(f->out, "%" PRIu64, v);
		return true;
	case ARG_OCT:
		buf_printf(f->out, "%#o", (unsigned)v);
		return true;
	case ARG_FD:
		fmt_fd(f, (int32_t)v);
		return true;
	case ARG_DIRFD:
		if ((int32_t)v == AT_FDCWD_)
			buf_str(f->out, "AT_FDCWD");
		else
			fmt_fd(f, (int32_t)v);
		return true;
	case ARG_FLAGS:
		fmt_flags(f, a->flags, v);
		return true;
	case ARG_ENUM:
		fmt_enum(f, a->flags, (uint32_t)v);
		return true;
	case ARG_SIGNO:
		buf_str(f->out, v ? signal_name((int)v) : "0");
		return true;
	case ARG_CLOCK:
		arg_clock(f, (int32_t)v);
		return true;
	default:
		return false;
	}
}

void
fmt_arg(struct fmt *f, unsigned i)
{
	const struct event *ev = f->ev;
	const struct sys_arg *a = &sys_desc(ev->call)->args[i];
	struct span s;

	if (fmt_special_arg(f, i) || arg_number(f, a, ev->args[i]))
		return;
	switch ((enum arg_type)a->type) {
	case ARG_PATH:
	case ARG_STR:
		arg_string(f, a, i);
		return;
	case ARG_BUF:
		arg_buffer(f, a, i);
		return;
	case ARG_IOV:
		if (ev->payload.len && ev->ret >= 0)
			arg_pieces(f, a, i, 0, 0);
		else
			fmt_pointer(f, ev->args[i]);
		return;
	case ARG_MSGHDR:
	case ARG_MMSG:
		arg_message(f, a, i);
		return;
	default:
		break;
	}
	s = fmt_arg_bytes(ev, i);
	if (s.len == 0 || !fmt_struct(f, a->type, s, ev->call, i)) {
		if (a->type == ARG_HEX)
			fmt_hex(f, ev->args[i]);
		else
			fmt_pointer(f, ev->args[i]);
	}
}

void
fmt_call(struct fmt *f)
{
	const unsigned n = fmt_nargs(f->ev);

	buf_str(f->out, sys_name(f->ev->call));
	buf_str(f->out, "(");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_str(f->out, ", ");
		fmt_arg(f, i);
	}
	buf_str(f->out, ")");
}

void
fmt_result(struct fmt *f)
{
	const struct event *ev = f->ev;
	const struct sys_desc *d = sys_desc(ev->call);

	if (ev->flags & EVF_RESTART) {
		buf_str(f->out, "? (interrupted; it will be issued again)");
		return;
	}
	if ((ev->flags & EVF_ERROR) && ev->ret < 0 && ev->ret >= -4095) {
		const char *text = strerrordesc_np((int)-ev->ret);

		buf_printf(f->out, "-1 %s (%s)", errno_name((int)-ev->ret),
			   text ? text : "unknown error");
	} else if (fmt_special_result(f)) {
		/* done */
	} else if (d->flags & SYSF_RET_HEX) {
		fmt_hex(f, (uint64_t)ev->ret);
	} else if (d->flags & SYSF_RET_FD) {
		fmt_fd(f, (int)ev->ret);
	} else {
		buf_printf(f->out, "%" PRId64, ev->ret);
	}
	if (ev->flags & EVF_REFUSED)
		buf_str(f->out, " [answered by pastime]");
}
