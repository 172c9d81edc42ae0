/*
 * Calls that may wait. While one does, its task keeps the turn of its group:
 * the tracer lets it wait only as long as nobody else of the group could run,
 * and breaks it off when somebody can, or when a signal has come. Then the call
 * is made again where it traps, with all that belongs to it there.
 *
 * As nobody else of the group runs meanwhile, the kernel stores straight into
 * the program's memory.
 */
#include "agent/baton.h"

#define MSG_DONTWAIT 0x40u
#define WNOHANG 1u
#define RUSAGE 144u
#define POLLFD 8u
#define POLLIN 1
#define POLLFDS_MOST 512u
#define FDSETS_MOST 1024u
#define EPOLL_EVENT 12u
/* Fewer events at a time than a program takes are an answer, too. */
#define EPOLL_MOST 2048u

#define FUTEX_CMD 0x7fu
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE 0x80u
#define FUTEX_TOLD 12u

static const struct agent_input NOTHING = { 0, 0 };

static long
call_wait(long nr, const uint64_t *a, uint64_t flag)
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	register uint64_t r11 __asm__("r11") = flag;
	long ret;

	__asm__ volatile("call agent_wait"
			 : "=a"(ret), "+r"(r11)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "memory", "cc");
	return ret;
}

long
agent_wait_for(struct agent_rec *rec, long nr, const struct agent_frame *f,
	       uint64_t flag)
{
	rec->begin = agent_now();
	return call_wait(nr, f->arg, flag);
}

/* May others run while it waits? Then what it stores stands in for the
 * program's memory until they have had their turns. */
static int
hands_over(void)
{
	return (data()->flags & AGENT_BLOCKS) != 0;
}

/* Something can be read at once. */
static int
is_ready(uint64_t fd)
{
	struct {
		int32_t fd;
		int16_t events, revents;
	} p = { (int32_t)fd, POLLIN, 0 };

	return call(NR_POLL, (uint64_t)&p, 1, 0, 0, 0, 0) != 0;
}

/* On fd, with a turn for others meanwhile: unless it need not wait, and may. */
static int
waits_apart(uint64_t fd)
{
	return hands_over() &&
	       ((data()->flags & AGENT_WAITS) == 0 || !is_ready(fd));
}

/* With n bytes of room besides those of its row. now: it does not wait. */
static int
waiting(long nr, const struct row *w, struct agent_frame *f, uint64_t n,
	int now)
{
	struct agent_rec *rec = agent_begin(nr, f, agent_need(w) + n);
	long ret;

	if (rec == 0)
		return 0;
	ret = now ? agent_native(nr, f)
		  : agent_wait_for(rec, nr, f, AGENT_WAITS);
	return agent_finish(rec, w, f, ret);
}

/* Made again it would take longer. What is left of the time the kernel stores
 * at any moment. */
static int
sleeping(long nr, const struct row *w, struct agent_frame *f)
{
	uint64_t rem = f->arg[nr == NR_NANOSLEEP ? 1 : 3];
	uint64_t time[2], at = f->arg[nr == NR_NANOSLEEP ? 0 : 2];
	struct agent_rec *rec;
	long ret;

	if (hands_over() && rem == 0) {
		copy(time, (const void *)at, sizeof(time));
		agent_stand_init(f);
		rec = agent_hand_over(nr, f, NOTHING, PIECES, &ret);
		if (rec == 0)
			return 0;
		agent_piece_as(rec, at, time, sizeof(time));
		agent_publish(rec, f);
		return 1;
	}
	return (data()->flags & AGENT_SINGLE) != 0 && waiting(nr, w, f, 0, 0);
}

/* ---- descriptors that are no files */

static int
reading(long nr, const struct row *w, struct agent_frame *f)
{
	uint64_t n = f->arg[w->out];
	struct agent_rec *rec;
	long ret;

	if (n > DATA_LONGEST)
		return 0;
	if (!waits_apart(f->arg[0]))
		return waiting(nr, w, f, n, 0);
	agent_stand_init(f);
	if (!agent_stand_in(w->out - 1u, n, 0))
		return 0;
	rec = agent_hand_over(nr, f, NOTHING, n + PIECES, &ret);
	if (rec == 0)
		return 0;
	if (ret > 0)
		agent_stand_back(rec, f, w->out - 1u, (uint64_t)ret);
	agent_publish(rec, f);
	return 1;
}

static int
sent(struct agent_rec *rec, struct agent_frame *f, long ret)
{
	rec->ret = ret;
	rec->end = agent_now();
	if (ret > 0)
		agent_piece(rec, f->arg[1], (uint64_t)ret);
	agent_publish(rec, f);
	return 1;
}

/* write, sendto */
static int
sending(long nr, struct agent_frame *f)
{
	uint64_t to_len = nr == 1 ? 0 : f->arg[5];
	struct agent_rec *rec;
	long ret;

	if (f->arg[2] > DATA_LONGEST || to_len > INPUT_LONGEST ||
	    !agent_may_send(f->arg[0]))
		return 0;
	rec = agent_begin(nr, f, f->arg[2] + to_len + PIECES);
	if (rec == 0)
		return 0;
	ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	if (!agent_is_final(ret))
		return 0;
	if (nr != 1 && f->arg[4] != 0)
		agent_piece(rec, f->arg[4], to_len);
	return sent(rec, f, ret);
}

/* ---- outputs with a length of their own */

struct name {
	uint64_t addr, len_at;
	uint32_t room;
};

static int
name_begin(struct name *n, uint64_t addr, uint64_t len_at)
{
	*n = (struct name){ addr, len_at, 0 };
	if (addr != 0 && len_at != 0)
		n->room = *(const uint32_t *)len_at;
	return n->room <= INPUT_LONGEST;
}

static void
name_end(const struct name *n, struct agent_rec *rec)
{
	uint32_t len;

	if (n->addr == 0 || n->len_at == 0)
		return;
	len = *(const uint32_t *)n->len_at;
	agent_piece(rec, n->len_at, sizeof(len));
	agent_piece(rec, n->addr, len < n->room ? len : n->room);
}

/* The same of a call that waited apart. */
static void
name_back(struct agent_rec *rec, const struct agent_frame *f, unsigned at,
	  uint32_t room)
{
	uint32_t len;

	if (f->arg[at] == 0 || f->arg[at + 1] == 0)
		return;
	agent_stand_back(rec, f, at + 1, sizeof(len));
	len = *(const uint32_t *)((char *)rec + rec->len - 8);
	agent_stand_back(rec, f, at, len < room ? len : room);
}

/* accept (n = 0), recvfrom, whose buffer of n bytes is argument 1. */
static int
naming_apart(long nr, struct agent_frame *f, unsigned at, uint64_t n)
{
	struct agent_rec *rec;
	struct name name;
	long ret;

	if (!name_begin(&name, f->arg[at], f->arg[at + 1]))
		return 0;
	agent_stand_init(f);
	if ((n != 0 && !agent_stand_in(1, n, 0)) ||
	    (name.addr != 0 && name.len_at != 0 &&
	     (!agent_stand_in(at, name.room, 0) ||
	      !agent_stand_in(at + 1, sizeof(name.room), 1))))
		return 0;
	rec = agent_hand_over(nr, f, NOTHING, n + name.room + 3 * PIECES, &ret);
	if (rec == 0)
		return 0;
	if (ret >= 0) {
		name_back(rec, f, at, name.room);
		if (n == 0)
			agent_forget_fd((uint64_t)ret);
		/* MSG_TRUNC: more than there was room for */
		else
			agent_stand_back(rec, f, 1,
					 (uint64_t)ret < n ? (uint64_t)ret : n);
	}
	agent_publish(rec, f);
	return 1;
}

/* The name is argument at, its length the one behind it. */
static int
naming(long nr, struct agent_frame *f, unsigned at, int waits)
{
	struct agent_rec *rec;
	struct name name;
	long ret;

	if (waits && waits_apart(f->arg[0]))
		return naming_apart(nr, f, at, 0);
	rec = agent_begin(nr, f, INPUT_LONGEST + PIECES);
	if (rec == 0 || !name_begin(&name, f->arg[at], f->arg[at + 1]))
		return 0;
	ret = waits ? agent_wait_for(rec, nr, f, AGENT_WAITS)
		    : agent_native(nr, f);
	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end = agent_now();
	if (ret >= 0) {
		name_end(&name, rec);
		if (waits)
			agent_forget_fd((uint64_t)ret);
	}
	agent_publish(rec, f);
	return 1;
}

static int
receiving(long nr, struct agent_frame *f)
{
	uint64_t n = f->arg[2];
	struct agent_rec *rec;
	struct name name;
	long ret;

	if (n > DATA_LONGEST)
		return 0;
	if (waits_apart(f->arg[0]))
		return naming_apart(nr, f, 4, n);
	rec = agent_begin(nr, f, n + INPUT_LONGEST + PIECES);
	if (rec == 0 || !name_begin(&name, f->arg[4], f->arg[5]))
		return 0;
	ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end = agent_now();
	if (ret >= 0) {
		name_end(&name, rec);
		/* MSG_TRUNC: more than there was room for */
		agent_piece(rec, f->arg[1],
			    (uint64_t)ret < n ? (uint64_t)ret : n);
	}
	agent_publish(rec, f);
	return 1;
}

/* ---- waiting for many */

static int
polling_apart(long nr, struct agent_frame *f, uint64_t n)
{
	uint64_t time = nr == NR_PPOLL ? 16 : 0;
	struct agent_rec *rec;
	long ret;

	agent_stand_init(f);
	if (!agent_stand_in(0, n * POLLFD, 1) || !agent_stand_in(2, time, 1))
		return 0;
	rec = agent_hand_over(nr, f, NOTHING, n * POLLFD + 2 * PIECES, &ret);
	if (rec == 0)
		return 0;
	/* What went in is asked for after a failure, too. */
	agent_stand_back(rec, f, 0, n * POLLFD);
	if (time != 0)
		agent_stand_back(rec, f, 2, time);
	agent_publish(rec, f);
	return 1;
}

static int
polling(long nr, const struct row *w, struct agent_frame *f, int now)
{
	uint64_t n = f->arg[1];
	struct row row = *w;

	if (n > POLLFDS_MOST)
		return 0;
	if (!now && hands_over())
		return polling_apart(nr, f, n);
	row.out = n == 0 ? 0 : 1;
	row.bytes = (uint16_t)(n * POLLFD);
	return waiting(nr, &row, f, 0, now);
}

static int
epolling_apart(long nr, struct agent_frame *f)
{
	uint64_t n = f->arg[2] < EPOLL_MOST ? f->arg[2] : EPOLL_MOST;
	struct agent_rec *rec;
	long ret;

	agent_stand_init(f);
	agent_stand_for(2, n);
	n *= EPOLL_EVENT;
	if (!agent_stand_in(1, n, 0))
		return 0;
	rec = agent_hand_over(nr, f, NOTHING, n + PIECES, &ret);
	if (rec == 0)
		return 0;
	if (ret > 0)
		agent_stand_back(rec, f, 1, (uint64_t)ret * EPOLL_EVENT);
	agent_publish(rec, f);
	return 1;
}

static int
epolling(long nr, struct agent_frame *f)
{
	struct agent_rec *rec;
	long ret;

	if (f->arg[2] > DATA_LONGEST / EPOLL_EVENT)
		return 0;
	if ((int)f->arg[3] != 0 && waits_apart(f->arg[0]))
		return epolling_apart(nr, f);
	rec = agent_begin(nr, f, f->arg[2] * EPOLL_EVENT + PIECES);
	if (rec == 0)
		return 0;
	ret = (int)f->arg[3] == 0 ? agent_native(nr, f)
				  : agent_wait_for(rec, nr, f, AGENT_WAITS);
	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end = agent_now();
	if (ret > 0)
		agent_piece(rec, f->arg[1], (uint64_t)ret * EPOLL_EVENT);
	agent_publish(rec, f);
	return 1;
}

static int
selecting(long nr, struct agent_frame *f)
{
	uint64_t n = f->arg[0], bytes = (n + 63) / 64 * 8;
	struct agent_rec *rec;
	long ret;

	if (n > FDSETS_MOST || hands_over())
		return 0;
	rec = agent_begin(nr, f, 4 * PIECES + 3 * bytes);
	if (rec == 0)
		return 0;
	ret = agent_wait_for(rec, nr, f, AGENT_WAITS);
	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end = agent_now();
	if (ret >= 0) {
		for (unsigned i = 1; i <= 3; i++)
			agent_piece(rec, f->arg[i], bytes);
		agent_piece(rec, f->arg[4], 16);
	}
	agent_publish(rec, f);
	return 1;
}

static int
child_apart(long nr, struct agent_frame *f)
{
	struct agent_rec *rec;
	long ret;

	agent_stand_init(f);
	if (!agent_stand_in(1, 4, 0) || !agent_stand_in(3, RUSAGE, 0))
		return 0;
	rec = agent_hand_over(nr, f, NOTHING, RUSAGE + 2 * PIECES, &ret);
	if (rec == 0)
		return 0;
	if (ret > 0) {
		agent_stand_back(rec, f, 1, 4);
		agent_stand_back(rec, f, 3, RUSAGE);
	}
	agent_publish(rec, f);
	return 1;
}

/* ---- futexes */

/* Nobody can change the word meanwhile, unless it is handed over: a value that
 * has changed already is all there is to say, and asking so does not wait. */
static int
has_changed(const struct agent_frame *f)
{
	uint64_t op = FUTEX_CMP_REQUEUE | (f->arg[1] & FUTEX_PRIVATE);

	return call(NR_FUTEX, f->arg[0], op, 0, 0, f->arg[0],
		    (uint32_t)f->arg[2]) == -K_EAGAIN;
}

/* Others run meanwhile. The time is told as it was; where glibc's mutexes have
 * their owner, the word and what is behind it. */
static int
futex_hands_over(long nr, struct agent_frame *f)
{
	const struct agent_input word = { f->arg[0], FUTEX_TOLD };
	uint64_t time[2], at = f->arg[3];
	struct agent_rec *rec;
	long ret;

	if (at != 0)
		copy(time, (const void *)at, sizeof(time));
	agent_stand_init(f);
	rec = agent_hand_over(nr, f, word, PIECES, &ret);
	if (rec == 0)
		return 0;
	if (at != 0)
		agent_piece_as(rec, at, time, sizeof(time));
	agent_publish(rec, f);
	return 1;
}

static int
futex(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned cmd = f->arg[1] & FUTEX_CMD;
	struct row row = *w;
	struct agent_rec *rec;

	if (cmd == FUTEX_WAKE || cmd == FUTEX_WAKE_BITSET)
		return waiting(nr, w, f, 0, 1);
	if (cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET)
		return 0;
	if (hands_over())
		return futex_hands_over(nr, f);
	row.out = f->arg[3] != 0 ? 4 : 0; /* the time, which goes in */
	row.bytes = 16;
	rec = agent_begin(nr, f, agent_need(&row));
	if (rec == 0)
		return 0;
	if (has_changed(f))
		return agent_finish(rec, &row, f, -K_EAGAIN);
	return agent_finish(rec, &row, f,
			    agent_wait_for(rec, nr, f, AGENT_SINGLE));
}

/* ---- all of them */

int
agent_waits(long nr, const struct row *w, struct agent_frame *f)
{
	switch ((enum class)w->class) {
	case CLASS_READ:
		return reading(nr, w, f);
	case CLASS_WRITE:
	case CLASS_SEND:
		return nr != 18 && sending(nr, f); /* no pwrite */
	case CLASS_WAIT:
		return !hands_over() && waiting(nr, w, f, 0, 0);
	case CLASS_SLEEP:
		return sleeping(nr, w, f);
	case CLASS_CHILD:
		if ((f->arg[2] & WNOHANG) == 0 && hands_over())
			return child_apart(nr, f);
		return waiting(nr, w, f, 0, (f->arg[2] & WNOHANG) != 0);
	case CLASS_NAME:
		return naming(nr, f, w->out - 1u, 0);
	case CLASS_ACCEPT:
		return naming(nr, f, 1, 1);
	case CLASS_RECV:
		return receiving(nr, f);
	case CLASS_POLL:
		return polling(nr, w, f, (int)f->arg[2] == 0);
	case CLASS_PPOLL:
		return f->arg[3] == 0 && polling(nr, w, f, 0);
	case CLASS_EPOLL: /* epoll_pwait with a mask traps */
		return (nr == 232 || f->arg[4] == 0) && epolling(nr, f);
	case CLASS_SELECT:
		return (nr == 23 || f->arg[5] == 0) && selecting(nr, f);
	case CLASS_FUTEX:
		return futex(nr, w, f);
	default:
		return 0;
	}
}
