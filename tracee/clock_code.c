#include "tracee/clock_code.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/arena.h"
#include "sym/decode.h"
#include "tracee/maps.h"

static const char *const names[AGENT_CLOCKS] = {
	[AGENT_CLOCK_GETTIME] = "__vdso_clock_gettime",
	[AGENT_GETTIMEOFDAY] = "__vdso_gettimeofday",
	[AGENT_TIME] = "__vdso_time",
};

/* or $0xff, %al: a system call's result that is none of theirs. */
static const uint8_t refusal[2] = { 0x0c, 0xff };

static bool
is_in(const struct buf *b, uint64_t at, uint64_t n)
{
	return at <= b->len && n <= b->len - at;
}

/* No more system calls in this code. */
static void
refuse_calls(struct buf *b, uint64_t at, uint64_t end)
{
	struct insn in;

	for (; at < end; at += in.len) {
		decode_insn(span_of(b->p + at, (size_t)(end - at)), &in);
		if (in.cls == INSN_SYSCALL)
			memcpy(b->p + at, refusal, sizeof(refusal));
	}
}

static void
find_names(const struct buf *b, const Elf64_Shdr *syms, const Elf64_Shdr *text,
	   uint64_t clock[AGENT_CLOCKS])
{
	Elf64_Sym s;

	for (uint64_t at = 0; at + sizeof(s) <= syms->sh_size;
	     at += sizeof(s)) {
		const char *name = (const char *)b->p + text->sh_offset;

		memcpy(&s, b->p + syms->sh_offset + at, sizeof(s));
		if (s.st_name >= text->sh_size || s.st_shndx == SHN_UNDEF ||
		    !is_in(b, s.st_value, 1))
			continue;
		name += s.st_name;
		for (size_t i = 0; i < AGENT_CLOCKS; i++)
			if (strncmp(name, names[i],
				    text->sh_size - s.st_name) == 0)
				clock[i] = AGENT_VDSO + s.st_value;
	}
}

/* Its addresses are offsets in it. false: it is not understood. */
static bool
prepare(struct buf *b, uint64_t clock[AGENT_CLOCKS])
{
	Elf64_Shdr sh[64];
	Elf64_Ehdr eh;

	if (!is_in(b, 0, sizeof(eh)))
		return false;
	memcpy(&eh, b->p, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_shentsize != sizeof(sh[0]) ||
	    eh.e_shnum > sizeof(sh) / sizeof(sh[0]) ||
	    !is_in(b, eh.e_shoff, eh.e_shnum * sizeof(sh[0])))
		return false;
	memcpy(sh, b->p + eh.e_shoff, eh.e_shnum * sizeof(sh[0]));
	for (size_t i = 0; i < eh.e_shnum; i++)
		if (sh[i].sh_type != SHT_NOBITS &&
		    !is_in(b, sh[i].sh_offset, sh[i].sh_size))
			return false;
	for (size_t i = 0; i < eh.e_shnum; i++) {
		if (sh[i].sh_flags & SHF_EXECINSTR)
			refuse_calls(b, sh[i].sh_offset,
				     sh[i].sh_offset + sh[i].sh_size);
		if (sh[i].sh_type == SHT_DYNSYM && sh[i].sh_link < eh.e_shnum)
			find_names(b, &sh[i], &sh[sh[i].sh_link], clock);
	}
	return true;
}

void
clock_code(struct buf *out, uint64_t clock[AGENT_CLOCKS])
{
	const uint64_t at = getauxval(AT_SYSINFO_EHDR);
	struct arena arena = { 0 };
	struct vma v;

	memset(clock, 0, AGENT_CLOCKS * sizeof(clock[0]));
	if (at != 0 && maps_query(getpid(), at, &arena, &v, NULL) == 0 &&
	    v.start == at && v.end - v.start <= AGENT_VDSO_MAX)
		buf_put(out, (const void *)(uintptr_t)v.start,
			(size_t)(v.end - v.start));
	arena_free(&arena);
	if (prepare(out, clock))
		return;
	memset(clock, 0, AGENT_CLOCKS * sizeof(clock[0]));
	buf_clear(out);
}
