#ifndef RECORDER_KNOWN_H
#define RECORDER_KNOWN_H

/*
 * What earlier recordings of this user found out about files, so that it need
 * not be found out again: a folder with one small file for each fact about a
 * version of a file. A version is named by device, inode, size and both times,
 * so that a file changed in place is another one even when its mtime was set
 * back. Every fact is checked when it is read; one that is damaged, of another
 * pastime or somebody else's is as if it was not there.
 */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <sys/stat.h>

enum known_what {
	KNOWN_CONTENTS = 1, /* struct blob_id for each BLOB_PIECE */
	KNOWN_SITES = 2,    /* what tracee/patch.c finds */
	KNOWN_CALLS = 3,    /* where calls come from (agent_known.c) */
};

/* dir NULL: nothing is known, nothing is kept. */
bool known_get(const char *dir, enum known_what what, const struct stat *st,
	       struct buf *out);
/* A failure to keep it is no failure. st: before the file was read; it must be
 * the same afterwards (fd), and old enough for its times to tell. */
void known_put(const char *dir, enum known_what what, int fd,
	       const struct stat *st, struct span fact);
/* Two looks at a file saw the same version. */
bool known_same(const struct stat *a, const struct stat *b);
/* Its last change is so recent that another may have the same times. */
bool known_is_racy(const struct stat *st);

#endif
