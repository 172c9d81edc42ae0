#ifndef CLI_SCHEMA_H
#define CLI_SCHEMA_H

/* "pastime help schema": the views that people query, from the catalog. */
#include "base/err.h"
#include "cli/cmd.h"

int schema_print(struct cli *c, struct err *err);

#endif
