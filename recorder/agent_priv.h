#ifndef RECORDER_AGENT_PRIV_H
#define RECORDER_AGENT_PRIV_H

/* What agent.c and agent_drain.c share. */
#include "agent/abi.h"
#include "recorder/agent.h"
#include "recorder/engine.h"
#include "tracee/site.h"
#include <sys/stat.h>

/* A patched call site. */
struct agent_site {
	uint64_t after; /* what follows its syscall instruction */
	uint64_t insn;	/* the stub's syscall instruction */
	uint8_t pre;	/* bytes of it that the stub has */
};

/* A site of a file that can be patched, and how. */
struct agent_known {
	uint64_t after; /* in the file, behind its syscall instruction */
	struct site_plan plan;
	uint8_t code[SITE_PRE_MAX + 2]; /* what moves, and the instruction */
	uint8_t hole[SITE_JUMP];	/* what the jump covers there */
};

struct agent_file {
	int fd;
	struct stat st;
	bool scanned;		     /* targets are known */
	bool grown;		     /* more is known than was stored */
	struct site_targets targets; /* far branches */
	struct map count; /* place in the file -> how often a call came */
	VEC(struct agent_known) known; /* by place */
};

/* agent_test.c: the last call that was made. */
struct agent_call {
	int nr;
	bool open; /* neither in a record nor made again */
	bool told; /* in a record, but not made yet */
	uint64_t args[6];
};

/* Who a slot is of. */
struct agent_seat {
	struct task *t; /* NULL: nobody's */
	struct agent_call last;
};

/* A mapping of a file's code. */
struct agent_range {
	uint64_t start, end, offset, number;
	struct agent_file *file;
};

/* What was in the last event, for the case that the next one is alike. */
struct agent_shape {
	int nr; /* -1: none that could be */
	int64_t ret;
	unsigned n;
	struct {
		uint64_t addr, len;
	} out[2];
};

struct agent_space {
	struct recorder *r;
	bool on, fresh; /* it is there; nothing has happened in it */
	bool refused;	/* it cannot be */
	bool hold;	/* the next call traps */
	uint64_t enter; /* what the first word of its data says */
	uint64_t flags;
	size_t ndevs;	  /* of struct agent's */
	uint64_t files_told;
	VEC(struct agent_seat) seats; /* by slot */
	uint64_t held;		      /* the baton, as far as it is known */
	bool settle;		      /* closed, the baton was in hands of: */
	uint64_t holder;
	bool undrained;	  /* has been open since the ring was read */
	uint64_t shy_ns;  /* until then its tasks wait where they trap */
	uint64_t drained; /* bytes of the ring that are events already */
	uint64_t regs[AGENT_REGS]; /* of the last record that was read */
	struct agent_shape shape;
	uint64_t last;	  /* seq of the event of the record before; 0 = none */
	unsigned seen;	  /* calls that it could have made */
	VEC(struct agent_site) sites; /* number 1 comes first */
	VEC(struct agent_range) ranges; /* code that calls came from */
	int remapped;	   /* as struct space's when those were found */
	struct map spread; /* file number: its known sites are patched here */
};

/* The recorder's part. */
struct agent {
	struct map files; /* file number -> struct agent_file */
	uint64_t dev[AGENT_DEVS];
	size_t ndevs;
	struct agent_stored file[AGENT_FILES_MAX];
	uint64_t nfiles, files_seen; /* given out ever; changes of the list */
	struct arena arena;
	uint64_t flags;
	uint64_t busy_ns; /* when there were records last */
	bool has_tsc, hands_over; /* threads may, in there */
	uint64_t tsc, tsc_ns; /* both at the same time, at the start */
	struct buf vdso; /* agent_clock.c: its code, as the agent may run it */
	uint64_t clock[AGENT_CLOCKS]; /* 0 = none */
};

/* A record in the ring, whose bytes may be anything. */
struct agent_record {
	struct agent_rec rec;
	const uint64_t *regs;
	const uint8_t *pieces, *end;
};

/*
 * The record at p, of which left bytes follow; regs: of the one before it,
 * which become its own. false: it cannot be one.
 */
bool agent_record_at(const uint8_t *p, size_t left, uint64_t regs[AGENT_REGS],
		     struct agent_record *out);
/* Memory as the record (ctx) has it: what is asked for begins in a piece. */
int64_t agent_record_read(void *ctx, uint64_t addr, void *buf, size_t n);
/* What stamps say, as of now. */
struct agent_stamps {
	uint64_t tsc, ns;
	double ratio; /* ns per tick */
};

struct agent_stamps agent_stamps_now(const struct recorder *r);
/* Its event. bases: whose segment bases hold, unless the record has them. */
int agent_record_put(struct recorder *r, struct task *t, struct agent_record *d,
		     const struct regs *bases, const struct agent_stamps *st,
		     struct err *err);
/* t is at its end; was it killed in a call that waited, its record at pos? */
int agent_record_enter(struct recorder *r, struct task *t, uint64_t pos,
		       struct err *err);
/* agent.c. */
void agent_set_flags(struct space *s, uint64_t flags);
/* What the agent of s may do, whoever has the turn. */
uint64_t agent_permitted(const struct space *s);
/* Calls lead into the agent from now on. */
void agent_let_in(struct space *s);
/* agent_baton.c. The task of a slot, or NULL. */
struct task *agent_seated(const struct agent_space *a, uint64_t slot);
/* One that lives, or NULL. */
struct task *agent_anybody(const struct agent_space *a);
/* t has a slot; false: there is none for it. */
bool agent_seat(struct task *t);
/* t is about to be resumed with the turn: stack and baton are its. */
void agent_give(struct task *t);
/* t, if it has the turn (NULL: nobody has), may wait there without it. */
bool agent_may_block(const struct space *s, const struct task *t);
/* A record that says so was read. */
void agent_went(struct task *t, const struct event *ev);
void agent_came(struct task *t, uint64_t now_ns);
/* Closed, and read up to there: who is the runner? */
void agent_settle(struct space *s);
/* t, without the baton, is to come to the gate rather than take it. */
void agent_summon(const struct task *t);
/* What agent_come_out does with a task that waits without the baton. */
int agent_come_back(struct recorder *r, struct task *t, bool matters,
		    struct err *err);
/* agent_stop.c: with which the program came, at the call in its stub. */
bool agent_program_regs(const struct task *t, struct regs *regs);
/* agent.c. 1: it is in the space; 0: it cannot be, all goes on without. */
int agent_bring_in(struct recorder *r, struct task *t, struct err *err);
/* Code or data of the agent's, and the item for replay. */
bool agent_put_bytes(struct recorder *r, struct task *t, uint64_t addr,
		     const void *p, size_t n);
/* agent_clock.c */
void agent_clock_init(struct agent *a);
/* The vdso of s is where it was moved to, and like ours. */
bool agent_has_clocks(const struct recorder *r, const struct space *s);
/* The code, when room for it is mapped; false: t's space does without. */
bool agent_clock_put(const struct recorder *r, const struct task *t);
/* agent_map.c: tell t's space what it may map. */
void agent_map_tell(struct recorder *r, struct task *t);
/* A record of mmap: what is to be done for it, and the items. */
int agent_map_follow(struct recorder *r, struct task *t, struct agent_record *d,
		     struct err *err);
/* agent_site.c. A call that the agent could have made has come from its site:
 * may patch it, and others of its file. */
int agent_site_seen(struct recorder *r, struct task *t, struct err *err);
/* ... will not return: the next image has it patched. */
int agent_site_left(struct recorder *r, struct task *t, struct err *err);
/* agent_known.c: a file with what earlier recordings know of it; takes fd. */
struct agent_file *agent_file_load(const struct recorder *r, int fd);
/* Keep what this one has found out, and free it. */
void agent_file_free(const struct recorder *r, struct agent_file *f);
/* agent_test.c */
void agent_test_record(const struct recorder *r, const struct task *t,
		       const struct event *ev);
void agent_test_left(const struct recorder *r, const struct task *t);
void agent_test_round(const struct recorder *r, const struct task *t);
/* Is this a call of agent/calls.def? */
bool agent_makes(int nr);
/* t stands in the agent's code, and not at the gate. */
bool agent_is_inside(const struct task *t);

#endif
