#ifndef EVENT_FLAGS_H
#define EVENT_FLAGS_H

/*
 * Names of bits and values in arguments, for THE table. A list ends with a
 * NULL name; combined bits stand before their parts. The value 0 names what
 * is meant when no bit of the list is set.
 */
#include "event/sys.h"

#define FLAG_LIST(name) extern const struct flag_name flags_##name[];
#include "event/flags.def"
#undef FLAG_LIST

#endif
