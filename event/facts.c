#include "event/facts.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/mem.h"
#include "event/sys.h"

#define SOCKADDR_MAX 128

struct span
facts_sockaddr(struct span s, struct arena *a)
{
	uint8_t raw[SOCKADDR_MAX] = { 0 };
	char host[INET6_ADDRSTRLEN];
	char text[2 * SOCKADDR_MAX];
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_nl nl;
	uint16_t family;
	size_t at = offsetof(struct sockaddr_un, sun_path);

	if (s.len < sizeof(family))
		return (struct span){ 0 };
	memcpy(raw, s.p, s.len < sizeof(raw) ? s.len : sizeof(raw));
	memcpy(&family, raw, sizeof(family));
	switch (family) {
	case AF_INET:
		memcpy(&in, raw, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		snprintf(text, sizeof(text), "%s:%u", host, ntohs(in.sin_port));
		break;
	case AF_INET6:
		memcpy(&in6, raw, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		snprintf(text, sizeof(text), "[%s]:%u", host,
			 ntohs(in6.sin6_port));
		break;
	case AF_UNIX:
		if (s.len > at && raw[at] == '\0')
			snprintf(text, sizeof(text), "unix:@%.*s",
				 (int)(s.len - at - 1), raw + at + 1);
		else
			snprintf(text, sizeof(text), "unix:%.*s",
				 (int)sizeof(
					 ((struct sockaddr_un *)0)->sun_path),
				 raw + at);
		break;
	case AF_NETLINK:
		memcpy(&nl, raw, sizeof(nl));
		snprintf(text, sizeof(text), "netlink:%u", nl.nl_pid);
		break;
	default:
		snprintf(text, sizeof(text), "family %u", family);
	}
	return span_str(arena_strdup(a, text));
}

static bool
is_call(const struct event *ev)
{
	return ev->kind == EV_syscall || ev->kind == EV_enter ||
	       ev->kind == EV_exit;
}

/* Arguments of events that are no calls, as docs/EVENTS.md lists them. */
static unsigned
args_of_kind(unsigned kind)
{
	switch (kind) {
	case EV_birth:
		return 6;
	case EV_signal:
		return 5;
	case EV_insn:
		return 4;
	case EV_exec:
	case EV_death:
	case EV_chaos:
		return 3;
	case EV_header:
	case EV_checksum:
	case EV_stop:
	case EV_end:
	case EV_sched:
		return 2;
	case EV_file:
	case EV_warning:
		return 1;
	}
	return 0;
}

void
facts_quick(const struct event *ev, struct facts *out)
{
	const struct sys_desc *d = sys_desc(ev->call);

	*out = (struct facts){ .fd = -1 };
	if (!is_call(ev)) {
		out->nargs = args_of_kind(ev->kind);
		out->has_ret = ev->kind == EV_insn || ev->kind == EV_birth;
		return;
	}
	out->nargs = d->name ? d->nargs : 6;
	out->has_ret = ev->kind != EV_enter;
	if (ev->flags & EVF_ERROR)
		out->error = (int)-ev->ret;
	for (unsigned i = 0; i < d->nargs; i++) {
		if (d->args[i].type != ARG_FD)
			continue;
		out->fd = (int)ev->args[i];
		return;
	}
	if ((d->flags & SYSF_RET_FD) && out->has_ret && ev->ret >= 0)
		out->fd = (int)ev->ret;
}

/* Put together what several items or blobs hold, up to a limit. */
struct gather {
	const struct blob_fetch *blobs;
	struct buf bytes;
	size_t limit;
	bool any;
};

static void
gather_blobs(struct gather *g, const struct item *it)
{
	size_t n = it->bytes.len / sizeof(struct blob_id);

	for (size_t i = 0; g->blobs && i < n && g->bytes.len < g->limit; i++) {
		struct blob_id id;

		memcpy(id.b, it->bytes.p + i * sizeof(id.b), sizeof(id.b));
		if (g->blobs->get(g->blobs->ctx, &id, &g->bytes) < 0)
			return;
	}
}

static void
gather_item(struct gather *g, const struct item *it)
{
	size_t room = g->limit > g->bytes.len ? g->limit - g->bytes.len : 0;
	size_t n;

	g->any = true;
	switch (it->kind) {
	case ITEM_IN:
	case ITEM_MEM:
		n = it->bytes.len < room ? it->bytes.len : room;
		buf_put(&g->bytes, it->bytes.p, n);
		break;
	case ITEM_ZERO:
		n = it->len < room ? (size_t)it->len : room;
		memset(buf_grow(&g->bytes, n), 0, n);
		break;
	case ITEM_IN_BLOB:
	case ITEM_MEM_BLOB:
		gather_blobs(g, it);
		break;
	}
	if (g->bytes.len > g->limit)
		g->bytes.len = g->limit;
}

static bool
is_memory(const struct item *it)
{
	return it->kind == ITEM_MEM || it->kind == ITEM_MEM_BLOB ||
	       it->kind == ITEM_ZERO;
}

static bool
is_input(const struct item *it, uint64_t num)
{
	return (it->kind == ITEM_IN || it->kind == ITEM_IN_BLOB) &&
	       it->num == num;
}

/* What recvmsg left: lengths in the header, then the name, then the data. */
#define MSGHDR_LEN 56
#define MSGHDR_NAMELEN 8

static void
received_message(const struct event *ev, uint64_t header, struct gather *g,
		 struct arena *a, struct facts *out)
{
	size_t want = ev->ret > 0 ? (size_t)ev->ret : 0;
	struct item_reader ir;
	struct item it;
	uint32_t name = 0;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (!is_memory(&it))
			continue;
		if (it.addr >= header && it.addr < header + MSGHDR_LEN) {
			if (it.addr == header + MSGHDR_NAMELEN &&
			    it.bytes.len == sizeof(name))
				memcpy(&name, it.bytes.p, sizeof(name));
		} else if (name > 0 && it.kind == ITEM_MEM &&
			   it.bytes.len == name) {
			out->addr = facts_sockaddr(it.bytes, a);
			name = 0;
		} else if (want > 0) {
			gather_item(g, &it);
			want -= it.len < want ? (size_t)it.len : want;
		}
	}
}

/* Bytes that the call left at the address of argument i, or in its vector. */
static void
received(const struct event *ev, unsigned i, unsigned type, struct gather *g,
	 struct arena *a, struct facts *out)
{
	struct item_reader ir;
	struct item it;

	if (type == ARG_MSGHDR) {
		received_message(ev, ev->args[i], g, a, out);
		return;
	}
	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (!is_memory(&it))
			continue;
		if (type == ARG_IOV || it.addr == ev->args[i])
			gather_item(g, &it);
	}
}

static void
sent(const struct event *ev, unsigned i, struct gather *g, struct arena *a,
     struct facts *out)
{
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (is_input(&it, i))
			gather_item(g, &it);
		else if (is_input(&it, i | SYS_IN_NAME))
			out->addr = facts_sockaddr(it.bytes, a);
	}
}

/* Which of the moved bytes are data: not those of ioctl, getdents, stat. */
static bool
moves_data(const struct sys_desc *d, int call, const struct sys_arg *arg)
{
	if (d->args[0].type != ARG_FD)
		return false;
	switch (call) {
	case SYS_getdents:
	case SYS_getdents64:
	case SYS_fgetxattr:
	case SYS_flistxattr:
		return false;
	}
	switch (arg->type) {
	case ARG_BUF:
		return arg->len_from == LEN_RET ||
		       arg->len_from == LEN_RET_PLUS;
	case ARG_IOV:
	case ARG_MSGHDR:
	case ARG_MMSG:
		return true;
	}
	return false;
}

static void
data_of(const struct event *ev, unsigned i, const struct sys_arg *arg,
	const struct blob_fetch *blobs, struct arena *a, struct facts *out)
{
	bool in = arg->dir == DIR_IN ||
		  (arg->type == ARG_MMSG && ev->call == SYS_sendmmsg);
	struct gather g = { .blobs = blobs,
			    .limit =
				    in ? FACTS_DATA_WRITTEN : FACTS_DATA_READ };

	if (out->has_data || !out->has_ret || ev->ret < 0)
		return;
	if (in)
		sent(ev, i, &g, a, out);
	else
		received(ev, i, arg->type, &g, a, out);
	out->has_data = true;
	out->is_output = in;
	out->data = arena_span(a, buf_span(&g.bytes));
	buf_free(&g.bytes);
}

static void
path_of(const struct event *ev, unsigned i, struct facts *out)
{
	struct item it;

	if (!item_find(ev->payload, ITEM_IN, i, &it))
		return;
	if (out->path.len == 0)
		out->path = it.bytes;
	else if (out->path2.len == 0)
		out->path2 = it.bytes;
}

/* Addresses go in (connect, bind, sendto) or come out (accept, recvfrom). */
static void
address_of(const struct event *ev, unsigned i, struct arena *a,
	   struct facts *out)
{
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (is_input(&it, i) ||
		    (it.kind == ITEM_MEM && it.addr == ev->args[i]))
			out->addr = facts_sockaddr(it.bytes, a);
	}
}

/* The word that is waited for and what stands behind it. */
static void
futex_word(const struct event *ev, struct facts *out)
{
	struct item it;

	if (!item_find(ev->payload, ITEM_IN, 0, &it))
		return;
	out->has_data = true;
	out->data = it.bytes;
}

/* What went to an output of the command past the program's memory. */
static void
moved(const struct event *ev, const struct blob_fetch *blobs, struct arena *a,
      struct facts *out)
{
	struct gather g = { .blobs = blobs, .limit = FACTS_DATA_WRITTEN };
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (!is_input(&it, SYS_IN_MOVED))
			continue;
		gather_item(&g, &it);
		out->has_data = out->is_output = true;
		out->data = arena_span(a, buf_span(&g.bytes));
		if (ev->call == SYS_tee)
			out->fd = (int)ev->args[1];
		else if (facts_fd_moves(ev->call))
			out->fd = (int)ev->args[2];
	}
	buf_free(&g.bytes);
}

bool
facts_fd_moves(int call)
{
	return call == SYS_tee || call == SYS_splice ||
	       call == SYS_copy_file_range;
}

static void
call_facts(const struct event *ev, const struct blob_fetch *blobs,
	   struct arena *a, struct facts *out)
{
	const struct sys_desc *d = sys_desc(ev->call);

	if (ev->kind == EV_enter && ev->call == SYS_futex)
		futex_word(ev, out);
	moved(ev, blobs, a, out);
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct sys_arg *arg = &d->args[i];

		if (ev->args[i] == 0)
			continue;
		if (arg->type == ARG_PATH)
			path_of(ev, i, out);
		else if (arg->type == ARG_SOCKADDR)
			address_of(ev, i, a, out);
		else if (moves_data(d, ev->call, arg))
			data_of(ev, i, arg, blobs, a, out);
	}
	/* The target of a symlink is text and not a path for the kernel. */
	if (ev->call == SYS_symlink || ev->call == SYS_symlinkat) {
		struct span target = out->path;

		if (out->path2.len) {
			out->path = out->path2;
			out->path2 = target;
		}
	}
}

/* NUL-separated words with blanks between. */
static struct span
words(struct span s, struct arena *a)
{
	uint8_t *copy = arena_alloc(a, s.len + 1);

	memcpy(copy, s.p, s.len);
	while (s.len && copy[s.len - 1] == '\0')
		s.len--;
	for (size_t i = 0; i < s.len; i++) {
		if (copy[i] == '\0')
			copy[i] = ' ';
	}
	return span_of(copy, s.len);
}

static void
note_of(const struct event *ev, struct arena *a, struct facts *out)
{
	struct item_reader ir;
	const char *key;
	struct span value;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == ITEM_TEXT && out->note.len == 0)
			out->note = it.bytes;
		else if (it.kind == ITEM_KV &&
			 item_get_kv(&it, &key, &value) == 0 &&
			 strcmp(key, "argv") == 0)
			out->note = words(value, a);
		else if (it.kind == ITEM_KV &&
			 item_get_kv(&it, &key, &value) == 0 &&
			 strcmp(key, "exe") == 0)
			out->path = value;
	}
}

void
facts_of(const struct event *ev, const struct blob_fetch *blobs,
	 struct arena *a, struct facts *out)
{
	struct file_rec file;
	const struct blob_id *ids;
	const char *path;
	struct item it;
	size_t n;

	facts_quick(ev, out);
	if (is_call(ev))
		call_facts(ev, blobs, a, out);
	else if (ev->kind == EV_file &&
		 item_find(ev->payload, ITEM_FILE, UINT64_MAX, &it) &&
		 item_get_file(&it, &file, &path, &ids, &n, NULL) == 0)
		out->path = span_str(path);
	else if (ev->payload.len)
		note_of(ev, a, out);
}
