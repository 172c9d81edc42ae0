/* Files mapped by this process, captured as a recorder would. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "event/memlog.h"
#include "recorder/files.h"

#define PAGE 4096u
#define MB (1u << 20)

static struct recorder rec;
static struct space space = { .maps = -1 };
static struct process process = { .space = &space };
static struct task task = { .proc = &process };
static struct memlog *tape;
static char dir[] = "/tmp/pt-files.XXXXXX";

static void
setup(void)
{
	tape = memlog_new();
	rec.sink = memlog_sink(tape);
	task.tid = getpid();
	task.number = 1;
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(files_init(&rec, NULL), 0);
}

static void
teardown(void)
{
	char *cmd = mem_printf("rm -r %s", dir);

	files_release(&rec);
	buf_free(&rec.items);
	memlog_free(tape);
	cr_assert_eq(system(cmd), 0);
	mem_free(cmd);
}

TestSuite(recorder_files, .init = setup, .fini = teardown);

/* A file of n bytes, each the number of its page times k. */
static int
make(const char *name, size_t n, unsigned k)
{
	char *path = mem_printf("%s/%s", dir, name);
	uint8_t *p = mem_alloc(n);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i / PAGE * k);
	cr_assert_eq(fd_write_all(fd, p, n), 0);
	mem_free(p);
	mem_free(path);
	return fd;
}

/* Until its times can be told from those of a later change. */
static void
grow_old(int fd)
{
	struct stat st;
	uint64_t then;

	fstat(fd, &st);
	then = (uint64_t)st.st_ctim.tv_sec * 1000000000u +
	       (uint64_t)st.st_ctim.tv_nsec;
	while (clock_real_ns() < then + 50000000u)
		usleep(1000);
}

static uint64_t
capture(int fd, size_t offset, size_t len, int flags)
{
	int prot = flags & MAP_SHARED ? PROT_READ | PROT_WRITE : PROT_READ;
	uint8_t *p = mmap(NULL, len, prot, flags, fd, (off_t)offset);
	uint64_t file = 99;
	struct err err = { 0 };

	cr_assert_neq(p, MAP_FAILED);
	cr_assert_eq(files_capture(&rec, &task, (uint64_t)(uintptr_t)p, len,
				   offset, (uint32_t)prot,
				   (flags & MAP_SHARED) != 0, &file, NULL,
				   &err),
		     0, "%s", err.text);
	munmap(p, len);
	return file;
}

static size_t last_pieces;

/* The last file event, which must be the count-th, and what of its contents is
 * kept. */
static void
last(uint64_t count, struct file_rec *out, struct buf *bytes)
{
	static const struct blob_id none;
	struct source *s = memlog_source(tape);
	const struct blob_id *ids;
	const char *path;
	struct event ev;
	struct item it;
	size_t n;

	cr_assert_eq(rec.seq, count);
	cr_assert_eq(rec.sink->ops->flush(rec.sink, NULL), 0);
	cr_assert_eq(source_seek(s, count, NULL), 0);
	cr_assert_eq(source_next(s, &ev, NULL), 1);
	cr_assert_eq(ev.kind, EV_file);
	cr_assert(item_find(ev.payload, ITEM_FILE, UINT64_MAX, &it));
	cr_assert_eq(item_get_file(&it, out, &path, &ids, &n, NULL), 0);
	cr_assert_eq(out->number, ev.args[0]);
	buf_clear(bytes);
	last_pieces = n;
	for (size_t i = 0; i < n; i++) {
		if (memcmp(&ids[i], &none, sizeof(none)) != 0)
			cr_assert_eq(source_blob(s, &ids[i], bytes, NULL), 0);
	}
}

Test(recorder_files, of_data_the_mapped_range_is_kept)
{
	int fd = make("data", MB, 1);
	struct buf bytes = { 0 };
	struct file_rec f;

	grow_old(fd);
	cr_assert_eq(capture(fd, 300 * 1024, 2 * PAGE, MAP_PRIVATE), 1u);
	last(1, &f, &bytes);
	cr_assert_eq(f.whole, 0u);
	cr_assert_eq(f.size, MB);
	cr_assert_eq(f.from, BLOB_PIECE);
	cr_assert_eq(bytes.len, BLOB_PIECE);
	cr_assert_eq(bytes.p[0], BLOB_PIECE / PAGE);
	cr_assert_eq(bytes.p[300 * 1024 - BLOB_PIECE], 75);
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, the_same_version_is_kept_once)
{
	int fd = make("data", MB, 1);
	struct buf bytes = { 0 };
	struct file_rec f;

	grow_old(fd);
	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 1u);
	cr_assert_eq(capture(fd, PAGE, 4 * PAGE, MAP_PRIVATE), 1u);
	cr_assert_eq(rec.seq, 1u);
	/* Another part of it has not been seen yet. */
	cr_assert_eq(capture(fd, 0, MB, MAP_PRIVATE), 2u);
	last(2, &f, &bytes);
	cr_assert_eq(bytes.len, MB);
	cr_assert_eq(capture(fd, 512 * 1024, PAGE, MAP_PRIVATE), 2u);
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, a_changed_file_gets_a_new_number)
{
	int fd = make("data", 2 * PAGE, 1);
	struct buf bytes = { 0 };
	struct file_rec f;

	grow_old(fd);
	cr_assert_eq(capture(fd, 0, 2 * PAGE, MAP_PRIVATE), 1u);
	cr_assert_eq(fd_pwrite_all(fd, "x", 1, 0), 0);
	cr_assert_eq(capture(fd, 0, 2 * PAGE, MAP_PRIVATE), 2u);
	last(2, &f, &bytes);
	cr_assert_eq(bytes.p[0], 'x');
	buf_free(&bytes);
	fd_close(&fd);
}

/* Captured in the same tick as it was written: a second change in that tick
 * leaves the times as they are. */
Test(recorder_files, a_fresh_file_is_not_trusted)
{
	int fd = make("data", PAGE, 1);
	struct timespec t[2];
	struct buf bytes = { 0 };
	struct file_rec f;
	struct stat st;

	fstat(fd, &st);
	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 1u);
	cr_assert_eq(fd_pwrite_all(fd, "y", 1, 0), 0);
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	futimens(fd, t);
	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 2u);
	last(2, &f, &bytes);
	cr_assert_eq(bytes.p[0], 'y');
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, what_a_shared_mapping_writes_has_no_times)
{
	int fd = make("data", PAGE, 1);
	struct buf bytes = { 0 };
	struct file_rec f;
	uint8_t *p;

	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[0] = 1;
	grow_old(fd);
	cr_assert_eq(capture(fd, 0, PAGE, MAP_SHARED), 1u);
	p[0] = 2; /* the page is dirty already: no new mtime */
	cr_assert_eq(capture(fd, 0, PAGE, MAP_SHARED), 2u);
	last(2, &f, &bytes);
	cr_assert_eq(bytes.p[0], 2);
	p[0] = 3;
	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 3u);
	last(3, &f, &bytes);
	cr_assert_eq(bytes.p[0], 3);
	munmap(p, PAGE);
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, holes_cost_nothing)
{
	static const uint64_t end = 1ull << 40;
	int fd = make("sparse", 2 * BLOB_PIECE + 1, 1);
	struct buf bytes = { 0 };
	struct file_rec f;

	/* Zeros that are written are as good as a hole. */
	cr_assert_eq(fd_pwrite_all(fd, mem_zalloc(BLOB_PIECE), BLOB_PIECE, 0),
		     0);
	cr_assert_eq(fd_pwrite_all(fd, "x", 1, 100 * MB), 0);
	cr_assert_eq(ftruncate(fd, (off_t)end), 0);
	cr_assert_eq(capture(fd, 0, end, MAP_PRIVATE), 1u);
	last(1, &f, &bytes);
	cr_assert_eq(f.size, end);
	cr_assert_eq(last_pieces, 100 * MB / BLOB_PIECE + 1);
	cr_assert_eq(bytes.len, 3 * BLOB_PIECE);
	cr_assert_eq(bytes.p[0], BLOB_PIECE / PAGE);
	cr_assert_eq(bytes.p[2 * BLOB_PIECE], 'x');
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, executables_are_kept_whole)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct buf bytes = { 0 }, want = { 0 };
	struct file_rec f;

	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 1u);
	last(1, &f, &bytes);
	cr_assert_eq(f.whole, 1u);
	cr_assert_eq(fd_read_file("/proc/self/exe", &want), 0);
	cr_assert(span_eq(buf_span(&bytes), buf_span(&want)));
	buf_free(&bytes);
	buf_free(&want);
	fd_close(&fd);
}

Test(recorder_files, a_file_without_a_name_is_found)
{
	int fd = make("gone", 2 * PAGE, 1);
	struct buf bytes = { 0 };
	struct file_rec f;
	char *path = mem_printf("%s/gone", dir);

	unlink(path);
	grow_old(fd);
	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 1u);
	last(1, &f, &bytes);
	cr_assert_eq(bytes.len, 2 * PAGE);
	mem_free(path);
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, a_mapping_may_reach_beyond_the_end)
{
	int fd = make("short", PAGE + 100, 1);
	struct buf bytes = { 0 };
	struct file_rec f;

	grow_old(fd);
	cr_assert_eq(capture(fd, 0, 4 * PAGE, MAP_PRIVATE), 1u);
	last(1, &f, &bytes);
	cr_assert_eq(bytes.len, PAGE + 100u);
	cr_assert_eq(capture(fd, MB, PAGE, MAP_PRIVATE), 1u);
	buf_free(&bytes);
	fd_close(&fd);
}

Test(recorder_files, what_is_no_file_has_no_number)
{
	uint64_t file = 99;
	void *p =
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_eq(files_capture(&rec, &task, (uint64_t)(uintptr_t)p, PAGE, 0,
				   PROT_READ, false, &file, NULL, NULL),
		     0);
	cr_assert_eq(file, 0u);
	munmap(p, PAGE);
	cr_assert_lt(files_capture(&rec, &task, (uint64_t)(uintptr_t)p, PAGE, 0,
				   PROT_READ, false, &file, NULL, NULL),
		     0);
	cr_assert_eq(rec.seq, 0u);
}

Test(recorder_files, an_event_under_construction_stays)
{
	int fd = make("data", PAGE, 1);

	buf_str(&rec.items, "half an event");
	cr_assert_eq(capture(fd, 0, PAGE, MAP_PRIVATE), 1u);
	cr_assert_eq(rec.seq, 1u);
	cr_assert_str_eq(buf_cstr(&rec.items), "half an event");
	fd_close(&fd);
}

/* --- what earlier recordings found out ------------------------------------ */

static struct sink_ops with_files;
static unsigned claimed;

static int
claim(struct sink *s, int fd, const struct blob_id *ids, size_t n,
      struct err *err)
{
	uint8_t byte;

	claimed++;
	cr_assert_gt(n, 0u);
	return fd_pread_full(fd, &byte, 1, 0) == 1 ? 0 : -EIO;
}

/* As the next recording of the same user begins. */
static void
next_recording(const char *known_dir)
{
	if (rec.files != NULL)
		files_release(&rec);
	cr_assert_eq(files_init(&rec, NULL), 0);
	rec.opts.known_dir = known_dir;
	with_files = *rec.sink->ops;
	with_files.file = claim;
	rec.sink->ops = &with_files;
	claimed = 0;
}

static const char *
known_dir(void)
{
	char *path = mem_printf("%s/known", dir);

	mkdir(path, 0700);
	return path;
}

/* A library of 1 MB, as old as is needed. */
static int
library(const char *name, unsigned k)
{
	int fd = make(name, MB, k);

	cr_assert_eq(fd_pwrite_all(fd, "\177ELF", 4, 0), 0);
	grow_old(fd);
	return fd;
}

/* What the last of count files is: bytes of page 20, and whether it was read.
 */
static void
expect(uint64_t count, uint8_t at_page_20, unsigned claims)
{
	struct buf bytes = { 0 };
	struct file_rec f;

	last(count, &f, &bytes);
	cr_assert_eq(f.whole, 1u);
	cr_assert_eq(bytes.len, MB);
	cr_assert_eq(bytes.p[20 * PAGE], at_page_20);
	cr_assert_eq(claimed, claims);
	buf_free(&bytes);
}

Test(recorder_files, what_is_known_is_not_read_again)
{
	int fd = library("lib", 3);
	const char *known = known_dir();

	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	expect(1, 60, 0);
	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	expect(2, 60, 1);
	fd_close(&fd);
}

Test(recorder_files, a_file_changed_in_place_is_not_known)
{
	int fd = library("lib", 3);
	const char *known = known_dir();
	struct timespec times[2];
	struct stat st;

	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	/* The same size, and the old mtime. */
	cr_assert_eq(fstat(fd, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	cr_assert_eq(fd_pwrite_all(fd, "\x07", 1, 20 * PAGE), 0);
	cr_assert_eq(futimens(fd, times), 0);
	grow_old(fd);
	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	expect(2, 7, 0);
	fd_close(&fd);
}

Test(recorder_files, a_file_changed_a_moment_ago_is_read)
{
	int fd = library("lib", 3);
	const char *known = known_dir();

	next_recording(known);
	cr_assert_eq(fchmod(fd, 0700), 0);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	expect(1, 60, 0);
	grow_old(fd);
	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	expect(2, 60, 0);
	fd_close(&fd);
}

Test(recorder_files, a_file_that_was_replaced_is_not_known)
{
	int fd = library("lib", 3), other = library("other", 5);
	const char *known = known_dir();
	struct timespec times[2];
	struct stat st;
	char *from = mem_printf("%s/other", dir), *to;

	to = mem_printf("%s/lib", dir);
	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	cr_assert_eq(fstat(fd, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	cr_assert_eq(futimens(other, times), 0);
	cr_assert_eq(rename(from, to), 0);
	grow_old(other);
	next_recording(known);
	capture(other, 0, PAGE, MAP_PRIVATE);
	expect(2, 100, 0);
	fd_close(&fd);
	fd_close(&other);
	mem_free(from);
	mem_free(to);
}

/* The only fact in the folder. */
static char *
fact_path(const char *known)
{
	DIR *d = opendir(known);
	struct dirent *de;
	char *path = NULL;

	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			path = mem_printf("%s/%s", known, de->d_name);
	closedir(d);
	cr_assert_not_null(path);
	return path;
}

Test(recorder_files, what_is_damaged_is_not_known)
{
	int fd = library("lib", 3), at;
	const char *known = known_dir();
	struct buf fact = { 0 };
	uint64_t count = 1;
	char *path;

	next_recording(known);
	capture(fd, 0, PAGE, MAP_PRIVATE);
	path = fact_path(known);
	cr_assert_eq(fd_read_file(path, &fact), 0);
	for (size_t i = 0; i <= fact.len; i += 9) {
		uint8_t wrong = i < fact.len ? fact.p[i] ^ 0x10 : 0;

		at = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		cr_assert_eq(fd_write_all(at, fact.p, fact.len - i % 2), 0);
		cr_assert_eq(fd_pwrite_all(at, &wrong, 1, (off_t)i), 0);
		fd_close(&at);
		next_recording(known);
		capture(fd, 0, PAGE, MAP_PRIVATE);
		expect(++count, 60, 0);
		/* It was put right. */
		next_recording(known);
		capture(fd, 0, PAGE, MAP_PRIVATE);
		expect(++count, 60, 1);
	}
	mem_free(path);
	buf_free(&fact);
	fd_close(&fd);
}

Test(recorder_files, without_a_folder_all_is_read)
{
	int fd = library("lib", 3);
	char *no_folder = mem_printf("%s/lib", dir);

	for (uint64_t i = 1; i <= 2; i++) {
		next_recording(i == 1 ? no_folder : "/proc/no-such-folder");
		capture(fd, 0, PAGE, MAP_PRIVATE);
		expect(i, 60, 0);
	}
	mem_free(no_folder);
	fd_close(&fd);
}
