/* Weak stand-ins while store/query and the TUI backend are on their way. */
#include "store/query.h"
#include "tui/tui.h"
#include <string.h>
#define W __attribute__((weak))
W int
query_recording(struct db *db, uint64_t rec, struct arena *a,
		struct recording_row *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	out->events = 1ull << 40;
	out->state = "done";
	out->recording = rec;
	return 0;
}
W int
query_recordings(struct db *db, struct arena *a, struct recording_row **out,
		 size_t *n, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_tasks(struct db *db, uint64_t rec, struct arena *a, struct task_row **out,
	    size_t *n, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_sql(struct db *db, uint64_t rec, const char *text, struct arena *a,
	  struct sql_result *out, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_events(struct db *db, uint64_t rec, uint64_t seq, bool back, size_t n,
	     const struct event_filter *f, struct arena *a, struct event **out,
	     size_t *out_n, uint64_t *out_scanned, struct err *err)
{
	*out_n = 0;
	*out_scanned = seq;
	return 0;
}
W int
query_tag(struct db *db, uint64_t rec, const char *key, const char *value,
	  struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_seq_at_time(struct db *db, uint64_t rec, uint64_t time_ns, uint64_t *out,
		  struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_rename(struct db *db, uint64_t rec, const char *name, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_remove(struct db *db, uint64_t rec, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_marks(struct db *db, uint64_t rec, struct arena *a, struct mark_row **out,
	    size_t *n, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_gc(struct db *db, uint64_t *out_blobs, uint64_t *out_bytes,
	 struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W int
query_fill_rows(struct db *db, uint64_t rec,
		bool (*progress)(void *, uint64_t at, uint64_t to), void *ctx,
		struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "this part is not built yet");
}
W void
query_cancel(struct db *db)
{
}
W int
event_filter_parse(const char *text, struct event_filter **out, struct err *err)
{
	*out = NULL;
	return 0;
}
W void
event_filter_free(struct event_filter *f)
{
}
W const struct tui_query_ops tui_backend_query;
W const struct tui_replay_ops tui_backend_replay;
W void *
tui_backend_query_new(const struct tui_backend *b)
{
	return NULL;
}
W void *
tui_backend_replay_new(const struct tui_backend *b)
{
	return NULL;
}
