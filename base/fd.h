#ifndef BASE_FD_H
#define BASE_FD_H

/* Descriptors: whole reads and writes, paths. All opened fds are O_CLOEXEC. */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

void fd_close(int *fd); /* closes if >= 0, sets -1 */
/* All n bytes or an error; EINTR is retried. 0 or -errno. */
int fd_write_all(int fd, const void *p, size_t n);
int fd_pwrite_all(int fd, const void *p, size_t n, off_t at);
/* Up to n bytes until EOF; returns the count or -errno. */
ssize_t fd_read_full(int fd, void *p, size_t n);
ssize_t fd_pread_full(int fd, void *p, size_t n, off_t at);
/* The whole file (also of /proc) appended to out. 0 or -errno. */
int fd_read_file(const char *path, struct buf *out);
int fd_read_all(int fd, struct buf *out);
/* The number behind the first key of such a file, as those of /proc have them:
 * "Tgid:" 4711. False: no file, or no key in it. */
bool fd_read_number(const char *path, const char *key, int base, uint64_t *out);
/* The bytes of a regular file, mapped for reading until fd_unmap; empty when
 * it is none or has none. 0 or -errno. */
int fd_map(int fd, struct span *out);
void fd_unmap(struct span *s);
/* mkdir -p with mode for what is made. 0 or -errno. */
int fd_mkdirs(const char *path, mode_t mode);
/* Move fd to a number >= min and close the original; keeps low numbers for
 * the program we record. Returns the new fd or -errno. */
int fd_move_high(int fd, int min);
/* Keep closed descriptors 0-2 from being given to files of ours: /dev/null in
 * their place, O_CLOEXEC and opened the wrong way round, so that using them
 * fails as before. Whoever executes a program that should find them closed needs
 * to do nothing. */
void fd_fill_standard(void);

#endif
