/*
 * Backtraces with libunwind's remote interface: registers come from the
 * caller, memory through the callback, unwind tables from the .eh_frame_hdr
 * that lies in the program's own memory.
 */
#include "sym/internal.h"

#include <libunwind-x86_64.h>
#include <string.h>

/* Exported by libunwind-x86_64 for remote address spaces, in no header. */
int _Ux86_64_dwarf_search_unwind_table(unw_addr_space_t as, unw_word_t ip,
				       unw_dyn_info_t *di, unw_proc_info_t *pi,
				       int need_unwind_info, void *arg);

struct unwinder {
	unw_addr_space_t as;
	struct symbols *s;
	const struct regs *regs;
};

/* .eh_frame_hdr: version, three encodings, then (with the encodings that every
 * linker writes) a 4-byte pointer, a 4-byte count and the sorted table. */
#define EH_HDR_LEN 12u
#define EH_ENC_COUNT_UDATA4 0x03
#define EH_ENC_TABLE_DATAREL_SDATA4 0x3b

static int
find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi,
	       int need_info, void *arg)
{
	struct unwinder *u = arg;
	struct sym_module *m = symbols_module(u->s, ip);
	unw_dyn_info_t di;
	uint8_t h[EH_HDR_LEN];
	uint32_t count;

	if (!m || !m->eh_hdr ||
	    symbols_read(u->s, m->eh_hdr, h, sizeof(h)) != (int64_t)sizeof(h) ||
	    h[0] != 1 || h[2] != EH_ENC_COUNT_UDATA4 ||
	    h[3] != EH_ENC_TABLE_DATAREL_SDATA4)
		return -UNW_ENOINFO;
	memcpy(&count, h + 8, sizeof(count));
	if ((uint64_t)count * 8 + EH_HDR_LEN > m->eh_hdr_len)
		return -UNW_ENOINFO;
	memset(&di, 0, sizeof(di));
	di.format = UNW_INFO_FORMAT_REMOTE_TABLE;
	di.start_ip = m->start;
	di.end_ip = m->end;
	di.u.rti.segbase = m->eh_hdr;
	di.u.rti.table_data = m->eh_hdr + EH_HDR_LEN;
	di.u.rti.table_len = (unw_word_t)count * 8 / sizeof(unw_word_t);
	return _Ux86_64_dwarf_search_unwind_table(as, ip, &di, pi, need_info,
						  arg);
}

static void
put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
}

static int
get_dyn_info_list(unw_addr_space_t as, unw_word_t *dil, void *arg)
{
	return -UNW_ENOINFO;
}

static int
access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *val, int write,
	   void *arg)
{
	struct unwinder *u = arg;

	if (write || symbols_read(u->s, addr, val, sizeof(*val)) !=
			     (int64_t)sizeof(*val))
		return -UNW_EINVAL;
	return 0;
}

static int
access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *val, int write,
	   void *arg)
{
	const struct regs *r = ((struct unwinder *)arg)->regs;

	if (write)
		return -UNW_EREADONLYREG;
	switch ((int)reg) {
	case UNW_X86_64_RAX: *val = r->rax; return 0;
	case UNW_X86_64_RDX: *val = r->rdx; return 0;
	case UNW_X86_64_RCX: *val = r->rcx; return 0;
	case UNW_X86_64_RBX: *val = r->rbx; return 0;
	case UNW_X86_64_RSI: *val = r->rsi; return 0;
	case UNW_X86_64_RDI: *val = r->rdi; return 0;
	case UNW_X86_64_RBP: *val = r->rbp; return 0;
	case UNW_X86_64_RSP: *val = r->rsp; return 0;
	case UNW_X86_64_R8: *val = r->r8; return 0;
	case UNW_X86_64_R9: *val = r->r9; return 0;
	case UNW_X86_64_R10: *val = r->r10; return 0;
	case UNW_X86_64_R11: *val = r->r11; return 0;
	case UNW_X86_64_R12: *val = r->r12; return 0;
	case UNW_X86_64_R13: *val = r->r13; return 0;
	case UNW_X86_64_R14: *val = r->r14; return 0;
	case UNW_X86_64_R15: *val = r->r15; return 0;
	case UNW_X86_64_RIP: *val = r->rip; return 0;
	default: return -UNW_EBADREG;
	}
}

static int
access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *val, int write,
	     void *arg)
{
	return -UNW_EBADREG;
}

static int
resume(unw_addr_space_t as, unw_cursor_t *c, void *arg)
{
	return -UNW_EINVAL;
}

static int
get_proc_name(unw_addr_space_t as, unw_word_t addr, char *buf, size_t len,
	      unw_word_t *off, void *arg)
{
	return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = get_dyn_info_list,
	.access_mem = access_mem,
	.access_reg = access_reg,
	.access_fpreg = access_fpreg,
	.resume = resume,
	.get_proc_name = get_proc_name,
};

static struct unwinder *
unwinder_get(struct symbols *s)
{
	if (!s->unwinder) {
		s->unwinder = mem_zalloc(sizeof(*s->unwinder));
		s->unwinder->s = s;
		s->unwinder->as = unw_create_addr_space(&accessors, 0);
		if (!s->unwinder->as)
			die("libunwind: out of memory");
	}
	/* mappings may have changed since the last backtrace */
	unw_flush_cache(s->unwinder->as, 0, 0);
	return s->unwinder;
}

void
unwinder_free(struct unwinder *u)
{
	if (u && u->as)
		unw_destroy_addr_space(u->as);
	mem_free(u);
}

/* What callees keep is in the cursor; the rest stays what it is below. */
static void
frame_regs(unw_cursor_t *c, struct sym_frame *f)
{
	static const struct {
		int reg;
		size_t offset;
	} kept[] = {
		{ UNW_X86_64_RBX, offsetof(struct regs, rbx) },
		{ UNW_X86_64_RBP, offsetof(struct regs, rbp) },
		{ UNW_X86_64_R12, offsetof(struct regs, r12) },
		{ UNW_X86_64_R13, offsetof(struct regs, r13) },
		{ UNW_X86_64_R14, offsetof(struct regs, r14) },
		{ UNW_X86_64_R15, offsetof(struct regs, r15) },
	};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		unw_word_t v;

		if (unw_get_reg(c, kept[i].reg, &v) == 0)
			memcpy((uint8_t *)&f->regs + kept[i].offset, &v,
			       sizeof(v));
	}
	f->regs.rsp = f->sp;
	f->regs.rip = f->pc;
}

int
symbols_backtrace(struct symbols *s, const struct regs *regs, size_t max,
		  struct arena *a, struct sym_frame **out, size_t *n,
		  struct err *err)
{
	struct unwinder *u = unwinder_get(s);
	struct sym_frame *f = arena_alloc(a, max * sizeof(*f));
	unw_cursor_t c;
	size_t len = 0;

	u->regs = regs;
	if (unw_init_remote(&c, u->as, u))
		return err_set(err, E_FORMAT, "libunwind cannot start at 0x%lx",
			       regs->rip);
	while (len < max) {
		struct sym_frame *p = &f[len];
		unw_word_t pc = 0, sp = 0;

		if (unw_get_reg(&c, UNW_REG_IP, &pc) ||
		    unw_get_reg(&c, UNW_REG_SP, &sp) || !pc)
			break;
		if (len && f[len - 1].pc == pc && f[len - 1].sp == sp)
			break;
		p->pc = pc;
		p->sp = sp;
		if (len)
			f[len - 1].cfa = sp;
		p->signal_frame = unw_is_signal_frame(&c) > 0;
		p->outer = len > 0;
		p->regs = *regs;
		frame_regs(&c, p);
		/* a return address belongs to the call before it */
		p->at = len && !f[len - 1].signal_frame ? pc - 1 : pc;
		symbols_lookup(s, p->at, a, &p->place);
		if (p->place.function && len && !f[len - 1].signal_frame)
			p->place.offset++;
		len++;
		if (unw_step(&c) <= 0)
			break;
	}
	*out = f;
	*n = len;
	return 0;
}
