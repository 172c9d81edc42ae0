#ifndef EVENT_SYS_ENTRY_H
#define EVENT_SYS_ENTRY_H

/*
 * What sys_range.c, sys_custom.c and sys_subop.c share: the copies of a call's
 * arguments in memory, taken at its entry, because outputs may overwrite them.
 */
#include "event/sys.h"

#define IOV_COUNT_MAX 1024u	 /* UIO_MAXIOV: the kernel refuses more */
#define RW_BYTES_MAX 0x7ffff000u /* MAX_RW_COUNT: no call moves more */
#define IN_BYTES_MAX (1u << 20)	 /* of a structure shown to people */
#define IN_STR_MAX 4096u	 /* PATH_MAX */

#define MSGHDR_LEN 56u
#define MMSGHDR_LEN 64u
#define MSG_AT_NAMELEN 8u
#define MSG_AT_IOV 16u
#define MSG_AT_IOVLEN 24u
#define MSG_AT_CONTROL 32u
#define MSG_AT_CONTROLLEN 40u
#define MSG_AT_FLAGS 48u
#define MSG_AT_LEN 56u /* of an mmsghdr: bytes transferred */

struct sys_iov {
	uint64_t base, len;
};

struct sys_msg {
	uint64_t addr; /* of the msghdr */
	uint64_t name, iov_addr, control;
	uint64_t control_len;
	uint32_t name_len;
	size_t n_iov;
	struct sys_iov *iov;
};

struct sys_entry {
	uint32_t vr[6]; /* LEN_PTR_ARG: the length before, by argument */
	struct sys_iov *iov;
	size_t n_iov;
	struct sys_msg *msg;
	size_t n_msg;
	bool zero_timeout; /* its timeout in memory is zero: it polls */
	bool no_wait;	   /* all its semaphore operations have IPC_NOWAIT */
	uint64_t word[4];  /* sys_custom.c's own */
};

/* Ranges being collected: n counts on beyond max. */
struct ranges {
	struct sys_range *out;
	int max;
	int n;
};

void ranges_add(struct ranges *r, int arg, uint64_t addr, uint64_t len,
		uint64_t ptr_addr);

/* How much of an output was written. */
enum sys_extent {
	EXTENT_NONE,
	EXTENT_RESULT, /* as the result and lengths in memory say */
	EXTENT_ALL,    /* perhaps all of it: an error after partial writes */
};

enum subop_out {
	OP_NONE,   /* writes nothing */
	OP_CONST,  /* size bytes at argument arg */
	OP_RET,	   /* ret bytes at argument arg, at most args[size] */
	OP_ARG,	   /* args[size] bytes at argument arg */
	OP_CUSTOM, /* sys_custom.c knows */
	OP_REFUSE, /* answered with errno size */
};

struct sys_subop {
	uint64_t value;
	const char *name;
	uint8_t out; /* enum subop_out */
	uint8_t arg; /* index of the argument that points to the output */
	uint16_t size;
	uint8_t blocking; /* enum sys_blocking */
	uint8_t any;	  /* also when the call failed */
	uint8_t in_arg;	  /* input shown to people: in_size bytes there */
	uint16_t in_size;
};

/* The row of a call's sub-operation; NULL when it has none or it is unknown. */
const struct sys_subop *sys_subop(const struct sys_call *c);
/* The argument that names the sub-operation, or -1. */
int sys_subop_arg(int nr);
/* An ioctl request without a row whose direction bits are to be trusted. */
bool ioctl_trusted(uint32_t request);

#define IOC_SIZE(request) (((request) >> 16) & 0x3fffu)
#define IOC_READ(request) (((request) >> 31) & 1u)

uint64_t sys_mem_u64(const struct sys_mem *m, uint64_t addr);
uint32_t sys_mem_u32(const struct sys_mem *m, uint64_t addr);
uint16_t sys_mem_u16(const struct sys_mem *m, uint64_t addr);
/* Length of the string at addr without NUL, at most max. */
uint64_t sys_mem_strlen(const struct sys_mem *m, uint64_t addr, uint64_t max);

void custom_enter(struct sys_call *c, const struct sys_mem *m);
/* Ranges of argument i; m NULL: capacities before the call. */
void custom_outputs(const struct sys_call *c, const struct sys_mem *m, int i,
		    enum sys_extent extent, struct ranges *r);
void custom_inputs(const struct sys_call *c, const struct sys_mem *m, int i,
		   struct ranges *r);

#endif
