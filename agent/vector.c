/*
 * Calls with several buffers: vectors, messages, files into sockets. The
 * recorder finds memory in a record by its address: what was there before the
 * call (a vector, a message's head) and what came of it must not lie over each
 * other, but for what the kernel stores in the head, whose pieces begin where
 * it stores.
 */
#include "agent/inside.h"

#define IOVEC 16u
#define IOVECS_MOST 64u
#define CONTROL_LONGEST 4096u
#define MSG_ZEROCOPY 0x4000000u

struct vec {
	uint64_t base, len;
};

struct msg {
	uint64_t name;
	uint32_t name_len, pad;
	uint64_t iov, n, control, control_len, flags;
};

#define HEAD_NAME_LEN 8u     /* what the kernel stores: its length */
#define HEAD_CONTROL_LEN 40u /* ... and that, with the flags */

_Static_assert(sizeof(struct vec) == IOVEC &&
		       __builtin_offsetof(struct msg, control_len) ==
			       HEAD_CONTROL_LEN,
	       "as the kernel has them");

static int
overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Bytes that the vector says, or too many. */
static uint64_t
gather(uint64_t iov, uint64_t n)
{
	const struct vec *v = (const struct vec *)iov;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++) {
		if (v[i].len > DATA_LONGEST)
			return DATA_LONGEST + 1;
		sum += v[i].len;
	}
	return sum;
}

/* Of the bytes that were moved. */
static void
put_data(struct agent_rec *rec, uint64_t iov, uint64_t n, long ret)
{
	const struct vec *v = (const struct vec *)iov;
	uint64_t left = ret > 0 ? (uint64_t)ret : 0;

	for (uint64_t i = 0; i < n && left > 0; i++) {
		uint64_t len = v[i].len < left ? v[i].len : left;

		agent_piece(rec, v[i].base, len);
		left -= len;
	}
}

/* Does something that is filled lie over [addr, addr + len)? */
static int
is_filled(uint64_t iov, uint64_t n, uint64_t addr, uint64_t len)
{
	const struct vec *v = (const struct vec *)iov;

	for (uint64_t i = 0; i < n; i++)
		if (overlaps(v[i].base, v[i].len, addr, len))
			return 1;
	return 0;
}

static uint64_t
room_of(uint64_t bytes, uint64_t n)
{
	return bytes + (n + 4) * PIECES;
}

static int
is_vector(uint64_t iov, uint64_t n)
{
	return n > 0 && n <= IOVECS_MOST && iov != 0 &&
	       gather(iov, n) <= DATA_LONGEST;
}

/* Into what may make it wait, or a file. 1: *ret is to be written down. */
static int
is_sent(struct agent_rec *rec, long nr, const struct agent_frame *f, long *ret)
{
	if (agent_may_send(f->arg[0])) {
		*ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	} else if (agent_may_write(agent_kind(f->arg[0]))) {
		rec->begin = agent_now();
		*ret = agent_native(nr, f);
	} else {
		return 0;
	}
	return agent_is_final(*ret);
}

static int
writing(long nr, struct agent_frame *f)
{
	uint64_t iov = f->arg[1], n = f->arg[2];
	struct agent_rec *rec;
	long ret;

	if (!is_vector(iov, n))
		return 0;
	rec = agent_begin(nr, f, room_of(gather(iov, n), n));
	if (rec == 0 || !is_sent(rec, nr, f, &ret))
		return 0;
	agent_piece(rec, iov, n * IOVEC);
	put_data(rec, iov, n, ret);
	return agent_end(rec, f, ret);
}

static int
reading(long nr, struct agent_frame *f)
{
	unsigned k = agent_kind(f->arg[0]) & ~AGENT_FD_OUTPUT;
	uint64_t iov = f->arg[1], n = f->arg[2];
	struct agent_rec *rec;
	long ret;

	if (!is_vector(iov, n) || is_filled(iov, n, iov, n * IOVEC))
		return 0;
	rec = agent_begin(nr, f, room_of(gather(iov, n), n));
	if (rec == 0)
		return 0;
	if (k >= AGENT_FD_PIPE)
		ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	else if (agent_may_read(k))
		ret = agent_native(nr, f);
	else
		return 0;
	if (!agent_is_final(ret))
		return 0;
	agent_piece(rec, iov, n * IOVEC);
	put_data(rec, iov, n, ret);
	return agent_end(rec, f, ret);
}

/* ---- messages */

static int
is_message(const struct msg *m)
{
	return m->name_len <= INPUT_LONGEST &&
	       m->control_len <= CONTROL_LONGEST &&
	       (m->n == 0 || is_vector(m->iov, m->n));
}

static uint64_t
room_of_message(const struct msg *m)
{
	return room_of(sizeof(*m) + m->name_len + m->control_len +
			       (m->n == 0 ? 0 : gather(m->iov, m->n)),
		       m->n);
}

static int
sending(long nr, struct agent_frame *f)
{
	const struct msg *m = (const struct msg *)f->arg[1];
	struct agent_rec *rec;
	long ret;

	if (m == 0 || (f->arg[2] & MSG_ZEROCOPY) != 0 || !is_message(m) ||
	    !agent_may_send(f->arg[0]))
		return 0;
	rec = agent_begin(nr, f, room_of_message(m));
	if (rec == 0)
		return 0;
	ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	if (!agent_is_final(ret))
		return 0;
	agent_piece(rec, f->arg[1], sizeof(*m));
	agent_piece(rec, m->iov, m->n * IOVEC);
	put_data(rec, m->iov, m->n, ret);
	agent_piece(rec, m->name, m->name_len);
	agent_piece(rec, m->control, m->control_len);
	return agent_end(rec, f, ret);
}

/* Nothing that comes lies over what says where it goes, or over each other. */
static int
is_apart(uint64_t at, const struct msg *m)
{
	const uint64_t part[4][2] = {
		{ at, sizeof(*m) },
		{ m->iov, m->n * IOVEC },
		{ m->name, m->name_len },
		{ m->control, m->control_len },
	};

	for (unsigned i = 0; i < 4; i++) {
		if (is_filled(m->iov, m->n, part[i][0], part[i][1]))
			return 0;
		for (unsigned k = 0; k < i; k++)
			if (overlaps(part[i][0], part[i][1], part[k][0],
				     part[k][1]))
				return 0;
	}
	return 1;
}

/* What the kernel has stored, in a message that was like that before. */
static void
put_received(struct agent_rec *rec, uint64_t at, const struct msg *was,
	     long ret)
{
	const struct msg *m = (const struct msg *)at;

	agent_piece(rec, at + HEAD_NAME_LEN, 4);
	agent_piece(rec, at + HEAD_CONTROL_LEN, sizeof(*m) - HEAD_CONTROL_LEN);
	agent_piece(rec, was->name,
		    m->name_len < was->name_len ? m->name_len : was->name_len);
	agent_piece(rec, was->control,
		    m->control_len < was->control_len ? m->control_len
						      : was->control_len);
	put_data(rec, was->iov, was->n, ret);
	/* Descriptors may have come. */
	if (m->control_len != 0)
		agent_forget_fds();
}

static int
receiving(long nr, struct agent_frame *f)
{
	uint64_t at = f->arg[1];
	struct agent_rec *rec;
	struct msg was;
	long ret;

	if (at == 0 || agent_kind(f->arg[0]) != AGENT_FD_SOCK)
		return 0;
	copy(&was, (const void *)at, sizeof(was));
	if (was.name == 0)
		was.name_len = 0;
	if (was.control == 0)
		was.control_len = 0;
	if (!is_message(&was) || !is_apart(at, &was))
		return 0;
	rec = agent_begin(nr, f, room_of_message(&was) + sizeof(was));
	if (rec == 0)
		return 0;
	ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	if (!agent_is_final(ret))
		return 0;
	agent_piece_as(rec, at, &was, sizeof(was));
	agent_piece(rec, was.iov, was.n * IOVEC);
	if (ret >= 0)
		put_received(rec, at, &was, ret);
	return agent_end(rec, f, ret);
}

/* From a file that can be read at any time. Replay prints what goes to an
 * output, and has to be told. */
static int
sending_file(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	long ret;

	if (rec == 0 || agent_kind(f->arg[1]) != AGENT_FD_FILE ||
	    (agent_kind(f->arg[0]) & AGENT_FD_OUTPUT) != 0 ||
	    !is_sent(rec, nr, f, &ret))
		return 0;
	agent_piece(rec, f->arg[2], 8);
	return agent_end(rec, f, ret);
}

int
agent_vectors(long nr, const struct row *w, struct agent_frame *f)
{
	switch ((enum class)w->class) {
	case CLASS_READV:
		return reading(nr, f);
	case CLASS_WRITEV:
		return writing(nr, f);
	case CLASS_SENDMSG:
		return sending(nr, f);
	case CLASS_RECVMSG:
		return receiving(nr, f);
	case CLASS_SENDFILE:
		return sending_file(nr, f);
	default:
		return 0;
	}
}
