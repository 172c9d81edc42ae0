/* In place of fdwblob.S where the server's headers are missing: no library. */
#include "store/wrapper.h"

const char fdw_library[1] = { 0 };
extern const char fdw_library_end[1] __attribute__((alias("fdw_library")));
