/* General registers; a star marks those that differ from the last stop. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

static const struct {
	uint64_t bit;
	const char *name;
} flag_names[] = {
	{ 0x001, "CF" }, { 0x004, "PF" }, { 0x010, "AF" }, { 0x040, "ZF" },
	{ 0x080, "SF" }, { 0x100, "TF" }, { 0x400, "DF" }, { 0x800, "OF" },
};

/* In the order in which people read them. */
static const char *const shown[] = {
	"rip", "rsp", "rax", "rbx",    "rcx",	  "rdx",     "rsi",
	"rdi", "rbp", "r8",  "r9",     "r10",	  "r11",     "r12",
	"r13", "r14", "r15", "eflags", "fs_base", "gs_base", "orig_rax",
	"cs",  "ss",  "ds",  "es",     "fs",	  "gs",
};

static const struct regs *
regs_before(const struct ui *ui)
{
	const struct tui_moment *b = &ui->before.m;

	return ui->before.valid && b->has_regs && b->task == ui->moment.m.task
		       ? &b->regs
		       : NULL;
}

static int
reg_index(const char *name)
{
	for (int i = 0; reg_table[i].name; i++)
		if (!strcmp(reg_table[i].name, name))
			return i;
	return -1;
}

static void
flags_text(uint64_t flags, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
		if (flags & flag_names[i].bit)
			buf_printf(out, " %s", flag_names[i].name);
}

static void
registers_update(struct view *v, unsigned dirty)
{
	const struct tui_moment *m = &v->ui->moment.m;
	const struct regs *old = regs_before(v->ui);
	struct lines *l = &v->lines;

	if (!(dirty & DIRTY_MOMENT) || !moment_known(v))
		return;
	lines_clear(l);
	if (!m->has_regs) {
		lines_add(l, STYLE_DIM, m->note ? m->note : "no task here");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		int at = reg_index(shown[i]);
		struct buf text = { 0 };
		struct line *line;
		uint64_t value;
		bool changed;

		if (at < 0)
			continue;
		value = regs_get(&m->regs, (size_t)at);
		changed = old && value != regs_get(old, (size_t)at);
		buf_printf(&text, "%-8s %016" PRIx64, shown[i], value);
		if (!strcmp(shown[i], "eflags"))
			flags_text(value, &text);
		else if (!strcmp(shown[i], "rip") && m->n_frames &&
			 m->frames[0].place.function)
			buf_printf(&text, " %s+%" PRIu64,
				   m->frames[0].place.function,
				   m->frames[0].place.offset);
		else if (value && (int64_t)value > -4096 &&
			 (int64_t)value < 100000000)
			buf_printf(&text, " %" PRId64, (int64_t)value);
		line = lines_add(l, changed ? STYLE_CHANGED : STYLE_NORMAL,
				 buf_cstr(&text));
		line->gutter = changed ? '*' : 0;
		line->num = value;
		buf_free(&text);
	}
}

/* Enter on a register: memory where it points. */
static bool
registers_request(struct view *v, enum request r, uint64_t count)
{
	const struct line *line = lines_current(&v->lines);
	char text[32];

	(void)count;
	if (r != REQ_ENTER || !line || !v->ui->moment.m.has_regs)
		return false;
	snprintf(text, sizeof(text), "0x%" PRIx64, line->num);
	memory_look(v->ui, text);
	return true;
}

const struct view_ops regs_ops = {
	.title = "Regs",
	.slot = SLOT_STATE,
	.size = sizeof(struct view),
	.update = registers_update,
	.request = registers_request,
	.label = state_label,
};
