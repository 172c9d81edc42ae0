#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG (1u << 20)

static char dir[] = "/tmp/pastime-fd.XXXXXX";

static void
enter(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void
leave(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(base_fd, .init = enter, .fini = leave);

static void *
write_big(void *arg)
{
	static uint8_t bytes[BIG];
	int fd = *(int *)arg;

	memset(bytes, 7, sizeof(bytes));
	cr_assert_eq(fd_write_all(fd, bytes, sizeof(bytes)), 0);
	fd_close(&fd);
	return NULL;
}

Test(base_fd, a_pipe_is_written_and_read_whole)
{
	struct buf b = { 0 };
	pthread_t thread;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pthread_create(&thread, NULL, write_big, &fds[1]);
	cr_assert_eq(fd_read_all(fds[0], &b), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(b.len, BIG);
	cr_assert_eq(b.p[BIG - 1], 7);
	buf_free(&b);
}

Test(base_fd, reading_in_full_stops_at_the_end)
{
	char text[8] = "";
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(fd_pwrite_all(fd, "world", 5, 5), 0);
	cr_assert_eq(fd_pwrite_all(fd, "hello", 5, 0), 0);
	cr_assert_eq(fd_pread_full(fd, text, 8, 4), 6);
	cr_assert_arr_eq(text, "oworld", 6);
	cr_assert_eq(fd_read_full(fd, text, 4), 4);
	cr_assert_arr_eq(text, "hell", 4);
	cr_assert_eq(fd_pread_full(fd, text, 8, 100), 0);
	fd_close(&fd);
	cr_assert_eq(fd, -1);
	fd_close(&fd);
}

Test(base_fd, failures_are_negative_errno)
{
	struct buf b = { 0 };
	char c;

	cr_assert_eq(fd_write_all(-1, "x", 1), -EBADF);
	cr_assert_eq(fd_pwrite_all(-1, "x", 1, 0), -EBADF);
	cr_assert_eq(fd_read_full(-1, &c, 1), -EBADF);
	cr_assert_eq(fd_pread_full(-1, &c, 1, 0), -EBADF);
	cr_assert_eq(fd_read_file("nope", &b), -ENOENT);
	cr_assert_eq(fd_read_file(".", &b), -EISDIR);
	cr_assert_eq(b.len, 0);
	buf_free(&b);
}

Test(base_fd, files_of_proc_are_read_whole)
{
	struct buf b = { 0 };

	buf_str(&b, ">");
	cr_assert_eq(fd_read_file("/proc/self/status", &b), 0);
	cr_assert_eq(strncmp(buf_cstr(&b), ">Name:", 6), 0);
	cr_assert_not_null(strstr(buf_cstr(&b), "ctxt_switches"));
	buf_free(&b);
}

Test(base_fd, numbers_of_proc_stand_behind_their_keys)
{
	char path[64];
	uint64_t n = 7;
	int fd;

	cr_assert(fd_read_number("/proc/self/status", "\nPid:", 10, &n));
	cr_assert_eq(n, (uint64_t)getpid());
	n = 7;
	cr_assert_not(fd_read_number("/proc/self/status", "\nNope:", 10, &n));
	cr_assert_not(fd_read_number("nope", "\nPid:", 10, &n));
	cr_assert_eq(n, 7);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	cr_assert(fd_read_number(path, "flags:", 8, &n));
	cr_assert_eq(n & O_ACCMODE, O_RDWR);
	close(fd);
}

Test(base_fd, a_file_is_mapped)
{
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct span s;

	cr_assert_eq(fd_map(fd, &s), 0);
	cr_assert_eq(s.len, 0);
	fd_unmap(&s);
	cr_assert_eq(fd_write_all(fd, "hello", 5), 0);
	cr_assert_eq(fd_map(fd, &s), 0);
	cr_assert_eq(s.len, 5);
	cr_assert_eq(memcmp(s.p, "hello", 5), 0);
	fd_unmap(&s);
	cr_assert_eq(s.len, 0);
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fd_map(fd, &s), 0);
	cr_assert_eq(s.len, 0);
	close(fd);
	cr_assert_eq(fd_map(-1, &s), -EBADF);
}

Test(base_fd, folders_are_made_with_their_parents)
{
	struct stat st;

	cr_assert_eq(fd_mkdirs("a//b/c/", 0700), 0);
	cr_assert_eq(stat("a/b/c", &st), 0);
	cr_assert(S_ISDIR(st.st_mode));
	cr_assert_eq(st.st_mode & 0777, 0700);
	cr_assert_eq(fd_mkdirs("a/b", 0700), 0);
	cr_assert_eq(fd_mkdirs("/", 0700), 0);
	cr_assert_eq(fd_mkdirs("", 0700), -ENOENT);
	close(open("a/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cr_assert_eq(fd_mkdirs("a/file", 0700), -ENOTDIR);
	cr_assert_eq(fd_mkdirs("a/file/x", 0700), -ENOTDIR);
}

Test(base_fd, a_descriptor_moves_out_of_the_way)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int high = fd_move_high(fd, 500);

	cr_assert_geq(high, 500);
	cr_assert_eq(fcntl(fd, F_GETFD), -1);
	cr_assert_eq(fcntl(high, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(fd_move_high(high, 500), high);
	cr_assert_eq(fd_move_high(-1, 500), -EBADF);
	fd_close(&high);
}
