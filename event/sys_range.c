/*
 * From a row of the table and a call's arguments to ranges of memory. All
 * lengths are clamped, because arguments are whatever the program passed; what
 * is not readable the caller leaves out.
 */
#include "event/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "event/sys_entry.h"

#define FDS_MAX (1u << 20)   /* descriptors in a set */
#define NODES_MAX (1u << 15) /* the kernel refuses masks beyond a page */
#define ERRNO_MAX 4095

void
ranges_add(struct ranges *r, int arg, uint64_t addr, uint64_t len,
	   uint64_t ptr_addr)
{
	uint64_t end;

	if (addr == 0 || len == 0 || __builtin_add_overflow(addr, len, &end))
		return;
	if (r->n < r->max)
		r->out[r->n] = (struct sys_range){ addr, len, arg, ptr_addr };
	r->n++;
}

uint64_t
sys_mem_u64(const struct sys_mem *m, uint64_t addr)
{
	uint64_t v;

	return m->read(m->ctx, addr, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

uint32_t
sys_mem_u32(const struct sys_mem *m, uint64_t addr)
{
	uint32_t v;

	return m->read(m->ctx, addr, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

uint16_t
sys_mem_u16(const struct sys_mem *m, uint64_t addr)
{
	uint16_t v;

	return m->read(m->ctx, addr, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

uint64_t
sys_mem_strlen(const struct sys_mem *m, uint64_t addr, uint64_t max)
{
	uint64_t len = 0;

	while (len < max) {
		char piece[256];
		size_t want = sizeof(piece);
		const char *nul;
		int64_t got;

		if (want > max - len)
			want = max - len;
		got = m->read(m->ctx, addr + len, piece, want);
		if (got <= 0)
			break;
		nul = memchr(piece, '\0', (size_t)got);
		if (nul)
			return len + (uint64_t)(nul - piece);
		len += (uint64_t)got;
	}
	return len;
}

static uint64_t
min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Argument i as the kernel takes it: it cuts int arguments to 32 bits. */
static uint64_t
count_arg(const struct sys_call *c, unsigned i)
{
	if (i >= 6)
		return UINT64_MAX;
	switch (sys_desc(c->nr)->args[i].type) {
	case ARG_INT:
		return (int32_t)c->args[i] < 0 ? 0 : (uint32_t)c->args[i];
	case ARG_UINT:
		return (uint32_t)c->args[i];
	default:
		return c->args[i];
	}
}

static uint64_t
times(uint64_t n, uint64_t k)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(n, k, &bytes) || bytes > RW_BYTES_MAX)
		return RW_BYTES_MAX;
	return bytes;
}

static uint64_t
bits_to_bytes(uint64_t bits)
{
	return (bits + 63) / 64 * 8;
}

/* ---- at the entry */

static size_t
iov_copy(struct sys_call *c, const struct sys_mem *m, uint64_t addr,
	 uint64_t count, struct sys_iov **out)
{
	int64_t got;

	*out = NULL;
	if (addr == 0 || count == 0 || count > IOV_COUNT_MAX)
		return 0;
	*out = arena_alloc(c->arena, count * sizeof(**out));
	got = m->read(m->ctx, addr, *out, count * sizeof(**out));
	return got > 0 ? (size_t)got / sizeof(**out) : 0;
}

static void
msg_copy(struct sys_call *c, const struct sys_mem *m, uint64_t addr,
	 struct sys_msg *msg)
{
	uint8_t h[MSGHDR_LEN] = { 0 };
	uint64_t n_iov;

	msg->addr = addr;
	if (m->read(m->ctx, addr, h, sizeof(h)) != sizeof(h))
		return;
	memcpy(&msg->name, h, 8);
	memcpy(&msg->name_len, h + MSG_AT_NAMELEN, 4);
	memcpy(&msg->iov_addr, h + MSG_AT_IOV, 8);
	memcpy(&n_iov, h + MSG_AT_IOVLEN, 8);
	memcpy(&msg->control, h + MSG_AT_CONTROL, 8);
	memcpy(&msg->control_len, h + MSG_AT_CONTROLLEN, 8);
	msg->n_iov = iov_copy(c, m, msg->iov_addr, n_iov, &msg->iov);
}

static void
msgs_copy(struct sys_call *c, const struct sys_mem *m, uint64_t addr,
	  uint64_t count, uint64_t stride)
{
	struct sys_entry *e = c->entry;

	if (addr == 0 || count == 0)
		return;
	e->n_msg = (size_t)min64(count, IOV_COUNT_MAX);
	e->msg = arena_alloc(c->arena, e->n_msg * sizeof(*e->msg));
	for (size_t i = 0; i < e->n_msg; i++)
		msg_copy(c, m, addr + i * stride, &e->msg[i]);
}

/* Timeouts in memory that are zero make a call a poll; so do semaphore
 * operations that all say IPC_NOWAIT. */
static void
waiting_copy(struct sys_call *c, const struct sys_mem *m)
{
	uint64_t at = 0, t[2];

	switch (c->nr) {
	case SYS_select:
	case SYS_pselect6:
		at = c->args[4];
		break;
	case SYS_ppoll:
	case SYS_rt_sigtimedwait:
		at = c->args[2];
		break;
	case SYS_semtimedop:
	case SYS_epoll_pwait2:
		at = c->args[3];
		break;
	default:
		break;
	}
	if (at && m->read(m->ctx, at, t, sizeof(t)) == sizeof(t))
		c->entry->zero_timeout = t[0] == 0 && t[1] == 0;
	if (c->nr == SYS_semop || c->nr == SYS_semtimedop) {
		uint64_t n = count_arg(c, 2);

		c->entry->no_wait = n > 0 && n <= 500;
		for (uint64_t i = 0; i < n && c->entry->no_wait; i++)
			c->entry->no_wait =
				(sys_mem_u16(m, c->args[1] + i * 6 + 4) &
				 0x800 /* IPC_NOWAIT */) != 0;
	}
}

int
sys_call_enter(struct sys_call *c, const struct sys_mem *m, struct err *err)
{
	const struct sys_desc *d = sys_desc(c->nr);
	struct sys_entry *e = arena_alloc(c->arena, sizeof(*e));

	c->entry = e;
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct sys_arg *a = &d->args[i];

		switch ((enum len_from)a->len_from) {
		case LEN_PTR_ARG:
			e->vr[i] = sys_mem_u32(m, c->args[a->len_arg]);
			break;
		case LEN_IOV:
			e->n_iov = iov_copy(c, m, c->args[i],
					    count_arg(c, a->len_arg), &e->iov);
			break;
		case LEN_MSGHDR:
			msgs_copy(c, m, c->args[i], 1, MSGHDR_LEN);
			break;
		case LEN_MMSG:
			msgs_copy(c, m, c->args[i], count_arg(c, a->len_arg),
				  MMSGHDR_LEN);
			break;
		case LEN_NONE:
		case LEN_CONST:
		case LEN_ARG:
		case LEN_RET:
		case LEN_RET_PLUS:
		case LEN_STR:
		case LEN_FDSET:
		case LEN_PAGES:
		case LEN_BITS:
		case LEN_CUSTOM:
			break;
		}
	}
	waiting_copy(c, m);
	custom_enter(c, m);
	return 0;
}

/* ---- what a call writes */

/* The first bytes of a scatter list. */
static void
iov_add(struct ranges *r, int arg, const struct sys_iov *iov, size_t n,
	uint64_t iov_addr, uint64_t bytes)
{
	for (size_t i = 0; i < n && bytes > 0; i++) {
		uint64_t len = min64(iov[i].len, bytes);

		ranges_add(r, arg, iov[i].base, len,
			   iov_addr + i * sizeof(iov[i]));
		bytes -= len;
	}
}

/* What recvmsg leaves in one message: m NULL means all that it could. */
static void
msg_add(struct ranges *r, int arg, const struct sys_msg *msg,
	const struct sys_mem *m, uint64_t bytes)
{
	uint64_t name = msg->name_len, control = msg->control_len;

	if (m) {
		name = min64(name, sys_mem_u32(m, msg->addr + MSG_AT_NAMELEN));
		control = min64(control,
				sys_mem_u64(m, msg->addr + MSG_AT_CONTROLLEN));
		ranges_add(r, arg, msg->addr + MSG_AT_NAMELEN, 4, 0);
		ranges_add(r, arg, msg->addr + MSG_AT_CONTROLLEN, 12, 0);
	} else {
		ranges_add(r, arg, msg->addr, MSGHDR_LEN, 0);
	}
	ranges_add(r, arg, msg->name, name, msg->addr);
	iov_add(r, arg, msg->iov, msg->n_iov, msg->iov_addr, bytes);
	ranges_add(r, arg, msg->control, min64(control, RW_BYTES_MAX),
		   msg->addr + MSG_AT_CONTROL);
}

static void
mmsg_add(const struct sys_call *c, struct ranges *r, int arg, bool receives,
	 const struct sys_mem *m, enum sys_extent extent)
{
	const struct sys_entry *e = c->entry;
	size_t n = e->n_msg;

	if (extent == EXTENT_RESULT)
		n = (size_t)min64(n, (uint64_t)c->ret);
	if (!m) /* the vector itself, then what its elements point to */
		ranges_add(r, arg, c->args[arg], n * MMSGHDR_LEN, 0);
	for (size_t i = 0; i < n; i++) {
		const struct sys_msg *msg = &e->msg[i];
		uint64_t len = UINT64_MAX;

		if (m)
			ranges_add(r, arg, msg->addr + MSG_AT_LEN, 4, 0);
		if (m && extent == EXTENT_RESULT)
			len = sys_mem_u32(m, msg->addr + MSG_AT_LEN);
		if (receives)
			msg_add(r, arg, msg, m, len);
	}
}

/* Bytes behind a plain pointer; LEN_IOV and its like are not plain. */
static uint64_t
plain_len(const struct sys_call *c, const struct sys_arg *a, unsigned i,
	  const struct sys_mem *m, enum sys_extent extent)
{
	const bool all = extent == EXTENT_ALL;
	uint64_t n = a->len_arg < 6 ? count_arg(c, a->len_arg) : UINT64_MAX;
	const uint64_t ret = c->ret > 0 ? (uint64_t)c->ret : 0;

	switch ((enum len_from)a->len_from) {
	case LEN_CONST:
		return a->len_k;
	case LEN_ARG:
		return times(n, a->len_k);
	case LEN_RET:
		return times(all ? n : min64(n, ret), a->len_k);
	case LEN_RET_PLUS:
		return times(all ? n : min64(n, ret), 1) + a->len_k;
	case LEN_PTR_ARG:
		if (all || !m)
			return c->entry->vr[i];
		return min64(c->entry->vr[i],
			     sys_mem_u32(m, c->args[a->len_arg]));
	case LEN_FDSET:
	case LEN_BITS:
		return bits_to_bytes(min64(
			n, a->len_from == LEN_FDSET ? FDS_MAX : NODES_MAX));
	case LEN_PAGES:
		return min64(n / 4096 + (n % 4096 != 0), RW_BYTES_MAX);
	case LEN_NONE:
	case LEN_STR:
	case LEN_IOV:
	case LEN_MSGHDR:
	case LEN_MMSG:
	case LEN_CUSTOM:
		break;
	}
	return 0;
}

static void
output_add(const struct sys_call *c, unsigned i, const struct sys_mem *m,
	   enum sys_extent extent, struct ranges *r)
{
	const struct sys_arg *a = &sys_desc(c->nr)->args[i];
	const struct sys_entry *e = c->entry;
	const bool all = extent == EXTENT_ALL;
	const uint64_t ret = c->ret > 0 ? (uint64_t)c->ret : 0;

	switch ((enum len_from)a->len_from) {
	case LEN_IOV:
		/* With WHEN_ANY it may write beyond its result. */
		iov_add(r, (int)i, e->iov, e->n_iov, c->args[i],
			all || a->when == WHEN_ANY ? UINT64_MAX : ret);
		return;
	case LEN_MSGHDR:
		for (size_t k = 0; k < e->n_msg; k++)
			msg_add(r, (int)i, &e->msg[k], m,
				all ? UINT64_MAX : ret);
		return;
	case LEN_MMSG:
		mmsg_add(c, r, (int)i, a->dir == DIR_OUT, m, extent);
		return;
	case LEN_CUSTOM:
		custom_outputs(c, m, (int)i, extent, r);
		return;
	case LEN_NONE:
	case LEN_CONST:
	case LEN_ARG:
	case LEN_RET:
	case LEN_RET_PLUS:
	case LEN_PTR_ARG:
	case LEN_STR:
	case LEN_FDSET:
	case LEN_PAGES:
	case LEN_BITS:
		ranges_add(r, (int)i, c->args[i], plain_len(c, a, i, m, extent),
			   0);
	}
}

int
sys_call_outbufs(const struct sys_call *c, struct sys_range *out, int max)
{
	const struct sys_desc *d = sys_desc(c->nr);
	struct ranges r = { out, max, 0 };

	/* On the write end of a pipe it lends the pages themselves, which
	 * nothing may stand in for; from here both ends look alike. */
	if (c->nr == SYS_vmsplice)
		return 0;
	for (unsigned i = 0; i < d->nargs; i++)
		if ((d->args[i].dir & DIR_OUT) && c->args[i])
			output_add(c, i, NULL, EXTENT_ALL, &r);
	return r.n;
}

/* A call that says it would wait, or that has no such descriptor, has not
 * touched its buffers. */
static bool
error_before_copying(int64_t ret)
{
	return ret == -EAGAIN || ret == -EINTR || ret == -EBADF ||
	       ret == -ENOTSOCK || ret == -ENOSYS || ret <= -512;
}

static enum sys_extent
extent_of(const struct sys_call *c, const struct sys_arg *a, bool interrupted)
{
	const bool failed = c->ret < 0 && c->ret >= -ERRNO_MAX;

	if (c->ret == -EFAULT && !interrupted)
		return EXTENT_ALL; /* it may have got half-way */
	switch ((enum out_when)a->when) {
	case WHEN_OK:
		return failed || interrupted ? EXTENT_NONE : EXTENT_RESULT;
	case WHEN_POS:
		return c->ret > 0 && !interrupted ? EXTENT_RESULT : EXTENT_NONE;
	case WHEN_INTR:
		return interrupted || c->ret == -EINTR ? EXTENT_RESULT
						       : EXTENT_NONE;
	case WHEN_ANY:
		if (!failed && !interrupted)
			return EXTENT_RESULT;
		if (a->len_from != LEN_RET && a->len_from != LEN_RET_PLUS)
			return EXTENT_ALL;
		return interrupted || error_before_copying(c->ret) ? EXTENT_NONE
								   : EXTENT_ALL;
	}
	return EXTENT_NONE;
}

int
sys_call_outputs(const struct sys_call *c, const struct sys_mem *m,
		 bool interrupted, struct sys_range *out, int max)
{
	const struct sys_desc *d = sys_desc(c->nr);
	struct ranges r = { out, max, 0 };
	int refused;

	if (d->decision == SYS_REFUSE || sys_subop_refused(c, &refused))
		return 0;
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct sys_arg *a = &d->args[i];
		enum sys_extent extent;

		if (!(a->dir & DIR_OUT) || c->args[i] == 0)
			continue;
		extent = extent_of(c, a, interrupted);
		if (extent != EXTENT_NONE)
			output_add(c, i, m, extent, &r);
	}
	return r.n;
}

/* ---- what people want to see of its input */

static void
msg_input(const struct sys_msg *msg, int arg, uint64_t bytes, struct ranges *r)
{
	if (msg->name)
		ranges_add(r, arg | SYS_IN_NAME, msg->name,
			   min64(msg->name_len, 128), 0);
	iov_add(r, arg, msg->iov, msg->n_iov, msg->iov_addr, bytes);
	if (msg->control)
		ranges_add(r, arg | SYS_IN_CONTROL, msg->control,
			   min64(msg->control_len, IN_BYTES_MAX), 0);
}

static void
input_add(const struct sys_call *c, unsigned i, const struct sys_mem *m,
	  struct ranges *r)
{
	const struct sys_arg *a = &sys_desc(c->nr)->args[i];
	const struct sys_entry *e = c->entry;
	const uint64_t ret = c->ret > 0 ? (uint64_t)c->ret : 0;
	uint64_t len;

	switch ((enum len_from)a->len_from) {
	case LEN_STR:
		len = sys_mem_strlen(m, c->args[i], IN_STR_MAX);
		/* An empty string is worth knowing, too. */
		if (len > 0)
			ranges_add(r, (int)i, c->args[i], len, 0);
		else if (r->n++ < r->max)
			r->out[r->n - 1] =
				(struct sys_range){ c->args[i], 0, (int)i, 0 };
		return;
	case LEN_IOV:
		iov_add(r, (int)i, e->iov, e->n_iov, c->args[i], ret);
		return;
	case LEN_MSGHDR:
		if (e->n_msg)
			msg_input(&e->msg[0], (int)i, ret, r);
		return;
	case LEN_MMSG:
		for (size_t k = 0; k < e->n_msg && k < ret; k++)
			msg_input(&e->msg[k], (int)i,
				  sys_mem_u32(m, e->msg[k].addr + MSG_AT_LEN),
				  r);
		return;
	case LEN_CUSTOM:
		custom_inputs(c, m, (int)i, r);
		return;
	case LEN_RET:
		ranges_add(r, (int)i, c->args[i],
			   plain_len(c, a, i, m, EXTENT_RESULT), 0);
		return;
	case LEN_NONE:
	case LEN_CONST:
	case LEN_ARG:
	case LEN_RET_PLUS:
	case LEN_PTR_ARG:
	case LEN_FDSET:
	case LEN_PAGES:
	case LEN_BITS:
		len = plain_len(c, a, i, m, EXTENT_ALL);
		ranges_add(r, (int)i, c->args[i], min64(len, IN_BYTES_MAX), 0);
	}
}

/* Is the memory of argument i still what went in? */
static bool
input_survives(const struct sys_arg *a)
{
	return a->dir == DIR_IN || a->len_from == LEN_MMSG ||
	       a->len_from == LEN_CUSTOM;
}

int
sys_call_inputs(const struct sys_call *c, const struct sys_mem *m,
		struct sys_range *out, int max)
{
	const struct sys_desc *d = sys_desc(c->nr);
	struct ranges r = { out, max, 0 };

	for (unsigned i = 0; i < d->nargs; i++) {
		const struct sys_arg *a = &d->args[i];

		if ((a->dir & DIR_IN) && c->args[i] && input_survives(a))
			input_add(c, i, m, &r);
	}
	return r.n;
}
