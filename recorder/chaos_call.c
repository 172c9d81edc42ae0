/* What calls are asked for and answer. */
#include "recorder/chaos_priv.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "recorder/engine.h"

#define MOVE_PERCENT 20u
#define EINTR_PERCENT 5u
/* Where sanitizers allow mappings, too, and above all that is 32 bits. */
#define MOVE_FROM 0x7e8000000000ull
#define MOVE_TO 0x7f0000000000ull
#define MOVE_LEN_MAX (1ull << 36)
#define PAGE_BITS 12u

/* A mapping that may be anywhere. */
static bool
may_move(const struct sys_call *sc)
{
	const uint64_t fixed =
		MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN;

	return sc->nr == SYS_mmap && sc->args[0] == 0 &&
	       !(sc->args[3] & fixed) && sc->args[1] < MOVE_LEN_MAX;
}

/* The hint goes to the kernel alone: at the end of the call the program has its
 * own argument in the register. */
static int
move(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs = t->call.regs;
	int ret;

	regs.rdi = MOVE_FROM +
		   (chaos_below(r->chaos, (MOVE_TO - MOVE_FROM) >> PAGE_BITS)
		    << PAGE_BITS);
	ret = chaos_event(r, t, CHAOS_MAP, regs.rdi, 0, err);
	return ret < 0 ? ret : ptrace_set_regs(t->tid, &regs);
}

/* Calls that Linux ends with EINTR though no handler ran, when the process was
 * stopped and continued (signal(7)), and that would wait. */
static bool
may_be_interrupted(const struct sys_call *sc)
{
	switch (sc->nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int)sc->args[3] != 0;
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
		return true;
	}
	return false;
}

int
chaos_call(struct recorder *r, struct task *t, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	int ret;

	if (r->chaos == NULL || t->call.skipped || t->call.logged)
		return 0;
	if (chaos_has(r, KNOB_maps) && may_move(sc) &&
	    chaos_chance(r->chaos, MOVE_PERCENT))
		return move(r, t, err);
	if (!chaos_has(r, KNOB_eintr) || !may_be_interrupted(sc) ||
	    !chaos_chance(r->chaos, EINTR_PERCENT))
		return 0;
	ret = chaos_event(r, t, CHAOS_EINTR, 0, 0, err);
	if (ret == 0)
		syscall_answer(t, -EINTR, false);
	return ret;
}
