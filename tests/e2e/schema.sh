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

# A store that an older pastime made: its schema is brought up to date, what is
# derived is made again, and recordings stay.
"$PASTIME" record -q -n old sh -c 'echo hello | cat'
count="select count(*) filter (where to_seq is not null) > 0 as ended,
	count(*) > 50 as many, count(distinct space) > 1 as spaces from mapping"
"$PASTIME" sql --csv old "$count" >"$T/new" 2>/dev/null
like "mappings end" "t,t,t" "$(cat "$T/new")"
psql -q "$("$PASTIME" db url)" <<'SQL' || fail "back to version 1"
set client_min_messages = warning;
drop schema this cascade;
alter table pastime.mapping drop column to_seq cascade;
drop table pastime.trace, pastime.coverage, pastime.traced_write,
	pastime.traced_call cascade;
drop table pastime.arrival, pastime.checkpoint cascade;
alter table pastime.recording_pack drop column indexed cascade;
delete from pastime.schema_version where version > 1;
delete from pastime.setting;
SQL
run "$PASTIME" ls --csv
is "upgrade: status of ls: $(cat "$T/err")" 0 "$status"
like "upgrade: the recording is there" ",old," "$(cat "$T/out")"
"$PASTIME" sql --csv old "$count" >"$T/again" 2>/dev/null
same "upgrade: mappings are derived anew" "$T/new" "$T/again"
run "$PASTIME" replay old
is "upgrade: replay" "0 hello" "$status $(cat "$T/out")"
finish
