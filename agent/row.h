#ifndef AGENT_ROW_H
#define AGENT_ROW_H

/* What agent/calls.def says of a call. */
#include <stdint.h>

enum class {
	CLASS_TRAP,
	CLASS_PLAIN,
	CLASS_STAT, /* a stat: it says what something is */
	CLASS_RET,  /* output of as many bytes as it returns */
	CLASS_FILE, /* on a regular file or directory */
	CLASS_READ,
	CLASS_WRITE,
	CLASS_WRITEV,
	CLASS_READV,
	CLASS_SENDMSG,
	CLASS_RECVMSG,
	CLASS_SENDFILE,
	CLASS_DENTS,
	CLASS_OPEN,
	CLASS_CLOSE,
	CLASS_FCNTL,
	CLASS_DUP,    /* returns a new descriptor */
	CLASS_RESIZE, /* changes a file of ours, as writes do */
	CLASS_IOCTL,
	CLASS_RLIMIT,
	CLASS_NAME, /* an output whose length the next argument points to */
	CLASS_WAIT, /* may wait, whatever it is about */
	CLASS_SLEEP,
	CLASS_CHILD,
	CLASS_POLL,
	CLASS_PPOLL,
	CLASS_EPOLL,
	CLASS_SELECT,
	CLASS_ACCEPT,
	CLASS_RECV,
	CLASS_SEND,
	CLASS_FUTEX,
	CLASS_COPY,
	CLASS_CLOCK,
	CLASS_CPU,
	CLASS_TID,    /* the recorder has to know */
	CLASS_TLS,    /* records tell segment bases, if they can be read */
	CLASS_ENOSYS, /* programs do without it */
	CLASS_MAP,
	CLASS_MASK,
	CLASS_ACTION,
	CLASS_EXIT,
};

struct row {
	uint8_t class;
	uint8_t path; /* 1 + argument, and 8 times the same of another */
	uint8_t out;
	uint16_t bytes;
};

/* Another argument in memory: 1 + its number, 0 = none; its length, 0 = in the
 * argument after it. */
struct more {
	uint8_t arg;
	uint16_t bytes;
};

extern const struct row agent_rows[];
extern const unsigned agent_nrows;

#endif
