#ifndef TESTS_UNIT_REPLAYER_SCRIPT_H
#define TESTS_UNIT_REPLAYER_SCRIPT_H

/*
 * Recordings written by hand: a few lines of machine code and the events that
 * a recorder would have made of them, in a memlog.
 */
#include "event/item.h"
#include "event/memlog.h"
#include "replayer/replayer.h"
#include "replayer/target.h"

#define CODE_BASE 0x400000ul
#define DATA_BASE 0x600000ul
#define DATA_LEN 0x4000ul
#define LIST_BASE 0x680000ul
#define STACK_TOP 0x7ffd00010000ul
#define STACK_LEN 0x10000ul

struct script {
	struct memlog *log;
	struct buf items; /* of the next event */
	uint64_t seq;
	const uint8_t *code; /* of the program that runs */
};

/* Code of a program: PROGRAM(name, "asm text"), with labels name_x to point at.
 */
#define PROGRAM(name, text)                                                    \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name           \
		"_end:\n.popsection\n");                                       \
	extern const uint8_t name[], name##_end[]
#define LABEL(l) extern const uint8_t l[]

void script_init(struct script *s);
void script_free(struct script *s);
/* header, birth of task 1, exec of the program: rip at its start, rsp at
 * STACK_TOP - 64. */
void script_begin(struct script *s, const uint8_t *code, const uint8_t *end);
/* The exec event alone, for another image. */
void script_exec(struct script *s, uint32_t task, uint32_t space,
		 const uint8_t *code, const uint8_t *end);
struct event script_event(enum event_kind kind, uint32_t task);
/* Put it with the items gathered so far. */
void script_put(struct script *s, struct event *ev);
/* A call at label (just after its syscall instruction). */
void script_call(struct script *s, enum event_kind kind, uint32_t task, int nr,
		 const uint8_t *label, int64_t ret, const uint64_t args[6]);
uint64_t script_pc(const struct script *s, const uint8_t *label);
/*
 * A program that makes the calls that a table in its memory lists: begin it
 * with the table, then put one event for each with script_listed.
 */
struct listed_call {
	uint64_t nr;
	uint64_t args[6];
};
void script_begin_list(struct script *s, const struct listed_call *calls,
		       size_t n);
/* The event of the i-th call, with the items gathered so far. */
void script_listed(struct script *s, enum event_kind kind,
		   const struct listed_call *call, int64_t ret);
void script_end(struct script *s);
struct replayer *script_replay(struct script *s, const struct replay_opts *o);
/* Step to the end; returns what the last step did. */
int script_run(struct replayer *r, struct err *err);

#define ARGS(...) ((const uint64_t[6]){ __VA_ARGS__ })
#define SCRIPT_SP (STACK_TOP - 64)

#endif
