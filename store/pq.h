#ifndef STORE_PQ_H
#define STORE_PQ_H

/*
 * libpq, loaded when the first connection is made: it brings twenty libraries
 * (Kerberos, LDAP, TLS), which take 4 ms, half of what it takes to start
 * pastime. A recorder loads them in its shipper thread, while the program
 * already runs. For db.c alone, which calls the functions by their names.
 */
#include "base/err.h"
#include <libpq-fe.h>

struct pq {
#define PQ(name) __typeof__(name) *name;
#include "store/pq.def"
#undef PQ
};

extern struct pq pq;

/* Any thread, any number of times. -E_DB: it is not there. */
int pq_load(struct err *err);

#endif
