/* What the program printed up to this event; the end of it is what one sees. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

#define OUTPUT_MAX 65536u

struct output_view {
	struct view v;
	bool mine; /* of the event's process only */
};

struct output_job {
	struct job job;
	struct ui *ui;
	uint32_t process;
	uint64_t seq;
	struct buf text;
};

static int
output_run(struct job *job, void *data)
{
	struct output_job *j = (struct output_job *)job;

	buf_clear(&j->text);
	return j->ui->o->query->output(data, j->process, j->seq, OUTPUT_MAX,
				       &j->text, &job->err);
}

/* The bytes of a terminal's control sequence at p, 0 = there is none. */
static size_t
sequence(const char *p, size_t len)
{
	size_t n = 2;

	if (len < 2 || p[0] != 27 || p[1] != '[')
		return 0;
	while (n < len && !(p[n] >= 0x40 && p[n] <= 0x7e))
		n++;
	return n < len ? n + 1 : len;
}

/*
 * A line of the program's as a terminal would leave it: a lone return
 * begins it anew, colours are left out.
 */
static void
add_line(struct lines *l, const char *p, size_t len)
{
	char *text = arena_alloc(&l->arena, len + 1);
	size_t n = 0;

	while (len && p[len - 1] == '\r')
		len--;
	for (size_t i = 0; i < len; i++) {
		size_t skip = sequence(p + i, len - i);

		if (skip)
			i += skip - 1;
		else if (p[i] == '\r')
			n = 0;
		else if (p[i])
			text[n++] = p[i];
	}
	text[n] = '\0';
	lines_add(l, STYLE_NORMAL, text);
}

static void
output_done(struct job *job, void *owner)
{
	struct output_job *j = (struct output_job *)job;
	struct ui *ui = owner;
	struct lines *l = &ui->views[VIEW_OUTPUT]->lines;
	const char *p, *end, *nl;

	if (job->rc == -E_CANCELLED)
		goto out;
	lines_clear(l);
	if (job->rc < 0) {
		lines_add(l, STYLE_ERROR, job->err.text);
		goto out;
	}
	p = buf_cstr(&j->text);
	end = p + j->text.len;
	if (p == end)
		lines_add(l, STYLE_DIM, "nothing was printed yet");
	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		add_line(l, p, (size_t)(nl - p));
	}
	lines_set_cursor(l, SIZE_MAX);
out:
	buf_free(&j->text);
}

/* What a person asks for goes before what goes along: asked again behind it. */
void
output_postpone(struct ui *ui)
{
	worker_cancel(ui->ask, JOB_OUTPUT);
	ui->views[VIEW_OUTPUT]->dirty |= DIRTY_POS;
}

static void
output_update(struct view *v, unsigned dirty)
{
	struct output_view *o = (struct output_view *)v;
	struct ui *ui = v->ui;
	struct output_job *j;

	v->lines.no_gutter = true;
	if (!(dirty & (DIRTY_POS | DIRTY_HERE)) || !ui->seq)
		return;
	j = job_new(sizeof(*j), JOB_OUTPUT, output_run, output_done, ui);
	j->ui = ui;
	j->process = o->mine ? nav_process(ui) : 0;
	j->seq = ui->seq;
	worker_submit(ui->ask, &j->job);
}

static bool
output_request(struct view *v, enum request r, uint64_t count)
{
	struct output_view *o = (struct output_view *)v;

	(void)count;
	if (r != REQ_ENTER)
		return false;
	o->mine = !o->mine;
	v->dirty |= DIRTY_POS;
	return true;
}

static void
output_label(const struct view *v, struct buf *out)
{
	const struct output_view *o = (const struct output_view *)v;

	buf_str(out, o->mine ? " of this process" : " of all processes");
}

const struct view_ops output_ops = {
	.title = "Output",
	.slot = SLOT_OUTPUT,
	.size = sizeof(struct output_view),
	.update = output_update,
	.request = output_request,
	.label = output_label,
};
