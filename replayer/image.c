/*
 * Address spaces. Every new image is a fork of the mold: a stopped process
 * that has nothing mapped but the agent page (and one page of its own that
 * forks do not get), is filtered, and is out of reach of our terminal.
 */
#include "replayer/agent.h"
#include "replayer/internal.h"

#include "agent/abi.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tracee/batch.h"
#include "tracee/filter.h"
#include "tracee/inject.h"
#include "tracee/maps.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPACE_END 0x7ffffffff000u
#define PAGE 4096u

#define ARCH_SET_CPUID 0x1012

/* Offsets in the xsave area (Intel SDM volume 1, 13.4). */
#define XSTATE_MXCSR 24u
#define XSTATE_SOFTWARE 464u
#define XSTATE_HEADER 512u

/* ---- the mold */

static void
raise_limit(int what, rlim_t soft)
{
	struct rlimit lim;

	if (getrlimit((__rlimit_resource_t)what, &lim) < 0)
		return;
	lim.rlim_cur = soft < lim.rlim_max ? soft : lim.rlim_max;
	setrlimit((__rlimit_resource_t)what, &lim);
}

/* The child of fork: async-signal-safe calls only. Does not return. */
static void
mold_main(int go, int sock)
{
	sigset_t all;
	char c;

	setsid();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	raise_limit(RLIMIT_NOFILE, RLIM_INFINITY);
	raise_limit(RLIMIT_AS, RLIM_INFINITY);
	raise_limit(RLIMIT_DATA, RLIM_INFINITY);
	raise_limit(RLIMIT_CPU, RLIM_INFINITY);
	raise_limit(RLIMIT_CORE, 0);
	if (read(go, &c, 1) != 1)
		_exit(1);
	if (dup2(sock, 0) != 0)
		_exit(1);
	syscall(SYS_close_range, 1u, ~0u, 0u);
	if (filter_install(0, NULL) < 0)
		_exit(2);
	/* The first call that the filter sees hands over to the tracer. */
	syscall(SYS_getpid);
	_exit(3);
}

/* Wait until the mold stands at its first filtered call, and leave that. */
static int
mold_catch(struct puppet *m, struct err *err)
{
	struct stop st;
	int ret;

	for (;;) {
		ret = stop_wait_for(m->pid, &st);
		if (ret < 0 || st.kind == STOP_EXITED ||
		    st.kind == STOP_KILLED) {
			m->pid = 0;
			if (ret == 0 && st.kind == STOP_EXITED && st.code == 2)
				return err_set(
					err, E_PTRACE_DENIED,
					"cannot install a seccomp filter");
			return err_set(err, E_GONE,
				       "the first process of the replay died");
		}
		if (st.kind == STOP_SECCOMP)
			break;
		ptrace_cont(m->pid);
	}
	ret = ptrace_get_regs(m->pid, &m->regs);
	if (ret < 0)
		return err_set(err, -ret,
			       "cannot read registers of the replay");
	m->dirty = true; /* writes orig_rax = -1: the call is skipped */
	return puppet_settle(m, err);
}

static int
unmap_all(struct puppet *m, uint64_t start, uint64_t end, struct err *err)
{
	uint64_t args[6] = { start, end - start };
	struct arena a = { 0 };
	struct maps maps;
	int64_t res;
	int ret;

	ret = puppet_call(m, SYS_munmap, args, &res, err);
	if (ret < 0 || res == 0)
		return ret;
	/* Some mapping is sealed: one by one, and it stays. */
	ret = maps_read(m->pid, &a, &maps, err);
	for (size_t i = 0; ret == 0 && i < maps.len; i++) {
		const struct vma *v = &maps.v[i];

		if (v->start < start || v->end > end)
			continue;
		args[0] = v->start;
		args[1] = v->end - v->start;
		ret = puppet_call(m, SYS_munmap, args, &res, err);
	}
	arena_free(&a);
	return ret;
}

/* The kernel would kill it for an rseq area that is not mapped any more. */
static int
drop_rseq(struct puppet *m, struct err *err)
{
	uint64_t args[6] = { 0 };
	uint32_t size, sig;

	if (ptrace_get_rseq(m->pid, &args[0], &size, &sig) < 0 || args[0] == 0)
		return 0;
	args[1] = size;
	args[2] = 1; /* RSEQ_FLAG_UNREGISTER */
	args[3] = sig;
	return puppet_must(m, "rseq", SYS_rseq, args, err);
}

/* Nothing of ours in the vector registers: all components initial. */
static int
clear_xstate(struct puppet *m, struct err *err)
{
	static const uint32_t mxcsr = 0x1f80;
	struct buf x = { 0 };
	int ret = ptrace_get_xstate(m->pid, &x);

	if (ret == 0 && x.len >= XSTATE_HEADER + 64) {
		uint32_t mask;

		memcpy(&mask, x.p + XSTATE_MXCSR + 4, sizeof(mask));
		/* Software bytes stay: they say which components there are. */
		memset(x.p, 0, XSTATE_SOFTWARE);
		memcpy(x.p + XSTATE_MXCSR, &mxcsr, sizeof(mxcsr));
		memcpy(x.p + XSTATE_MXCSR + 4, &mask, sizeof(mask));
		memset(x.p + XSTATE_HEADER, 0, x.len - XSTATE_HEADER);
		ret = ptrace_set_xstate(m->pid, buf_span(&x));
	}
	buf_free(&x);
	return ret < 0 ? err_set(err, -ret, "cannot set vector registers") : 0;
}

static int
mold_furnish(struct replayer *r, struct err *err)
{
	uint64_t page[6] = { IMAGE_MOLD_PAGE,
			     PAGE,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			     UINT64_MAX,
			     0 };
	uint64_t own[6] = { IMAGE_MOLD_PAGE, PAGE, MADV_DONTFORK };
	uint64_t cpuid[6] = { ARCH_SET_CPUID, 0 };
	struct puppet *m = &r->mold;
	int64_t res; /* without CPUID faulting: the log's int3s do it */
	int ret;

	ret = mem_open(&r->mold_mem, m->pid, err);
	if (ret == 0)
		ret = inject_agent(m->pid, &r->mold_mem, err);
	if (ret == 0)
		ret = drop_rseq(m, err);
	if (ret == 0)
		ret = clear_xstate(m, err);
	if (ret == 0)
		ret = unmap_all(m, 0, AGENT_BASE, err);
	if (ret == 0)
		ret = unmap_all(m, AGENT_BASE + AGENT_SIZE, SPACE_END, err);
	if (ret == 0)
		ret = puppet_must(m, "mmap", SYS_mmap, page, err);
	if (ret == 0)
		ret = puppet_must(m, "madvise", SYS_madvise, own, err);
	if (ret == 0)
		ret = puppet_call(m, SYS_arch_prctl, cpuid, &res, err);
	return ret;
}

int
image_mold(struct replayer *r, struct err *err)
{
	struct puppet *m = &r->mold;
	int sock[2] = { -1, -1 }, go[2] = { -1, -1 };
	int ret = 0;

	if (m->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sock) < 0 ||
	    pipe2(go, O_CLOEXEC) < 0)
		ret = err_errno(err, "cannot make a socket");
	if (ret == 0) {
		m->pid = fork();
		if (m->pid == 0)
			mold_main(go[0], sock[1]);
		if (m->pid < 0) {
			m->pid = 0;
			ret = err_errno(err, "cannot fork");
		}
	}
	if (ret == 0)
		ret = ptrace_seize(m->pid, err);
	if (ret == 0 && write(go[1], "", 1) != 1)
		ret = err_errno(err, "cannot start the replay");
	if (ret == 0)
		ret = mold_catch(m, err);
	if (ret == 0)
		ret = mold_furnish(r, err);
	fd_close(&go[0]);
	fd_close(&go[1]);
	fd_close(&sock[1]);
	if (ret == 0) {
		r->sock = sock[0];
		return 0;
	}
	fd_close(&sock[0]);
	mem_close(&r->mold_mem);
	puppet_kill(&m->pid);
	return ret;
}

/* ---- images */

static void
set_stack_limit(const struct puppet *p, uint64_t soft)
{
	struct rlimit lim;

	if (prlimit(p->pid, RLIMIT_STACK, NULL, &lim) < 0)
		return;
	lim.rlim_cur = soft < lim.rlim_max ? soft : lim.rlim_max;
	prlimit(p->pid, RLIMIT_STACK, &lim, NULL);
}

void
image_stack_limit(struct world *w, struct group *g)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&w->puppets, &it, &key, &val)) {
		struct puppet *p = val;

		if (p->group == g && p->pid)
			set_stack_limit(p, g->stack_limit);
	}
}

int
image_new(struct replayer *r, struct puppet *p, struct err *err)
{
	int ret;

	ret = image_mold(r, err);
	if (ret == 0)
		ret = puppet_fork(&r->mold, false, &p->pid, err);
	if (ret < 0)
		return ret;
	ret = ptrace_get_regs(p->pid, &p->regs);
	if (ret < 0)
		return err_set(err, -ret, "cannot read registers of task %u",
			       p->task);
	p->dirty = false;
	set_stack_limit(p, p->group->stack_limit);
	return 0;
}

/* From now on RDTSC traps in s; copies of its processes inherit it. */
int
image_trap_tsc(struct world *w, struct space *s, struct err *err)
{
	uint64_t args[6] = { PR_SET_TSC, PR_TSC_SIGSEGV };
	size_t it = 0;
	uint64_t key;
	void *val;
	int ret = 0;

	s->traps_tsc = true;
	while (ret == 0 && map_next(&w->puppets, &it, &key, &val)) {
		struct puppet *p = val;

		if (p->space == s && p->pid)
			ret = puppet_must(p, "prctl(PR_SET_TSC)", SYS_prctl,
					  args, err);
	}
	return ret;
}

/* The descriptor and kind of a mapping; fd -1 = anonymous. */
static int
map_source(struct replayer *r, const struct map_rec *m, int *fd, int *type,
	   struct err *err)
{
	bool is_private = (m->flags & MAP_TYPE) == MAP_PRIVATE;
	struct shared *s;
	struct pfile *f;
	int ret;

	*fd = -1;
	*type = MAP_PRIVATE;
	if (m->shared_id) {
		s = world_shared(r->now, m->shared_id);
		if (!s) {
			ret = sharedmem_make(r, m, &s, err);
			if (ret < 0)
				return ret;
			vec_push(&r->now->shared, s);
		}
		ret = sharedmem_fit(s, m->offset + m->len, m->file == 0, err);
		if (ret < 0)
			return ret;
		*type = is_private ? MAP_PRIVATE : MAP_SHARED;
		return sharedmem_remote(r, s, fd, err);
	}
	if (!m->file)
		return 0;
	f = file_get(r, m->file, err);
	return f ? file_remote(r, f, fd, err) : -E_FORMAT;
}

/* The arguments of its mmap; 0: there is nothing to be mapped. */
static int
map_args(struct replayer *r, const struct map_rec *m, uint64_t args[6],
	 struct err *err)
{
	int fd, type, ret;

	if (m->start == 0 && m->len == 0 && m->shared_id) {
		ret = sharedmem_resize(r, m->shared_id, m->offset, err);
		return ret < 0 ? ret : 0;
	}
	if (m->start < AGENT_BASE + AGENT_SIZE &&
	    AGENT_BASE < m->start + m->len)
		return 0; /* the agent page is there, in recording and replay */
	ret = map_source(r, m, &fd, &type, err);
	if (ret < 0)
		return ret;
	args[0] = m->start;
	args[1] = m->len;
	args[2] = m->prot;
	args[3] = (uint64_t)(MAP_FIXED | MAP_NORESERVE | type);
	args[4] = (uint64_t)(int64_t)fd;
	args[5] = fd < 0 ? 0 : m->offset;
	if (fd < 0) {
		args[3] |= MAP_ANONYMOUS;
		if (m->flags & MAP_GROWSDOWN)
			args[3] |= MAP_GROWSDOWN | MAP_STACK;
	}
	return 1;
}

/* Add to b what maps m; b is run when it is full. Where the recording has the
 * agent, replay will soon want it, too. */
int
image_map(struct replayer *r, struct puppet *p, const struct map_rec *m,
	  struct batch *b, struct err *err)
{
	uint64_t a[6] = { 0 };
	int ret = 0;

	if (b->n + 3 > BATCH_CALLS) {
		ret = puppet_batch(p, b, err);
		batch_init(b, BATCH_AT);
	}
	if (ret == 0)
		ret = map_args(r, m, a, err);
	if (ret > 0)
		batch_add(b, SYS_mmap, m->start, a[0], a[1], a[2], a[3], a[4],
			  a[5]);
	if (ret >= 0 && m->start == AGENT_DATA)
		ret = agent_plan_in(r, p, b, err);
	return ret < 0 ? ret : 0;
}

/* Write to where a shared mapping leads: its own protection may forbid it. */
static ssize_t
write_shared(struct replayer *r, struct space *s, uint64_t addr, struct span b)
{
	struct puppet *p = world_in_space(r->now, s);
	struct arena a = { 0 };
	const struct vma *v = NULL;
	struct shared *sh = NULL;
	struct maps maps;
	ssize_t done = -EFAULT;
	uint64_t id;

	if (p && maps_read(p->pid, &a, &maps, NULL) == 0)
		v = maps_find(&maps, addr);
	if (v && v->shared && sharedmem_of_name(v->name, &id))
		sh = world_shared(r->now, id);
	if (sh) {
		size_t n = v->end - addr < b.len ? v->end - addr : b.len;
		off_t at = (off_t)(v->offset + (addr - v->start));

		done = fd_pwrite_all(sh->fd, b.p, n, at);
		if (done == 0)
			done = (ssize_t)n;
	}
	arena_free(&a);
	return done;
}

int
image_write(struct replayer *r, struct space *s, uint64_t addr, struct span b,
	    struct err *err)
{
	while (b.len > 0) {
		ssize_t n = mem_write(&s->mem, addr, b.p, b.len);

		if (n <= 0)
			n = write_shared(r, s, addr, b);
		if (n <= 0)
			return err_set(err, EFAULT,
				       "%zu bytes at 0x%lx cannot be written: "
				       "nothing is mapped there",
				       b.len, addr);
		b = span_of(b.p + n, b.len - (size_t)n);
		addr += (uint64_t)n;
	}
	return 0;
}
