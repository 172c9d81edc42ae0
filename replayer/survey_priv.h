#ifndef REPLAYER_SURVEY_PRIV_H
#define REPLAYER_SURVEY_PRIV_H

/* Between the files of the survey. */
#include "replayer/survey.h"
#include "replayer/timeline.h"

/* Addresses counted from the beginning of an interval, entries among them;
 * those that calls return to, and the interval's end, come on top. */
#define SURVEY_COUNTED (TALLY_MAX - 9u)

#define SURVEY_ENTRIES 40u

struct addresses {
	uint64_t *v;
	size_t len, cap;
};

/* A call that has not ended, or has just now. A stop of the current interval
 * gives its positions once it has a name. */
struct frame {
	struct survey_call c;	      /* texts are the frame's own */
	uint64_t stack;		      /* end of the mapping that sp is in */
	enum tally_how how;	      /* to stop at its return */
	size_t entry_stop, exit_stop; /* 1 + index; 0: in another interval */
	uint64_t site_n; /* arrivals at its call instruction, at its entry */
};

struct frames {
	struct frame *v;
	size_t len, cap;
};

struct survey_task {
	uint32_t task;
	struct frames frames;	  /* live ones, outermost first */
	uint64_t stack_lo, stack; /* where its stack pointer was last */
};

/* Names of a space; a fork's copy shares them until its mappings change. */
struct survey_names {
	unsigned users;
	struct survey *t;
	struct symbols *sym;
	struct map places; /* address -> struct survey_at * */
	struct arena arena;
};

struct survey_at {
	uint64_t insn;
	struct sym_place place;
};

struct survey_space {
	bool stale; /* its mappings changed: look anew */
	struct survey_names *names;
	struct survey_entry {
		uint64_t addr;
		size_t function; /* of the request's */
		enum tally_how how;
	} entry[SURVEY_ENTRIES];
	size_t n_entries;
	uint64_t addr; /* of the bytes of this pass; 0 = not there */
	uint32_t len;
	struct spec_watch watch[SPEC_WATCHES];
	size_t n_watch;
	struct addresses learned; /* stops were seen there: counted at once */
};

struct survey_stop {
	uint64_t pc, visit; /* visit 0 = not known yet */
};

struct survey_found {
	struct survey_write w;
	size_t stop; /* 1 + index; 0: at an event */
};

struct survey {
	struct replayer *r;
	const struct survey_req *req;
	struct survey_result *out;
	struct map spaces; /* number -> struct survey_space * */
	struct map tasks;  /* number -> struct survey_task * */
	uint64_t to; /* req->to, or further on while calls are open there */
	uint64_t told_ns, stored_ns;
	uint64_t given; /* rows since the last upto */
	/* The interval: */
	uint32_t task; /* whose; memory is read as it sees it */
	struct {
		struct survey_stop *v;
		size_t len, cap;
	} stops;
	struct {
		struct survey_found *v;
		size_t len, cap;
	} writes;
	struct frames done;    /* ended in it */
	struct frames saved;   /* live when it began */
	struct addresses want; /* to be counted when it is run again */
	uint64_t entries;
	uint8_t value[SURVEY_PASS]; /* of the watched bytes */
};

/* Behind to only the ends of calls count. */
static inline bool
survey_closing(const struct survey *t)
{
	return t->r->now->seq >= t->to;
}

/* survey_names.c */
/* What is known of the space of p, looked up anew when it changed. */
int survey_space(struct survey *t, const struct puppet *p,
		 struct survey_space **out, struct err *err);
/* The event changes mappings, or makes a space out of another. */
void survey_remapped(struct survey *t, const struct event *ev,
		     uint32_t parent_space);
void survey_space_free(struct survey_space *s);
/* The instruction that ends at pc; place of addr alone. */
const struct survey_at *survey_before(struct survey_space *s, uint64_t pc);
const struct survey_at *survey_at(struct survey_space *s, uint64_t addr);
enum tally_how survey_how(const struct puppet *p, uint64_t addr);
/* Naturally aligned pieces of len bytes at addr; *out_n of all, those of the
 * pass in s. */
void survey_divide(struct survey_space *s, uint64_t addr, uint64_t len,
		   unsigned pass, unsigned *passes);

/* survey_calls.c */
struct survey_task *survey_task(struct survey *t, uint32_t task);
void survey_task_free(struct survey_task *k);
void frames_clear(struct frames *f);
/* The task stands where calls begin or end. */
int survey_at_site(struct survey *t, struct survey_space *s,
		   struct survey_task *k, struct puppet *p, struct err *err);
/* All calls of the task end so. */
void survey_end_calls(struct survey *t, struct survey_task *k,
		      enum survey_end how);
/* A child with a copy of its parent's stack is in the parent's calls, too. */
void survey_inherit(struct survey *t, uint32_t parent, uint32_t child);
/* Is it where one begins or ends? */
bool survey_is_site(const struct survey *t, const struct survey_space *s,
		    const struct survey_task *k, uint64_t pc);
/* Index of a new stop at pc, plus one. */
size_t survey_stop(struct survey *t, uint64_t pc);
void addresses_add(struct addresses *a, uint64_t addr);

#endif
