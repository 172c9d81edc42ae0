#!/bin/bash
# pastime-schema.7 says what the database says. To make it again:
#	tests/e2e/schema.sh --write
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need psql

"$PASTIME" db init -q || fail "db init"
"$PASTIME" ls -q >/dev/null || fail "ls"
PGOPTIONS='-c client_min_messages=warning' psql -qAt \
	-f "${TOP_SRCDIR:-.}/tools/schema_man.sql" "$("$PASTIME" db url)" \
	>"$T/page" || fail "psql"
[ "${1:-}" != --write ] || cp "$T/page" "${TOP_SRCDIR:-.}/man/pastime-schema.7"
same "man/pastime-schema.7" "${TOP_SRCDIR:-.}/man/pastime-schema.7" "$T/page"
run "$PASTIME" help schema
is "help schema: status" 0 "$status"
like "help schema" "failed_call.*FUNCTIONS.*pos\\(" "$(tr '\n' ' ' <"$T/out")"
finish
