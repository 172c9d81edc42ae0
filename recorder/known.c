#include "recorder/known.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Inlined: no library to link with. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

/* Raise the version when other sites are found than before. */
static const char magic[8] = { 'p', 't', 'k', 'n', 'o', 'w', 'n', '2' };

/* Two ticks of the slowest kernel (HZ=100): times are as coarse as that. */
#define RACY_NS 20000000ull
/* So many facts are kept; then room is made. */
#define FACTS_MAX 4096u
#define FACT_MAX (16u * 1024 * 1024)

struct head {
	char magic[8];
	uint64_t what;
	uint64_t dev, ino, size, mtime_ns, ctime_ns;
	uint64_t len;
	uint64_t hash; /* of all that is before it, and of the fact */
};

static uint64_t
ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
}

static struct head
head_of(enum known_what what, const struct stat *st, struct span fact)
{
	struct head h = {
		.what = what,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = ns_of(&st->st_mtim),
		.ctime_ns = ns_of(&st->st_ctim),
		.len = fact.len,
	};

	memcpy(h.magic, magic, sizeof(magic));
	h.hash = XXH3_64bits_withSeed(&h, offsetof(struct head, hash),
				      XXH3_64bits(fact.p, fact.len));
	return h;
}

static char *
path_of(const char *dir, enum known_what what, const struct stat *st)
{
	uint64_t key[3] = { what, st->st_dev, st->st_ino };

	/* A new version takes the place of the old one. */
	return mem_printf("%s/%016llx", dir,
			  (unsigned long long)XXH3_64bits(key, sizeof(key)));
}

bool
known_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       ns_of(&a->st_mtim) == ns_of(&b->st_mtim) &&
	       ns_of(&a->st_ctim) == ns_of(&b->st_ctim);
}

bool
known_is_racy(const struct stat *st)
{
	uint64_t now = clock_real_ns();

	return now < ns_of(&st->st_ctim) + RACY_NS ||
	       now < ns_of(&st->st_mtim) + RACY_NS;
}

bool
known_get(const char *dir, enum known_what what, const struct stat *st,
	  struct buf *out)
{
	struct buf all = { 0 };
	struct head h, want;
	struct stat own;
	char *path;
	bool ok = false;
	int fd;

	if (dir == NULL)
		return false;
	path = path_of(dir, what, st);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	mem_free(path);
	if (fd < 0)
		return false;
	if (fstat(fd, &own) == 0 && S_ISREG(own.st_mode) &&
	    own.st_uid == geteuid() && own.st_size <= FACT_MAX &&
	    fd_read_all(fd, &all) == 0 && all.len >= sizeof(h)) {
		struct span fact =
			span_of(all.p + sizeof(h), all.len - sizeof(h));

		memcpy(&h, all.p, sizeof(h));
		want = head_of(what, st, fact);
		ok = memcmp(&h, &want, sizeof(h)) == 0;
		if (ok)
			buf_put(out, fact.p, fact.len);
	}
	fd_close(&fd);
	buf_free(&all);
	return ok;
}

/* When there are too many, half of them go: which ones does not matter. */
static void
make_room(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL)
		n += de->d_name[0] != '.';
	if (d != NULL && n >= FACTS_MAX) {
		rewinddir(d);
		while ((de = readdir(d)) != NULL)
			if (de->d_name[0] != '.' && n++ % 2 == 0)
				unlinkat(dirfd(d), de->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
}

void
known_put(const char *dir, enum known_what what, int fd, const struct stat *st,
	  struct span fact)
{
	struct head h = head_of(what, st, fact);
	struct stat now;
	char *path, *tmp;
	int to;

	if (dir == NULL || fact.len > FACT_MAX - sizeof(h) ||
	    known_is_racy(st) || fstat(fd, &now) < 0 || !known_same(st, &now))
		return;
	make_room(dir);
	path = path_of(dir, what, st);
	tmp = mem_printf("%s.%d", path, getpid());
	to = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (to >= 0) {
		bool ok = fd_write_all(to, &h, sizeof(h)) == 0 &&
			  fd_write_all(to, fact.p, fact.len) == 0;

		fd_close(&to);
		if (!ok || rename(tmp, path) < 0)
			unlink(tmp);
	}
	mem_free(tmp);
	mem_free(path);
}
