#ifndef TRACEE_STOP_H
#define TRACEE_STOP_H

/*
 * What wait reported, decoded once (ptrace(2), "Stopped states"; order of the
 * tests matters). The caller may do with each kind what is said beside it.
 */
#include <stdbool.h>
#include <sys/types.h>

enum stop_kind {
	STOP_NONE,	 /* nothing to report now */
	STOP_EXITED,	 /* reaped: code. No ptrace request any more */
	STOP_KILLED,	 /* reaped: signo, core. No ptrace request any more */
	STOP_SECCOMP,	 /* at a syscall's entry, not executed yet */
	STOP_SYSCALL,	 /* entry or exit stop after PTRACE_SYSCALL */
	STOP_SIGNAL,	 /* signo is about to be delivered; GETSIGINFO works */
	STOP_GROUP,	 /* job control stopped it by signo: LISTEN or CONT */
	STOP_EVENT_STOP, /* INTERRUPT, or a new task's first stop */
	STOP_FORK,
	STOP_VFORK,
	STOP_CLONE, /* message: new tid */
	STOP_EXEC,  /* message: former tid; still inside execve */
	STOP_EXIT,  /* about to die; message: wait status */
};

struct stop {
	enum stop_kind kind;
	pid_t tid;
	int status;	/* raw */
	int signo;
	int code;
};

void stop_decode(pid_t tid, int status, struct stop *out);
/*
 * Wait for any traced task (tid -1) or one. Without block, kind STOP_NONE when
 * nothing is there. Returns 0, -ECHILD when there is nobody to wait for, -EINTR.
 */
int stop_wait(pid_t tid, bool block, struct stop *out);
/* The next stop of one task, whatever interrupts the wait for it. */
int stop_wait_for(pid_t tid, struct stop *out);
/* A signal that an instruction of the task's own brought about, unlike one
 * that was sent; code: si_code. */
bool stop_is_fault(int signo, int code);
/* As stop_wait, but what it reports stays to be waited for. One tid only. */
int stop_peek(pid_t tid, bool block, struct stop *out);
const char *stop_name(enum stop_kind k);

#endif
