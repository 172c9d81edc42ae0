#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

/* Events that look like those of a shell running compilers and a server, the
 * same ones every time. */
#include "base/buf.h"
#include "event/event.h"

/* n of them, from seq 1 on; their payloads are in store. mem_free it. */
struct event *stream_make(size_t n, struct buf *store);

#endif
