/* Finding instructions in executables that somebody else made. */
#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tracee/patch.h"

#define NPH 3u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A header that passes, program headers near something that makes sense,
 * moved by the input's first bytes, and the rest of the input as contents. */
static size_t
build(uint8_t *out, const uint8_t *p, size_t n)
{
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64,
				       ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_DYN,
			  .e_machine = EM_X86_64,
			  .e_phoff = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = NPH };
	Elf64_Phdr ph[NPH] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X },
		{ .p_type = PT_LOAD, .p_flags = PF_R },
		{ .p_type = PT_GNU_EH_FRAME, .p_flags = PF_R },
	};
	size_t head = sizeof(eh) + sizeof(ph), used = 0, i;

	for (i = 0; i < NPH; i++) {
		int16_t v[4] = { 0 };

		if (n - used >= sizeof(v)) {
			memcpy(v, p + used, sizeof(v));
			used += sizeof(v);
		}
		ph[i].p_offset = (uint64_t)(int64_t)v[0];
		ph[i].p_vaddr = (uint64_t)(int64_t)v[1];
		ph[i].p_filesz = (uint64_t)(int64_t)v[2];
		ph[i].p_memsz = ph[i].p_filesz;
		if (v[3] < 0)
			ph[i].p_offset = ph[i].p_vaddr = head;
	}
	memcpy(out, &eh, sizeof(eh));
	memcpy(out + sizeof(eh), ph, sizeof(ph));
	if (n > used)
		memcpy(out + head, p + used, n - used);
	return head + (n - used);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t *file = mem_zalloc(n + 4096);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct patch_list l;
	size_t size = build(file, p, n), i;

	if (fd >= 0 && fd_write_all(fd, file, size) == 0 &&
	    patch_scan(fd, &l, NULL) == 0) {
		for (i = 0; i < l.len; i++) {
			ASSERT(l.v[i].offset < size);
			ASSERT(l.v[i].first == file[l.v[i].offset]);
		}
		patch_free(&l);
	}
	fd_close(&fd);
	mem_free(file);
	return 0;
}
