#ifndef GDB_SESSION_H
#define GDB_SESSION_H

/* What the files of the server share. */
#include "base/arena.h"
#include "base/vec.h"
#include "gdb/packet.h"
#include "gdb/server.h"
#include "replayer/target.h"

/* Why the program stands still, as stop replies tell it. */
enum stop_why {
	WHY_SIGNAL, /* signo */
	WHY_SWBREAK,
	WHY_HWBREAK,
	WHY_WATCH, /* addr */
	WHY_RWATCH,
	WHY_AWATCH,
	WHY_BEGIN, /* of the recorded history */
	WHY_END,
	WHY_FORK, /* child */
	WHY_EXEC,
	WHY_CALL, /* call */
	WHY_RETURN,
	WHY_EXITED, /* process pid of those that are shown; status */
};

struct spot; /* spot.h */
struct divert; /* divert.c: NULL = nothing was ever called */

struct stop_reason {
	enum stop_why why;
	int signo; /* as Linux numbers them; 0 = none */
	uint32_t task;
	uint64_t addr;
	uint32_t child; /* task */
	int pid, status;
	int call;
};

/* A process that the client has heard of, and the program it thinks it runs. */
struct told {
	uint32_t process, space;
	int pid;
};

/* A recorded file that was seen mapped. */
struct known_file {
	uint64_t number;
	char *path;
	enum { FILE_UNKNOWN, FILE_UNCHANGED, FILE_CHANGED } state;
};

/* One of the objects of qXfer, read in pieces. */
struct xfer {
	struct buf text;
	char *key; /* "object:annex", NULL = nothing */
};

struct gdb_server {
	struct target *t;
	struct gdb_host host;

	/* The moment; forgotten when it changes. */
	bool known;
	struct arena arena;
	struct target_task *tasks;
	size_t n_tasks;

	VEC(uint32_t) shown; /* processes that the client sees */
	VEC(struct told) told;
	uint32_t task;	 /* that the last stop was about */
	uint32_t g_task; /* Hg: of registers and memory */
	uint32_t c_task; /* Hc: of bc and bs; 0 = any */
	uint64_t xcr0;	 /* vector features, 0 = not known yet */
	struct stop_reason stop;
	bool moved; /* by other means than resuming: the client does not know */
	bool has_next; /* to be told then, */
	struct stop_reason next;
	VEC(struct known_file) files;
	bool local; /* the client opens files itself */
	VEC(struct spot *) spots;
	struct divert *divert;

	/* The client. */
	int in, out, quit;
	bool gone, no_ack, multiprocess, fork_events, exec_events;
	bool swbreak, hwbreak;
	struct packets packets;
	struct buf request, reply, sent, xstate;
	struct buf libraries; /* that the client knows */
	struct xfer xfer;
	VEC(int) open;		      /* files of vFile requests, -1 = free */
	bool pass[160];		      /* signals, as gdb numbers them */
	bool catch_calls, some_calls; /* which: calls */
	bool calls[512];
};

/* Answer a packet in s->reply; args: what follows its name. */
typedef void handler_fn(struct gdb_server *s, struct scan *args);

struct handler {
	const char *name;
	handler_fn *fn;
};

/* Call the first whose name begins the text; false: nobody's. */
bool handle(struct gdb_server *s, const struct handler *v, struct scan *args);

/* server.c */
void reply_ok(struct gdb_server *s);
void reply_error(struct gdb_server *s, int number);
/* An error in words: "E.text". */
void reply_err(struct gdb_server *s, const struct err *err);
/* Send data as a packet now, before the reply. */
void server_send(struct gdb_server *s, struct span data);
/* For the target's motions: false when the client wants an end of it. */
bool server_go_on(void *ctx, uint64_t at, uint64_t to);

/* thread.c */
extern const struct handler thread_handlers[];

/* registers.c */
#define REGISTER_RIP 16u
#define REGISTER_RSP 7u
#define REGISTER_RBP 6u
void registers_xml(struct gdb_server *s, struct buf *out);
/* Append register number n, in hex; false: no such register. */
bool register_put(struct gdb_server *s, uint32_t task, unsigned n,
		  struct buf *out);
extern const struct handler register_handlers[];

/* query.c, xfer.c */
extern const struct handler query_handlers[];
void xfer_handle(struct gdb_server *s, struct scan *args);

/* file.c */
extern const struct handler file_handlers[];
void files_close(struct gdb_server *s);

/* seek.c */
uint64_t before_deaths(struct gdb_server *s, uint64_t seq);

/* monitor.c */
void monitor_handle(struct gdb_server *s, struct scan *args);

/* resume.c */
extern const struct handler resume_handlers[];

/* catch.c */
extern const struct handler catch_handlers[];
struct event;
bool signal_is_caught(const struct gdb_server *s, const struct event *ev);
bool call_is_caught(const struct gdb_server *s, int call);

/* stop.c */
/* The reply for s->stop. */
void stop_reply(struct gdb_server *s);
/* What the last event at this position says of why it stands here. */
void stop_of_event(struct gdb_server *s);
/* Linux's number of a signal as gdb counts. */
int signal_to_gdb(int signo);

/* spot.c */
extern const struct handler spot_handlers[];

#endif
