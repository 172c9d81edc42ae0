/*
 * The baton: who has it may run the program's code, and use the agent's data.
 *
 *	has it --ENTERS, drop--> in the kernel --> back --take, EXITS--> has it
 *	   ^                                        |
 *	   +----------- the tracer's gate <---------+
 *
 * It changes hands in here as long as the tracer allows it (AGENT_BATON).
 * A task that comes back when another has it tries for a little while, then it
 * goes to the gate, where the tracer sees that it wants its turn. The tracer
 * takes the flag away before it gives turns itself; then it looks at the baton.
 * So a task that has taken it looks at the flag afterwards, and then once more
 * at the baton, which the tracer may have given to somebody else before it put
 * the flag back.
 *
 * Without the baton a task touches nothing but its own slot and stack, and
 * never the program's memory.
 */
#include "agent/baton.h"

#define PAGE 4096u
#define TRIES 50u
#define TICKS 100000u /* of the TSC, some tens of microseconds */

static struct agent_slot *
own_slot(void)
{
	return (struct agent_slot *)(data()->stack - AGENT_STACK);
}

static uint64_t
number(const struct agent_slot *s)
{
	return ((uint64_t)s - AGENT_SLOTS) >> AGENT_SLOT_SHIFT;
}

static void
gate(enum agent_word word)
{
	long ret;

	__asm__ volatile("call agent_gate"
			 : "=a"(ret)
			 : "a"(AGENT_GATE_CALL), "D"(word)
			 : "rcx", "r11", "memory", "cc");
}

/* It is dropped before it is made, and said so at pos. */
static long
block(long nr, const uint64_t *a, struct agent_slot *s, uint64_t pos)
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	long ret;

	__asm__ volatile("call agent_block"
			 : "=a"(ret), "+c"(pos)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
			   "r"(r8), "r"(r9), "b"(s)
			 : "r11", "memory", "cc");
	return ret;
}

/* Made again with nothing said and nothing dropped. */
static long
block_again(long nr, const uint64_t *a, struct agent_slot *s)
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	long ret;

	__asm__ volatile("call agent_block_again"
			 : "=a"(ret)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
			   "r"(r8), "r"(r9), "b"(s)
			 : "rcx", "r11", "memory", "cc");
	return ret;
}

/* What the tracer says is looked at when it is taken: a task that it has
 * found before that sees it here, one that it finds afterwards is the runner.
 */
static int
try_take(struct agent_slot *s)
{
	struct agent_data *d = data();
	uint64_t me = number(s) + 1, expected = AGENT_BATON_FREE;

	if (!__atomic_compare_exchange_n(&d->baton, &expected, me, 0,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return 0;
	if ((__atomic_load_n(&d->flags, __ATOMIC_SEQ_CST) & AGENT_BATON) != 0 &&
	    __atomic_load_n(&s->called, __ATOMIC_SEQ_CST) == 0)
		return __atomic_load_n(&d->baton, __ATOMIC_SEQ_CST) == me;
	expected = me;
	__atomic_compare_exchange_n(&d->baton, &expected, AGENT_BATON_FREE, 0,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return 0;
}

/* Is it worth trying once more? */
static int
is_hopeful(const struct agent_slot *s, uint64_t since, unsigned tries)
{
	return tries < TRIES && agent_now() - since < TICKS &&
	       __atomic_load_n(&s->called, __ATOMIC_RELAXED) == 0 &&
	       (__atomic_load_n(&data()->flags, __ATOMIC_RELAXED) &
		AGENT_BATON) != 0;
}

static void
take(struct agent_slot *s)
{
	uint64_t since = agent_now();

	for (unsigned tries = 0; !try_take(s); tries++) {
		if (!is_hopeful(s, since, tries)) {
			gate(AGENT_WANTS); /* the tracer gives it */
			s->called = 0;
			break;
		}
		call(NR_SCHED_YIELD, 0, 0, 0, 0, 0, 0);
	}
	s->phase = AGENT_NO_PHASE;
	data()->stack = (uint64_t)s + AGENT_STACK;
	data()->rsp = s->rsp;
}

struct agent_rec *
agent_hand_over(long nr, const struct agent_frame *f, struct agent_input in,
		uint64_t need, long *ret)
{
	struct agent_slot *s = own_slot();
	struct agent_rec *rec = agent_begin(nr, f, need + in.len + PIECES);
	uint64_t begin;

	if (rec == 0)
		return 0;
	rec->what = AGENT_ENTERS;
	rec->begin = rec->end = begin = agent_now();
	agent_piece(rec, in.addr, in.len);
	s->rsp = data()->rsp;
	s->called = 0;
	data()->known = 1; /* with the record, which block publishes */
	*ret = block(nr, s->args, s, data()->pos + rec->len);
	if (s->phase != AGENT_BACK) {
		data()->known = 0;
		s->phase = AGENT_NO_PHASE;
		return 0;
	}
	while (*ret == -K_EINTR && s->called == 0)
		*ret = block_again(nr, s->args, s);
	take(s);
	while ((rec = agent_begin(nr, f, need)) == 0)
		gate(AGENT_WANTS); /* the tracer empties the ring */
	rec->what = AGENT_EXITS;
	rec->ret = *ret;
	rec->begin = begin;
	rec->end = agent_now();
	return rec;
}

/* ---- outputs */

void
agent_stand_init(const struct agent_frame *f)
{
	struct agent_slot *s = own_slot();

	copy(s->args, f->arg, sizeof(s->args));
	s->used = 0;
}

void
agent_stand_for(unsigned i, uint64_t number)
{
	own_slot()->args[i] = number;
	own_slot()->len[i] = 0;
}

/* A fault now leads out of here, and the call traps. */
static void
probe(uint64_t addr, uint64_t len)
{
	uint64_t last = addr + len - 1;

	for (; addr < last; addr = (addr | (PAGE - 1)) + 1)
		__asm__ volatile("lock orb $0, (%0)" : : "r"(addr) : "memory");
	__asm__ volatile("lock orb $0, (%0)" : : "r"(last) : "memory");
}

int
agent_stand_in(unsigned i, uint64_t len, int goes_in)
{
	struct agent_slot *s = own_slot();
	uint64_t at = (uint64_t)s + AGENT_STACK + s->used;

	if (s->args[i] == 0 || len == 0)
		return 1;
	if (len > AGENT_KEPT - s->used)
		return 0;
	probe(s->args[i], len);
	if (goes_in)
		copy((void *)at, (const void *)s->args[i], len);
	s->args[i] = at;
	s->len[i] = len;
	s->used += (len + 15) & ~15ul;
	return 1;
}

void
agent_stand_back(struct agent_rec *rec, const struct agent_frame *f, unsigned i,
		 uint64_t len)
{
	struct agent_piece *p = (struct agent_piece *)((char *)rec + rec->len);
	uint64_t to = f->arg[i], from = own_slot()->args[i], left = len;

	if (to == 0 || len == 0)
		return;
	agent_piece(rec, from, len);
	p->addr = to;
	__asm__ volatile("call agent_copy"
			 : "+D"(to), "+S"(from), "+c"(left)
			 :
			 : "memory");
	if (left == 0)
		return;
	p->len -= left;
	rec->len = (uint32_t)((char *)(p + 1) - (char *)rec +
			      ((p->len + 7) & ~7ul));
}
