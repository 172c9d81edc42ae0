#ifndef RECORDER_PUT_H
#define RECORDER_PUT_H

/* Events on their way to the sink. A failing sink ends the recording, not the
 * program. */
#include "base/buf.h"
#include "base/err.h"
#include "event/event.h"

struct recorder;
struct task;

/* A cleared event of task (NULL = the recording); r->items is emptied. */
void event_begin(struct recorder *r, const struct task *t, enum event_kind kind,
		 struct event *out);
/* Number and stamp it, attach r->items as payload, put it. */
int event_put(struct recorder *r, struct event *ev, struct err *err);
/*
 * The same, for who puts many in a row: the sink has them when another is put
 * by event_put, or event_settle is called. They are built where they wait:
 * *last is the one before, or NULL.
 */
struct event *event_soon(struct recorder *r, const struct event **last);
int event_put_soon(struct recorder *r, struct event *ev, struct err *err);
void event_settle(struct recorder *r);
/* Store bytes, append the ids; a sink that refuses ends the recording. */
void event_blobs(struct recorder *r, struct span bytes, struct buf *ids);
void event_flush(struct recorder *r); /* what is gathered, to the sink */

struct held; /* recorder.held: what the sink has not seen yet */
void event_release(struct recorder *r);

#endif
