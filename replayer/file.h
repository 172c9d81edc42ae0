#ifndef REPLAYER_FILE_H
#define REPLAYER_FILE_H

/* Contents for mappings: file.c. */
#include "base/err.h"
#include "event/item.h"
#include <stdbool.h>

struct pfile;
struct replayer;
struct shared;

int file_add(struct replayer *r, const struct item *it, struct err *err);
struct pfile *file_get(struct replayer *r, uint64_t number, struct err *err);
/* A descriptor of the contents, here; and one in the puppets' table. */
int file_open(struct replayer *r, struct pfile *f, struct err *err);
int file_remote(struct replayer *r, struct pfile *f, int *out, struct err *err);
/* A descriptor of these bytes in the puppets' table. */
int file_of_bytes(struct replayer *r, const char *name, struct span bytes,
		  int *out, struct err *err);
/* A path to open it by, good until the replayer closes. */
int file_link(struct replayer *r, struct pfile *f, struct err *err);
void file_free_all(struct replayer *r);
/* Give the puppets a copy of a descriptor of ours; *out is its number there. */
int file_send(struct replayer *r, int fd, int *out, struct err *err);
void file_close_remote(struct replayer *r, int remote_fd);
/* The memfd names, by which mappings are recognised in /proc/PID/maps. */
bool file_of_name(const char *name, uint64_t *number);
bool sharedmem_of_name(const char *name, uint64_t *id);
int sharedmem_make(struct replayer *r, const struct map_rec *m,
		   struct shared **out, struct err *err);
/* A mapping of anonymous shared memory reaches to end: make it that large. */
int sharedmem_fit(struct shared *s, uint64_t end, bool anonymous,
		  struct err *err);
int sharedmem_resize(struct replayer *r, uint64_t id, uint64_t size,
		     struct err *err);
int sharedmem_copy(struct replayer *r, const struct shared *from,
		   struct shared **out, struct err *err);
int sharedmem_remote(struct replayer *r, struct shared *s, int *out,
		     struct err *err);
void sharedmem_free(struct replayer *r, struct shared *s);

#endif
