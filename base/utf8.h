#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/* Text that PostgreSQL accepts, made of any bytes. */
#include "base/buf.h"

/* Append s: no NUL, valid UTF-8; other bytes as \xHH. */
void utf8_put(struct buf *b, struct span s);

#endif
