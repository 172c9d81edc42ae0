#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);	/* CLOCK_MONOTONIC */
uint64_t clock_real_ns(void);	/* CLOCK_REALTIME */

#endif
