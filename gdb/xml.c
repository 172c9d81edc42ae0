/* Threads and processes as XML. */
#include "gdb/session.h"
#include "gdb/thread.h"

#include <string.h>

void
xml_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 127)
			buf_u8(out, '?'); /* XML has no way to say it */
		else if (strchr("&<>\"'", c))
			buf_printf(out, "&#%u;", c);
		else
			buf_u8(out, c);
	}
}

void
threads_xml(struct gdb_server *s, struct buf *out)
{
	const struct target_task *t;
	size_t i = 0;

	buf_str(out, "<?xml version=\"1.0\"?>\n<threads>\n");
	while ((t = thread_next(s, &i)) != NULL) {
		process_tell(s, t);
		buf_str(out, "<thread id=\"");
		thread_put(s, out, t);
		buf_str(out, "\" name=\"");
		xml_text(out, t->comm ? t->comm : "");
		buf_str(out, "\">");
		xml_text(out, thread_doing(s, t));
		buf_str(out, "</thread>\n");
	}
	buf_str(out, "</threads>\n");
}

/* The types of tables that "info os" has. */
static void
put_types(struct buf *out)
{
	buf_str(out, "<osdata type=\"types\">\n<item>"
		     "<column name=\"Type\">processes</column>"
		     "<column name=\"Description\">Processes of the "
		     "recording that live here</column>"
		     "<column name=\"Title\">Processes</column>"
		     "</item>\n</osdata>\n");
}

int
osdata_xml(struct gdb_server *s, struct span type, struct buf *out)
{
	uint32_t last = 0;

	if (type.len == 0) {
		put_types(out);
		return 0;
	}
	if (!span_eq(type, span_str("processes")))
		return -E_NOT_FOUND;
	buf_str(out, "<osdata type=\"processes\">\n");
	for (size_t i = 0; threads_load(s, NULL) == 0 && i < s->n_tasks; i++) {
		const struct target_task *t = &s->tasks[i];

		if (!t->alive || t->space == 0 || t->process == last)
			continue;
		last = t->process;
		buf_printf(out,
			   "<item><column name=\"pid\">%d</column>"
			   "<column name=\"command\">",
			   t->tgid);
		xml_text(out, t->comm ? t->comm : "");
		buf_str(out, "</column></item>\n");
	}
	buf_str(out, "</osdata>\n");
	return 0;
}
