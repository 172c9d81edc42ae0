#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

/*
 * One event: what is recorded, stored, replayed and shown.
 *
 * The one rule of replay: events of a share group are replayed in seq order,
 * and an event with EVF_RUNS is reached by letting its task run user code from
 * where it stands to its next stop, which must be the one described. Events
 * without EVF_RUNS are applied where the task stands. docs/EVENTS.md has the
 * meaning of every field for every kind.
 */
#include "base/span.h"
#include "event/regs.h"
#include <stdint.h>

enum event_kind {
#define EVENT_KIND(id, name, what) EV_##name = (id),
#include "event/kind.def"
#undef EVENT_KIND
	EV_KIND_END
};

enum event_flag {
	EVF_RUNS = 1u << 0,    /* user code ran up to this event */
	EVF_ERROR = 1u << 1,   /* the call failed (ret is -errno) */
	EVF_RESTART = 1u << 2, /* exit: the call will be issued again */
	EVF_UNTIMED =
		1u << 3, /* the place of this event cannot be found again */
	EVF_REFUSED = 1u << 4, /* pastime answered in place of the kernel */
	EVF_REWOUND = 1u << 5, /* signal: before the syscall at pc, which did
				  not start */
	EVF_AGENT = 1u << 6,   /* syscall: made by the agent, without a stop */
};

/* args[0] of a chaos event; what args[1] and args[2] are. */
enum chaos_choice {
	CHAOS_HOLD = 1,	    /* the task waits: ns at most, enum chaos_hold */
	CHAOS_TURN = 2,	    /* its turn ends here */
	CHAOS_PRIORITY = 3, /* it has this priority now, 0 is the highest */
	CHAOS_SLICE = 4,    /* its turn lasted so many ns by choice */
	CHAOS_AMBUSH = 5,   /* stopped at this pc; at which visit */
	CHAOS_SHORT = 6,   /* the call that follows: bytes asked for, offered */
	CHAOS_EINTR = 7,   /* ... fails with EINTR, for nothing */
	CHAOS_WAKE = 8,	   /* ... wakes so many, that task among them */
	CHAOS_MAP = 9,	   /* ... maps: is given this hint */
	CHAOS_SIGNAL = 10, /* this signal waits for a worse place */
	CHAOS_MEET = 11,   /* it touched this address, as that held task will */
	CHAOS_PLAN = 12, /* inclinations are drawn: plan, births + 256 * places
			  * (docs/CHAOS.md) */
	CHAOS_SPURIOUS = 13, /* the wait at this address ends for nothing */
	CHAOS_CPUS = 14,     /* the read shows so many CPUs */
};

/* What else ends a hold. */
enum chaos_hold {
	HOLD_SOFT = 0, /* others have nothing to do, or are ambushed */
	HOLD_FIRM = 1, /* others have nothing to do */
	HOLD_TIME = 2, /* nothing */
};

#define TASK_NONE 0u

struct event {
	uint64_t seq;		/* dense from 1 */
	uint64_t time_ns;	/* since the recording began */
	uint64_t dur_ns;	/* calls: from entry to return; else 0 */
	uint32_t task;		/* task number, dense from 1; 0 = the recording itself */
	uint32_t flags;		/* enum event_flag */
	uint16_t kind;		/* enum event_kind */
	int16_t call;		/* system call number, -1 = none */
	uint32_t reghash;	/* regs_hash() at the entry or stop, 0 = not checked */
	uint64_t pc;		/* rip at the stop: after the syscall insn for calls */
	uint64_t sp;
	uint64_t args[6];	/* per kind; calls: as the program passed them */
	int64_t ret;
	struct span payload;	/* encoded items, event/item.h */
};

/* "syscall", "signal"; "?" for an unknown id. */
const char *event_kind_name(unsigned kind);
/* The id for a name, or 0. */
unsigned event_kind_by_name(const char *name);
/* True when every field and the payload are equal. */
int event_equal(const struct event *a, const struct event *b);

#endif
