#include "event/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "event/sys_entry.h"

const char *
sys_name(int nr)
{
	static _Thread_local char text[32];
	const struct sys_desc *d = sys_desc(nr);

	if (d->name)
		return d->name;
	snprintf(text, sizeof(text), "syscall_%d", nr);
	return text;
}

int
sys_by_name(const char *name)
{
	for (int nr = 0; nr < SYS_MAX; nr++) {
		const struct sys_desc *d = sys_desc(nr);

		if (d->name && strcmp(d->name, name) == 0)
			return nr;
	}
	return -1;
}

#define WNOHANG_ 1u
#define IPC_NOWAIT_ 0x800u
#define LOCK_NB_ 4u
#define LOCK_UN_ 8u
#define MSG_DONTWAIT_ 0x40u
#define GRND_NONBLOCK_ 1u
#define RWF_NOWAIT_ 8u

static bool
flag_says_no_wait(const struct sys_call *c)
{
	switch (c->nr) {
	case SYS_poll:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int32_t)c->args[c->nr == SYS_poll ? 2 : 3] == 0;
	case SYS_sendto:
	case SYS_recvfrom:
	case SYS_recvmmsg:
	case SYS_sendmmsg:
		return (c->args[3] & MSG_DONTWAIT_) != 0;
	case SYS_sendmsg:
	case SYS_recvmsg:
		return (c->args[2] & MSG_DONTWAIT_) != 0;
	case SYS_wait4:
		return (c->args[2] & WNOHANG_) != 0;
	case SYS_waitid:
		return (c->args[3] & WNOHANG_) != 0;
	case SYS_msgsnd:
		return (c->args[3] & IPC_NOWAIT_) != 0;
	case SYS_msgrcv:
		return (c->args[4] & IPC_NOWAIT_) != 0;
	case SYS_flock:
		return (c->args[1] & (LOCK_NB_ | LOCK_UN_)) != 0;
	case SYS_getrandom:
		return (c->args[2] & GRND_NONBLOCK_) != 0;
	case SYS_preadv2:
	case SYS_pwritev2:
		return (c->args[5] & RWF_NOWAIT_) != 0;
	default:
		return false;
	}
}

bool
sys_call_never_blocks(const struct sys_call *c)
{
	const struct sys_desc *d = sys_desc(c->nr);
	const struct sys_subop *op;
	int refused;

	if (d->decision == SYS_REFUSE || d->decision == SYS_EMULATE ||
	    d->blocking == SYS_NEVER || sys_subop_refused(c, &refused))
		return true;
	if (c->entry && (c->entry->zero_timeout || c->entry->no_wait))
		return true;
	op = sys_subop(c);
	if (op)
		return op->blocking == SYS_NEVER;
	return flag_says_no_wait(c);
}

const char *
sys_subop_name(const struct sys_call *c)
{
	const struct sys_subop *op = sys_subop(c);

	return op ? op->name : NULL;
}
