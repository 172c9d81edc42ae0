/*
 * Contents for mappings. Every recorded file becomes a memfd when it is first
 * mapped or opened; every shared memory object of a world has one too. The
 * puppets share one descriptor table, which is filled through a socket whose
 * other end the mold holds (nothing else can reach into a process that is
 * filtered).
 */
#include "replayer/internal.h"

#include "agent/abi.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tracee/probe.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_OPEN_MAX 300u
#define MEMORY_CHECKED (64u << 20) /* for less, nobody is asked */
#define FILE_NAME "pt-file:"
#define SHARED_NAME "pt-shared:"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

/* ---- memfds */

static int
make_memfd(const char *kind, uint64_t number, uint64_t size, int *out,
	   struct err *err)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s%lu", kind, number);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot make memory for a mapped file");
	if (ftruncate(fd, (off_t)size) < 0) {
		int ret = err_errno(
			err, "cannot make %lu bytes for a mapped file", size);
		close(fd);
		return ret;
	}
	*out = fd;
	return 0;
}

static bool
number_of_name(const char *name, const char *kind, uint64_t *number)
{
	static const char where[] = "/memfd:";
	size_t len = strlen(kind);

	if (strncmp(name, where, sizeof(where) - 1) != 0)
		return false;
	name += sizeof(where) - 1;
	if (strncmp(name, kind, len) != 0)
		return false;
	*number = strtoull(name + len, NULL, 10);
	return true;
}

bool
file_of_name(const char *name, uint64_t *number)
{
	return number_of_name(name, FILE_NAME, number);
}

bool
sharedmem_of_name(const char *name, uint64_t *id)
{
	return number_of_name(name, SHARED_NAME, id);
}

/* ---- handing descriptors over */

struct packet {
	struct msghdr msg;
	struct iovec iov;
	uint8_t byte;
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
};

static int
send_fd(int sock, int fd)
{
	struct packet pk = { .byte = 1 };
	struct cmsghdr *c;

	pk.iov = (struct iovec){ .iov_base = &pk.byte, .iov_len = 1 };
	pk.msg.msg_iov = &pk.iov;
	pk.msg.msg_iovlen = 1;
	pk.msg.msg_control = pk.control;
	pk.msg.msg_controllen = sizeof(pk.control);
	c = CMSG_FIRSTHDR(&pk.msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &pk.msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int
file_send(struct replayer *r, int fd, int *out, struct err *err)
{
	uint64_t at = IMAGE_MOLD_PAGE;
	struct packet pk = { 0 };
	uint64_t args[6] = { 0, at + offsetof(struct packet, msg),
			     MSG_DONTWAIT };
	struct puppet *mold = &r->mold;
	int64_t res;
	int ret;

	ret = send_fd(r->sock, fd);
	if (ret < 0)
		return err_set(err, -ret,
			       "cannot hand a file to the replay: %s",
			       strerrordesc_np(-ret));
	/* The same structure with addresses as the mold sees them. */
	pk.iov.iov_base =
		(void *)(uintptr_t)(at + offsetof(struct packet, byte));
	pk.iov.iov_len = 1;
	pk.msg.msg_iov = (void *)(uintptr_t)(at + offsetof(struct packet, iov));
	pk.msg.msg_iovlen = 1;
	pk.msg.msg_control =
		(void *)(uintptr_t)(at + offsetof(struct packet, control));
	pk.msg.msg_controllen = sizeof(pk.control);
	ret = mem_write_all(&r->mold_mem, at, &pk, sizeof(pk));
	if (ret == 0)
		ret = puppet_call(mold, SYS_recvmsg, args, &res, err);
	else
		return err_set(err, -ret, "cannot write to the replay's mold");
	if (ret < 0)
		return ret;
	if (res == 1)
		ret = mem_read_all(&r->mold_mem, at, &pk, sizeof(pk));
	if (res != 1 || ret < 0 ||
	    pk.msg.msg_controllen < CMSG_LEN(sizeof(int)))
		return err_set(err, EMFILE,
			       "the replay could not take a file over");
	memcpy(out, pk.control + CMSG_LEN(0), sizeof(*out));
	return 0;
}

void
file_close_remote(struct replayer *r, int remote_fd)
{
	uint64_t args[6] = { (uint64_t)remote_fd };
	int64_t res;

	if (remote_fd >= 0 && r->mold.pid)
		puppet_call(&r->mold, SYS_close, args, &res, NULL);
}

/* ---- recorded files */

int
file_add(struct replayer *r, const struct item *it, struct err *err)
{
	const struct blob_id *ids;
	struct file_rec rec;
	const char *path;
	struct pfile *f;
	size_t n;
	int ret;

	ret = item_get_file(it, &rec, &path, &ids, &n, err);
	if (ret < 0)
		return ret;
	if (map_has(&r->files, rec.number))
		return 0; /* known from an earlier pass */
	f = mem_zalloc(sizeof(*f));
	f->rec = rec;
	f->path = mem_strdup(path);
	f->ids = mem_dup(ids, n * sizeof(*ids));
	f->n_ids = n;
	f->fd = -1;
	f->remote_fd = -1;
	map_set(&r->files, rec.number, f);
	return 0;
}

struct pfile *
file_get(struct replayer *r, uint64_t number, struct err *err)
{
	struct pfile *f = map_get(&r->files, number);

	if (!f)
		err_set(err, E_FORMAT,
			"the recording maps file %lu before it tells "
			"what that is",
			number);
	return f;
}

static void
give_up(struct replayer *r, struct pfile *f)
{
	file_close_remote(r, f->remote_fd);
	f->remote_fd = -1;
	fd_close(&f->fd);
	r->open_files--;
}

/* Keep the number of descriptors bounded: mappings live on without them. */
static void
give_up_oldest(struct replayer *r)
{
	struct pfile *oldest = NULL;
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&r->files, &it, &key, &val)) {
		struct pfile *f = val;

		if (f->fd >= 0 && !f->link &&
		    (!oldest || f->used < oldest->used))
			oldest = f;
	}
	if (oldest)
		give_up(r, oldest);
}

static bool
is_hole(const struct pfile *f, size_t i)
{
	static const struct blob_id none;

	return memcmp(&f->ids[i], &none, sizeof(none)) == 0;
}

/* Contents are memory here, and the kernel kills whom it likes when there is no
 * more: refuse what cannot fit. */
static int
check_memory(const struct pfile *f, struct err *err)
{
	static const char key[] = "\nMemAvailable:";
	uint64_t need = 0, available;
	struct buf text = { 0 };
	const char *p;
	int ret = 0;

	for (size_t i = 0; i < f->n_ids; i++)
		need += is_hole(f, i) ? 0 : BLOB_PIECE;
	if (need < MEMORY_CHECKED || fd_read_file("/proc/meminfo", &text) < 0)
		return 0;
	p = strstr(buf_cstr(&text), key);
	available = p ? strtoull(p + sizeof(key) - 1, NULL, 10) * 1024 : need;
	if (need > available) {
		ret = err_set(err, ENOMEM,
			      "the contents of %s need %lu MB of memory, "
			      "%lu MB are available",
			      f->path, need >> 20, available >> 20);
		err_hint(err, "replay it where there is more");
	}
	buf_free(&text);
	return ret;
}

/* The file may still be there: a piece that is what its name says need not be
 * fetched. */
static int
open_original(const struct pfile *f)
{
	int fd = probe_denied_name("originals")
			 ? -1
			 : open(f->path,
				O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
			(uint64_t)st.st_size != f->rec.size))
		fd_close(&fd);
	return fd;
}

static bool
read_original(int fd, const struct blob_id *id, off_t at, struct buf *out)
{
	struct blob_id found;
	ssize_t n = -1;

	if (fd >= 0)
		n = fd_pread_full(fd, buf_grow(out, BLOB_PIECE), BLOB_PIECE,
				  at);
	out->len = n > 0 ? (size_t)n : 0;
	if (n <= 0)
		return false;
	blob_id_of(buf_span(out), &found);
	return memcmp(&found, id, sizeof(found)) == 0;
}

static int
write_blobs(struct replayer *r, int fd, const struct pfile *f, struct err *err)
{
	off_t at = (off_t)f->rec.from;
	int ret = check_memory(f, err), original = -1;

	if (ret == 0)
		original = open_original(f);

	for (size_t i = 0; ret == 0 && i < f->n_ids; i++) {
		if (is_hole(f, i)) {
			at += BLOB_PIECE;
			continue;
		}
		buf_clear(&r->tmp);
		if (!read_original(original, &f->ids[i], at, &r->tmp)) {
			buf_clear(&r->tmp);
			ret = source_blob(r->src, &f->ids[i], &r->tmp, err);
		}
		if (ret < 0) {
			err_wrap(err, "contents of %s", f->path);
			break;
		}
		ret = fd_pwrite_all(fd, r->tmp.p, r->tmp.len, at);
		if (ret < 0)
			err_set(err, -ret, "cannot keep the contents of %s",
				f->path);
		at += (off_t)r->tmp.len;
	}
	fd_close(&original);
	return ret;
}

int
file_open(struct replayer *r, struct pfile *f, struct err *err)
{
	int fd, ret;

	f->used = ++r->file_clock;
	if (f->fd >= 0)
		return 0;
	if (r->open_files >= FILES_OPEN_MAX)
		give_up_oldest(r);
	ret = make_memfd(FILE_NAME, f->rec.number, f->rec.size, &fd, err);
	if (ret < 0)
		return ret;
	ret = write_blobs(r, fd, f, err);
	/* The last piece may end after the file as it was when mapped. */
	if (ret == 0 && ftruncate(fd, (off_t)f->rec.size) < 0)
		ret = err_errno(err, "cannot size the copy of %s", f->path);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	f->fd = fd;
	r->open_files++;
	return 0;
}

int
file_of_bytes(struct replayer *r, const char *name, struct span bytes, int *out,
	      struct err *err)
{
	int fd, ret;

	ret = make_memfd(name, 0, bytes.len, &fd, err);
	if (ret < 0)
		return ret;
	ret = fd_pwrite_all(fd, bytes.p, bytes.len, 0);
	ret = ret < 0 ? err_set(err, -ret, "cannot keep pastime's code")
		      : file_send(r, fd, out, err);
	close(fd);
	return ret;
}

int
file_remote(struct replayer *r, struct pfile *f, int *out, struct err *err)
{
	int ret;

	ret = file_open(r, f, err);
	if (ret == 0 && f->remote_fd < 0)
		ret = file_send(r, f->fd, &f->remote_fd, err);
	if (ret == 0)
		*out = f->remote_fd;
	return ret;
}

/* Nothing on disk, which a killed replay would leave behind. */
int
file_link(struct replayer *r, struct pfile *f, struct err *err)
{
	int ret;

	if (f->link)
		return 0;
	ret = file_open(r, f, err);
	if (ret == 0)
		f->link = mem_printf("/proc/%d/fd/%d", getpid(), f->fd);
	return ret;
}

void
file_free_all(struct replayer *r)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&r->files, &it, &key, &val)) {
		struct pfile *f = val;

		overlay_forget(&f->pages);
		mem_free(f->link);
		fd_close(&f->fd);
		mem_free(f->path);
		mem_free(f->ids);
		mem_free(f);
	}
	map_free(&r->files);
}

/* ---- shared memory objects */

int
sharedmem_make(struct replayer *r, const struct map_rec *m, struct shared **out,
	       struct err *err)
{
	struct pfile *f = NULL;
	struct shared *s;
	int fd, ret;

	if (m->file) {
		f = file_get(r, m->file, err);
		if (!f)
			return -E_FORMAT;
	}
	ret = make_memfd(SHARED_NAME, m->shared_id,
			 f ? f->rec.size : m->offset + m->len, &fd, err);
	if (ret < 0)
		return ret;
	if (f)
		ret = write_blobs(r, fd, f, err);
	if (ret == 0 && f && ftruncate(fd, (off_t)f->rec.size) < 0)
		ret = err_errno(err, "cannot size shared memory");
	if (ret < 0) {
		close(fd);
		return ret;
	}
	s = mem_zalloc(sizeof(*s));
	s->id = m->shared_id;
	s->size = f ? f->rec.size : m->offset + m->len;
	s->fd = fd;
	s->remote_fd = -1;
	*out = s;
	return 0;
}

int
sharedmem_fit(struct shared *s, uint64_t end, bool anonymous, struct err *err)
{
	if (!anonymous || end <= s->size)
		return 0;
	if (ftruncate(s->fd, (off_t)end) < 0)
		return err_errno(err, "cannot extend shared memory");
	s->size = end;
	return 0;
}

int
sharedmem_resize(struct replayer *r, uint64_t id, uint64_t size,
		 struct err *err)
{
	struct shared *s = world_shared(r->now, id);

	if (!s)
		return err_set(err, E_FORMAT,
			       "shared memory %lu gets a size before it exists",
			       id);
	if (ftruncate(s->fd, (off_t)size) < 0)
		return err_errno(err, "cannot resize shared memory");
	s->size = size;
	return 0;
}

/* Copy what is there, leaving holes as holes. */
static int
copy_data(int from, int to, uint64_t size, struct buf *tmp)
{
	off_t at = 0, end;

	while ((uint64_t)at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0
					      : -errno; /* only a hole left */
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		while (at < end) {
			size_t n = (size_t)(end - at) < BLOB_PIECE
					   ? (size_t)(end - at)
					   : BLOB_PIECE;
			ssize_t got;
			int ret;

			buf_clear(tmp);
			got = fd_pread_full(from, buf_grow(tmp, n), n, at);
			if (got <= 0)
				return got < 0 ? (int)got : -EIO;
			ret = fd_pwrite_all(to, tmp->p, (size_t)got, at);
			if (ret < 0)
				return ret;
			at += got;
		}
	}
	return 0;
}

int
sharedmem_copy(struct replayer *r, const struct shared *from,
	       struct shared **out, struct err *err)
{
	struct shared *s;
	int fd, ret;

	ret = make_memfd(SHARED_NAME, from->id, from->size, &fd, err);
	if (ret < 0)
		return ret;
	ret = copy_data(from->fd, fd, from->size, &r->tmp);
	if (ret < 0) {
		close(fd);
		return err_set(err, -ret, "cannot copy shared memory: %s",
			       strerrordesc_np(-ret));
	}
	s = mem_dup(from, sizeof(*from));
	s->fd = fd;
	s->remote_fd = -1;
	*out = s;
	return 0;
}

int
sharedmem_remote(struct replayer *r, struct shared *s, int *out,
		 struct err *err)
{
	int ret = 0;

	if (s->remote_fd < 0)
		ret = file_send(r, s->fd, &s->remote_fd, err);
	if (ret == 0)
		*out = s->remote_fd;
	return ret;
}

void
sharedmem_free(struct replayer *r, struct shared *s)
{
	file_close_remote(r, s->remote_fd);
	fd_close(&s->fd);
	mem_free(s);
}
