#ifndef STORE_PROGRAM_H
#define STORE_PROGRAM_H

/*
 * Running PostgreSQL's programs: as another account when we are root, in the
 * C locale, without PG* variables that would point them elsewhere, in a session
 * of their own so that the terminal's signals do not reach them. Any thread;
 * the children are direct ones and waited for by pid, except the server.
 */
#include "base/buf.h"
#include "base/err.h"
#include "store/home.h"

/*
 * Run argv (path is the program) and wait. Its output is appended to the file
 * open at *log_fd, or dropped (NULL).
 * *out_status is the wait status. passwd: a file that the program sees in place
 * of /etc/passwd, where the kernel lets it (user namespaces); NULL: none.
 */
int program_run(const char *path, const char *const *argv,
		const struct account *as, const char *passwd, const int *log_fd,
		int *out_status, struct err *err);
/* The same, standard output appended to out. */
int program_read(const char *path, const char *const *argv, struct buf *out,
		 int *out_status, struct err *err);

/*
 * Start a server that outlives us and is nobody's child here. keep_fd stays
 * open in it; *out_alive is a descriptor that reads end-of-file when the
 * server and all its processes are gone.
 */
int program_daemon(const char *path, const char *const *argv,
		   const struct account *as, int log_fd, int keep_fd,
		   int *out_alive, struct err *err);

#endif
