#include "tracee/inject.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "agent/abi.h"
#include "agent/blob.h"
#include "base/mem.h"
#include "tracee/remote.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

int
inject_agent(pid_t tid, const struct mem *m, struct err *err)
{
	const uint64_t args[6] = {
		AGENT_BASE,
		AGENT_SIZE,
		PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		(uint64_t)-1,
		0,
	};
	int64_t at = 0;
	int ret;

	ASSERT(agent_blob_len <= AGENT_SIZE);
	ret = remote_syscall_poke(tid, m, SYS_mmap, args, &at, err);
	if (ret < 0)
		return ret;
	if (at < 0 || (uint64_t)at != AGENT_BASE) {
		errno = at < 0 ? (int)-at : EEXIST;
		return err_errno(err, "cannot map pastime's page at %#lx",
				 AGENT_BASE);
	}
	/* Through page protection: no page of the program is ever both
	 * writable and executable because of us. */
	if (mem_write_all(m, AGENT_BASE, agent_blob, agent_blob_len) < 0)
		return err_set(err, EFAULT, "cannot write pastime's page");
	return 0;
}
