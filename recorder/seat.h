#ifndef RECORDER_SEAT_H
#define RECORDER_SEAT_H

/* On which CPU tasks and the tracer run. */
#include "recorder/internal.h"

int seat_init(struct recorder *r, struct err *err);
void seat_release(struct recorder *r); /* the tracer may go anywhere again */
/* A fresh image of t: choose its CPU, and stay there. */
void seat_image(struct recorder *r, struct task *t);
/* Before that: it is where its old image was. */
void seat_exec(struct space *image, const struct space *old);
/* A child runs where its parent does, in its own space or the same. */
void seat_child(struct task *t, const struct task *parent);
/* t has stopped: the tracer goes where the work is. */
void seat_follow(struct recorder *r, const struct task *t);
int seat_cpu(const struct space *s); /* -1: anywhere */
/* t runs without stopping for long and leaves work for the tracer: elsewhere,
 * at the same time. It comes back when t stops again and again. */
void seat_apart(struct recorder *r, const struct space *s);
void seat_forget(struct space *s);

#endif
