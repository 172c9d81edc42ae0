/*
 * Calls that change the address space, or what becomes of signals, or end it
 * all. The recorder follows them from their records, in order
 * (recorder/agent_drain.c). Only what needs no look at code, nor at files that
 * it has not seen: private memory, no protection that makes it executable, and
 * nothing near pastime's own pages.
 */
#include "agent/inside.h"

#define PROT_READ 1u
#define PROT_EXEC 4u
#define PROT_KNOWN 7u
#define MAP_PRIVATE 0x2u
#define MAP_FIXED 0x10u
#define MAP_ANONYMOUS 0x20u
#define MAP_DENYWRITE 0x800u /* which only libraries are mapped with */
/* MAP_NORESERVE, MAP_STACK, MAP_FIXED_NOREPLACE */
#define MAP_HARMLESS 0x124000u
#define PAGE 0x1000ul

#define SIG_BLOCK 0
#define SIGSET 8u
#define SIGACTION 32u

/* Does it leave alone what is pastime's? */
static int
is_elsewhere(uint64_t addr, uint64_t len)
{
	uint64_t last = addr + len;

	return last >= addr && (last <= AGENT_BASE || addr >= AGENT_END);
}

static int
make_plain(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, 0);

	return rec != 0 && agent_end(rec, f, agent_native(nr, f));
}

static int
is_same_time(const struct agent_time *a, const struct agent_time *b)
{
	return a->sec == b->sec && a->ns == b->ns;
}

static const struct agent_stored *
file_of(const struct kstat *st)
{
	const struct agent_stored *v =
		(const struct agent_stored *)(AGENT_DATA + AGENT_FILES);
	uint64_t n = data()->nfiles;

	for (uint64_t i = 0; i < n && i < AGENT_FILES_MAX; i++)
		if (v[i].ino == st->ino && v[i].dev == st->dev &&
		    v[i].size == st->size &&
		    is_same_time(&v[i].mtime, &st->mtime) &&
		    is_same_time(&v[i].ctime, &st->ctime))
			return &v[i];
	return 0;
}

/* All that is asked for of it, in whole pieces. */
static int
is_captured(const struct agent_stored *v, uint64_t offset, uint64_t len)
{
	const uint64_t part = AGENT_FILE_PIECE - 1;
	uint64_t end = offset + ((len + PAGE - 1) & ~(PAGE - 1));

	if (len > ~0ul - PAGE || end < offset || end > ~0ul - part)
		return 0;
	end = (end + part) & ~part;
	return v->from <= (offset & ~part) &&
	       (end < v->size ? end : v->size) <= v->to;
}

static int
may_map(const struct agent_stored *v, uint64_t prot, uint64_t flags)
{
	if ((v->how & AGENT_STILL) == 0 && (flags & MAP_DENYWRITE) == 0)
		return 0;
	return (prot & PROT_EXEC) == 0 ||
	       (prot == (PROT_READ | PROT_EXEC) && (v->how & AGENT_PLAIN) != 0);
}

/* The recording has its contents: the event needs to name it only. */
static int
mapping_file(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	const struct agent_stored *v;
	struct kstat st;
	long ret;

	if (rec == 0 ||
	    call(NR_FSTAT, f->arg[4], (uint64_t)&st, 0, 0, 0, 0) != 0)
		return 0;
	v = file_of(&st);
	if (v == 0 || !may_map(v, f->arg[2], f->arg[3]) ||
	    !is_captured(v, f->arg[5], f->arg[1]))
		return 0;
	ret = agent_native(nr, f);
	if (ret < 0 && ret >= -K_LAST)
		return 0;
	agent_piece_as(rec, AGENT_PIECE_FILE, &v->number, sizeof(v->number));
	return agent_end(rec, f, ret);
}

static int
mapping(long nr, struct agent_frame *f)
{
	uint64_t flags = f->arg[3] & ~(uint64_t)(MAP_HARMLESS | MAP_FIXED);

	if (!is_elsewhere(f->arg[0], f->arg[1]))
		return 0;
	if (flags == (MAP_PRIVATE | MAP_ANONYMOUS))
		return (f->arg[2] & PROT_EXEC) == 0 && make_plain(nr, f);
	return (flags & ~(uint64_t)MAP_DENYWRITE) == MAP_PRIVATE &&
	       mapping_file(nr, f);
}

static int
protecting(long nr, struct agent_frame *f)
{
	return (f->arg[2] & ~(uint64_t)PROT_KNOWN) == 0 &&
	       (f->arg[2] & PROT_EXEC) == 0 &&
	       is_elsewhere(f->arg[0], f->arg[1]) && make_plain(nr, f);
}

int
agent_maps(long nr, struct agent_frame *f)
{
	switch (nr) {
	case NR_MMAP:
		return mapping(nr, f);
	case NR_MPROTECT:
		return protecting(nr, f);
	case NR_MUNMAP:
		return is_elsewhere(f->arg[0], f->arg[1]) && make_plain(nr, f);
	case NR_BRK: /* the recorder has to know where it was */
		return (f->arg[0] == 0 || (data()->flags & AGENT_BRK) != 0) &&
		       make_plain(nr, f);
	}
	return 0;
}

/*
 * A signal that is let through comes before the call returns, which is a place
 * that the tracer must see. The record has the mask as it is afterwards, at an
 * address that is none: what is asked for may be only a part of it.
 */
int
agent_masks(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	uint64_t pending = ~0ul, now = 0;
	long ret;

	if (rec == 0 || f->arg[3] != SIGSET)
		return 0;
	if (f->arg[1] != 0 && f->arg[0] != SIG_BLOCK) {
		call(NR_RT_SIGPENDING, (uint64_t)&pending, SIGSET, 0, 0, 0, 0);
		if (pending != 0)
			return 0;
	}
	ret = agent_wait_for(rec, nr, f, AGENT_ON);
	if (ret != 0)
		return 0;
	rec->begin = 0;
	call(NR_RT_SIGPROCMASK, SIG_BLOCK, 0, (uint64_t)&now, SIGSET, 0, 0);
	agent_piece_as(rec, AGENT_PIECE_MASK, &now, sizeof(now));
	/* The old one may have been stored over the new one. */
	agent_piece(rec, f->arg[1] == f->arg[2] ? 0 : f->arg[1], SIGSET);
	agent_piece(rec, f->arg[2], SIGSET);
	return agent_end(rec, f, ret);
}

int
agent_acts(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, PIECES);
	uint64_t act = f->arg[1], old = f->arg[2];
	long ret;

	/* One over the other: what went in is gone afterwards. */
	if (rec == 0 || f->arg[3] != SIGSET ||
	    (act != 0 && old - act + SIGACTION < 2 * SIGACTION))
		return 0;
	ret = agent_native(nr, f);
	if (ret != 0)
		return 0;
	agent_piece(rec, act, SIGACTION);
	agent_piece(rec, old, SIGACTION);
	return agent_end(rec, f, ret);
}

/* That it begins is all there is to say. Whose turn is next only the tracer can
 * tell. */
int
agent_exits(long nr, struct agent_frame *f)
{
	struct agent_rec *rec = agent_begin(nr, f, 0);

	if (rec == 0 || (data()->flags & AGENT_SINGLE) == 0)
		return 0;
	rec->what = AGENT_ENTERS;
	agent_end(rec, f, 0);
	return (int)agent_native(nr, f);
}

int
agent_made_again(const struct agent_again *c)
{
	const uint64_t *a = c->arg;

	return call(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]) == c->want;
}
