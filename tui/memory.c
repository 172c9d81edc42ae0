/* Bytes at an address, or at what an expression comes to at every stop. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

struct memory_view {
	struct view v;
	uint64_t addr; /* of the first line */
	int per_line;
	uint64_t follow; /* base that the cursor was set for */
};

void
memory_look(struct ui *ui, const char *expr)
{
	mem_free(ui->mem_expr);
	ui->mem_expr = *expr ? mem_strdup(expr) : NULL;
	ui->mem_shift = 0;
	((struct memory_view *)ui->views[VIEW_MEMORY])->follow = 0;
	ui_open(ui, VIEW_MEMORY);
	moment_want(ui);
}

/* The byte at addr at the last stop, or -1. */
static int
byte_before(const struct ui *ui, uint64_t addr)
{
	const struct tui_moment *b = &ui->before.m;

	if (!ui->before.valid || b->task != ui->moment.m.task ||
	    addr < b->mem_addr || addr - b->mem_addr >= b->mem_len)
		return -1;
	return b->mem[addr - b->mem_addr];
}

static void
add_bytes(struct memory_view *mv, const struct tui_moment *m, size_t at)
{
	const struct ui *ui = mv->v.ui;
	uint64_t addr = m->mem_addr + at;
	size_t n = m->mem_len - at;
	struct buf hex = { 0 }, text = { 0 };
	bool changed = false;
	struct line *line;

	if (n > (size_t)mv->per_line)
		n = (size_t)mv->per_line;
	for (size_t i = 0; i < (size_t)mv->per_line; i++) {
		uint8_t byte;
		int old;

		if (i >= n) {
			buf_str(&hex, "   ");
			continue;
		}
		byte = m->mem[at + i];
		old = byte_before(ui, addr + i);
		/* A changed byte is marked beside its digits. */
		buf_printf(&hex, "%02x%c", byte,
			   old >= 0 && old != byte ? '*' : ' ');
		changed |= old >= 0 && old != byte;
		buf_u8(&text, byte >= 0x20 && byte < 0x7f ? byte : '.');
	}
	line = lines_addf(&mv->v.lines, changed ? STYLE_CHANGED : STYLE_NORMAL,
			  "%08" PRIx64 " %s%s", addr, buf_cstr(&hex),
			  buf_cstr(&text));
	line->gutter = changed ? '*' : 0;
	line->num = addr;
	if (m->mem_base >= addr && m->mem_base < addr + n)
		line->gutter = '>';
	buf_free(&hex);
	buf_free(&text);
}

/* Address, three columns a byte and one for its character. */
static int
bytes_that_fit(int w)
{
	return w >= 13 + 1 + 16 * 4 ? 16 : w >= 13 + 1 + 8 * 4 ? 8 : 4;
}

static void
memory_update(struct view *v, unsigned dirty)
{
	struct memory_view *mv = (struct memory_view *)v;
	const struct tui_moment *m = &v->ui->moment.m;
	struct lines *l = &v->lines;
	const struct line *line = lines_current(l);
	uint64_t stay = line ? line->num : 0;

	if (!(dirty & (DIRTY_MOMENT | DIRTY_SIZE)) || !moment_known(v))
		return;
	mv->per_line = bytes_that_fit(v->rect.w);
	/* It showed no memory: what was asked for, not where a list begins. */
	if (!stay)
		mv->follow = 0;
	lines_clear(l);
	if (!m->mem_len) {
		lines_add(l, STYLE_DIM,
			  m->mem_note ? m->mem_note
			  : m->note   ? m->note
				      : "no memory there");
		return;
	}
	for (size_t at = 0; at < m->mem_len; at += (size_t)mv->per_line)
		add_bytes(mv, m, at);
	if (mv->follow != m->mem_base) {
		mv->follow = m->mem_base;
		stay = m->mem_base;
		l->top = SIZE_MAX;
	}
	if (stay < m->mem_addr)
		stay = m->mem_addr;
	lines_set_cursor(l,
			 (size_t)(stay - m->mem_addr) / (size_t)mv->per_line);
	if (l->top == SIZE_MAX)
		l->top = l->cursor;
}

static bool
memory_request(struct view *v, enum request r, uint64_t count)
{
	struct memory_view *mv = (struct memory_view *)v;
	struct ui *ui = v->ui;
	struct lines *l = &v->lines;
	const struct line *line = lines_current(l);
	size_t margin = (size_t)v->rect.h + 4;
	int64_t half = TUI_MEM_WINDOW / 2;

	if (r == REQ_ENTER) {
		prompt_open(&ui->prompt, PROMPT_COMMAND, "memory ");
		return true;
	}
	if (!lines_request(l, r, count))
		return false;
	if (!line || !mv->per_line || moment_stale(ui))
		return true;
	/* Close to an end of what is here: fetch the window further on. */
	if (r == REQ_TOP || r == REQ_BOTTOM)
		margin = 1;
	if (l->cursor < margin && ui->moment.m.mem_addr > 0)
		ui->mem_shift -= half;
	else if (l->cursor + margin >= l->v.len)
		ui->mem_shift += half;
	else
		return true;
	moment_want(ui);
	return true;
}

static void
memory_label(const struct view *v, struct buf *out)
{
	buf_printf(out, " %s", v->ui->mem_expr ? v->ui->mem_expr : "rsp");
	state_label(v, out);
}

const struct view_ops memory_ops = {
	.title = "Mem",
	.slot = SLOT_STATE,
	.size = sizeof(struct memory_view),
	.update = memory_update,
	.request = memory_request,
	.label = memory_label,
};
