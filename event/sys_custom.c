/*
 * Arguments that a row of the table cannot describe: each function says why.
 */
#include <string.h>
#include <sys/syscall.h>

#include "event/sys_entry.h"

#define SYS_getxattrat_ 464

/* Commands and options that are told apart here. */
#define FIDEDUPERANGE_ 0xc0189436u
#define FIEMAP_ 0xc020660bu
#define SIOCGIFCONF_ 0x8912u
#define SIOCETHTOOL_ 0x8946u
#define SG_IO_ 0x2285u
#define PAGEMAP_SCAN_ 0xc0606610u
#define PROCMAP_QUERY_ 0xc0686611u
#define BTRFS_TREE_SEARCH_V2_ 0xc0709411u
#define BTRFS_SPACE_INFO_ 0xc0109414u
#define PR_SET_MM_ 0x23u
#define PR_SET_MM_MAP_SIZE_ 15u
#define PR_SCHED_CORE_ 0x3eu
#define PR_SCHED_CORE_GET_ 0u
#define CLONE_PIDFD_ 0x1000u
#define CLONE_PARENT_SETTID_ 0x100000u
#define CAPABILITY_VERSION_1_ 0x19980330u
#define SYSFS_NAME_ 2u

static uint64_t
min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Sizes that lie in memory and may be overwritten by the call. */
static void
ioctl_enter(struct sys_call *c, const struct sys_mem *m)
{
	const uint64_t p = c->args[2];
	uint64_t *w = c->entry->word;

	switch ((uint32_t)c->args[1]) {
	case FIDEDUPERANGE_:
		w[0] = sys_mem_u16(m, p + 16);
		break;
	case FIEMAP_:
		w[0] = sys_mem_u32(m, p + 24);
		break;
	case SIOCGIFCONF_:
		w[0] = sys_mem_u32(m, p);
		w[1] = sys_mem_u64(m, p + 8);
		break;
	case SIOCETHTOOL_:
		w[0] = sys_mem_u64(m, p + 16);
		w[1] = sys_mem_u32(m, w[0]);
		break;
	case SG_IO_:
		w[0] = sys_mem_u32(m, p + 12);
		w[1] = sys_mem_u64(m, p + 24);
		w[2] = sys_mem_u64(m, p + 32);
		w[3] = sys_mem_u32(m, p + 8); /* cmd_len, mx_sb_len, iovecs */
		break;
	case PAGEMAP_SCAN_:
		w[0] = sys_mem_u64(m, p + 40);
		w[1] = sys_mem_u64(m, p + 48);
		break;
	case PROCMAP_QUERY_:
		w[0] = sys_mem_u32(m, p + 80);
		w[1] = sys_mem_u32(m, p + 84);
		w[2] = sys_mem_u64(m, p + 88);
		w[3] = sys_mem_u64(m, p + 96);
		break;
	case BTRFS_TREE_SEARCH_V2_:
		w[0] = sys_mem_u64(m, p + 104);
		break;
	case BTRFS_SPACE_INFO_:
		w[0] = sys_mem_u64(m, p);
		break;
	default: /* wireless: a pointer and a length */
		w[0] = sys_mem_u64(m, p + 16);
		w[1] = sys_mem_u16(m, p + 24);
	}
}

void
custom_enter(struct sys_call *c, const struct sys_mem *m)
{
	const struct sys_subop *op = sys_subop(c);
	uint64_t *w = c->entry->word;

	switch (c->nr) {
	case SYS_ioctl:
		if (op && op->out == OP_CUSTOM && c->args[2])
			ioctl_enter(c, m);
		break;
	case SYS_keyctl: /* out_len of struct keyctl_pkey_params */
		if (op && op->out == OP_CUSTOM)
			w[0] = sys_mem_u32(m, c->args[1] + 8);
		break;
	case SYS_capget:
		w[0] = sys_mem_u32(m, c->args[0]);
		break;
	case SYS_name_to_handle_at:
		w[0] = sys_mem_u32(m, c->args[2]);
		break;
	case SYS_sched_setattr:
		w[0] = sys_mem_u32(m, c->args[1]);
		break;
	case SYS_getxattrat_:
		w[0] = sys_mem_u64(m, c->args[4]);
		w[1] = sys_mem_u32(m, c->args[4] + 8);
		break;
	default:
		break;
	}
}

/* The numbers of ethtool.h whose answer has a length of its own; of the
 * others no answer is longer than 512 bytes, and recording more than was
 * written is harmless, because nothing else runs meanwhile. */
static uint64_t
ethtool_len(const struct sys_mem *m, uint64_t p, uint32_t cmd)
{
	uint32_t n = sys_mem_u32(m, p + 8);

	switch (cmd) {
	case 0x04: /* GREGS: len at 8 */
		return 12 + (uint64_t)n;
	case 0x0b: /* GEEPROM: len at 12 */
	case 0x43: /* GMODULEEEPROM */
		return 16 + (uint64_t)sys_mem_u32(m, p + 12);
	case 0x1b: /* GSTRINGS: 32 bytes each */
		return 12 + (uint64_t)n * 32;
	case 0x1d: /* GSTATS */
	case 0x49: /* GPHYSTATS */
		return 8 + (uint64_t)sys_mem_u32(m, p + 4) * 8;
	case 0x20: /* GPERMADDR */
		return 8 + (uint64_t)sys_mem_u32(m, p + 4);
	case 0x3a: /* GFEATURES */
		return 8 + (uint64_t)sys_mem_u32(m, p + 4) * 16;
	default:
		return 512;
	}
}

/* Structures with pointers to, or followed by, a number of others. */
static void
ioctl_nested(const struct sys_call *c, const struct sys_mem *m,
	     enum sys_extent extent, struct ranges *r)
{
	const uint64_t p = c->args[2], *w = c->entry->word;
	const bool all = extent == EXTENT_ALL || !m;

	switch ((uint32_t)c->args[1]) {
	case FIDEDUPERANGE_:
		ranges_add(r, 2, p, 24 + 32 * w[0], 0);
		break;
	case FIEMAP_:
		ranges_add(r, 2, p,
			   32 + 56 * min64(w[0],
					   all ? w[0] : sys_mem_u32(m, p + 20)),
			   0);
		break;
	case SIOCGIFCONF_:
		ranges_add(r, 2, p, 16, 0);
		ranges_add(r, 2, w[1],
			   min64(w[0], all ? w[0] : sys_mem_u32(m, p)), p + 8);
		break;
	case SIOCETHTOOL_:
		ranges_add(r, 2, p, 40, 0);
		ranges_add(
			r, 2, w[0],
			min64(m ? ethtool_len(m, w[0], (uint32_t)w[1]) : 4096,
			      IN_BYTES_MAX),
			p + 16);
		break;
	case SG_IO_:
		ranges_add(r, 2, p, 88, 0);
		if (w[3] >> 16 == 0) /* no scatter list: those are rare */
			ranges_add(r, 2, w[1], w[0], p + 24);
		ranges_add(r, 2, w[2], (w[3] >> 8) & 0xff, p + 32);
		break;
	case PAGEMAP_SCAN_:
		ranges_add(r, 2, p, 96, 0);
		ranges_add(r, 2, w[0],
			   24 * min64(min64(w[1], 1u << 24),
				      all ? w[1] : (uint64_t)c->ret),
			   p + 40);
		break;
	case PROCMAP_QUERY_:
		ranges_add(r, 2, p, 104, 0);
		ranges_add(r, 2, w[2],
			   min64(w[0], all ? w[0] : sys_mem_u32(m, p + 80)),
			   p + 88);
		ranges_add(r, 2, w[3],
			   min64(w[1], all ? w[1] : sys_mem_u32(m, p + 84)),
			   p + 96);
		break;
	case BTRFS_TREE_SEARCH_V2_:
		ranges_add(r, 2, p, 112 + min64(w[0], 16u << 20), 0);
		break;
	case BTRFS_SPACE_INFO_:
		ranges_add(r, 2, p, 16 + 24 * min64(w[0], 1u << 16), 0);
		break;
	default: /* wireless */
		ranges_add(r, 2, p, 32, 0);
		ranges_add(r, 2, w[0], all ? w[1] : sys_mem_u16(m, p + 24),
			   p + 16);
	}
}

/* Sub-operations whose row says OP_CUSTOM. */
static void
subop_nested(const struct sys_call *c, const struct sys_mem *m,
	     enum sys_extent extent, struct ranges *r)
{
	const uint64_t ret = c->ret > 0 ? (uint64_t)c->ret : 0;
	const uint64_t *w = c->entry->word;

	switch (c->nr) {
	case SYS_ioctl:
		ioctl_nested(c, m, extent, r);
		break;
	case SYS_prctl:
		if ((c->args[0] == PR_SET_MM_ &&
		     c->args[1] == PR_SET_MM_MAP_SIZE_))
			ranges_add(r, 2, c->args[2], 4, 0);
		if (c->args[0] == PR_SCHED_CORE_ &&
		    c->args[1] == PR_SCHED_CORE_GET_)
			ranges_add(r, 4, c->args[4], 8, 0);
		break;
	case SYS_semctl:
		/* GETALL: the number of semaphores is the kernel's secret; at
		 * most 32000 (SEMMSL), of which the caller records what is
		 * readable. It does not wait, so nothing else runs. */
		ranges_add(r, 3, c->args[3], 2 * 32000u, 0);
		break;
	case SYS_keyctl: /* PKEY: ret bytes, as many as its parameters allow */
		ranges_add(r, 4, c->args[4],
			   extent == EXTENT_ALL ? w[0] : min64(w[0], ret), 0);
		break;
	default:
		break;
	}
}

static void
subop_outputs(const struct sys_call *c, const struct sys_subop *op,
	      const struct sys_mem *m, int i, enum sys_extent extent,
	      struct ranges *r)
{
	const uint64_t ret = c->ret > 0 ? (uint64_t)c->ret : 0;
	const bool failed = c->ret < 0 && c->ret >= -4095;

	if (op->arg != i)
		return;
	/* Rows have WHEN_ANY; the operation may not. */
	if (m && failed && !op->any && c->ret != -14 /* EFAULT */)
		return;
	switch ((enum subop_out)op->out) {
	case OP_CONST:
		ranges_add(r, i, c->args[i], op->size, 0);
		break;
	case OP_RET:
		ranges_add(r, i, c->args[i],
			   extent == EXTENT_ALL
				   ? min64(c->args[op->size], RW_BYTES_MAX)
				   : min64(ret, c->args[op->size]),
			   0);
		break;
	case OP_ARG:
		ranges_add(r, i, c->args[i],
			   min64(c->args[op->size], RW_BYTES_MAX), 0);
		break;
	case OP_CUSTOM:
		subop_nested(c, m, extent, r);
		break;
	case OP_NONE:
	case OP_REFUSE:
		break;
	}
}

void
custom_outputs(const struct sys_call *c, const struct sys_mem *m, int i,
	       enum sys_extent extent, struct ranges *r)
{
	const struct sys_subop *op = sys_subop(c);
	const uint64_t *w = c->entry->word;
	const uint64_t p = c->args[i];
	const bool ok = !m || c->ret >= 0;

	if (op) {
		subop_outputs(c, op, m, i, extent, r);
		return;
	}
	switch (c->nr) {
	case SYS_ioctl: /* no row: believe the request's own bits */
		if (ok && IOC_READ((uint32_t)c->args[1]))
			ranges_add(r, i, p, IOC_SIZE((uint32_t)c->args[1]), 0);
		break;
	case SYS_clone: /* one pointer, two meanings; the child's own word is
			 * written in its own space, which the recorder does */
		if (ok && (c->args[0] & (CLONE_PARENT_SETTID_ | CLONE_PIDFD_)))
			ranges_add(r, i, p, 4, 0);
		break;
	case SYS_capget: /* the header's version decides */
		if (ok)
			ranges_add(r, i, p,
				   w[0] == CAPABILITY_VERSION_1_ ? 12 : 24, 0);
		break;
	case SYS_sysfs: /* the length is that of the string it wrote */
		if (c->args[0] == SYSFS_NAME_ && ok)
			ranges_add(r, i, p,
				   m ? sys_mem_strlen(m, p, 255) + 1 : 256, 0);
		break;
	case SYS_name_to_handle_at: /* handle_bytes goes in and out */
		ranges_add(
			r, i, p,
			8 + (ok ? min64(w[0], m ? sys_mem_u32(m, p) : 128) : 0),
			0);
		break;
	case SYS_sched_setattr: /* E2BIG says how large it may be */
		if (!ok || !m)
			ranges_add(r, i, p, 4, 0);
		break;
	case SYS_getxattrat_: /* struct xattr_args points to the value */
		if (ok)
			ranges_add(r, i, w[0],
				   extent == EXTENT_ALL
					   ? w[1]
					   : min64((uint64_t)c->ret, w[1]),
				   p);
		break;
	default:
		break;
	}
}

void
custom_inputs(const struct sys_call *c, const struct sys_mem *m, int i,
	      struct ranges *r)
{
	const struct sys_subop *op = sys_subop(c);
	const uint64_t p = c->args[i];

	if (op) {
		if (op->in_size && op->in_arg == i)
			ranges_add(r, i, p, op->in_size, 0);
		return;
	}
	switch (c->nr) {
	case SYS_msgsnd: /* the text stands behind a type of 8 bytes */
		ranges_add(r, i, p, 8 + min64(c->args[2], IN_BYTES_MAX), 0);
		break;
	case SYS_mount: /* text of at most a page, but for a few old ones */
		ranges_add(r, i, p, sys_mem_strlen(m, p, 4095), 0);
		break;
	case SYS_open_by_handle_at:
		ranges_add(r, i, p, 8 + min64(sys_mem_u32(m, p), 128), 0);
		break;
	case SYS_sched_setattr:
		ranges_add(r, i, p, min64(c->entry->word[0], 128), 0);
		break;
	default:
		break;
	}
}
