/*
 * Each version of a mapped file is captured once per recording. What names a
 * version is the inode with its size and times; its contents are wanted
 *
 *   whole	executables, libraries: debuggers read all their sections
 *   a range	data files: what mappings show, in pieces of BLOB_PIECE
 *
 * Times are as coarse as the kernel's tick before Linux 6.13, so a version that
 * was captured within a moment of its last change is not trusted to be the same
 * when it is seen again, nor is a file that a shared mapping writes to.
 */
#include "recorder/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/known.h"
#include "recorder/task.h"
#include "tracee/maps.h"
#include "tracee/probe.h"

struct version {
	struct version *next; /* of the same inode, newest first */
	struct file_rec rec;
	uint64_t to; /* captured up to here, a multiple of BLOB_PIECE
		      * unless the file ends before */
	bool racy;   /* may have changed without a trace */
	bool unprivileged, usual; /* of programs, as far as it is known */
};

struct files {
	struct map inodes; /* key_of -> struct version */
	struct map numbers; /* the same, by the number given out */
	uint64_t last;	   /* number given out */
	struct buf items;
	struct buf ids;
	uint8_t *piece;
	struct arena arena;
};

int
files_init(struct recorder *r, struct err *err)
{
	r->files = mem_zalloc(sizeof(*r->files));
	r->files->piece = mem_alloc(BLOB_PIECE);
	return 0;
}

void
files_release(struct recorder *r)
{
	struct files *f = r->files;
	uint64_t key;
	void *value;
	size_t it = 0;

	if (f == NULL)
		return;
	while (map_next(&f->inodes, &it, &key, &value)) {
		struct version *v = value;

		while (v != NULL) {
			struct version *next = v->next;

			mem_free(v);
			v = next;
		}
	}
	map_free(&f->inodes);
	map_free(&f->numbers);
	buf_free(&f->items);
	buf_free(&f->ids);
	arena_free(&f->arena);
	mem_free(f->piece);
	mem_free(f);
	r->files = NULL;
}

/* Versions are compared in full; this only chooses the list. */
static uint64_t
key_of(uint64_t dev, uint64_t ino)
{
	return ino * 0x9e3779b97f4a7c15ull ^ dev;
}

static uint64_t
ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
}

/* Device numbers of /proc/PID/maps and of stat differ on btrfs and overlayfs;
 * the inode number and the size of the mapping's file do not. */
static bool
is_the_file(int fd, const struct vma *v, struct stat *st)
{
	return fstat(fd, st) == 0 && st->st_ino == v->ino;
}

static int
open_by_fd(pid_t pid, const struct vma *v, struct stat *st)
{
	char path[64], name[128];
	struct dirent *de;
	DIR *dir;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return -1;
	while (fd < 0 && (de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%.16s", path, de->d_name);
		/* Opening a FIFO or a terminal would have effects. */
		if (stat(name, st) < 0 || !S_ISREG(st->st_mode) ||
		    st->st_ino != v->ino)
			continue;
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && !is_the_file(fd, v, st))
			fd_close(&fd);
	}
	closedir(dir);
	return fd;
}

static void
map_files_path(pid_t pid, const struct vma *v, char path[96])
{
	snprintf(path, 96, "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)v->start, (unsigned long long)v->end);
}

/*
 * The file behind a mapping: map_files is exact but wants a capability; the
 * path may name another file by now or nothing in our namespace.
 */
static int
open_mapped(pid_t pid, const struct vma *v, struct arena *a, struct stat *st)
{
	char path[96];
	char *rooted;
	int fd;

	map_files_path(pid, v, path);
	fd = probe_denied(PROBE_MAP_FILES)
		     ? -1
		     : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, st) == 0)
		return fd;
	fd_close(&fd);
	if (v->name[0] == '/') {
		rooted = arena_alloc(a, strlen(v->name) + 32);
		sprintf(rooted, "/proc/%d/root%s", pid, v->name);
		if (stat(rooted, st) == 0 && S_ISREG(st->st_mode) &&
		    st->st_ino == v->ino) {
			fd = open(rooted, O_RDONLY | O_CLOEXEC);
			if (fd >= 0 && is_the_file(fd, v, st))
				return fd;
			fd_close(&fd);
		}
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && is_the_file(fd, v, st))
		return fd;
	fd_close(&fd);
	return open_by_fd(pid, v, st);
}

static bool
is_elf(int fd)
{
	char magic[4];

	return fd_pread_full(fd, magic, sizeof(magic), 0) == 4 &&
	       memcmp(magic, "\177ELF", 4) == 0;
}

/* Where the file has contents again at or after from: a hole of a terabyte is
 * passed in one step. */
static uint64_t
next_data(int fd, uint64_t from)
{
	off_t at = lseek(fd, (off_t)from, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? UINT64_MAX : from;
	return (uint64_t)at;
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Store [from, to) of the file in pieces; ids go to f->ids: none for zeros, and
 * nothing for zeros at the end. */
static int
store_pieces(struct recorder *r, int fd, uint64_t from, uint64_t to,
	     struct err *err)
{
	static const struct blob_id none;
	struct files *f = r->files;
	uint64_t data = 0;
	size_t end = 0;

	buf_clear(&f->ids);
	while (from < to) {
		size_t want = to - from < BLOB_PIECE ? (size_t)(to - from)
						     : BLOB_PIECE;
		ssize_t n = (ssize_t)want;

		if (data < from + want)
			data = next_data(fd, from);
		if (data < from + want)
			n = fd_pread_full(fd, f->piece, want, (off_t)from);
		if (n < 0) {
			errno = (int)-n;
			return err_errno(err, "cannot read a mapped file");
		}
		if (n == 0)
			break; /* shorter than it was when we looked */
		if (data < from + want && !is_zero(f->piece, (size_t)n)) {
			event_blobs(r, span_of(f->piece, (size_t)n), &f->ids);
			end = f->ids.len;
		} else if (data == UINT64_MAX) {
			break;
		} else {
			buf_put(&f->ids, &none, sizeof(none));
		}
		from += (uint64_t)n;
	}
	f->ids.len = end;
	return 0;
}

static struct version *
known(const struct files *f, const struct stat *st, uint64_t from, uint64_t to)
{
	struct version *v = map_get(&f->inodes, key_of(st->st_dev, st->st_ino));

	for (; v != NULL; v = v->next) {
		if (v->rec.dev != st->st_dev || v->rec.ino != st->st_ino)
			continue;
		if (v->racy || v->rec.size != (uint64_t)st->st_size ||
		    v->rec.mtime_ns != ns_of(&st->st_mtim) ||
		    v->rec.ctime_ns != ns_of(&st->st_ctim))
			continue;
		if (v->rec.from <= from && to <= v->to)
			return v;
	}
	return NULL;
}

static int
put_file_event(struct recorder *r, struct task *t, const struct version *v,
	       const char *path, struct err *err)
{
	struct files *f = r->files;
	struct buf saved = r->items;
	struct event ev;
	int ret;

	/* The caller may be in the middle of an event of its own. */
	r->items = f->items;
	event_begin(r, t, EV_file, &ev);
	ev.args[0] = v->rec.number;
	item_put_file(&r->items, &v->rec, path,
		      (const struct blob_id *)f->ids.p,
		      f->ids.len / sizeof(struct blob_id));
	ret = event_put(r, &ev, err);
	f->items = r->items;
	r->items = saved;
	return ret;
}

/* The name without what the kernel adds to it. */
static const char *
clean_name(struct arena *a, const char *name)
{
	static const char gone[] = " (deleted)";
	size_t n = strlen(name), k = sizeof(gone) - 1;
	char *copy;

	if (n <= k || strcmp(name + n - k, gone) != 0)
		return name;
	copy = arena_strdup(a, name);
	copy[n - k] = '\0';
	return copy;
}

/* The contents as an earlier recording saw them, unread: the ids are in f->ids.
 * What they name is read by the sink where it is needed. */
static bool
take_known(struct recorder *r, int fd, const struct stat *st)
{
	const uint64_t pieces =
		((uint64_t)st->st_size + BLOB_PIECE - 1) / BLOB_PIECE;
	struct files *f = r->files;
	size_t n;

	buf_clear(&f->ids);
	if (r->sink->ops->file == NULL ||
	    !known_get(r->opts.known_dir, KNOWN_CONTENTS, st, &f->ids))
		return false;
	n = f->ids.len / sizeof(struct blob_id);
	return f->ids.len % sizeof(struct blob_id) == 0 && n > 0 &&
	       n <= pieces &&
	       r->sink->ops->file(r->sink, fd, (const struct blob_id *)f->ids.p,
				  n, NULL) == 0;
}

static int
capture(struct recorder *r, struct task *t, const struct vma *vma, int fd,
	const struct stat *st, uint64_t from, uint64_t to, bool whole,
	struct version **out, struct err *err)
{
	struct files *f = r->files;
	uint64_t key = key_of(st->st_dev, st->st_ino);
	const bool racy = known_is_racy(st);
	struct version *v;
	int ret = 0;

	if (!whole || racy || !take_known(r, fd, st)) {
		ret = store_pieces(r, fd, from, to, err);
		if (ret == 0 && whole)
			known_put(r->opts.known_dir, KNOWN_CONTENTS, fd, st,
				  buf_span(&f->ids));
	}
	if (ret < 0)
		return ret;
	v = mem_zalloc(sizeof(*v));
	v->rec = (struct file_rec){
		.number = ++f->last,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = ns_of(&st->st_mtim),
		.ctime_ns = ns_of(&st->st_ctim),
		.mode = st->st_mode,
		.whole = whole,
		.from = from,
	};
	v->to = to;
	v->racy = racy;
	v->next = map_get(&f->inodes, key);
	map_set(&f->inodes, key, v);
	map_set(&f->numbers, v->rec.number, v);
	*out = v;
	return put_file_event(r, t, v, clean_name(&f->arena, vma->name), err);
}

/* What of the file a mapping shows, in whole pieces. */
static void
shown(const struct vma *vma, const struct stat *st, uint64_t *from,
      uint64_t *to)
{
	uint64_t size = (uint64_t)st->st_size;

	*from = vma->offset & ~(uint64_t)(BLOB_PIECE - 1);
	*to = vma->offset + (vma->end - vma->start);
	*to = (*to + BLOB_PIECE - 1) & ~(uint64_t)(BLOB_PIECE - 1);
	if (*to > size)
		*to = size;
	if (*from > *to)
		*from = *to & ~(uint64_t)(BLOB_PIECE - 1);
}

static bool
writes(const struct vma *vma)
{
	return vma->shared && (vma->prot & PROT_WRITE) != 0;
}

/* Captured already? real: the mapping as the kernel has it. Without a look
 * into the file. */
static struct version *
captured(const struct files *f, pid_t pid, const struct vma *real,
	 const struct vma *vma)
{
	uint64_t from, to;
	char path[96];
	struct stat st;

	if (probe_denied(PROBE_MAP_FILES) || writes(vma))
		return NULL;
	/* The name is the quicker way, as long as it is the file's. */
	if (real->name[0] != '/' || stat(real->name, &st) < 0 ||
	    st.st_ino != real->ino || st.st_dev != real->dev) {
		map_files_path(pid, real, path);
		if (stat(path, &st) < 0)
			return NULL;
	}
	if (!S_ISREG(st.st_mode))
		return NULL;
	shown(vma, &st, &from, &to);
	return known(f, &st, from, to);
}

/* A mapping that may be written to, and its file. */
static int
capture_fd(struct recorder *r, struct task *t, const struct vma *vma, int fd,
	   const struct stat *st, struct version **out, struct err *err)
{
	struct files *f = r->files;
	uint64_t from, to;
	bool whole;
	int ret;

	shown(vma, st, &from, &to);
	*out = writes(vma) ? NULL : known(f, st, from, to);
	if (*out != NULL)
		return 0;
	whole = (vma->prot & PROT_EXEC) != 0 || is_elf(fd);
	if (whole) {
		from = 0;
		to = (uint64_t)st->st_size;
	}
	ret = capture(r, t, vma, fd, st, from, to, whole, out, err);
	if (ret == 0 && writes(vma))
		(*out)->racy = true;
	return ret;
}

bool
files_version(const struct recorder *r, uint64_t number, struct file_rec *out,
	      uint64_t *to)
{
	const struct version *v = map_get(&r->files->numbers, number);

	if (v == NULL || v->racy)
		return false;
	*out = v->rec;
	*to = v->to;
	return true;
}

bool
files_is_unprivileged(const struct recorder *r, uint64_t number,
		      const char *exe)
{
	struct version *v = map_get(&r->files->numbers, number);

	if (v == NULL || v->racy)
		return false;
	if (!v->unprivileged)
		v->unprivileged =
			(v->rec.mode & (S_ISUID | S_ISGID)) == 0 &&
			getxattr(exe, "security.capability", NULL, 0) < 0;
	return v->unprivileged;
}

bool
files_is_usual(const struct recorder *r, uint64_t number)
{
	const struct version *v = map_get(&r->files->numbers, number);

	return v != NULL && !v->racy && v->usual;
}

void
files_set_usual(const struct recorder *r, uint64_t number)
{
	struct version *v = map_get(&r->files->numbers, number);

	if (v != NULL)
		v->usual = true;
}

int
files_open(struct recorder *r, struct task *t, uint64_t addr, struct err *err)
{
	struct files *f = r->files;
	struct vma vma;
	struct stat st;
	int ret;

	arena_clear(&f->arena);
	ret = task_mapping(t, addr, &f->arena, &vma, err);
	if (ret < 0)
		return ret;
	ret = vma.ino == 0 ? -1 : open_mapped(t->tid, &vma, &f->arena, &st);
	return ret >= 0 ? ret
			: err_set(err, ENOENT, "no file to open at %#llx",
				  (unsigned long long)addr);
}

/* vma: what of real is asked for. */
static int
capture_part(struct recorder *r, struct task *t, const struct vma *real,
	     const struct vma *vma, uint64_t *out_file, struct err *err)
{
	struct files *f = r->files;
	struct version *v = captured(f, t->tid, real, vma);
	struct stat st;
	int fd, ret = 0;

	if (v == NULL) {
		fd = open_mapped(t->tid, real, &f->arena, &st);
		if (fd < 0)
			return err_set(err, ENOENT,
				       "cannot open the mapped file %s to "
				       "keep its contents",
				       vma->name);
		if (S_ISREG(st.st_mode))
			ret = capture_fd(r, t, vma, fd, &st, &v, err);
		fd_close(&fd);
	}
	if (ret < 0) {
		err_wrap(err, "%s", vma->name);
		return ret;
	}
	*out_file = v != NULL ? v->rec.number : 0;
	return 0;
}

int
files_capture_all(struct recorder *r, struct task *t, const struct vma *vma,
		  uint32_t prot, uint64_t *out_file, struct err *err)
{
	struct vma v = *vma;

	arena_clear(&r->files->arena);
	v.prot = prot;
	*out_file = 0;
	return vma->ino == 0 ? 0 : capture_part(r, t, vma, &v, out_file, err);
}

int
files_capture(struct recorder *r, struct task *t, uint64_t start, uint64_t len,
	      uint64_t offset, uint32_t prot, bool shared, uint64_t *out_file,
	      struct vma *out_vma, struct err *err)
{
	struct files *f = r->files;
	struct vma real, vma;
	int ret;

	arena_clear(&f->arena);
	ret = task_mapping(t, start, &f->arena, &real, err);
	if (ret < 0)
		return ret;
	/* The kernel may have merged it with its neighbours. */
	vma = real;
	vma.start = start;
	vma.end = start + len;
	vma.offset = offset;
	vma.prot = prot;
	vma.shared = shared;
	*out_file = 0;
	if (out_vma != NULL)
		*out_vma = real;
	return real.ino == 0 ? 0
			     : capture_part(r, t, &real, &vma, out_file, err);
}
