/*
 * The agent: makes the calls that need no tracer, and writes down what came of
 * them. It runs in the program, on a stack of its own, with general registers
 * alone; it allocates nothing and knows no libc.
 *
 * A call is made only when its record surely fits, and it counts only when
 * its record is published, by the one store to pos. A call that failed in a way
 * that leaves open what the kernel read is not written down but made again
 * through the stub, where the tracer sees it: failures have no effect that
 * could be doubled.
 */
#include "agent/abi.h"

/* In the order in which enter.S pushes them. */
struct agent_frame {
	uint64_t rcx; /* the stub's syscall instruction; out: where to go on */
	uint64_t rax;
	uint64_t arg[6]; /* rdi rsi rdx r10 r8 r9 */
	uint64_t rbx, rbp, r12, r13, r14, r15, eflags;
};

enum class {
	CLASS_TRAP,
	CLASS_PLAIN,
	CLASS_TWO,  /* gettimeofday: a second output of 8 bytes */
	CLASS_RET,  /* output of as many bytes as it returns */
	CLASS_FILE, /* on a regular file or directory */
	CLASS_READ,
	CLASS_WRITE,
	CLASS_DENTS,
	CLASS_OPEN,
	CLASS_CLOSE,
	CLASS_FCNTL,
};

struct row {
	uint8_t class, path, out;
	uint16_t bytes;
};

static const struct row table[] = {
#define AGENT_ROW(nr, name, class, path, out, bytes)                           \
	[nr] = { CLASS_##class, path, out, bytes },
#include "agent/calls.def"
#undef AGENT_ROW
};

#define NROWS (sizeof(table) / sizeof(table[0]))

#define NR_FSTAT 5
#define NR_NEWFSTATAT 262

#define K_ENOENT 2
#define K_EACCES 13
#define K_ENOTDIR 20
#define K_EINVAL 22

#define EFLAGS_TF 0x100u
#define EFLAGS_AC 0x40000u

#define PATH_LONGEST 4096u
#define PIECES 128u	      /* heads and padding of three pieces */
#define DATA_LONGEST 0x40000u /* of one read or write */

#define AT_CWD (-100)
/* Any access but reading, O_CREAT, O_TRUNC, O_ASYNC, O_TMPFILE. */
#define O_NEEDS_TRACER 020021103u
#define MODE_TYPE 0170000u
#define MODE_FILE 0100000u
#define MODE_DIR 0040000u
#define MODE_CHAR 0020000u
#define DEV_NULL 0x103u
#define DEV_ZERO 0x105u

#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3

struct kstat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	uint64_t rest[12];
};

static struct agent_data *
data(void)
{
	return (struct agent_data *)AGENT_DATA;
}

static long
call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
     uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("call agent_call"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static long
native(long nr, const struct agent_frame *f)
{
	const uint64_t *a = f->arg;

	return call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void
copy(void *to, const void *from, uint64_t n)
{
	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
}

/* --- descriptors ---------------------------------------------------------- */

static int
is_listed(uint64_t dev)
{
	const struct agent_data *d = data();

	for (uint64_t i = 0; i < d->ndevs && i < AGENT_DEVS; i++)
		if (d->dev[i] == dev)
			return 1;
	return 0;
}

static unsigned
kind_of(const struct kstat *st)
{
	switch (st->mode & MODE_TYPE) {
	case MODE_FILE:
		return is_listed(st->dev) ? AGENT_FD_FILE : AGENT_FD_OTHER;
	case MODE_DIR:
		return is_listed(st->dev) ? AGENT_FD_DIR : AGENT_FD_OTHER;
	case MODE_CHAR:
		if (st->rdev == DEV_NULL)
			return AGENT_FD_NULL;
		return st->rdev == DEV_ZERO ? AGENT_FD_ZERO : AGENT_FD_OTHER;
	}
	return AGENT_FD_OTHER;
}

static unsigned
kind(uint64_t fd)
{
	struct agent_data *d = data();
	struct kstat st;

	if (fd >= AGENT_FDS)
		return AGENT_FD_OTHER;
	if (d->kind[fd] == AGENT_FD_UNKNOWN &&
	    call(NR_FSTAT, fd, (uint64_t)&st, 0, 0, 0, 0) == 0)
		d->kind[fd] = (uint8_t)kind_of(&st);
	return d->kind[fd];
}

/* --- records ----------------------------------------------------------------
 */

/* Where the next record goes; 0 = there is no room for one with n bytes more.
 */
static struct agent_rec *
reserve(uint64_t n)
{
	const struct agent_data *d = data();

	if (d->pos + sizeof(struct agent_rec) + n > d->room)
		return 0;
	return (struct agent_rec *)(AGENT_DATA + AGENT_RING + d->pos);
}

static void
piece(struct agent_rec *rec, uint64_t addr, uint64_t n)
{
	struct agent_piece *p;

	if (addr == 0 || n == 0)
		return;
	p = (struct agent_piece *)((char *)rec + rec->len);
	p->addr = addr;
	p->len = n;
	copy(p + 1, (const void *)addr, n);
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

static void
fill(struct agent_rec *rec, long nr, const struct agent_frame *f, long ret)
{
	const struct agent_data *d = data();

	rec->len = sizeof(*rec);
	rec->nr = (uint16_t)nr;
	rec->npieces = 0;
	rec->pc = *(const uint64_t *)(f->rcx + 8); /* see agent/abi.h */
	rec->sp = d->rsp;
	rec->ret = ret;
	rec->rdi = f->arg[0];
	rec->rsi = f->arg[1];
	rec->rdx = f->arg[2];
	rec->r10 = f->arg[3];
	rec->r8 = f->arg[4];
	rec->r9 = f->arg[5];
	rec->rbx = f->rbx;
	rec->rbp = f->rbp;
	rec->r12 = f->r12;
	rec->r13 = f->r13;
	rec->r14 = f->r14;
	rec->r15 = f->r15;
	rec->eflags = f->eflags;
	rec->fs_base = rec->gs_base = 0;
	if (d->flags & AGENT_FSGSBASE) {
		__asm__ volatile("rdfsbase %0" : "=r"(rec->fs_base));
		__asm__ volatile("rdgsbase %0" : "=r"(rec->gs_base));
	}
}

/* Published: from here on the call has taken place. */
static void
publish(const struct agent_rec *rec, struct agent_frame *f)
{
	struct agent_data *d = data();

	f->rax = (uint64_t)rec->ret;
	f->rcx = rec->pc;
	__atomic_store_n(&d->pos, d->pos + rec->len, __ATOMIC_RELEASE);
}

/* --- the calls
 * ---------------------------------------------------------------- */

/* Errors that say that the path was read, and readable. */
static int
is_plain_error(long ret, const struct row *w)
{
	return (w->path != 0 &&
		(ret == -K_ENOENT || ret == -K_EACCES || ret == -K_ENOTDIR)) ||
	       (ret == -K_EINVAL && w->path != 0 && w->class == CLASS_RET);
}

static int
finish(struct agent_rec *rec, long nr, const struct row *w,
       struct agent_frame *f, long ret)
{
	if (ret < 0 && !is_plain_error(ret, w))
		return 0;
	fill(rec, nr, f, ret);
	if (w->path != 0 && f->arg[w->path - 1] != 0)
		piece(rec, f->arg[w->path - 1], length(f->arg[w->path - 1]));
	if (ret >= 0 && w->out != 0)
		piece(rec, f->arg[w->out - 1],
		      w->bytes != 0 ? w->bytes : (uint64_t)ret);
	if (ret >= 0 && w->class == CLASS_TWO)
		piece(rec, f->arg[1], 8);
	publish(rec, f);
	return 1;
}

/* What a row's own pieces need at most. */
static uint64_t
need(const struct row *w)
{
	return (w->path != 0 ? PATH_LONGEST : 0) + w->bytes + PIECES;
}

static int
plain(long nr, const struct row *w, struct agent_frame *f)
{
	struct agent_rec *rec = reserve(need(w));

	return rec != 0 && finish(rec, nr, w, f, native(nr, f));
}

/* Its length is the argument after the buffer. */
static int
returned(long nr, const struct row *w, struct agent_frame *f)
{
	uint64_t n = f->arg[w->out];
	struct agent_rec *rec;

	if (n > DATA_LONGEST)
		return 0;
	rec = reserve(need(w) + n);
	return rec != 0 && finish(rec, nr, w, f, native(nr, f));
}

static int
reading(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = kind(f->arg[0]);

	if (k == AGENT_FD_FILE || k == AGENT_FD_NULL || k == AGENT_FD_ZERO)
		return returned(nr, w, f);
	return 0;
}

static int
writing(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = kind(f->arg[0]);
	struct agent_rec *rec;
	long ret;

	if (k != AGENT_FD_NULL &&
	    (k != AGENT_FD_FILE || !(data()->flags & AGENT_WRITES)))
		return 0;
	if (f->arg[2] > DATA_LONGEST)
		return 0;
	rec = reserve(f->arg[2] + PIECES);
	if (rec == 0)
		return 0;
	/* /dev/null takes what cannot be read, too. */
	if (k == AGENT_FD_NULL && f->arg[1] < PATH_LONGEST)
		return 0;
	ret = native(nr, f);
	if (ret < 0)
		return 0;
	fill(rec, nr, f, ret);
	piece(rec, f->arg[1], (uint64_t)ret);
	publish(rec, f);
	return 1;
}

/* Only what cannot wait: no FIFO, no device. */
static int
opening(long nr, const struct row *w, struct agent_frame *f)
{
	uint64_t dir = w->path == 1 ? (uint64_t)(int64_t)AT_CWD : f->arg[0];
	uint64_t path = f->arg[w->path - 1], flags = f->arg[w->path];
	struct agent_rec *rec = reserve(need(w));
	unsigned k = AGENT_FD_UNKNOWN;
	struct kstat st;
	long ret;

	if (rec == 0 || (flags & O_NEEDS_TRACER) != 0)
		return 0;
	ret = call(NR_NEWFSTATAT, dir, path, (uint64_t)&st, 0, 0, 0);
	if (ret == 0) {
		k = kind_of(&st);
		if (k != AGENT_FD_FILE && k != AGENT_FD_DIR)
			return 0;
	}
	if (ret < 0 && !is_plain_error(ret, w))
		return 0;
	ret = native(nr, f);
	if (ret >= 0 && (uint64_t)ret < AGENT_FDS)
		data()->kind[ret] = AGENT_FD_UNKNOWN;
	return finish(rec, nr, w, f, ret);
}

static int
closing(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = kind(f->arg[0]);
	struct agent_rec *rec = reserve(0);

	if (rec == 0 || k == AGENT_FD_UNKNOWN || k == AGENT_FD_OTHER)
		return 0;
	data()->kind[f->arg[0]] = AGENT_FD_UNKNOWN;
	/* Closed whatever it says: never twice. */
	fill(rec, nr, f, native(nr, f));
	publish(rec, f);
	return 1;
}

static int
on_file(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k = kind(f->arg[0]);

	return (k == AGENT_FD_FILE || k == AGENT_FD_DIR) && plain(nr, w, f);
}

/* Copies of what is known; the lowest free descriptor has no kind yet. */
static int
controlling(long nr, const struct row *w, struct agent_frame *f)
{
	unsigned k;

	switch (f->arg[1]) {
	case F_GETFD:
	case F_SETFD:
	case F_GETFL:
		return plain(nr, w, f);
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		k = kind(f->arg[0]);
		return k != AGENT_FD_UNKNOWN && k != AGENT_FD_OTHER &&
		       plain(nr, w, f);
	}
	return 0;
}

static int
make(long nr, const struct row *w, struct agent_frame *f)
{
	switch ((enum class)w->class) {
	case CLASS_TRAP:
		return 0;
	case CLASS_PLAIN:
	case CLASS_TWO:
		return plain(nr, w, f);
	case CLASS_RET:
		return returned(nr, w, f);
	case CLASS_FILE:
		return on_file(nr, w, f);
	case CLASS_READ:
		return reading(nr, w, f);
	case CLASS_WRITE:
		return writing(nr, w, f);
	case CLASS_DENTS:
		return kind(f->arg[0]) == AGENT_FD_DIR && returned(nr, w, f);
	case CLASS_OPEN:
		return opening(nr, w, f);
	case CLASS_CLOSE:
		return closing(nr, w, f);
	case CLASS_FCNTL:
		return controlling(nr, w, f);
	}
	return 0;
}

/* --- replay
 * ------------------------------------------------------------------- */

static int
is_recorded(const struct agent_rec *rec, const struct agent_frame *f)
{
	return rec->nr == (uint32_t)f->rax && rec->rdi == f->arg[0] &&
	       rec->rsi == f->arg[1] && rec->rdx == f->arg[2] &&
	       rec->r10 == f->arg[3] && rec->r8 == f->arg[4] &&
	       rec->r9 == f->arg[5] && rec->sp == data()->rsp &&
	       rec->pc == *(const uint64_t *)(f->rcx + 8);
}

/* What the call did, from its record. Any other call, and the one after the
 * last record, traps. */
static void
replayed(struct agent_frame *f)
{
	struct agent_data *d = data();
	const struct agent_rec *rec =
		(const struct agent_rec *)(AGENT_DATA + AGENT_RING + d->pos);
	const struct agent_piece *p = (const struct agent_piece *)(rec + 1);

	if (d->pos >= d->room || !is_recorded(rec, f))
		return;
	for (unsigned i = 0; i < rec->npieces; i++) {
		copy((void *)p->addr, p + 1, p->len);
		p = (const struct agent_piece *)((const char *)(p + 1) +
						 ((p->len + 7) & ~7ul));
	}
	f->rax = (uint64_t)rec->ret;
	f->rcx = rec->pc;
	d->pos += rec->len;
}

/* Leaves in f where to go on and with what; the stub's syscall when the call
 * was not made. */
void
agent_main(struct agent_frame *f)
{
	uint64_t nr = f->rax;

	if ((data()->flags & AGENT_REPLAY) != 0) {
		replayed(f);
		return;
	}
	if (nr >= NROWS || (f->eflags & (EFLAGS_TF | EFLAGS_AC)) != 0)
		return;
	make((long)nr, &table[nr], f);
}
