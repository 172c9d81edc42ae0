#include "recorder/vdso.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "agent/abi.h"

/* linux/prctl.h, struct prctl_mm_map */
struct mm_map {
	uint64_t start_code, end_code, start_data, end_data;
	uint64_t start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv;
	uint32_t auxv_size;
	uint32_t exe_fd;
};

/* Fields of /proc/PID/stat, counted from 1. */
#define STAT_START_CODE 26
#define STAT_START_DATA 45
#define STAT_END 52

static int
clear_vector(struct task *t, uint64_t rsp, struct buf *stack, size_t auxv,
	     size_t auxc, struct err *err)
{
	const uint64_t ignore = AT_IGNORE;
	size_t i;

	for (i = 0; i < auxc; i++) {
		size_t at = auxv + i * 16;
		uint64_t type;

		memcpy(&type, stack->p + at, sizeof(type));
		if (type != AT_SYSINFO_EHDR)
			continue;
		memcpy(stack->p + at, &ignore, sizeof(ignore));
		if (mem_write_all(&t->proc->space->mem, rsp + at, &ignore,
				  sizeof(ignore)) < 0)
			return err_set(err, EFAULT,
				       "cannot write the new stack");
	}
	return 0;
}

/* The numbers after the command's name, which may hold anything. */
static bool
stat_numbers(const char *stat, uint64_t out[STAT_END])
{
	const char *p = strrchr(stat, ')');
	unsigned i;

	if (p == NULL || p[1] == '\0')
		return false;
	p += 3; /* past the state, which is field 3 */
	for (i = 4; i < STAT_END && *p != '\0'; i++) {
		char *end;

		out[i] = strtoull(p, &end, 10);
		p = end;
	}
	return i == STAT_END;
}

/*
 * /proc/self/auxv and PR_GET_AUXV show the kernel's copy. PR_SET_MM_MAP
 * replaces it along with the numbers that describe the image, which stay as
 * they are; it needs no privilege, but CONFIG_CHECKPOINT_RESTORE. Where it is
 * refused a program that looks there finds an address with nothing at it.
 */
static void
clear_kernel_copy(const char *stat, uint64_t auxv, size_t auxc, struct batch *b)
{
	uint64_t v[STAT_END] = { 0 };
	struct mm_map m;

	if (!stat_numbers(stat, v))
		return;
	m = (struct mm_map){
		.start_code = v[STAT_START_CODE],
		.end_code = v[STAT_START_CODE + 1],
		.start_stack = v[STAT_START_CODE + 2],
		.start_data = v[STAT_START_DATA],
		.end_data = v[STAT_START_DATA + 1],
		.start_brk = v[STAT_START_DATA + 2],
		.brk = v[STAT_START_DATA + 2],
		.arg_start = v[STAT_START_DATA + 3],
		.arg_end = v[STAT_START_DATA + 4],
		.env_start = v[STAT_START_DATA + 5],
		.env_end = v[STAT_START_DATA + 6],
		.auxv = auxv,
		.auxv_size = (uint32_t)(auxc * 16),
		.exe_fd = UINT32_MAX,
	};
	batch_add(b, SYS_prctl, BATCH_ANY, PR_SET_MM, PR_SET_MM_MAP,
		  batch_put(b, &m, sizeof(m)), sizeof(m), 0, 0);
}

static bool
is_vdso(const struct vma *v)
{
	return strcmp(v->name, "[vdso]") == 0 ||
	       strncmp(v->name, "[vvar", 5) == 0;
}

/* They lie side by side: the end of those that m->v[i] begins. */
static size_t
end_of(const struct maps *m, size_t i)
{
	size_t k = i + 1;

	while (k < m->len && is_vdso(&m->v[k]) &&
	       m->v[k].start == m->v[k - 1].end)
		k++;
	return k;
}

void
vdso_unmap(struct task *t, const struct maps *m, struct batch *b)
{
	size_t i, k;

	t->proc->space->vdso = 0;
	for (i = 0; i < m->len; i = k) {
		k = i + 1;
		if (!is_vdso(&m->v[i]))
			continue;
		k = end_of(m, i);
		/* Sealed from Linux 6.15 on, where so configured: EPERM. */
		batch_add(b, SYS_munmap, BATCH_ANY, m->v[i].start,
			  m->v[k - 1].end - m->v[i].start, 0, 0, 0, 0);
	}
}

/*
 * Data and code, code to AGENT_VDSO. One by one, as before Linux 6.17 a move
 * takes one mapping. False: they do not fit there.
 */
static bool
move(struct task *t, const struct maps *m, struct batch *b)
{
	const struct vma *code;
	size_t i = 0, first, end;

	while (i < m->len && !is_vdso(&m->v[i]))
		i++;
	if (i == m->len)
		return false;
	first = i;
	end = end_of(m, i);
	code = &m->v[end - 1];
	if (strcmp(code->name, "[vdso]") != 0 || end - first < 2 ||
	    code->start - m->v[first].start > AGENT_VDSO - AGENT_VDSO_DATA ||
	    code->end - code->start > AGENT_VDSO_MAX)
		return false;
	for (; i < end; i++) {
		uint64_t start = m->v[i].start, len = m->v[i].end - start;
		uint64_t to = AGENT_VDSO - (code->start - start);

		batch_add(b, SYS_mremap, to, start, len, len,
			  MREMAP_MAYMOVE | MREMAP_FIXED, to, 0);
	}
	t->proc->space->vdso = code->end - code->start;
	return true;
}

int
vdso_hide(struct task *t, const struct maps *m, uint64_t rsp, struct buf *stack,
	  size_t auxv, size_t auxc, const char *stat, bool keep,
	  struct batch *b, struct err *err)
{
	int ret = clear_vector(t, rsp, stack, auxv, auxc, err);

	if (ret < 0)
		return ret;
	clear_kernel_copy(stat, rsp + auxv, auxc, b);
	if (!keep || !move(t, m, b))
		vdso_unmap(t, m, b);
	return 0;
}
