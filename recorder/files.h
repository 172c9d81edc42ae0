#ifndef RECORDER_FILES_H
#define RECORDER_FILES_H

/* Contents of the files that programs map, stored once per version. */
#include "recorder/internal.h"
#include "tracee/maps.h"

int files_init(struct recorder *r, struct err *err);
void files_release(struct recorder *r);
/*
 * A file was mapped at [start, start + len) from offset: capture what the
 * mapping shows, putting a file event when there is something new. *out_file =
 * 0 when there is nothing to capture (a device). Buffers of its own: r->items
 * may be under construction. *out_vma: the mapping that it is in, good until
 * the next call; may be NULL.
 */
int files_capture(struct recorder *r, struct task *t, uint64_t start,
		  uint64_t len, uint64_t offset, uint32_t prot, bool shared,
		  uint64_t *out_file, struct vma *out_vma, struct err *err);
/* The same for a whole mapping as the kernel has it; prot in place of its own.
 */
int files_capture_all(struct recorder *r, struct task *t, const struct vma *vma,
		      uint32_t prot, uint64_t *out_file, struct err *err);
/* What was captured of the file with that number, up to *to; false: none such,
 * or it may change without a trace. */
bool files_version(const struct recorder *r, uint64_t number,
		   struct file_rec *out, uint64_t *to);
/* A program without privileges of its own, which exe (a path) names; asked of
 * the file system once. */
bool files_is_unprivileged(const struct recorder *r, uint64_t number,
			   const char *exe);
/* In a fresh image of it the kernel has stored where it usually does: what was
 * said last. */
bool files_is_usual(const struct recorder *r, uint64_t number);
void files_set_usual(const struct recorder *r, uint64_t number);
/* Open the file that is mapped at addr, to read: a descriptor, or an error. */
int files_open(struct recorder *r, struct task *t, uint64_t addr, struct err *err);

#endif
