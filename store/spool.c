#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY /* the state on the stack */
#include <xxhash.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"

#define MAGIC "pastime spool 1\n"
#define FRAME_MAGIC 0x4d525046u /* "FPRM" */
#define HEADER_LEN 4096		/* so that the frames begin on a page */
#define FRAME_MAX (512u * 1024 * 1024)
#define DROP_STEP (16u * 1024 * 1024) /* dropping costs a sync */

/* At offset 0; rewritten when the front is dropped. One sector: written as a
 * whole or not at all. */
struct header {
	char magic[16];
	uint64_t start; /* the first frame after what was dropped */
	uint64_t hash;	/* XXH3-64 of the above */
};

struct frame_head {
	uint32_t magic;
	uint32_t type;
	uint64_t len;
	uint64_t hash; /* XXH3-64 of the contents, seeded with type and len */
};

struct spool {
	int fd;
	char *path;
	struct buf meta;
	uint64_t keep; /* the meta frame ends here */
	_Atomic uint64_t start;
	_Atomic uint64_t end;
};

static uint64_t
frame_hash(const struct frame_head *h, struct span head, struct span body)
{
	XXH3_state_t st;

	/* A reset with a seed keeps what it finds when the old seed is the
	 * same: the stack must not look as if it had been. */
	XXH3_INITSTATE(&st);
	XXH3_64bits_reset_withSeed(&st, h->len << 8 ^ h->type);
	XXH3_64bits_update(&st, head.p, head.len);
	XXH3_64bits_update(&st, body.p, body.len);
	return XXH3_64bits_digest(&st);
}

static int
write_header(struct spool *s, uint64_t start)
{
	struct header h = { .start = start };

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	h.hash = XXH3_64bits(&h, offsetof(struct header, hash));
	return fd_pwrite_all(s->fd, &h, sizeof(h), 0);
}

static int
spool_error(const struct spool *s, int code, const char *what, struct err *err)
{
	err_set(err, E_SPOOL, "cannot %s the spool %s: %s", what, s->path,
		strerror(code));
	if (code == ENOSPC || code == EDQUOT)
		err_hint(err, "free some space, then run 'pastime ls': what "
			      "was recorded so far is kept and shipped");
	return -E_SPOOL;
}

int
spool_append(struct spool *s, enum frame_type type, struct span head,
	     struct span body, struct err *err)
{
	struct frame_head fh = { .magic = FRAME_MAGIC,
				 .type = type,
				 .len = head.len + body.len };
	uint64_t at = atomic_load(&s->end);
	uint64_t whole = sizeof(fh) + fh.len, done = 0;
	/* writev does not write through them; iovec knows no const. */
	struct iovec v[3] = {
		{ &fh, sizeof(fh) },
		{ (void *)(uintptr_t)head.p, head.len },
		{ (void *)(uintptr_t)body.p, body.len },
	};
	struct iovec *next = v;
	int fault = fault_hit(FAULT_spool_write) ? ENOSPC : 0;

	fh.hash = frame_hash(&fh, head, body);
	while (done < whole) {
		ssize_t n = fault ? -1
				  : pwritev(s->fd, next, (int)(v + 3 - next),
					    (off_t)(at + done));
		int code = fault ? fault : errno;

		if (n < 0 && code == EINTR)
			continue;
		if (n < 0) {
			/* Nothing half written may be in the way of later
			 * frames; if even that fails, the hash tells. */
			if (ftruncate(s->fd, (off_t)at) < 0)
				return spool_error(s, errno, "shorten", err);
			return spool_error(s, code, "write", err);
		}
		done += (uint64_t)n;
		while (next < v + 3 && (size_t)n >= next->iov_len) {
			n -= (ssize_t)next->iov_len;
			next++;
		}
		if (next < v + 3) {
			next->iov_base = (char *)next->iov_base + n;
			next->iov_len -= (size_t)n;
		}
	}
	if (fault_hit(FAULT_chunk_truncate) &&
	    ftruncate(s->fd, (off_t)(at + whole / 2)) < 0)
		return spool_error(s, errno, "shorten", err);
	atomic_store(&s->end, at + whole);
	return 0;
}

int
spool_sync(struct spool *s, struct err *err)
{
	if (fdatasync(s->fd) < 0)
		return spool_error(s, errno, "flush", err);
	return 0;
}

const char *
spool_path(const struct spool *s)
{
	return s->path;
}

struct span
spool_meta(const struct spool *s)
{
	return buf_span(&s->meta);
}

uint64_t
spool_start(const struct spool *s)
{
	return atomic_load(&s->start);
}

bool
spool_is_dropped(const struct spool *s)
{
	return atomic_load(&s->start) > s->keep;
}

uint64_t
spool_end(const struct spool *s)
{
	return atomic_load(&s->end);
}

int
spool_create(const char *dir, const char *uuid, struct span meta,
	     struct spool **out, struct err *err)
{
	struct spool *s = mem_zalloc(sizeof(*s));
	char *temp = mem_printf("%s/.%s.new", dir, uuid);
	int rc;

	s->path = mem_printf("%s/%s.spool", dir, uuid);
	s->fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd < 0) {
		rc = spool_error(s, errno, "create", err);
		goto out;
	}
	atomic_store(&s->end, HEADER_LEN);
	rc = write_header(s, HEADER_LEN);
	if (rc < 0)
		rc = spool_error(s, -rc, "write", err);
	if (rc == 0)
		rc = spool_append(s, FRAME_META, meta, (struct span){ 0 }, err);
	/* It gets its name when it is locked: nobody may take it for left. */
	if (rc == 0 &&
	    (flock(s->fd, LOCK_EX | LOCK_NB) < 0 || rename(temp, s->path) < 0))
		rc = spool_error(s, errno, "lock", err);
	if (rc < 0)
		unlink(temp);
	buf_put(&s->meta, meta.p, meta.len);
	s->keep = atomic_load(&s->end);
	atomic_store(&s->start, s->keep);
out:
	mem_free(temp);
	if (rc < 0) {
		spool_close(s, false);
		return rc;
	}
	*out = s;
	return 0;
}

int
spool_read(struct spool *s, uint64_t at, struct buf *tmp, struct frame *out,
	   struct err *err)
{
	struct frame_head fh;
	ssize_t n;

	buf_clear(tmp);
	n = fd_pread_full(s->fd, &fh, sizeof(fh), (off_t)at);
	if (n < 0)
		return spool_error(s, (int)-n, "read", err);
	if ((size_t)n < sizeof(fh) || fh.magic != FRAME_MAGIC ||
	    fh.len > FRAME_MAX)
		return 0;
	n = fd_pread_full(s->fd, buf_grow(tmp, fh.len), fh.len,
			  (off_t)(at + sizeof(fh)));
	if (n < 0)
		return spool_error(s, (int)-n, "read", err);
	if ((uint64_t)n < fh.len ||
	    frame_hash(&fh, buf_span(tmp), (struct span){ 0 }) != fh.hash)
		return 0;
	out->type = fh.type;
	out->next = at + sizeof(fh) + fh.len;
	out->bytes = buf_span(tmp);
	return 1;
}

/* Header, meta frame, and where the whole frames end. */
static int
scan(struct spool *s, struct err *err)
{
	struct buf tmp = { 0 };
	struct frame f;
	struct header h;
	uint64_t at;
	ssize_t n;
	int rc;

	n = fd_pread_full(s->fd, &h, sizeof(h), 0);
	if (n < (ssize_t)sizeof(h) || memcmp(h.magic, MAGIC, 16) != 0 ||
	    XXH3_64bits(&h, offsetof(struct header, hash)) != h.hash)
		return err_set(err, E_SPOOL, "%s is not a spool, or damaged",
			       s->path);
	rc = spool_read(s, HEADER_LEN, &s->meta, &f, err);
	if (rc == 0)
		rc = err_set(err, E_SPOOL, "%s has no beginning", s->path);
	if (rc < 0)
		return rc;
	s->keep = f.next;
	at = h.start > f.next ? h.start : f.next;
	atomic_store(&s->start, at);
	while ((rc = spool_read(s, at, &tmp, &f, err)) > 0)
		at = f.next;
	atomic_store(&s->end, at);
	buf_free(&tmp);
	return rc;
}

int
spool_open(const char *path, struct spool **out, struct err *err)
{
	struct spool *s = mem_zalloc(sizeof(*s));
	struct stat st;
	int rc;

	s->path = mem_strdup(path);
	s->fd = open(path, O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		rc = err_errno(err, "cannot open %s", path);
	else if (flock(s->fd, LOCK_EX | LOCK_NB) < 0)
		rc = err_set(err, E_BUSY, "%s is in use", path);
	else if (fstat(s->fd, &st) == 0 && st.st_nlink == 0)
		rc = err_set(err, ENOENT, "%s was shipped", path);
	else
		rc = scan(s, err);
	if (rc < 0) {
		spool_close(s, false);
		return rc;
	}
	*out = s;
	return 0;
}

bool
spool_is_live(const char *dir, const char *uuid)
{
	char *path = mem_printf("%s/%s.spool", dir, uuid);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool live = false;

	mem_free(path);
	if (fd >= 0) {
		live = flock(fd, LOCK_SH | LOCK_NB) < 0;
		close(fd);
	}
	return live;
}

static uint64_t
page_up(uint64_t v)
{
	return (v + 4095) & ~UINT64_C(4095);
}

void
spool_drop(struct spool *s, uint64_t before)
{
	uint64_t from = atomic_load(&s->start);

	if (before < from + DROP_STEP)
		return;
	/* The header first, and on the disk: after a crash in between there
	 * are bytes nobody needs, not a hole where frames are looked for. */
	if (write_header(s, before) < 0 || fdatasync(s->fd) < 0)
		return;
	atomic_store(&s->start, before);
	/* Holes are whole pages; a file system without holes keeps all. */
	from = page_up(s->keep) > (from & ~UINT64_C(4095))
		       ? page_up(s->keep)
		       : from & ~UINT64_C(4095);
	before &= ~UINT64_C(4095);
	if (before > from)
		(void)fallocate(s->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)from, (off_t)(before - from));
}

void
spool_close(struct spool *s, bool remove)
{
	if (!s)
		return;
	if (remove)
		unlink(s->path); /* while we hold the lock */
	fd_close(&s->fd);
	buf_free(&s->meta);
	mem_free(s->path);
	mem_free(s);
}
