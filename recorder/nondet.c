/*
 * CPUID faults where the CPU can (arch_prctl(ARCH_SET_CPUID), cleared by every
 * execve); elsewhere, and for RDTSC, RDTSCP, RDRAND, RDSEED and RDPID
 * everywhere, an int3 stands in files' code (tracee/patch.h). What escapes both
 * (generated code) gives what the CPU gives, which is at least always the same
 * one (seat.c).
 *
 * But for RDTSC: prctl(PR_SET_TSC) makes it fault anywhere, as long as the
 * space has code that was not searched. It is not armed without need, because
 * it doubles what a stop costs in a virtual machine on AMD (two exits to the
 * host for each switch between task and tracer, as CR4 changes).
 *
 * The kernel forces the signal of a trap: when the program blocked or ignored
 * it, its disposition is reset and it is unblocked before we hear of it. So
 * both are kept here as the program set them, for SIGSEGV and SIGTRAP alone.
 */
#include "recorder/nondet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/fd.h"
#include "recorder/agent.h"
#include "recorder/files.h"
#include "recorder/known.h"
#include "recorder/nondet_code.h"
#include "recorder/task.h"
#include "tracee/maps.h"
#include "tracee/patch.h"
#include "tracee/probe.h"
#include "tracee/remote.h"

#define ARCH_SET_CPUID 0x1012
#define VSYSCALL_PAGE 0xffffffffff600000ull
#define INSN_VSYSCALL 7u
#define INSN_MAX 15u
#define PAGE 4096u
#define FLAGS_STATUS 0x8d5ull /* OF SF ZF AF PF CF */
#define FLAG_CF 1ull
#define FLAG_RF 0x10000ull
#define KSIGACTION_SIZE 32u
#define IGNORED 1u /* SIG_IGN in place of a handler */

struct nondet {
	struct cpuid_table cpuid;
	struct code_patcher code;
	uint64_t last_tsc;
	struct map files; /* file number -> struct patch_list */
	struct map pages; /* ... -> struct overlay_known */
	struct arena arena;
};

/* What the tasks of a process share: the two dispositions. */
struct hand {
	unsigned refs;
	uint8_t segv[KSIGACTION_SIZE];
	uint8_t trap[KSIGACTION_SIZE];
	uint64_t caught; /* signals with a handler that stays; maybe not all */
	bool unsure;	 /* other processes change them, too */
};

/* task.nondet */
struct own {
	struct hand *hand;
	uint64_t mask; /* as far as SIGSEGV and SIGTRAP go */
	bool trap_tsc; /* as it is now, see space.trap_tsc */
	/* The mapping of the last patched site, good while the space has the
	 * same ones. */
	uint32_t space; /* its number */
	int remapped;
	struct vma vma;
	const struct patch_list *sites;
};

int
nondet_init(struct recorder *r, struct err *err)
{
	struct nondet *n = mem_zalloc(sizeof(*n));

	r->nondet = n;
	cpuid_capture(&n->cpuid);
	n->code.faulting = probe_ok(PROBE_CPUID);
	n->code.has_stubs = !probe_denied_name("cpuid_stubs") &&
			    cpuid_stubs_init(&n->code.stubs, &n->cpuid);
	return 0;
}

void
nondet_release(struct recorder *r)
{
	struct nondet *n = r->nondet;
	uint64_t key;
	void *value;
	size_t it = 0;

	if (n == NULL)
		return;
	while (map_next(&n->files, &it, &key, &value)) {
		patch_free(value);
		mem_free(value);
	}
	map_free(&n->files);
	it = 0;
	while (map_next(&n->pages, &it, &key, &value)) {
		overlay_forget(value);
		mem_free(value);
	}
	map_free(&n->pages);
	cpuid_free(&n->cpuid);
	cpuid_stubs_free(&n->code.stubs);
	arena_free(&n->arena);
	mem_free(n);
	r->nondet = NULL;
}

void
nondet_cpuid(const struct recorder *r, struct buf *out)
{
	cpuid_save(&r->nondet->cpuid, out);
}

/* ---- tasks */

static struct own *
own_of(struct task *t)
{
	struct own *o = t->nondet;

	if (o == NULL) {
		o = mem_zalloc(sizeof(*o));
		o->hand = mem_zalloc(sizeof(*o->hand));
		o->hand->refs = 1;
		t->nondet = o;
	}
	return o;
}

void
nondet_birth(struct task *t, const struct task *parent)
{
	const struct own *from = parent != NULL ? parent->nondet : NULL;
	struct own *o;

	if (from == NULL || t->nondet != NULL)
		return;
	o = mem_zalloc(sizeof(*o));
	if (t->proc == parent->proc) {
		o->hand = from->hand;
		o->hand->refs++;
	} else {
		o->hand = mem_dup(from->hand, sizeof(*from->hand));
		o->hand->refs = 1;
	}
	o->mask = from->mask;
	o->trap_tsc = from->trap_tsc;
	t->nondet = o;
}

void
nondet_forget(struct task *t)
{
	struct own *o = t->nondet;

	if (o == NULL)
		return;
	if (--o->hand->refs == 0)
		mem_free(o->hand);
	mem_free(o);
	t->nondet = NULL;
}

static uint8_t *
action(struct own *o, int signo)
{
	if (signo == SIGSEGV)
		return o->hand->segv;
	return signo == SIGTRAP ? o->hand->trap : NULL;
}

static uint64_t
handler(const uint8_t *act)
{
	uint64_t v;

	memcpy(&v, act, sizeof(v));
	return v;
}

/* The kernel resets those that are forced, and those that ask for it. */
static bool
stays_caught(int signo, const uint8_t *act)
{
	uint64_t flags;

	memcpy(&flags, act + sizeof(uint64_t), sizeof(flags));
	return handler(act) > IGNORED && (flags & SA_RESETHAND) == 0 &&
	       signo != SIGSEGV && signo != SIGBUS && signo != SIGFPE &&
	       signo != SIGILL && signo != SIGTRAP && signo != SIGSYS;
}

void
nondet_shares_handlers(struct task *t)
{
	own_of(t)->hand->unsure = true;
}

bool
nondet_catches(const struct task *t, int signo)
{
	const struct own *o = t->nondet;

	return o != NULL && !o->hand->unsure && signo > 0 && signo <= 64 &&
	       (o->hand->caught >> (signo - 1) & 1) != 0;
}

void
nondet_sigaction(struct task *t, int signo, const uint8_t act[32])
{
	uint8_t *to = action(own_of(t), signo);
	uint64_t bit = signo > 0 && signo <= 64 ? 1ull << (signo - 1) : 0;

	own_of(t)->hand->caught &= ~bit;
	if (stays_caught(signo, act))
		own_of(t)->hand->caught |= bit;

	if (to != NULL)
		memcpy(to, act, KSIGACTION_SIZE);
}

void
nondet_sigmask_is(struct task *t, uint64_t mask)
{
	own_of(t)->mask = mask;
}

void
nondet_sigmask(struct task *t)
{
	struct own *o = own_of(t);
	uint64_t mask;

	if (ptrace_get_sigmask(t->tid, &mask) == 0)
		o->mask = mask;
}

/* ---- a fresh image */

/* The number of the line of /proc/PID/status that begins with name. */
static uint64_t
status_mask(pid_t tid, const char *name)
{
	char path[64];
	uint64_t v;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return fd_read_number(path, name, 16, &v) ? v : 0;
}

/* Handlers are gone after an execve, what was ignored stays so. */
static void
reset_signals(struct task *t)
{
	const bool first = t->nondet == NULL;
	struct own *o = own_of(t);
	bool segv, trap;

	if (first) {
		uint64_t ignored = status_mask(t->tid, "\nSigIgn:");

		segv = ignored >> (SIGSEGV - 1) & 1;
		trap = ignored >> (SIGTRAP - 1) & 1;
	} else {
		segv = handler(o->hand->segv) == IGNORED;
		trap = handler(o->hand->trap) == IGNORED;
	}
	if (o->hand->refs > 1) {
		o->hand->refs--;
		o->hand = mem_alloc(sizeof(*o->hand));
		o->hand->refs = 1;
	}
	memset(o->hand->segv, 0, KSIGACTION_SIZE);
	memset(o->hand->trap, 0, KSIGACTION_SIZE);
	o->hand->caught = 0;
	o->hand->unsure = false;
	o->hand->segv[0] = segv ? IGNORED : 0;
	o->hand->trap[0] = trap ? IGNORED : 0;
	nondet_sigmask(t);
}

void
nondet_exec(const struct recorder *r, struct task *t, struct batch *b)
{
	reset_signals(t);
	if (r->nondet->code.faulting)
		batch_add(b, SYS_arch_prctl, BATCH_ANY, ARCH_SET_CPUID, 0, 0, 0,
			  0, 0);
}

void
nondet_unsearched(struct space *s, struct buf *items)
{
	if (s->translates || s->trap_tsc)
		return;
	s->trap_tsc = true;
	item_put_kv(items, "tsc", span_str("traps"));
}

int
nondet_go_on(struct task *t, struct err *err)
{
	const bool want = t->proc->space->trap_tsc;
	const uint64_t args[6] = { PR_SET_TSC,
				   want ? PR_TSC_SIGSEGV : PR_TSC_ENABLE };
	struct own *o = own_of(t);
	int64_t done = 0;
	int ret;

	if (o->trap_tsc == want)
		return 0;
	ret = remote_syscall(t->tid, SYS_prctl, args, &done, err);
	if (ret == 0 && done < 0)
		ret = err_set(err, (int)-done, "cannot %s RDTSC",
			      want ? "trap" : "release");
	if (ret == 0)
		o->trap_tsc = want;
	return ret;
}

/* ---- sites in files */

/* The sites of a file, as they are known from an earlier recording. */
static int
scan_or_recall(const struct recorder *r, int fd, struct patch_list *l,
	       struct err *err)
{
	const char *dir = r->opts.known_dir;
	struct buf fact = { 0 };
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return err_errno(err, "cannot look at an executable");
	if (!known_is_racy(&st) && known_get(dir, KNOWN_SITES, &st, &fact) &&
	    patch_load(l, buf_span(&fact))) {
		ret = 0;
	} else {
		buf_clear(&fact);
		ret = patch_scan(fd, l, err);
		if (ret == 0) {
			patch_save(l, &fact);
			known_put(dir, KNOWN_SITES, fd, &st, buf_span(&fact));
		}
	}
	buf_free(&fact);
	return ret;
}

/* The list of a file's sites, which its number names. */
static int
sites_of(struct recorder *r, struct task *t, uint64_t addr, uint64_t file,
	 const struct patch_list **out, struct err *err)
{
	struct nondet *n = r->nondet;
	struct patch_list *l = map_get(&n->files, file);
	int fd, ret;

	if (l == NULL) {
		fd = files_open(r, t, addr, err);
		if (fd < 0)
			return fd;
		l = mem_zalloc(sizeof(*l));
		ret = scan_or_recall(r, fd, l, err);
		fd_close(&fd);
		if (ret < 0) {
			mem_free(l);
			return ret;
		}
		map_set(&n->files, file, l);
	}
	*out = l;
	return 0;
}

static bool
is_code(const struct vma *vma)
{
	return vma->ino != 0 && !vma->shared && (vma->prot & PROT_EXEC) != 0;
}

/* The mapping at addr, its file and that one's sites; *out NULL when it is not
 * a file's. */
static int
lookup(struct recorder *r, struct task *t, uint64_t addr, struct vma *vma,
       uint64_t *out_file, const struct patch_list **out, struct err *err)
{
	uint64_t file = 0;
	int ret;

	*out = NULL;
	*out_file = 0;
	arena_clear(&r->nondet->arena);
	ret = task_mapping(t, addr, &r->nondet->arena, vma, err);
	if (ret < 0 || !is_code(vma))
		return ret == -ENOENT ? 0 : ret;
	ret = files_capture_all(r, t, vma, vma->prot, &file, err);
	if (ret < 0 || file == 0)
		return ret;
	*out_file = file;
	return sites_of(r, t, addr, file, out, err);
}

/*
 * Valgrind's tools run no code of what they map: they decode it, and would find
 * our int3 in place of a CPUID, which they emulate. Their own image is patched.
 */
void
nondet_image(struct task *t, const char *exe)
{
	static const char tail[] = "-linux";
	const char *base = strrchr(exe, '/');

	t->proc->space->translates =
		base != NULL && strstr(exe, "/valgrind/") != NULL &&
		strlen(base) > sizeof(tail) &&
		strcmp(exe + strlen(exe) - (sizeof(tail) - 1), tail) == 0;
}

bool
nondet_is_plain(const struct recorder *r, uint64_t file)
{
	const struct patch_list *l = map_get(&r->nondet->files, file);

	return l != NULL && l->len == 0 && !l->unsure;
}

static struct overlay_known *
pages_of(struct nondet *n, uint64_t file)
{
	struct overlay_known *k = map_get(&n->pages, file);

	if (k == NULL) {
		k = mem_zalloc(sizeof(*k));
		map_set(&n->pages, file, k);
	}
	return k;
}

/* What of vma is in [at, to), whose sites are l. All changes are written at
 * once; where that fails nothing is patched. */
static int
patch_part(struct recorder *r, struct task *t, const struct vma *vma,
	   uint64_t file, const struct patch_list *l, uint64_t at, uint64_t to,
	   bool fresh, struct buf *items, struct err *err)
{
	struct space *s = t->proc->space;
	struct overlay o = { .mem = mem_of_task(&s->mem, t->tid),
			     .base = vma->start - vma->offset };
	const size_t len = items->len;
	bool searched = l != NULL && (vma->prot & PROT_WRITE) == 0;
	int ret = 0;

	if (fresh && file != 0 && (vma->prot & PROT_WRITE) == 0)
		o.known = pages_of(r->nondet, file);
	if (l != NULL)
		searched &= code_patch(&r->nondet->code, t, vma, l, at, to,
				       fresh, file == s->quiet_file, &o, items);
	if (fresh && file != 0)
		ret = agent_code_mapped(r, t, vma, file, &o, err);
	if (ret == 0 && overlay_flush(&o) < 0) {
		items->len = len;
		searched = false;
	}
	overlay_release(&o);
	if (!searched)
		nondet_unsearched(s, items);
	return ret;
}

/* Traps come from there, for now. */
static void
remember(struct task *t, const struct vma *vma, const struct patch_list *l)
{
	struct own *o = own_of(t);

	if (vma != &o->vma)
		o->vma = *vma;
	o->sites = l;
	o->space = t->proc->space->number;
	o->remapped = t->proc->space->remapped;
}

int
nondet_mapped_file(struct recorder *r, struct task *t, const struct vma *vma,
		   uint64_t file, uint64_t start, uint64_t len,
		   struct buf *items, struct err *err)
{
	const struct patch_list *l = NULL;
	int ret = 0;

	if (t->proc->space->translates)
		return 0;
	if (is_code(vma) && file != 0)
		ret = sites_of(r, t, start, file, &l, err);
	if (ret == 0 && l != NULL && l->len > 0)
		remember(t, vma, l);
	return ret < 0 ? ret
		       : patch_part(r, t, vma, file, l, start, start + len,
				    true, items, err);
}

int
nondet_mapped(struct recorder *r, struct task *t, uint64_t start, uint64_t len,
	      bool fresh, struct buf *items, struct err *err)
{
	uint64_t end = start + len, at = start;

	if (t->proc->space->translates)
		return 0;
	while (at < end) {
		const struct patch_list *l;
		struct vma vma = { 0 };
		uint64_t to, file;
		int ret = lookup(r, t, at, &vma, &file, &l, err);

		if (ret < 0)
			return ret;
		if (vma.end == 0)
			break; /* unmapped again */
		to = vma.end < end ? vma.end : end;
		ret = patch_part(r, t, &vma, file, l, at, to, fresh, items,
				 err);
		if (ret < 0)
			return ret;
		at = to;
	}
	return 0;
}

/* ---- traps */

/* The patched instruction at addr: 1 and *out, 0 when it is the program's. */
static int
find_site(struct recorder *r, struct task *t, uint64_t addr,
	  struct patch_site *out, struct err *err)
{
	struct own *o = own_of(t);
	const struct patch_site *s;
	uint64_t offset, file;
	int ret;

	if (o->sites == NULL || o->space != t->proc->space->number ||
	    o->remapped != t->proc->space->remapped || addr < o->vma.start ||
	    addr >= o->vma.end) {
		ret = lookup(r, t, addr, &o->vma, &file, &o->sites, err);
		if (ret < 0 || o->sites == NULL)
			return ret;
	}
	remember(t, &o->vma, o->sites);
	offset = o->vma.offset + (addr - o->vma.start);
	s = patch_from(o->sites, offset);
	if (s == NULL || s->offset != offset ||
	    !code_traps(&r->nondet->code, s))
		return 0;
	*out = *s;
	return 1;
}

/* The instruction that faulted, when it is one that we made fault. */
static bool
faulted(const struct recorder *r, const struct task *t, const struct regs *regs,
	struct patch_site *out)
{
	uint8_t code[INSN_MAX];
	ssize_t n =
		mem_read(&t->proc->space->mem, regs->rip, code, sizeof(code));

	if (n <= 0 || !patch_decode(span_of(code, (size_t)n), out))
		return false;
	if (out->cls == PATCH_CPUID)
		return r->nondet->code.faulting;
	return out->cls == PATCH_RDTSC || out->cls == PATCH_RDTSCP;
}

static uint64_t
next_tsc(struct nondet *n)
{
	uint64_t now = __rdtsc();

	if (now <= n->last_tsc)
		now = n->last_tsc + 1;
	n->last_tsc = now;
	return now;
}

/* What the instruction does to regs; its result for the event. */
static uint64_t
emulate(struct nondet *n, const struct patch_site *s, struct regs *regs)
{
	uint32_t v[4];
	uint64_t value = 0;

	switch ((enum patch_class)s->cls) {
	case PATCH_RDTSCP:
		regs->rcx = 0; /* TSC_AUX: CPU 0 of node 0 */
		__attribute__((fallthrough));
	case PATCH_RDTSC:
		value = next_tsc(n);
		regs->rax = value & 0xffffffffu;
		regs->rdx = value >> 32;
		return value;
	case PATCH_CPUID:
		cpuid_answer(&n->cpuid, (uint32_t)regs->rax,
			     (uint32_t)regs->rcx, v);
		regs->rax = v[0];
		regs->rbx = v[1];
		regs->rcx = v[2];
		regs->rdx = v[3];
		return v[0] | (uint64_t)v[1] << 32;
	case PATCH_RDRAND:
	case PATCH_RDSEED:
		while (getrandom(&value, sizeof(value), 0) !=
		       (ssize_t)sizeof(value))
			continue;
		regs->eflags = (regs->eflags & ~FLAGS_STATUS) | FLAG_CF;
		break;
	case PATCH_RDPID:
		break; /* CPU 0 of node 0 */
	}
	return code_put_reg(regs, s->reg, s->bits, value);
}

static int
set_action(struct task *t, int signo, const uint8_t *act, struct err *err)
{
	const uint64_t args[6] = { (uint64_t)signo, 0, 0, 8 };
	int64_t done = 0;

	return remote_syscall_with(t->tid, &t->proc->space->mem,
				   SYS_rt_sigaction, args, 1,
				   span_of(act, KSIGACTION_SIZE), &done, err);
}

int
nondet_repair(struct task *t, int signo, struct err *err)
{
	struct own *o = own_of(t);
	const uint8_t *act = action(o, signo);
	uint64_t bit = 1ull << (signo - 1), mask;
	int ret = 0;

	if ((o->mask & bit) == 0 && handler(act) != 1)
		return 0;
	if (handler(act) != 0)
		ret = set_action(t, signo, act, err);
	if (ret == 0 && (o->mask & bit) != 0 &&
	    (ptrace_get_sigmask(t->tid, &mask) < 0 ||
	     ptrace_set_sigmask(t->tid, mask | bit) < 0))
		ret = err_set(err, E_GONE, "task %d is gone", t->tid);
	return ret;
}

static void
describe(struct event *ev, const struct regs *at, unsigned cls, unsigned len)
{
	ev->flags |= EVF_RUNS;
	ev->pc = at->rip;
	ev->sp = at->rsp;
	ev->reghash = regs_hash(at);
	ev->args[0] = cls;
	ev->args[1] = len;
	if (cls == PATCH_CPUID) {
		ev->args[2] = at->rax & 0xffffffffu;
		ev->args[3] = at->rcx & 0xffffffffu;
	}
}

int
nondet_trap(struct recorder *r, struct task *t, const uint8_t info[128],
	    struct event *ev, struct buf *items, struct err *err)
{
	struct patch_site site;
	struct regs regs;
	siginfo_t si;
	int ret;

	memcpy(&si, info, sizeof(si));
	if (si.si_code != SI_KERNEL ||
	    (si.si_signo != SIGSEGV && si.si_signo != SIGTRAP))
		return 0;
	if (ptrace_get_regs(t->tid, &regs) < 0)
		return err_set(err, E_GONE, "task %d is gone", t->tid);
	if (si.si_signo == SIGTRAP) {
		regs.rip--;
		ret = find_site(r, t, regs.rip, &site, err);
	} else {
		ret = faulted(r, t, &regs, &site);
	}
	if (ret <= 0)
		return ret;
	regs.eflags &= ~FLAG_RF;
	describe(ev, &regs, site.cls, site.len);
	ev->ret = (int64_t)emulate(r->nondet, &site, &regs);
	regs.rip += site.len;
	regs.orig_rax = UINT64_MAX;
	if (ptrace_set_regs(t->tid, &regs) < 0)
		return err_set(err, E_GONE, "task %d is gone", t->tid);
	ret = nondet_repair(t, si.si_signo, err);
	if (ret < 0)
		return ret;
	item_put_bytes(items, ITEM_REGS, 0, span_of(&regs, sizeof(regs)));
	return 1;
}

/* ---- the vsyscall page */

static bool
store(const struct task *t, uint64_t addr, const void *p, size_t n,
      struct buf *items)
{
	if (addr == 0)
		return true;
	if (mem_write_all(&t->proc->space->mem, addr, p, n) < 0)
		return false;
	item_put_mem(items, addr, span_of(p, n));
	return true;
}

static int64_t
vsyscall(const struct task *t, const struct regs *regs, struct buf *items)
{
	static const uint64_t zero;
	struct timespec now;
	uint64_t tv[2];

	clock_gettime(CLOCK_REALTIME, &now);
	tv[0] = (uint64_t)now.tv_sec;
	tv[1] = (uint64_t)now.tv_nsec / 1000;
	switch (regs->rip - VSYSCALL_PAGE) {
	case 0x000: /* gettimeofday(tv, tz) */
		return store(t, regs->rdi, tv, 16, items) &&
				       store(t, regs->rsi, &zero, 8, items)
			       ? 0
			       : -EFAULT;
	case 0x400: /* time(t) */
		return store(t, regs->rdi, tv, 8, items) ? (int64_t)tv[0]
							 : -EFAULT;
	case 0x800: /* getcpu(cpu, node) */
		return store(t, regs->rdi, &zero, 4, items) &&
				       store(t, regs->rsi, &zero, 4, items)
			       ? 0
			       : -EFAULT;
	}
	return -ENOSYS;
}

int
nondet_vsyscall(struct recorder *r, struct task *t, struct event *ev,
		struct buf *items, struct err *err)
{
	struct regs regs;

	if (ptrace_get_regs(t->tid, &regs) < 0)
		return err_set(err, E_GONE, "task %d is gone", t->tid);
	if ((regs.rip & ~0xfffull) != VSYSCALL_PAGE)
		return 0;
	describe(ev, &regs, INSN_VSYSCALL, 0);
	ev->ret = vsyscall(t, &regs, items);
	/* The kernel leaves the call out and returns for the function. */
	regs.rax = (uint64_t)ev->ret;
	regs.orig_rax = UINT64_MAX;
	if (ptrace_set_regs(t->tid, &regs) < 0)
		return err_set(err, E_GONE, "task %d is gone", t->tid);
	if (mem_read_all(&t->proc->space->mem, regs.rsp, &regs.rip, 8) < 0)
		return err_set(err, EFAULT, "a vsyscall without a stack");
	regs.rsp += 8;
	item_put_bytes(items, ITEM_REGS, 0, span_of(&regs, sizeof(regs)));
	return 1;
}
