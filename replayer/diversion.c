/*
 * Calls in a copy of a moment. The world is forked as for a checkpoint, and
 * the copy takes the place of now as long as it is shown. Its calls stop at the
 * filter like those of any puppet, and are answered here.
 */
#include "replayer/checkpoint.h"

#include "base/mem.h"
#include "replayer/target_divert.h"
#include "tracee/ptrace.h"
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SLICE_NS 100000000u
#define LIMIT_NS (24ul * 3600 * 1000000000)
#define WRITE_MAX (1u << 20)
#define IOVS_MAX 1024u
#define INT3 0xcc

struct diverted {
	struct diversion diversion; /* first */
	struct replayer *r;
	struct world *copy, *saved; /* saved NULL: the copy is not shown */
	const char *note;
	int signo; /* the call asked for it: 0 = nothing */
};

static struct diverted *
of(struct diversion *d)
{
	return (struct diverted *)d;
}

static int
find(struct diverted *d, uint32_t task, struct puppet **out, struct err *err)
{
	*out = world_puppet(d->copy, task);
	if (*out && (*out)->pid)
		return 0;
	return err_set(err, E_NOT_FOUND, "task %u has no program here", task);
}

static void
diverted_show(struct diversion *div, bool copy)
{
	struct diverted *d = of(div);

	if (copy == (d->saved != NULL))
		return;
	if (copy) {
		d->saved = d->r->now;
		d->r->now = d->copy;
	} else {
		d->r->now = d->saved;
		d->saved = NULL;
	}
	target_forget(d->r);
}

static int
diverted_write(struct diversion *div, uint32_t task, uint64_t addr,
	       struct span bytes, struct err *err)
{
	struct diverted *d = of(div);
	struct puppet *p;
	int ret = find(d, task, &p, err);

	if (ret < 0 || bytes.len == 0)
		return ret;
	if (mem_write_all(&p->space->mem, addr, bytes.p, bytes.len) < 0)
		return err_set(err, EFAULT, "cannot write to 0x%lx", addr);
	return 0;
}

static int
diverted_set_regs(struct diversion *div, uint32_t task, const struct regs *regs,
		  struct err *err)
{
	struct diverted *d = of(div);
	struct puppet *p;
	int ret = find(d, task, &p, err);

	if (ret == 0)
		puppet_set_regs(p, regs);
	return ret;
}

static int
diverted_set_xstate(struct diversion *div, uint32_t task, struct span xstate,
		    struct err *err)
{
	struct diverted *d = of(div);
	struct puppet *p;
	int ret = find(d, task, &p, err);

	if (ret < 0)
		return ret;
	ret = ptrace_set_xstate(p->pid, xstate);
	return ret < 0 ? err_set(err, -ret, "cannot set vector registers") : 0;
}

/* ---- what the system answers */

static void
put_zero(struct puppet *p, uint64_t addr, size_t n)
{
	static const uint8_t zero[256];

	if (addr)
		mem_write(&p->space->mem, addr, zero, n);
}

static bool
is_output(const struct puppet *p, uint64_t fd)
{
	for (size_t i = 0; i < p->fds->v.len; i++) {
		if (p->fds->v.v[i].fd == (int)fd)
			return true;
	}
	return false;
}

/* Bytes at addr go out, when there is where to; how many. */
static int64_t
put_out(const struct diversion_req *req, struct puppet *p, bool shown,
	uint64_t addr, uint64_t len)
{
	uint8_t *bytes;
	ssize_t n;

	if (len > WRITE_MAX)
		len = WRITE_MAX;
	bytes = mem_alloc(len + 1);
	n = len ? mem_read(&p->space->mem, addr, bytes, len) : 0;
	if (n > 0 && shown)
		req->output(req->ctx, span_of(bytes, (size_t)n));
	mem_free(bytes);
	return n < 0 ? -EFAULT : n;
}

static int64_t
put_vector(const struct diversion_req *req, struct puppet *p, bool shown,
	   uint64_t addr, uint64_t count)
{
	struct iovec v;
	int64_t sum = 0, n;

	for (uint64_t i = 0; i < count && i < IOVS_MAX; i++) {
		if (mem_read_all(&p->space->mem, addr + i * sizeof(v), &v,
				 sizeof(v)) < 0)
			return sum ? sum : -EFAULT;
		n = put_out(req, p, shown, (uint64_t)(uintptr_t)v.iov_base,
			    v.iov_len);
		if (n < 0)
			return sum ? sum : n;
		sum += n;
		if ((size_t)n < v.iov_len)
			break;
	}
	return sum;
}

/* An output is a device that writes lines at once, so that what is printed is
 * seen. */
static int64_t
stat_output(struct puppet *p, uint64_t addr)
{
	struct stat st = { .st_mode = S_IFCHR | 0620, .st_blksize = 1024 };

	return mem_write_all(&p->space->mem, addr, &st, sizeof(st)) < 0
		       ? -EFAULT
		       : 0;
}

/* The lock may be held by a task that stands still: it would wait for ever. */
static int64_t
answer_futex(struct diverted *d, const struct regs *g)
{
	int op = (int)g->rsi & FUTEX_CMD_MASK;

	if (op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET &&
	    op != FUTEX_LOCK_PI && op != FUTEX_LOCK_PI2)
		return 0;
	d->signo = SIGINT;
	d->note = "it waits for a lock or for another thread, and all others "
		  "stand still";
	return -EINTR;
}

/* Done to the copy's own memory. */
static int
in_memory(struct puppet *p, int nr, const struct regs *g, int64_t *out,
	  struct err *err)
{
	uint64_t args[6] = { g->rdi, g->rsi, g->rdx, g->r10, g->r8, g->r9 };
	struct regs keep = *g;
	int ret;

	if (nr == SYS_mmap && !(g->r10 & MAP_ANONYMOUS)) {
		*out = -EACCES;
		return 0;
	}
	ret = puppet_call(p, nr, args, out, err);
	puppet_set_regs(p, &keep);
	return ret;
}

static int64_t
answer_simple(struct diverted *d, const struct diversion_req *req,
	      struct puppet *p, int nr, const struct regs *g)
{
	switch (nr) {
	case SYS_write:
	case SYS_pwrite64:
		return put_out(req, p, is_output(p, g->rdi), g->rsi, g->rdx);
	case SYS_writev:
	case SYS_pwritev:
		return put_vector(req, p, is_output(p, g->rdi), g->rsi, g->rdx);
	case SYS_fstat:
		return is_output(p, g->rdi) ? stat_output(p, g->rsi) : -EBADF;
	case SYS_newfstatat:
		return is_output(p, g->rdi) ? stat_output(p, g->rdx) : -EACCES;
	case SYS_ioctl:
		if (!is_output(p, g->rdi) || g->rsi != TCGETS)
			return -ENOTTY;
		put_zero(p, g->rdx, 36); /* the kernel's struct termios */
		return 0;
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
		return 0; /* an end of file */
	case SYS_lseek:
		return -ESPIPE;
	case SYS_brk:
		return (int64_t)p->space->brk; /* malloc maps memory then */
	case SYS_getpid:
		return p->group->tgid;
	case SYS_gettid:
		return p->tid;
	case SYS_rt_sigprocmask:
		put_zero(p, g->rdx, 8);
		return 0;
	case SYS_futex:
		return answer_futex(d, g);
	case SYS_rt_sigaction:
	case SYS_close:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_sched_yield:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_set_robust_list:
	case SYS_madvise:
		return 0;
	case SYS_kill:
	case SYS_tkill:
		d->signo = (int)g->rsi;
		return 0;
	case SYS_tgkill:
		d->signo = (int)g->rdx;
		return 0;
	case SYS_exit:
	case SYS_exit_group:
		d->signo = SIGINT;
		d->note = "it would end the process here";
		return 0;
	}
	return -EPERM;
}

/* One call of the copy's: its registers are as after it. */
static int
answer(struct diverted *d, const struct diversion_req *req, struct puppet *p,
       struct err *err)
{
	struct regs g = p->regs;
	int nr = (int)g.orig_rax, ret = 0;
	int64_t res = 0;

	switch (nr) {
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_mremap:
	case SYS_clock_gettime:
	case SYS_clock_getres:
	case SYS_gettimeofday:
	case SYS_time:
	case SYS_getuid:
	case SYS_geteuid:
	case SYS_getgid:
	case SYS_getegid:
	case SYS_getrandom:
		ret = in_memory(p, nr, &g, &res, err);
		break;
	default:
		res = answer_simple(d, req, p, nr, &g);
	}
	g.rax = (uint64_t)res;
	g.rcx = g.rip;
	puppet_set_regs(p, &g);
	p->at_call = false;
	return ret;
}

/* ---- running */

struct planted {
	uint64_t addr;
	uint8_t was;
	bool there;
};

static bool
is_break(const struct diversion_req *req, uint64_t pc)
{
	for (size_t i = 0; i < req->n_breaks; i++) {
		if (req->breaks[i] == pc)
			return true;
	}
	return false;
}

/* Nobody reads the copy while it runs. */
static struct planted *
plant(struct puppet *p, const struct diversion_req *req)
{
	struct planted *v = mem_calloc(req->n_breaks + 1, sizeof(*v));
	const uint8_t int3 = INT3;

	for (size_t i = 0; i < req->n_breaks; i++) {
		v[i].addr = req->breaks[i];
		v[i].there =
			mem_read(&p->space->mem, v[i].addr, &v[i].was, 1) ==
				1 &&
			mem_write(&p->space->mem, v[i].addr, &int3, 1) == 1;
	}
	return v;
}

static void
unplant(struct puppet *p, const struct diversion_req *req, struct planted *v)
{
	for (size_t i = req->n_breaks; i-- > 0;) {
		if (v[i].there)
			mem_write(&p->space->mem, v[i].addr, &v[i].was, 1);
	}
	mem_free(v);
}

static void
stop_at(struct diversion_stop *out, int signo, bool at_break, const char *note)
{
	*out = (struct diversion_stop){ signo, at_break, note };
}

/* A fault: at a breakpoint, or the program's own. 1 */
static int
at_fault(struct puppet *p, const struct diversion_req *req,
	 const struct halt *h, struct diversion_stop *out)
{
	struct regs g = p->regs;

	if (h->signo == SIGTRAP && is_break(req, g.rip - 1)) {
		g.rip--;
		puppet_set_regs(p, &g);
		stop_at(out, SIGTRAP, true, NULL);
	} else if (h->signo == SIGSEGV && is_break(req, g.rip)) {
		/* On a stack, where nothing can be executed. */
		stop_at(out, SIGTRAP, true, NULL);
	} else {
		stop_at(out, h->signo, false, NULL);
	}
	return 1;
}

/* 1: it stopped; 0: go on. */
static int
at_halt(struct diverted *d, const struct diversion_req *req, struct puppet *p,
	const struct halt *h, struct diversion_stop *out, struct err *err)
{
	int ret;

	switch (h->what) {
	case HALT_CALL:
		d->signo = 0;
		d->note = NULL;
		ret = answer(d, req, p, err);
		if (ret == 0 && d->signo) {
			stop_at(out, d->signo, false, d->note);
			ret = 1;
		}
		return ret;
	case HALT_FAULT:
		return at_fault(p, req, h, out);
	case HALT_TIMEOUT:
		if (req->go_on(req->ctx))
			return 0;
		stop_at(out, SIGINT, false, NULL);
		return 1;
	case HALT_GONE:
		break;
	}
	return err_set(err, E_GONE, "the copy of the process has died");
}

static int
run_on(struct diverted *d, const struct diversion_req *req, struct puppet *p,
       struct diversion_stop *out, struct err *err)
{
	struct planted *v = plant(p, req);
	struct halt h = { 0 };
	int ret = puppet_run(d->r, p, LIMIT_NS, SLICE_NS, &h, err);

	unplant(p, req, v);
	return ret < 0 ? ret : at_halt(d, req, p, &h, out, err);
}

static int
diverted_run(struct diversion *div, const struct diversion_req *req,
	     struct diversion_stop *out, struct err *err)
{
	struct diverted *d = of(div);
	struct halt h = { 0 };
	struct puppet *p;
	int ret = find(d, req->task, &p, err);

	if (ret < 0)
		return ret;
	p->halted = false;
	/* Off a breakpoint where it stands. */
	if (req->step || is_break(req, p->regs.rip)) {
		ret = puppet_step(d->r, p, &h, err);
		if (ret == 0)
			ret = at_halt(d, req, p, &h, out, err);
		else if (ret == 1)
			ret = 0;
		if (ret == 0 && (req->step || is_break(req, p->regs.rip))) {
			stop_at(out, SIGTRAP, is_break(req, p->regs.rip), NULL);
			ret = 1;
		}
	}
	while (ret == 0)
		ret = run_on(d, req, p, out, err);
	/* What the target tells of memory and mappings is of before. */
	target_forget(d->r);
	return ret < 0 ? ret : 0;
}

static void
diverted_close(struct diversion *div)
{
	struct diverted *d = of(div);

	diverted_show(div, false);
	world_free(d->r, d->copy);
	mem_free(d);
}

static const struct diversion_ops diverted_ops = {
	.show = diverted_show,
	.write = diverted_write,
	.set_regs = diverted_set_regs,
	.set_xstate = diverted_set_xstate,
	.run = diverted_run,
	.close = diverted_close,
};

int
diversion_open(struct replayer *r, struct diversion **out, struct err *err)
{
	struct diverted *d;
	struct world *copy;
	int ret = replayer_refresh(r, err);

	if (ret == 0)
		ret = checkpoint_copy(r, r->now, &copy, err);
	if (ret < 0)
		return ret;
	d = mem_zalloc(sizeof(*d));
	d->diversion.ops = &diverted_ops;
	d->r = r;
	d->copy = copy;
	*out = &d->diversion;
	return 0;
}
