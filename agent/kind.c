/*
 * What descriptors are, and files that are about to be opened. The agent asks
 * the kernel once, unless the program has asked it itself.
 */
#include "agent/inside.h"

#define MODE_TYPE 0170000u
#define MODE_FILE 0100000u
#define MODE_DIR 0040000u
#define MODE_CHAR 0020000u
#define MODE_FIFO 0010000u
#define MODE_SOCK 0140000u
#define DEV_NULL 0x103u
#define DEV_ZERO 0x105u
#define DEV_TTY 0x500u

static int
is_listed(uint64_t dev)
{
	const struct agent_data *d = data();

	for (uint64_t i = 0; i < d->ndevs && i < AGENT_DEVS; i++)
		if (d->dev[i] == dev)
			return 1;
	return 0;
}

/* Terminals: 4, 5, and the slaves of ptys. */
static int
is_tty(uint64_t rdev)
{
	unsigned major = rdev >> 8 & 0xfff;

	return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

static unsigned
is_output(const struct kstat *st)
{
	const struct agent_data *d = data();
	int tty = (st->mode & MODE_TYPE) == MODE_CHAR && is_tty(st->rdev);

	for (uint64_t i = 0; i < d->noutputs && i < AGENT_OUTPUTS; i++) {
		const struct agent_output *o = &d->output[i];

		if ((o->dev == st->dev && o->ino == st->ino) ||
		    (o->rdev != 0 && tty &&
		     (o->rdev == st->rdev || st->rdev == DEV_TTY)))
			return AGENT_FD_OUTPUT;
	}
	return 0;
}

unsigned
agent_kind_of(const struct kstat *st)
{
	switch (st->mode & MODE_TYPE) {
	case MODE_FILE:
		return is_listed(st->dev) ? AGENT_FD_FILE : AGENT_FD_OTHER;
	case MODE_DIR:
		return is_listed(st->dev) ? AGENT_FD_DIR : AGENT_FD_OTHER;
	case MODE_FIFO:
		return AGENT_FD_PIPE;
	case MODE_SOCK:
		return AGENT_FD_SOCK;
	case MODE_CHAR:
		if (st->rdev == DEV_NULL)
			return AGENT_FD_NULL;
		if (is_tty(st->rdev))
			return AGENT_FD_TTY;
		return st->rdev == DEV_ZERO ? AGENT_FD_ZERO : AGENT_FD_OTHER;
	case 0:
		return AGENT_FD_ANON;
	}
	return AGENT_FD_OTHER;
}

unsigned
agent_kind(uint64_t fd)
{
	struct agent_data *d = data();
	struct kstat st;

	if (fd >= AGENT_FDS)
		return AGENT_FD_OTHER;
	if (d->kind[fd] == AGENT_FD_UNKNOWN &&
	    call(NR_FSTAT, fd, (uint64_t)&st, 0, 0, 0, 0) == 0)
		d->kind[fd] = (uint8_t)(agent_kind_of(&st) | is_output(&st));
	return d->kind[fd];
}

/* ---- what the program has asked itself */

#define SEEN_FOR 0x40000u /* TSC: some 100 us */

static int
is_same(const char *a, const char *b, uint64_t n)
{
	uint64_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i == n;
}

void
agent_told(const struct agent_rec *rec, uint64_t pieces, const struct row *w,
	   const struct agent_frame *f)
{
	const struct kstat *st = (const struct kstat *)f->arg[w->out - 1];
	const struct agent_piece *path = (const void *)((char *)rec + pieces);
	struct agent_data *d = data();
	uint64_t fd = f->arg[0];
	int named = w->path != 0 && f->arg[w->path - 1] != 0 && path->len > 1;

	if (named) {
		d->seen.pos = d->pos;
		d->seen.path = (uint64_t)path;
		d->seen.dir = w->path == 1 ? (uint64_t)(int64_t)AT_CWD : fd;
		d->seen.end = rec->end;
		d->seen.kind = agent_kind_of(st);
	} else if (fd < AGENT_FDS && d->kind[fd] == AGENT_FD_UNKNOWN) {
		d->kind[fd] = (uint8_t)(agent_kind_of(st) | is_output(st));
	}
}

unsigned
agent_seen(uint64_t dir, uint64_t at)
{
	const struct agent_data *d = data();
	const struct agent_piece *path = (const void *)d->seen.path;

	/* Nothing else was called since, and no time has passed. What traps
	 * shows in pos, but where threads hand over to each other. */
	if ((d->flags & AGENT_BATON) != 0 || d->pos == 0 ||
	    d->seen.pos != d->pos || (uint32_t)dir != (uint32_t)d->seen.dir ||
	    d->seen.end == 0 || agent_now() - d->seen.end > SEEN_FOR ||
	    !is_same((const char *)at, (const char *)(path + 1), path->len))
		return AGENT_FD_UNKNOWN;
	return (unsigned)d->seen.kind;
}

/* ---- descriptors */

void
agent_forget_fd(uint64_t fd)
{
	if (fd < AGENT_FDS)
		data()->kind[fd] = AGENT_FD_UNKNOWN;
}

void
agent_forget_fds(void)
{
	for (unsigned i = 0; i < AGENT_FDS; i++)
		data()->kind[i] = AGENT_FD_UNKNOWN;
}

int
agent_may_read(unsigned k)
{
	return k == AGENT_FD_FILE || k == AGENT_FD_NULL || k == AGENT_FD_ZERO;
}

int
agent_may_write(unsigned k)
{
	uint64_t flags = data()->flags;

	if ((k & AGENT_FD_OUTPUT) != 0 && (flags & AGENT_ALONE) == 0)
		return 0;
	k &= ~AGENT_FD_OUTPUT;
	return k == AGENT_FD_NULL ||
	       (k == AGENT_FD_FILE && (flags & AGENT_WRITES) != 0);
}

int
agent_may_send(uint64_t fd)
{
	unsigned k = agent_kind(fd);

	if ((k & AGENT_FD_OUTPUT) != 0 && (data()->flags & AGENT_ALONE) == 0)
		return 0;
	return (k & ~AGENT_FD_OUTPUT) >= AGENT_FD_PIPE;
}
