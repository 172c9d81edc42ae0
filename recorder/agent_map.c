/*
 * Files that the agent may map: those of which the recording has the contents,
 * and which nobody writes to in place. The first mapping of a file traps; the
 * next one, of any process, needs no look at it, as long as its size and
 * times are the same.
 */
#include "recorder/agent_priv.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "recorder/files.h"
#include "recorder/nondet.h"
#include "recorder/special.h"
#include "recorder/task.h"

#define NS 1000000000u

_Static_assert(AGENT_FILE_PIECE == BLOB_PIECE, "agent/data.h");

static struct agent_stored *
find(struct agent *a, uint64_t number)
{
	for (size_t i = 0; i < a->nfiles && i < AGENT_FILES_MAX; i++)
		if (a->file[i].number == number)
			return &a->file[i];
	return NULL;
}

static struct agent_time
time_of(uint64_t ns)
{
	return (struct agent_time){ ns / NS, ns % NS };
}

void
agent_mapped(struct recorder *r, uint64_t number, unsigned how)
{
	struct agent *a = r->agent;
	struct agent_stored *v;
	struct file_rec f;
	uint64_t to;

	if (a == NULL || number == 0)
		return;
	v = find(a, number);
	if (v != NULL && (v->how | how) == v->how)
		return;
	if (!files_version(r, number, &f, &to))
		return;
	if (v != NULL)
		how |= (unsigned)v->how;
	else
		v = &a->file[a->nfiles++ % AGENT_FILES_MAX];
	*v = (struct agent_stored){
		.dev = f.dev,
		.ino = f.ino,
		.size = f.size,
		.mtime = time_of(f.mtime_ns),
		.ctime = time_of(f.ctime_ns),
		.from = f.from,
		.to = to,
		.number = number,
		.how = how,
	};
	a->files_seen++;
}

void
agent_map_tell(struct recorder *r, struct task *t)
{
	const struct agent *a = r->agent;
	struct space *s = task_space(t);
	uint64_t n = a->nfiles < AGENT_FILES_MAX ? a->nfiles : AGENT_FILES_MAX;

	if (s->agent->files_told == a->files_seen)
		return;
	if (mem_write_all(&s->mem, AGENT_DATA + AGENT_FILES, a->file,
			  (size_t)n * sizeof(a->file[0])) == 0 &&
	    mem_write_all(&s->mem,
			  AGENT_DATA + offsetof(struct agent_data, nfiles), &n,
			  sizeof(n)) == 0)
		s->agent->files_told = a->files_seen;
}

int
agent_map_follow(struct recorder *r, struct task *t, struct agent_record *d,
		 struct err *err)
{
	uint64_t number = 0;

	if (d->regs[AGENT_R10] & MAP_ANONYMOUS)
		return special_find(SYS_mmap)->leave(r, t, err);
	if (agent_record_read(d, AGENT_PIECE_FILE, &number, sizeof(number)) ==
		    sizeof(number) &&
	    find(r->agent, number) != NULL)
		memory_mapped(r, t, number);
	return 0;
}
