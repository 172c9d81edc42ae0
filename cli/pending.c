/* Weak stand-ins while the TUI's backend is on its way. */
#include <stddef.h>

#include "tui/tui.h"
#define W __attribute__((weak))
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
