/*
 * Instructions as people read them: capstone lives here. It is loaded when the
 * first one is wanted, because it has 70,000 pointers to relocate, 1.4 ms that
 * every command would pay for.
 */
#include "sym/internal.h"

#include "base/buf.h"
#include "sym/decode.h"

#include <capstone/capstone.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define INSN_MAX 15u

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
/* The version that the headers describe. */
#define LIBRARY "libcapstone.so." TEXT_OF(CS_API_MAJOR)

static struct {
	__typeof__(cs_open) *open;
	__typeof__(cs_option) *option;
	__typeof__(cs_disasm) *disasm;
	__typeof__(cs_free) *free;
	__typeof__(cs_close) *close;
} cs;
static bool cs_there;

static void
load(void)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return;
	cs.open = (__typeof__(cs_open) *)dlsym(lib, "cs_open");
	cs.option = (__typeof__(cs_option) *)dlsym(lib, "cs_option");
	cs.disasm = (__typeof__(cs_disasm) *)dlsym(lib, "cs_disasm");
	cs.free = (__typeof__(cs_free) *)dlsym(lib, "cs_free");
	cs.close = (__typeof__(cs_close) *)dlsym(lib, "cs_close");
	cs_there = cs.open && cs.option && cs.disasm && cs.free && cs.close;
}

/* 0 = there is none: instructions have bytes and lengths only. */
static csh
disasm_handle(struct symbols *s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	csh h = 0;

	pthread_once(&once, load);
	if (!s->capstone && cs_there) {
		if (cs.open(CS_ARCH_X86, CS_MODE_64, &h) != CS_ERR_OK)
			return 0;
		cs.option(h, CS_OPT_SYNTAX, CS_OPT_SYNTAX_INTEL);
		s->capstone = h;
	}
	return s->capstone;
}

void
disasm_close(struct symbols *s)
{
	csh h = s->capstone;

	if (h)
		cs.close(&h);
	s->capstone = 0;
}

/* The target of a direct jump or call, by name. */
static void
name_target(struct symbols *s, struct sym_insn *in)
{
	struct arena a = { 0 };
	struct sym_place p;
	char *end, *hex = strstr(in->text, " 0x");
	unsigned long long to;
	size_t len = strlen(in->text);

	if ((in->text[0] != 'j' && strncmp(in->text, "call", 4) != 0) || !hex)
		return;
	to = strtoull(hex + 1, &end, 16);
	if (*end)
		return;
	symbols_lookup(s, to, &a, &p);
	if (p.function && p.offset)
		snprintf(in->text + len, sizeof(in->text) - len, " <%.60s+%lu>",
			 p.function, p.offset);
	else if (p.function)
		snprintf(in->text + len, sizeof(in->text) - len, " <%.60s>",
			 p.function);
	arena_free(&a);
}

/* One instruction at p; what capstone cannot name is told as bytes, with the
 * length that Zydis knows. */
static void
disasm_one(struct symbols *s, uint64_t addr, struct span code,
	   struct sym_insn *out)
{
	cs_insn *in = NULL;
	csh h = disasm_handle(s);
	size_t n = h ? cs.disasm(h, code.p, code.len, addr, 1, &in) : 0;

	*out = (struct sym_insn){ .addr = addr };
	if (n) {
		out->len = (uint8_t)in->size;
		snprintf(out->text, sizeof(out->text), "%.24s%s%.64s", in->mnemonic,
			 *in->op_str ? " " : "", in->op_str);
		cs.free(in, n);
		name_target(s, out);
	} else {
		struct insn raw;

		decode_insn(code, &raw);
		out->len = raw.len;
		snprintf(out->text, sizeof(out->text), "%s",
			 raw.cls == INSN_INVALID ? "(bad)" : "(unknown)");
	}
	memcpy(out->bytes, code.p, out->len);
}

int
symbols_disasm(struct symbols *s, uint64_t addr, size_t n, struct sym_insn *out,
	       size_t *out_n, struct err *err)
{
	size_t len = 0;

	while (len < n) {
		uint8_t code[INSN_MAX];
		int64_t got = symbols_read(s, addr, code, sizeof(code));

		if (got <= 0)
			break;
		disasm_one(s, addr, span_of(code, (size_t)got), &out[len]);
		addr += out[len].len;
		len++;
	}
	*out_n = len;
	if (!len && n)
		return err_set(err, E_NOT_FOUND, "no memory at 0x%lx", addr);
	return 0;
}

/* Where to begin decoding so that addr is on a boundary: the function's start
 * when it is near, else some way before, where decoding falls into step. */
static uint64_t
start_before(struct symbols *s, uint64_t addr, size_t n)
{
	uint64_t start = symbols_function_start(s, addr);
	uint64_t want = n * INSN_MAX + 64;

	if (start && addr - start < 65536)
		return start;
	return addr > want ? addr - want : 0;
}

int
symbols_disasm_before(struct symbols *s, uint64_t addr, size_t n,
		      struct sym_insn *out, size_t *out_n, struct err *err)
{
	VEC(uint64_t) at = { 0 };
	uint64_t from = start_before(s, addr, n);
	struct buf code = { 0 };
	int64_t got = 0;
	size_t first;
	int rc = 0;

	if (addr > from) {
		uint8_t *p = buf_grow(&code, (size_t)(addr - from));

		got = symbols_read(s, from, p, (size_t)(addr - from));
	}
	for (uint64_t off = 0; got > 0 && off < (uint64_t)got;) {
		struct insn in;

		vec_push(&at, from + off);
		decode_insn(span_of(code.p + off, (size_t)got - off), &in);
		off += in.len;
	}
	first = at.len > n ? at.len - n : 0;
	*out_n = at.len - first;
	for (size_t i = first; i < at.len && rc >= 0; i++) {
		size_t one = 0;

		rc = symbols_disasm(s, at.v[i], 1, &out[i - first], &one, err);
	}
	vec_free(&at);
	buf_free(&code);
	return rc < 0 ? rc : 0;
}
