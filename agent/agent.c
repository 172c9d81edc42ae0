/*
 * The agent: makes the calls that need no tracer, and writes down what came of
 * them. It runs in the program, on a stack of its own, with general registers
 * alone; it allocates nothing and knows no libc.
 *
 * A call is made only when its record surely fits, and it counts only when
 * its record is published, by the one store to pos. A call that failed in a way
 * that leaves open what the kernel read is not written down but made again
 * through the stub, where the tracer sees it: failures have no effect that
 * could be doubled. A fault of the agent's own, by an address that is none,
 * ends in the same way (recorder/agent_stop.c).
 */
#include "agent/inside.h"

const struct row agent_rows[] = {
#define AGENT_ROW(nr, name, class, path, out, bytes)                           \
	[nr] = { CLASS_##class, path, out, bytes },
#include "agent/calls.def"
};

static const struct more inputs[] = {
#define AGENT_INPUT(nr, arg, bytes) [nr] = { arg, bytes },
#include "agent/calls.def"
};

static const struct more outputs[] = {
#define AGENT_OUTPUT(nr, arg, bytes) [nr] = { arg, bytes },
#include "agent/calls.def"
};

#define LENGTH(v) (sizeof(v) / sizeof((v)[0]))

const unsigned agent_nrows = LENGTH(agent_rows);

#define ARCH_SET_FS 0x1002u
/* O_ASYNC, O_TMPFILE. */
#define O_NEEDS_TRACER 020020000u
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_GETLK 5
#define F_SETLK 6
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_UNLCK 2
#define FLOCK 32u
#define O_ASYNC 020000u

#define TCGETS 0x5401u
#define TIOCGPGRP 0x540fu
#define TIOCGWINSZ 0x5413u
#define FIONREAD 0x541bu
#define FIONBIO 0x5421u
#define FIONCLEX 0x5450u
#define FIOCLEX 0x5451u
#define FICLONE 0x40049409u

long
agent_native(long nr, const struct agent_frame *f)
{
	const uint64_t *a = f->arg;

	return call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

uint64_t
agent_now(void)
{
	uint32_t lo, hi;

	if ((data()->flags & AGENT_TSC) == 0)
		return 0;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* EPIPE and EFBIG come with a signal, which is not to be given here. */
int
agent_is_final(long ret)
{
	return ret >= 0 || (ret != -K_EFAULT && ret != -K_EINTR &&
			    ret != -K_EPIPE && ret != -K_EFBIG);
}

/* ---- records */

void
agent_piece(struct agent_rec *rec, uint64_t addr, uint64_t n)
{
	agent_piece_as(rec, addr, (const void *)addr, n);
}

void
agent_piece_as(struct agent_rec *rec, uint64_t addr, const void *from,
	       uint64_t n)
{
	struct agent_piece *p;

	if (addr == 0 || n == 0)
		return;
	p = (struct agent_piece *)((char *)rec + rec->len);
	p->addr = addr;
	p->len = n;
	copy(p + 1, from, n);
	rec->len += (uint32_t)(sizeof(*p) + ((n + 7) & ~7ul));
	rec->npieces++;
}

static uint64_t
length(uint64_t addr)
{
	const char *s = (const char *)addr;
	uint64_t n = 0;

	while (n < PATH_LONGEST && s[n] != '\0')
		n++;
	return n < PATH_LONGEST ? n + 1 : n;
}

/* A register, which counts when it has changed: without a branch, of which
 * there would be one for each. Returns where the next one goes. */
static inline uint64_t *
take(uint64_t *at, uint32_t *changed, unsigned reg, uint64_t now, uint64_t all)
{
	uint64_t *was = &data()->regs[reg];
	uint64_t counts = (*was != now) | all;

	*at = *was = now;
	*changed |= (uint32_t)(counts << reg);
	return at + counts;
}

static void
take_all(struct agent_rec *rec, const struct agent_frame *f)
{
	const uint64_t *v = (const uint64_t *)f + AGENT_FRAME_RDI;
	const uint64_t all = data()->known == 0;
	uint64_t *at = (uint64_t *)(rec + 1);
	uint64_t fs = 0, gs = 0;
	uint32_t changed = 0;

	if (data()->flags & AGENT_FSGSBASE) {
		__asm__ volatile("rdfsbase %0" : "=r"(fs));
		__asm__ volatile("rdgsbase %0" : "=r"(gs));
	}
	at = take(at, &changed, AGENT_PC, site_of(f), all);
	at = take(at, &changed, AGENT_SP, data()->rsp, all);
	for (unsigned i = AGENT_RDI; i <= AGENT_EFLAGS; i++)
		at = take(at, &changed, i, v[i - AGENT_RDI], all);
	at = take(at, &changed, AGENT_FS, fs, all);
	at = take(at, &changed, AGENT_GS, gs, all);
	rec->changed = changed;
	rec->len = (uint32_t)((char *)at - (char *)rec);
}

struct agent_rec *
agent_begin(long nr, const struct agent_frame *f, uint64_t n)
{
	struct agent_data *d = data();
	struct agent_rec *rec =
		(struct agent_rec *)(AGENT_DATA + AGENT_RING + d->pos);

	if (d->pos + sizeof(*rec) + 8 * AGENT_REGS + n > d->room)
		return 0;
	rec->nr = (uint16_t)nr;
	rec->npieces = 0;
	rec->slot = (uint16_t)((d->stack - AGENT_SLOTS) >> AGENT_SLOT_SHIFT);
	rec->what = AGENT_CALLED;
	rec->ret = 0;
	rec->begin = rec->end = 0;
	if (d->pos == 0)
		d->known = d->seen.pos = 0;
	take_all(rec, f);
	d->known = 0; /* unless this record comes to be */
	return rec;
}

void
agent_publish(const struct agent_rec *rec, struct agent_frame *f)
{
	struct agent_data *d = data();

	f->rax = (uint64_t)rec->ret;
	f->rcx = site_of(f);
	d->known = 1;
	__atomic_store_n(&d->pos, d->pos + rec->len, __ATOMIC_RELEASE);
}

int
agent_end(struct agent_rec *rec, struct agent_frame *f, long ret)
{
	rec->ret = ret;
	rec->end = agent_now();
	agent_publish(rec, f);
	return 1;
}

static const struct more *
find(const struct more *v, unsigned n, const struct agent_rec *rec)
{
	return rec->nr < n && v[rec->nr].arg != 0 ? &v[rec->nr] : 0;
}

static void
put_paths(struct agent_rec *rec, const struct row *w,
	  const struct agent_frame *f)
{
	for (unsigned path = w->path; path != 0; path >>= 3) {
		uint64_t at = f->arg[(path & 7) - 1];

		if (at != 0)
			agent_piece(rec, at, length(at));
	}
}

int
agent_finish(struct agent_rec *rec, const struct row *w, struct agent_frame *f,
	     long ret)
{
	const struct more *m;

	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end = agent_now();
	put_paths(rec, w, f);
	m = find(inputs, LENGTH(inputs), rec);
	if (m != 0)
		agent_piece(rec, f->arg[m->arg - 1],
			    m->bytes != 0 ? m->bytes : f->arg[m->arg]);
	if (ret >= 0 && w->out != 0)
		agent_piece(rec, f->arg[w->out - 1],
			    w->bytes != 0 ? w->bytes : (uint64_t)ret);
	m = find(outputs, LENGTH(outputs), rec);
	if (ret >= 0 && m != 0)
		agent_piece(rec, f->arg[m->arg - 1], m->bytes);
	agent_publish(rec, f);
	return 1;
}

uint64_t
agent_need(const struct row *w)
{
	uint64_t n = w->bytes + PIECES + INPUT_LONGEST;

	for (unsigned path = w->path; path != 0; path >>= 3)
		n += PATH_LONGEST;
	return n;
}

/* ---- the calls */

int
agent_plain(long nr, const struct row *w, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, agent_need(w));
	const struct more *m;

	if (rec == 0)
		return 0;
	m = find(inputs, LENGTH(inputs), rec);
	if (m != 0 && m->bytes == 0 && f->arg[m->arg] > INPUT_LONGEST)
		return 0;
	return agent_finish(rec, w, f, agent_native(nr, f));
}

/* Its length is the argument after the buffer. */
static int
returned(long nr, const struct row *w, struct agent_frame *f)
{
	uint64_t n = f->arg[w->out];
	struct agent_rec *rec;

	if (n > DATA_LONGEST)
		return 0;
	rec = agent_begin(nr, f, agent_need(w) + n);
	return rec != 0 && agent_finish(rec, w, f, agent_native(nr, f));
}

static int
reading(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = agent_kind(f->arg[0]) & ~AGENT_FD_OUTPUT;

	if (agent_may_read(k))
		return returned(nr, w, f);
	return k >= AGENT_FD_PIPE && agent_waits(nr, w, f);
}

static int
writing(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = agent_kind(f->arg[0]);
	struct agent_rec *rec;
	uint64_t begin;
	long ret;

	if ((k & ~AGENT_FD_OUTPUT) >= AGENT_FD_PIPE)
		return agent_waits(nr, w, f);
	if (!agent_may_write(k) || f->arg[2] > DATA_LONGEST)
		return 0;
	rec = agent_begin(nr, f, f->arg[2] + PIECES);
	if (rec == 0)
		return 0;
	begin = agent_now();
	ret = agent_native(nr, f);
	if (ret < 0)
		return 0;
	rec->ret = ret;
	rec->begin = rec->end = begin;
	agent_piece(rec, f->arg[1], (uint64_t)ret);
	agent_publish(rec, f);
	return 1;
}

static int
resizing(long nr, const struct row *w, struct agent_frame *f)
{
	return (agent_kind(f->arg[0]) & ~AGENT_FD_OUTPUT) == AGENT_FD_FILE &&
	       (data()->flags & AGENT_WRITES) != 0 && agent_plain(nr, w, f);
}

/* What stat says of it, unless the program has just asked the same. */
static int
may_open(uint64_t dir, uint64_t path)
{
	unsigned k = agent_seen(dir, path);
	struct kstat st;
	long ret;

	if (k == AGENT_FD_UNKNOWN) {
		ret = call(NR_NEWFSTATAT, dir, path, (uint64_t)&st, 0, 0, 0);
		if (ret < 0)
			return agent_is_final(ret);
		k = agent_kind_of(&st);
	}
	/* Only what cannot wait: no FIFO, no device. */
	return agent_may_read(k) || k == AGENT_FD_DIR;
}

static int
opening(long nr, const struct row *w, struct agent_frame *f)
{
	uint64_t dir = w->path == 1 ? (uint64_t)(int64_t)AT_CWD : f->arg[0];
	uint64_t path = f->arg[w->path - 1], flags = f->arg[w->path];
	struct agent_rec *rec = agent_begin(nr, f, agent_need(w));
	long ret;

	if (rec == 0 || (flags & O_NEEDS_TRACER) != 0 || !may_open(dir, path))
		return 0;
	ret = agent_native(nr, f);
	if (ret >= 0)
		agent_forget_fd((uint64_t)ret);
	return agent_finish(rec, w, f, ret);
}

/* It says what a descriptor is, or what is to be opened. */
static int
asking(long nr, const struct row *w, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, agent_need(w));
	uint64_t pieces;

	if (rec == 0)
		return 0;
	pieces = rec->len;
	if (!agent_finish(rec, w, f, agent_native(nr, f)))
		return 0;
	if (rec->ret == 0)
		agent_told(rec, pieces, w, f);
	return 1;
}

/* From file to file; not to an output, which replay prints. */
static int
copying(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	long ret;

	if (rec == 0 || agent_kind(f->arg[0]) != AGENT_FD_FILE ||
	    agent_kind(f->arg[2]) != AGENT_FD_FILE ||
	    !agent_may_write(AGENT_FD_FILE))
		return 0;
	rec->begin = agent_now();
	ret = agent_native(nr, f);
	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end = rec->begin;
	if (ret >= 0) {
		agent_piece(rec, f->arg[1], 8);
		agent_piece(rec, f->arg[3], 8);
	}
	agent_publish(rec, f);
	return 1;
}

/* A socket's close may wait. */
static int
lingers(uint64_t fd)
{
	uint32_t linger[2] = { 1, 1 }, len = sizeof(linger);

	return call(NR_GETSOCKOPT, fd, 1, 13, (uint64_t)linger, (uint64_t)&len,
		    0) != 0 ||
	       linger[0] != 0;
}

static int
closing(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = agent_kind(f->arg[0]) & ~AGENT_FD_OUTPUT;
	struct agent_rec *rec = agent_begin(nr, f, 0);

	if (rec == 0 || k == AGENT_FD_UNKNOWN || k == AGENT_FD_OTHER ||
	    (k == AGENT_FD_SOCK && lingers(f->arg[0])))
		return 0;
	agent_forget_fd(f->arg[0]);
	/* Closed whatever it says: never twice. */
	rec->begin = rec->end = agent_now();
	rec->ret = agent_native(nr, f);
	agent_publish(rec, f);
	return 1;
}

static int
on_file(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = agent_kind(f->arg[0]) & ~AGENT_FD_OUTPUT;

	return (k == AGENT_FD_FILE || k == AGENT_FD_DIR) &&
	       agent_plain(nr, w, f);
}

/* One more descriptor, whose number may have been another's. */
static int
duplicating(long nr, const struct row *w, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, agent_need(w));
	long ret;

	if (rec == 0)
		return 0;
	ret = agent_native(nr, f);
	if (ret >= 0)
		agent_forget_fd((uint64_t)ret);
	return agent_finish(rec, w, f, ret);
}

/* Locks of files, which do not wait. Who may have it next sees an unlock at
 * once. */
static int
locking(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	uint64_t begin = agent_now();
	long ret;

	if (rec == 0 || f->arg[2] == 0)
		return 0;
	ret = agent_native(nr, f);
	if (!agent_is_final(ret))
		return 0;
	rec->ret = ret;
	rec->end =
		*(const uint16_t *)f->arg[2] == F_UNLCK ? begin : agent_now();
	agent_piece(rec, f->arg[2], FLOCK);
	agent_publish(rec, f);
	return 1;
}

static int
refusing(long nr, const struct row *w, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, 0);

	return rec != 0 && agent_finish(rec, w, f, -K_ENOSYS);
}

static int
controlling(long nr, const struct row *w, struct agent_frame *f)
{
	switch (f->arg[1]) {
	case F_SETFL:
		return (f->arg[2] & O_ASYNC) == 0 && agent_plain(nr, w, f);
	case F_GETFD:
	case F_SETFD:
	case F_GETFL:
		return agent_plain(nr, w, f);
	case F_GETLK:
	case F_OFD_GETLK:
	case F_SETLK:
	case F_OFD_SETLK:
		return locking(nr, f);
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return duplicating(nr, w, f);
	}
	return 0;
}

/* Those that C libraries and coreutils make on any descriptor. */
static int
ioctl(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = agent_kind(f->arg[0]) & ~AGENT_FD_OUTPUT;
	struct row row = *w;

	if (k == AGENT_FD_UNKNOWN || k == AGENT_FD_OTHER)
		return 0;
	switch ((uint32_t)f->arg[1]) {
	case TCGETS:
		row.bytes = 36;
		break;
	case TIOCGWINSZ:
		row.bytes = 8;
		break;
	case TIOCGPGRP:
		row.bytes = 4;
		break;
	case FIONREAD:
	case FIONBIO:
		row.bytes = 4;
		break;
	case FIOCLEX:
	case FIONCLEX:
		row.out = 0;
		break;
	case FICLONE:
		row.out = 0;
		return k == AGENT_FD_FILE &&
		       (data()->flags & AGENT_WRITES) != 0 &&
		       agent_plain(nr, &row, f);
	default:
		return 0;
	}
	return agent_plain(nr, &row, f);
}

static int
make(long nr, const struct row *w, struct agent_frame *f)
{
	switch ((enum class)w->class) {
	case CLASS_TRAP:
		return 0;
	case CLASS_PLAIN:
		return agent_plain(nr, w, f);
	case CLASS_STAT:
		return asking(nr, w, f);
	case CLASS_RET:
		return returned(nr, w, f);
	case CLASS_FILE:
		return on_file(nr, w, f);
	case CLASS_READ:
		return reading(nr, w, f);
	case CLASS_WRITE:
		return writing(nr, w, f);
	case CLASS_DENTS:
		return agent_kind(f->arg[0]) == AGENT_FD_DIR &&
		       returned(nr, w, f);
	case CLASS_OPEN:
		return opening(nr, w, f);
	case CLASS_CLOSE:
		return closing(nr, w, f);
	case CLASS_FCNTL:
		return controlling(nr, w, f);
	case CLASS_DUP:
		return duplicating(nr, w, f);
	case CLASS_RESIZE:
		return resizing(nr, w, f);
	case CLASS_IOCTL:
		return ioctl(nr, w, f);
	case CLASS_COPY:
		return copying(nr, f);
	case CLASS_READV:
	case CLASS_WRITEV:
	case CLASS_SENDMSG:
	case CLASS_RECVMSG:
	case CLASS_SENDFILE:
		return agent_vectors(nr, w, f);
	case CLASS_CLOCK:
		return agent_clocks(nr, f) || agent_plain(nr, w, f);
	case CLASS_CPU:
		return agent_cpus(nr, f);
	case CLASS_TID:
		return agent_plain(nr, w, f);
	case CLASS_TLS:
		return f->arg[0] == ARCH_SET_FS &&
		       (data()->flags & AGENT_FSGSBASE) != 0 &&
		       agent_plain(nr, w, f);
	case CLASS_ENOSYS:
		return refusing(nr, w, f);
	case CLASS_MAP:
		return agent_maps(nr, f);
	case CLASS_MASK:
		return agent_masks(nr, f);
	case CLASS_ACTION:
		return agent_acts(nr, f);
	case CLASS_EXIT:
		return agent_exits(nr, f);
	case CLASS_RLIMIT: /* of another, or a change: the recorder looks */
		return f->arg[0] == 0 && f->arg[2] == 0 &&
		       agent_plain(nr, w, f);
	default:
		return agent_waits(nr, w, f);
	}
}

/* ---- all of it */

/* Leaves in f where to go on and with what; the stub's syscall when the call
 * was not made. */
void
agent_main(struct agent_frame *f)
{
	uint64_t nr = f->rax;

	if ((data()->flags & AGENT_REPLAY) != 0) {
		agent_replays(f);
		return;
	}
	if (nr >= agent_nrows || (f->eflags & (EFLAGS_TF | EFLAGS_AC)) != 0)
		return;
	make((long)nr, &agent_rows[nr], f);
}
