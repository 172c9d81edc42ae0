#!/bin/bash
# pastime.event read from chunks in the server is what rows made of them are:
# every column of every event, and every view.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
[ -e "$TOP_BUILDDIR/sql/fdw/pastime_fdw.so" ] ||
	skip "built without PostgreSQL's server headers"
need psql python3

ask()
{
	"$PASTIME" sql --csv "$@" | tr -d '\r'
}

rows()
{
	PASTIME_EVENTS=rows ask "$@"
}

chunks()
{
	PASTIME_EVENTS=chunks ask "$@"
}

kind_of="select c.relkind from pg_class c join recording r
	on c.oid = to_regclass('pastime_rows.event_' || r.recording)"

# both WHAT [REC] QUERY
both()
{
	local what=$1

	shift
	rows "$@" >"$T/rows" 2>"$T/rows.err"
	chunks "$@" >"$T/chunks" 2>"$T/chunks.err"
	is "$what: messages" "" "$(cat "$T/rows.err" "$T/chunks.err")"
	holds "$what: there are some" [ "$(wc -l <"$T/rows")" -gt 1 ]
	same "$what" "$T/rows" "$T/chunks"
}

cd "$T" || exit 99
"$PASTIME" record -q -n shell bash -c 'ls -l /usr/share | sort | head -5
	cat /nonexistent; dd if=/dev/zero bs=300k count=2 | cat | wc -c' \
	>/dev/null 2>&1
"$PASTIME" record -q -n lineage "$TOP_BUILDDIR/tests/guests/lineage" \
	>/dev/null 2>&1
"$PASTIME" record -q -n deadlock "$TOP_BUILDDIR/tests/guests/deadlock" \
	>/dev/null 2>&1
"$PASTIME" record -q -n moves "$TOP_BUILDDIR/tests/guests/moves" \
	>/dev/null 2>&1
"$PASTIME" record -q -n sockets "$TOP_BUILDDIR/tests/guests/sockets" \
	>/dev/null 2>&1

is "rows are a table" r "$(rows shell "$kind_of" 2>"$T/err" | tail -n 1)"
is "chunks are a foreign table" f \
	"$(chunks shell "$kind_of" 2>"$T/err" | tail -n 1)"
is "which they stay when nothing is said" f \
	"$(ask shell "$kind_of" 2>"$T/err" | tail -n 1)"

views=$(psql -qAtX "$("$PASTIME" db url)" -c "select c.relname
	from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname = 'this' and c.relkind = 'v' and c.relname not in
		('recording', 'mark', 'warning') order by 1" 2>"$T/err")
like "views" "call.*slice.*timeline" "$(tr '\n' ' ' <<<"$views")"

for rec in shell lineage deadlock moves sockets; do
	both "all of $rec" $rec "select * from event order by seq"
done

# What has no order gets one.
for rec in shell lineage deadlock; do
	for view in $views; do
		rows $rec "select v::text as line from $view v order by 1" \
			>"$T/rows" 2>"$T/rows.err"
		chunks $rec "select v::text as line from $view v order by 1" \
			>"$T/chunks" 2>"$T/chunks.err"
		is "$rec, $view: messages" "" \
			"$(cat "$T/rows.err" "$T/chunks.err")"
		same "$rec, $view" "$T/rows" "$T/chunks"
	done
done

# Conditions of every shape that the scan decides by itself, and others.
while read -r condition; do
	both "where $condition" shell "select seq, kind, call, error, fd, ret,
		path, octet_length(data) as len from event
		where $condition order by seq"
done <<'CONDITIONS'
seq = 17
seq in (3, 17, 40000)
seq > 20 and seq <= 31
30 > seq
seq between 10 and 12 or seq = 100
time_ns <= (select time_ns from event where seq = 20)
time_ns < 9000000000
time_ns > 0 and time_ns < (select max(time_ns) from event)
call = 257
call in (0, 1)
call is null
call is not null and error is null
call <> 0
error = 2
error is not null
error > 1 and call < 300
task = 2
task > 1 and kind = 5
kind = any (array[4, 5]::smallint[])
fd = 1
fd is not null and fd < 3 and call = 1
a0 = 3
a2 is null
ret < 0
ret > 100000
dur_ns > 100000
flags & 2 <> 0
path like '/usr%'
data is not null
note is not null
recording = (select max(recording) from pastime.recording where name = 'shell')
seq = (select max(seq) from event)
seq in (select seq from event where error = 2)
exists (select from task t where t.to_seq = event.seq)
CONDITIONS

both "order backwards" shell \
	"select seq, kind from event order by seq desc limit 20"
both "the first and the last" shell \
	"select min(seq), max(seq), count(*), count(distinct call) from event"
both "a join on seq" shell "select t.task, e.seq, e.kind from task t
	join event e on e.seq = t.to_seq order by 1"
both "for each task its last event" shell "select t.task, (select max(e.seq)
	from event e where e.task = t.task) as last from task t order by 1"
both "lateral" shell "select t.task, l.* from task t, lateral (select e.seq,
	e.call from event e where e.task = t.task and e.seq >= t.from_seq
	order by e.seq limit 3) l order by 1, 2"
both "nothing" shell "select count(*) from event where seq = null"

# Of all recordings together; partitions of both kinds side by side.
rows lineage "select 1" >/dev/null 2>&1
chunks shell "select 1" >/dev/null 2>&1
ask "select relkind, count(*) > 0 as some from pg_class
	where oid in (select inhrelid from pg_inherits where inhparent =
	'pastime.event'::regclass) group by 1 order by 1" >"$T/out" 2>&1
is "tables of both kinds" "relkind,some f,t r,t" "$(tr '\n' ' ' <"$T/out" |
	sed 's/ $//')"
ask "select count(*) = (select sum(events) from
	pastime.recording where recording in (select recording from
	pastime.event)) as all from pastime.event" >"$T/out" 2>&1
is "events of both" "all t" "$(tr '\n' ' ' <"$T/out" | sed 's/ $//')"

# It goes as a partition does.
"$PASTIME" rm -q shell
is "rm" 0 $?
is "nothing is left" 0 "$(ask lineage "select count(*)
	from pg_foreign_table f join pg_class c on c.oid = f.ftrelid
	where c.relname = 'event_1'" 2>"$T/err" | tail -n 1)"
finish
