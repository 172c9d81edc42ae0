/*
 * The agent of a replay: it makes no calls, but reads what came of them.
 *
 * Where threads hand over to each other, one thread of the replay is all of
 * them in turn: a task that waits lies in its slot, as it came into the agent,
 * and who comes next is taken from there. So a hand-over is no switch of the
 * kernel's. The tracer (replayer/agent_relay.c) puts those there that wait when
 * it begins, and has each thread be its own task again in the end.
 */
#include "agent/inside.h"

static const struct agent_rec *
next(void)
{
	const struct agent_data *d = data();

	return d->pos < d->room
		       ? (const struct agent_rec *)(AGENT_DATA + AGENT_RING +
						    d->pos)
		       : 0;
}

/* Registers of the next record, which begins there; returns its end. */
static const uint64_t *
next_regs(const struct agent_rec *rec)
{
	const uint64_t *v = (const uint64_t *)(rec + 1);

	for (unsigned i = 0; i < AGENT_REGS; i++)
		if (rec->changed & 1ul << i)
			data()->regs[i] = *v++;
	return v;
}

static int
is_recorded(const struct agent_rec *rec, const struct agent_frame *f)
{
	const uint64_t *v = data()->regs;

	for (unsigned i = 0; i < 6; i++)
		if (v[AGENT_RDI + i] != f->arg[i])
			return 0;
	return rec->nr == (uint32_t)f->rax && v[AGENT_SP] == data()->rsp &&
	       v[AGENT_PC] == site_of(f);
}

static void
answer(const struct agent_rec *rec, const void *pieces, struct agent_frame *f)
{
	const struct agent_piece *p = pieces;

	for (unsigned i = 0; i < rec->npieces; i++) {
		if (p->addr != AGENT_PIECE_AGAIN)
			copy((void *)p->addr, p + 1, p->len);
		else if (!agent_made_again((const struct agent_again *)(p + 1)))
			return;
		p = (const struct agent_piece *)((const char *)(p + 1) +
						 ((p->len + 7) & ~7ul));
	}
	agent_publish(rec, f);
}

/* ---- who */

static struct agent_slot *
own_slot(void)
{
	return (struct agent_slot *)(data()->stack - AGENT_STACK);
}

/* What its thread has besides what is in the frame. */
static void
leave(struct agent_slot *s)
{
	s->rsp = data()->rsp;
	__asm__ volatile("rdfsbase %0" : "=r"(s->fs));
	__asm__ volatile("rdgsbase %0" : "=r"(s->gs));
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"((char *)s + AGENT_XSTATE), "a"(-1), "d"(-1)
			 : "memory");
}

/* Back to where it came in: it looks at the next record. */
static _Noreturn void
be(struct agent_slot *s)
{
	data()->stack = (uint64_t)s + AGENT_STACK;
	data()->rsp = s->rsp;
	__asm__ volatile("wrfsbase %0" : : "r"(s->fs));
	__asm__ volatile("wrgsbase %0" : : "r"(s->gs));
	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"((char *)s + AGENT_XSTATE), "a"(-1), "d"(-1)
			 : "memory");
	__asm__ volatile("mov %0, %%rsp\n\tjmp agent_again"
			 :
			 : "r"((char *)s + AGENT_STACK - AGENT_FRAME)
			 : "memory");
	__builtin_unreachable();
}

void
agent_replays(struct agent_frame *f)
{
	struct agent_slot *s = own_slot();
	const struct agent_rec *rec = next();
	const uint64_t *pieces;

	if (rec != 0 && rec->what == AGENT_ENTERS) {
		next_regs(rec);
		if (!is_recorded(rec, f))
			return;
		s->phase = AGENT_WAITING;
		data()->pos += rec->len;
		rec = next();
		if (rec != 0 &&
		    (struct agent_slot *)AGENT_SLOT(rec->slot) != s) {
			leave(s);
			be((struct agent_slot *)AGENT_SLOT(rec->slot));
		}
	}
	if (rec == 0 ||
	    (rec->what == AGENT_EXITS) != (s->phase == AGENT_WAITING))
		return;
	pieces = next_regs(rec);
	if (rec->what != AGENT_EXITS && !is_recorded(rec, f))
		return;
	s->phase = AGENT_NO_PHASE;
	answer(rec, pieces, f);
}
