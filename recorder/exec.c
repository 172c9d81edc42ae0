/*
 * A fresh image, at its exec stop. First it is changed: the
 * agent page goes in, the vdso goes out. Then it is captured as it is: its
 * mappings, and of the private writable ones the pages that are no longer the
 * file's (the stack, relocated data, the cleared tail of .data).
 */
#include "recorder/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "recorder/agent.h"
#include "recorder/files.h"
#include "recorder/nondet.h"
#include "recorder/seat.h"
#include "recorder/vdso.h"
#include "tracee/batch.h"
#include "tracee/maps.h"

#define PAGE 4096u
#define CS_64 0x33u

/* /proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)
#define PAGEMAP_FILE (1ull << 61) /* still the file's page, or shared */
#define PAGEMAP_BATCH 4096u

struct image {
	struct recorder *r;
	struct task *t;
	struct space *space;
	struct arena arena;
	struct maps maps;
	struct regs regs;
	struct buf stack;  /* from rsp to the end of the stack */
	struct buf stat;   /* of /proc */
	uint64_t *files;   /* per mapping: file number */
	size_t argc, envc; /* counted in the stack */
	size_t auxv, auxc; /* offset in stack, entries */
	bool has_agent;	   /* its pages are mapped */
	bool unusual;	   /* the kernel stored elsewhere, too */
	char exe[PATH_MAX];
};

static uint64_t
word(const struct image *im, size_t at)
{
	uint64_t v = 0;

	if (at + 8 <= im->stack.len)
		memcpy(&v, im->stack.p + at, 8);
	return v;
}

/* rsp: argc, argv[], NULL, envp[], NULL, auxv[] up to AT_NULL, strings. */
static int
read_stack(struct image *im, struct err *err)
{
	const struct vma *v = maps_find(&im->maps, im->regs.rsp);
	size_t n, at;

	if (v == NULL)
		return err_set(err, EFAULT, "the new image has no stack");
	n = (size_t)(v->end - im->regs.rsp);
	if (mem_read_all(&im->space->mem, im->regs.rsp, buf_grow(&im->stack, n),
			 n) < 0)
		return err_set(err, EFAULT, "cannot read the new stack");
	im->argc = (size_t)word(im, 0);
	at = 8 + (im->argc + 1) * 8;
	while (word(im, at + im->envc * 8) != 0)
		im->envc++;
	im->auxv = at + (im->envc + 1) * 8;
	while (im->auxv + im->auxc * 16 < n &&
	       word(im, im->auxv + im->auxc * 16) != AT_NULL)
		im->auxc++;
	return 0;
}

static uint64_t
auxv_get(const struct image *im, uint64_t type)
{
	size_t i;

	for (i = 0; i < im->auxc; i++)
		if (word(im, im->auxv + i * 16) == type)
			return word(im, im->auxv + i * 16 + 8);
	return 0;
}

/* 32-bit code runs under another cs; x32 programs are 64-bit code, with a
 * vector of their own. */
static int
check_class(struct image *im, struct err *err)
{
	if (im->regs.cs != CS_64)
		return err_set(err, E_UNSUPPORTED,
			       "32-bit programs cannot be recorded");
	if (auxv_get(im, AT_PHENT) != sizeof(Elf64_Phdr))
		return err_set(err, E_UNSUPPORTED,
			       "x32 programs cannot be recorded");
	return 0;
}

/* READ_IMPLIES_EXEC shows in the stack. */
static bool
has_plain_memory(const struct image *im)
{
	const struct vma *v = maps_find(&im->maps, im->regs.rsp);

	return v != NULL && (v->prot & PROT_EXEC) == 0;
}

/* Not the kernel's; pastime's own page is not there yet. */
static bool
is_recorded(const struct vma *v)
{
	return strcmp(v->name, "[vsyscall]") != 0 &&
	       strcmp(v->name, "[vdso]") != 0 &&
	       strncmp(v->name, "[vvar", 5) != 0 &&
	       strcmp(v->name, "[uprobes]") != 0;
}

/* The file numbers, before any item: capturing puts events. */
static int
capture_files(struct image *im, struct err *err)
{
	size_t i;
	int ret;

	im->files = arena_alloc(&im->arena, im->maps.len * sizeof(uint64_t));
	for (i = 0; i < im->maps.len; i++) {
		const struct vma *v = &im->maps.v[i];
		const struct vma *w = i > 0 ? v - 1 : NULL;

		if (v->ino == 0 || !is_recorded(v))
			continue;
		if (w != NULL && w->ino == v->ino && w->dev == v->dev &&
		    im->files[i - 1] != 0) {
			im->files[i] = im->files[i - 1];
			continue;
		}
		ret = files_capture_all(im->r, im->t, v, v->prot | PROT_EXEC,
					&im->files[i], err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Its calls, from the first one on. */
static bool
wants_agent(const struct image *im)
{
	size_t i;

	for (i = 0; i < im->maps.len; i++)
		if (agent_knows(im->r, im->t, &im->maps.v[i], im->files[i]))
			return true;
	return false;
}

/* The code that stands aside for the first calls: where the image begins, if
 * it can be read. */
static uint64_t
boot_at(const struct image *im)
{
	const struct vma *v = maps_find(&im->maps, im->regs.rip);
	size_t i;

	if (v != NULL && (v->prot & PROT_READ) != 0)
		return im->regs.rip;
	for (i = 0; i < im->maps.len; i++) {
		v = &im->maps.v[i];
		if ((v->prot & (PROT_READ | PROT_EXEC)) ==
			    (PROT_READ | PROT_EXEC) &&
		    v->ino != 0 && !v->shared)
			return v->start;
	}
	return im->regs.rip;
}

/* The vdso could not be moved: go on without it. */
static int
change_rest(struct image *im, struct err *err)
{
	struct batch_done done = { 0 };
	struct batch b;
	int ret;

	batch_init(&b, BATCH_AT);
	vdso_unmap(im->t, &im->maps, &b);
	if (wants_agent(im))
		agent_add_maps(im->r, im->space, &b);
	ret = batch_run(im->t->tid, &im->space->mem, &b, &done, err);
	im->has_agent = wants_agent(im) && done.n == b.n;
	return ret;
}

/* The calls that change a fresh image, all with one stop. */
static int
change(struct image *im, struct err *err)
{
	struct batch_done done = { 0 };
	struct batch b;
	size_t needed;
	int ret;

	batch_init(&b, batch_boot_at(boot_at(im)));
	nondet_exec(im->r, im->t, &b);
	ret = vdso_hide(im->t, &im->maps, im->regs.rsp, &im->stack, im->auxv,
			im->auxc, buf_cstr(&im->stat), im->r->agent != NULL, &b,
			err);
	needed = b.n;
	if (wants_agent(im))
		agent_add_maps(im->r, im->space, &b);
	if (ret == 0)
		ret = batch_boot(im->t->tid, &im->space->mem, &b, &im->regs,
				 &done, err);
	im->has_agent = wants_agent(im) && done.n == b.n;
	if (ret == -EEXIST)
		return err_set(err, E_UNSUPPORTED,
			       "a program with mappings of its own at %#lx",
			       AGENT_BASE);
	if (ret == 0 && done.n < needed)
		ret = change_rest(im, err);
	return ret == 0 ? nondet_repair(im->t, SIGTRAP, err) : ret;
}

/* What execve leaves behind here must be what replay makes. */
static int
prepare(struct image *im, struct err *err)
{
	int ret = ptrace_get_regs(im->t->tid, &im->regs);
	const struct vma *v;
	char path[64];

	if (ret < 0)
		return err_set(err, E_GONE, "the new image is gone");
	im->regs.rax = 0;
	im->regs.rcx = im->regs.rip;
	im->regs.r11 = im->regs.eflags;
	im->regs.orig_rax = UINT64_MAX;
	snprintf(path, sizeof(path), "/proc/%d/stat", im->t->tid);
	/* Where it cannot be read less is hidden. */
	(void)fd_read_file(path, &im->stat);
	/* What changes below is left out of a recording (is_recorded). */
	ret = maps_read_by(&im->space->maps, im->t->tid, &im->arena, &im->maps,
			   err);
	if (ret == 0)
		ret = read_stack(im, err);
	if (ret == 0)
		ret = check_class(im, err);
	if (ret == 0)
		ret = capture_files(im, err);
	if (ret == 0)
		ret = change(im, err);
	if (ret < 0)
		return ret;
	v = maps_find(&im->maps, auxv_get(im, AT_PHDR));
	im->space->exe_file = v != NULL ? im->files[v - im->maps.v] : 0;
	im->space->plain_brk = has_plain_memory(im);
	seat_image(im->r, im->t);
	return 0;
}

static void
put_maps(const struct image *im, struct buf *items)
{
	size_t i;

	for (i = 0; i < im->maps.len; i++) {
		const struct vma *v = &im->maps.v[i];
		struct map_rec m = {
			.start = v->start,
			.len = v->end - v->start,
			.prot = v->prot,
			.flags = v->shared ? MAP_SHARED : MAP_PRIVATE,
			.file = im->files[i],
			.offset = v->offset,
		};

		if (!is_recorded(v))
			continue;
		if (m.file == 0) {
			m.flags |= MAP_ANONYMOUS;
			m.offset = 0;
		}
		if (strcmp(v->name, "[stack]") == 0)
			m.flags |= MAP_GROWSDOWN;
		item_put_map(items, &m);
	}
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Pages [start, end) are not the file's: their contents, without zeros that
 * an anonymous mapping has anyhow. */
static int
put_pages(const struct image *im, uint64_t start, uint64_t end, bool anon,
	  struct buf *items, struct err *err)
{
	uint8_t page[PAGE];
	struct buf run = { 0 };
	uint64_t at;
	int ret = 0;

	for (at = start; at < end; at += PAGE) {
		if (mem_read_all(&im->space->mem, at, page, PAGE) < 0) {
			ret = err_set(err, EFAULT, "cannot read page %#llx",
				      (unsigned long long)at);
			break;
		}
		if (!anon || !is_zero(page, PAGE)) {
			buf_put(&run, page, PAGE);
			continue;
		}
		if (run.len > 0)
			item_put_mem(items, at - run.len, buf_span(&run));
		buf_clear(&run);
	}
	if (ret == 0 && run.len > 0)
		item_put_mem(items, at - run.len, buf_span(&run));
	buf_free(&run);
	return ret;
}

static bool
may_differ(const struct vma *v)
{
	return !v->shared && (v->prot & PROT_WRITE) != 0 && is_recorded(v);
}

/* A long name that a script was called by is not cleared: where it was is now
 * below the stack pointer. */
static uint64_t
past_leftovers(const struct image *im, const struct vma *v, uint64_t at)
{
	uint8_t page[PAGE];

	while (at > v->start &&
	       mem_read_all(&im->space->mem, at - PAGE, page, PAGE) == 0 &&
	       !is_zero(page, PAGE))
		at -= PAGE;
	return at;
}

/*
 * Where the kernel stores when it loads a program: from the stack pointer to
 * the end of the stack, and what it left below; and in the last page of what it
 * maps of a file, whose rest it clears. *out_end 0: not there.
 */
static void
usual_range(const struct image *im, const struct vma *v, uint64_t *out_start,
	    uint64_t *out_end)
{
	uint64_t rsp = im->regs.rsp & ~(uint64_t)(PAGE - 1);
	bool stack = im->regs.rsp - v->start < v->end - v->start;

	*out_end = stack || v->ino != 0 ? v->end : 0;
	*out_start = stack ? past_leftovers(im, v, rsp) : v->end - PAGE;
}

static int
put_run(struct image *im, const struct vma *v, uint64_t from, uint64_t to,
	struct buf *items, struct err *err)
{
	uint64_t start, end;

	usual_range(im, v, &start, &end);
	im->unusual |= from < start || to > end;
	return put_pages(im, from, to, v->ino == 0, items, err);
}

/* Runs of pages of v that are private and there. */
static int
put_contents_of(struct image *im, int pagemap, const struct vma *v,
		struct buf *items, struct err *err)
{
	uint64_t entries[PAGEMAP_BATCH];
	uint64_t at = v->start, from = 0;
	int ret = 0;

	while (at < v->end && ret == 0) {
		size_t n = (size_t)((v->end - at) / PAGE), i;
		ssize_t got;

		if (n > PAGEMAP_BATCH)
			n = PAGEMAP_BATCH;
		got = fd_pread_full(pagemap, entries, n * 8,
				    (off_t)(at / PAGE * 8));
		if (got < 0)
			return err_set(err, (int)-got,
				       "cannot read the page map: %s",
				       strerror((int)-got));
		if (got != (ssize_t)(n * 8))
			return err_set(err, E_GONE, "the new image is gone");
		for (i = 0; i < n && ret == 0; i++, at += PAGE) {
			uint64_t e = entries[i];
			bool there =
				(e & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) !=
					0 &&
				(e & PAGEMAP_FILE) == 0;

			if (there && from == 0)
				from = at;
			if (!there && from != 0) {
				ret = put_run(im, v, from, at, items, err);
				from = 0;
			}
		}
	}
	if (ret == 0 && from != 0)
		ret = put_run(im, v, from, at, items, err);
	return ret;
}

static int
put_usual(const struct image *im, struct buf *items, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < im->maps.len && ret == 0; i++) {
		const struct vma *v = &im->maps.v[i];
		uint64_t start, end;

		if (!may_differ(v))
			continue;
		usual_range(im, v, &start, &end);
		if (end != 0)
			ret = put_pages(im, start, end, v->ino == 0, items,
					err);
	}
	return ret;
}

static int
put_contents(struct image *im, struct buf *items, struct err *err)
{
	char path[64];
	size_t i;
	int fd, ret = 0;

	if (files_is_usual(im->r, im->space->exe_file))
		return put_usual(im, items, err);

	snprintf(path, sizeof(path), "/proc/%d/pagemap", im->t->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	for (i = 0; i < im->maps.len && ret == 0; i++) {
		const struct vma *v = &im->maps.v[i];

		if (may_differ(v))
			ret = put_contents_of(im, fd, v, items, err);
	}
	fd_close(&fd);
	if (!im->unusual)
		files_set_usual(im->r, im->space->exe_file);
	return ret;
}

static int
put_registers(const struct image *im, struct buf *items, struct err *err)
{
	struct buf xstate = { 0 };
	int ret = ptrace_get_xstate(im->t->tid, &xstate);

	if (ret == 0) {
		item_put_bytes(items, ITEM_REGS, 0,
			       span_of(&im->regs, sizeof(im->regs)));
		item_put_bytes(items, ITEM_XSTATE, 0, buf_span(&xstate));
	} else {
		ret = err_set(err, ret == -E_GONE ? E_GONE : -ret,
			      "cannot read the registers of the new image");
	}
	buf_free(&xstate);
	return ret;
}

/* Strings that n pointers at offset at of the stack name, each with its NUL. */
static void
put_strings(const struct image *im, const char *key, size_t at, size_t n,
	    struct buf *items)
{
	struct buf text = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t addr = word(im, at + i * 8);
		uint64_t off = addr - im->regs.rsp;
		const uint8_t *p, *end;

		if (addr < im->regs.rsp || off >= im->stack.len)
			break;
		p = im->stack.p + off;
		end = memchr(p, 0, im->stack.len - (size_t)off);
		if (end == NULL)
			break;
		buf_put(&text, p, (size_t)(end - p) + 1);
	}
	item_put_kv(items, key, buf_span(&text));
	buf_free(&text);
}

/* As its mappings tell it, but for a name with a backslash, which may stand for
 * something else. */
static void
read_exe(struct image *im)
{
	const struct vma *v = maps_find(&im->maps, auxv_get(im, AT_PHDR));
	char path[64];
	ssize_t n;

	if (v != NULL && v->name[0] == '/' && strlen(v->name) < PATH_MAX &&
	    strchr(v->name, '\\') == NULL) {
		strcpy(im->exe, v->name);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", im->t->tid);
	n = readlink(path, im->exe, sizeof(im->exe) - 1);
	im->exe[n > 0 ? n : 0] = '\0';
}

/* It stands in brackets in stat, where what is special is written otherwise. */
static void
put_comm(const struct image *im, struct buf *items)
{
	char *known = im->t->proc->comm;
	const char *stat = im->stat.len > 0 ? (const char *)im->stat.p : "";
	const char *p = strchr(stat, '('), *end = strrchr(stat, ')');
	struct buf text = { 0 };
	char path[64];

	if (p != NULL && end != NULL && p < end &&
	    memchr(p, '\\', (size_t)(end - p)) == NULL) {
		snprintf(known, sizeof(im->t->proc->comm), "%.*s",
			 (int)(end - p) - 1, p + 1);
		item_put_kv(items, "comm", span_str(known));
		return;
	}
	known[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", im->t->tid);
	if (fd_read_file(path, &text) < 0)
		buf_clear(&text);
	if (text.len > 0 && text.p[text.len - 1] == '\n')
		text.len--; /* the final newline */
	item_put_kv(items, "comm", buf_span(&text));
	buf_free(&text);
}

static void
put_facts(const struct image *im, struct buf *items)
{
	const struct vma *interp = maps_find(&im->maps, auxv_get(im, AT_BASE));
	char cpu[16];

	item_put_kv(items, "exe", span_str(im->exe));
	put_comm(im, items);
	put_strings(im, "argv", 8, im->argc, items);
	put_strings(im, "env", 8 + (im->argc + 1) * 8, im->envc, items);
	item_put_kv(items, "auxv",
		    span_of(im->stack.p + im->auxv, im->auxc * 16));
	item_put_kv(items, "interp",
		    span_str(interp != NULL ? interp->name : ""));
	snprintf(cpu, sizeof(cpu), "%d", seat_cpu(im->space));
	item_put_kv(items, "pinned", span_str(cpu));
}

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* A variable of that name is set. */
static bool
has_env(const struct image *im, const char *name)
{
	const size_t at = 8 + (im->argc + 1) * 8, n = strlen(name);

	for (size_t i = 0; i < im->envc; i++) {
		uint64_t off = word(im, at + i * 8) - im->regs.rsp;

		if (off < im->stack.len && im->stack.len - off > n &&
		    memcmp(im->stack.p + off, name, n) == 0 &&
		    im->stack.p[off + n] == '=')
			return true;
	}
	return false;
}

/*
 * glibc's loader reads the time stamp counter seven times, for the statistics
 * that LD_DEBUG prints. No other program may be lied to about the time.
 */
static uint64_t
quiet_file(const struct image *im)
{
	const struct vma *v = maps_find(&im->maps, auxv_get(im, AT_BASE));
	const char *base = v != NULL ? strrchr(v->name, '/') : NULL;

	if (base == NULL || has_env(im, "LD_DEBUG") ||
	    (!begins(base, "/ld-linux") && !begins(base, "/ld-2.")))
		return 0;
	return im->files[v - im->maps.v];
}

static int
put_patches(const struct image *im, struct buf *items, struct err *err)
{
	size_t i;
	int ret = 0;

	im->space->quiet_file = quiet_file(im);

	for (i = 0; i < im->maps.len && ret == 0; i++) {
		const struct vma *v = &im->maps.v[i];

		if ((v->prot & PROT_EXEC) != 0 && is_recorded(v))
			ret = nondet_mapped_file(im->r, im->t, v, im->files[i],
						 v->start, v->end - v->start,
						 items, err);
	}
	nondet_image(im->t, im->exe);
	if (ret == 0 && !im->space->trap_tsc)
		item_put_kv(items, "tsc", span_str("patched"));
	return ret;
}

void
exec_forget(struct space *s)
{
	seat_forget(s);
}

int
exec_capture(struct recorder *r, struct task *t, struct err *err)
{
	struct buf *items = &r->items;
	struct image im = { .r = r, .t = t, .space = t->proc->space };
	int ret = prepare(&im, err);

	if (ret == 0) {
		put_maps(&im, items);
		ret = put_contents(&im, items, err);
	}
	if (ret == 0)
		ret = put_registers(&im, items, err);
	if (ret == 0) {
		read_exe(&im);
		put_facts(&im, items);
		if (im.has_agent)
			agent_image(r, t);
		ret = put_patches(&im, items, err);
	}
	buf_free(&im.stack);
	buf_free(&im.stat);
	arena_free(&im.arena);
	return ret;
}
