/*
 * Zydis lives here. Capstone 4, which people read through, cannot decode every
 * AVX-512 instruction of glibc; a sweep that loses step would miss sites.
 */
#include "sym/decode.h"

#include "base/vec.h"

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <string.h>

/* A sweep that starts this far before a place has found the instruction
 * boundaries long before it gets there: x86 decoding is self-synchronising. */
#define SYNC_WINDOW 512u

static void
decoder_init(ZydisDecoder *d)
{
	ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
}

static uint8_t
insn_class(ZydisMnemonic m)
{
	switch ((int)m) {
	case ZYDIS_MNEMONIC_SYSCALL:
		return INSN_SYSCALL;
	case ZYDIS_MNEMONIC_RDTSC:
		return INSN_RDTSC;
	case ZYDIS_MNEMONIC_RDTSCP:
		return INSN_RDTSCP;
	case ZYDIS_MNEMONIC_CPUID:
		return INSN_CPUID;
	case ZYDIS_MNEMONIC_RDRAND:
		return INSN_RDRAND;
	case ZYDIS_MNEMONIC_RDSEED:
		return INSN_RDSEED;
	case ZYDIS_MNEMONIC_RDPID:
		return INSN_RDPID;
	default:
		return INSN_OTHER;
	}
}

void
decode_insn(struct span code, struct insn *out)
{
	ZydisDecoder d;
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

	ZydisDecoderContext ctx;

	*out = (struct insn){ .len = 1, .cls = INSN_INVALID };
	decoder_init(&d);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&d, &ctx, code.p,
							code.len, &in)))
		return;
	out->len = in.length;
	out->cls = insn_class(in.mnemonic);
	if (out->cls < INSN_RDRAND || out->cls > INSN_RDPID)
		return;
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&d, &ctx, &in, ops,
						     in.operand_count)))
		return;
	ZyanI8 id = ZydisRegisterGetId(ops[0].reg.value);

	out->reg = (uint8_t)(id < 0 ? 0 : id);
	out->bits = (uint8_t)ops[0].size;
}

/* True when the bytes from a 0f on may be one of the instructions we look for
 * (prefixes stand before it). */
static bool
is_candidate(const uint8_t *p, size_t left)
{
	if (left < 2)
		return false;
	if (p[1] == 0xa2 || p[1] == 0x31)
		return true;
	if (left < 3)
		return false;
	if (p[1] == 0x01)
		return p[2] == 0xf9;
	if (p[1] != 0xc7)
		return false;
	/* 0f c7 /6 rdrand, /7 rdseed or (f3) rdpid; register form only */
	return p[2] >= 0xf0;
}

/* Decode from from on; the start of the instruction that covers at. */
static size_t
covering(const ZydisDecoder *d, struct span code, size_t from, size_t at)
{
	while (from <= at) {
		ZydisDecodedInstruction in;
		size_t len = 1;

		if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			    d, NULL, code.p + from, code.len - from, &in)))
			len = in.length;
		if (from + len > at)
			return from;
		from += len;
	}
	return from;
}

/* The last start that is not after at, or a place SYNC_WINDOW before it. */
static size_t
sweep_start(const uint64_t *starts, size_t n, size_t at)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (starts[mid] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	size_t near = at > SYNC_WINDOW ? at - SYNC_WINDOW : 0;

	return lo && starts[lo - 1] > near ? (size_t)starts[lo - 1] : near;
}

void
decode_find_sites(struct span code, const uint64_t *starts, size_t n_starts,
		  struct insn_site **out, size_t *out_n)
{
	VEC(struct insn_site) sites = { 0 };
	ZydisDecoder d;
	size_t at = 0;

	decoder_init(&d);
	while (at < code.len) {
		const uint8_t *p = memchr(code.p + at, 0x0f, code.len - at);

		if (!p)
			break;
		at = (size_t)(p - code.p);
		if (!is_candidate(p, code.len - at)) {
			at++;
			continue;
		}
		size_t from = sweep_start(starts, n_starts, at);
		size_t start = covering(&d, code, from, at);
		struct insn in;

		decode_insn(span_of(code.p + start, code.len - start), &in);
		if (in.cls >= INSN_RDTSC && in.cls <= INSN_RDPID &&
		    start + in.len > at) {
			struct insn_site s = { .offset = start, .insn = in };

			vec_push(&sites, s);
			at = start + in.len;
			continue;
		}
		at++;
	}
	*out = sites.v;
	*out_n = sites.len;
}
