#ifndef RECORDER_AGENT_PRIV_H
#define RECORDER_AGENT_PRIV_H

/* What agent.c and agent_drain.c share. */
#include "agent/abi.h"
#include "recorder/agent.h"
#include "recorder/engine.h"
#include "tracee/site.h"

/* A patched call site. */
struct agent_site {
	uint64_t after; /* what follows its syscall instruction */
	uint64_t insn;	/* the stub's syscall instruction */
	uint8_t pre;	/* bytes of it that the stub has */
};

struct agent_space {
	struct recorder *r;
	bool on;	/* it is there */
	bool refused;	/* it cannot be */
	bool hold;	/* the next call traps */
	uint64_t enter; /* what the first word of its data says */
	uint64_t flags;
	size_t ndevs;	  /* of struct agent's */
	uint64_t shy_ns;  /* until then its tasks wait where they trap */
	uint64_t drained; /* bytes of the ring that are events already */
	unsigned seen;	  /* calls that it could have made */
	struct map count; /* site -> how often it was seen */
	VEC(struct agent_site) sites; /* number 1 comes first */
};

/* The recorder's part. */
struct agent {
	struct map targets; /* file number -> struct site_targets */
	uint64_t dev[AGENT_DEVS];
	size_t ndevs;
	struct arena arena;
	uint8_t *ring; /* AGENT_RING_LEN bytes, for draining */
	uint64_t flags;
	uint64_t busy_ns; /* when there were records last */
	bool has_tsc;
	uint64_t tsc, tsc_ns; /* both at the same time, at the start */
};

/* A record in the ring, whose bytes may be anything. */
struct agent_record {
	const struct agent_rec *rec;
	const uint8_t *pieces, *end;
};

/* The record at p, of which left bytes follow; false: it cannot be one. */
bool agent_record_at(const uint8_t *p, size_t left, struct agent_record *out);
/* Memory as the record (ctx) has it: what is asked for begins in a piece. */
int64_t agent_record_read(void *ctx, uint64_t addr, void *buf, size_t n);
/* Is this a call of agent/calls.def? */
bool agent_makes(int nr);
/* t stands in the agent's code. */
bool agent_is_inside(const struct task *t);

#endif
