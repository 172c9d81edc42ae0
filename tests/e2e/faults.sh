#!/bin/bash
# What breaks loses nothing but itself: disk full, server and recorder killed,
# connections refused, chunks cut off or overwritten, a newer schema.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need dd

p=$PASTIME

# FIELD of the recording NAME
field()
{
	"$p" ls --json | grep "\"name\": \"$1\"" |
		sed -E "s/.*\"$2\": \"?([^\",}]*).*/\1/"
}

query()
{
	"$p" sql --csv "$@" | tr -d '\r' | tail -n 1
}

# Many events, some output at the start and the end.
cat >"$T/work" <<'S'
echo first
dd if=/dev/zero of=/dev/null bs=1 count=${1:-5000} status=none
if [ -n "${2:-}" ]; then
	read -r go <"$2"
	dd if=/dev/zero of=/dev/null bs=1 count=$1 status=none
fi
echo last
exit 3
S
printf 'first\nlast\n' >"$T/whole"
run "$p" record -q -n base sh "$T/work"
is "without any fault" "3 first last" "$status $(xargs <"$T/out")"

# The disk is full at once, soon, later: the program does not notice.
run env PASTIME_FAULT=spool_write "$p" record -n full sh "$T/work"
is "disk full at the start: status" 125 "$status"
like "disk full at the start: said" "E_SPOOL" "$(cat "$T/err")"
# How many writes there are depends on the machine: the last one that tells.
for nth in 3 4 5 6 8 10; do
	run env PASTIME_FAULT=spool_write:$nth+ "$p" record -n full$nth \
		sh "$T/work"
	is "disk full at write $nth: status" 3 "$status"
	same "disk full at write $nth: output" "$T/whole" "$T/out"
	[ $nth -eq 3 ] || ! grep -q '^pastime: recorded' "$T/err" || break
	like "disk full at write $nth: said" "No space left.*E_SPOOL" \
		"$(cat "$T/err")"
done

# until_cut_off NAME FAULT: how many writes there are before the first chunk
# depends on the sizes of libraries, and how many chunks there are on how fast
# the machine is: inject the fault later and later until something is kept.
until_cut_off()
{
	local nth name

	for ((nth = 4; nth < 100; nth += 3)); do
		name=$1$nth
		PASTIME_FAULT=${2//NTH/$nth} "$p" record -q -n "$name" \
			sh "$T/work" 12000 >/dev/null 2>&1
		case $(field "$name" state) in
		"") ;;
		"cut off")
			[ "$(field "$name" events)" -gt 1000 ] || continue
			echo "$name"
			return
			;;
		*) return ;;
		esac
	done
}
late=$(until_cut_off late spool_write:NTH+)
run "$p" replay "$late"
is "disk full later: replay" "0 first" "$status $(cat "$T/out")"

# The server refuses: everything waits in the spool, the next command ships it.
run env PASTIME_FAULT=db_connect:1+ "$p" record -n refused sh "$T/work"
is "server refuses: status" 3 "$status"
like "server refuses: said" "spool.*next pastime command" "$(cat "$T/err")"
is "server refuses: later" "done" "$(field refused state)"
run "$p" replay refused
is "server refuses: replay" 0 "$status"
same "server refuses: output" "$T/whole" "$T/out"
for fault in db_connect db_copy db_copy:2 db_copy:3; do
	run env PASTIME_FAULT=$fault "$p" record -q -n "$fault" sh "$T/work"
	is "$fault: status" 3 "$status"
	run "$p" replay "$fault"
	is "$fault: replay" 0 "$status"
	same "$fault: output" "$T/whole" "$T/out"
	is "$fault: events" "$(field "$fault" events)" \
		"$(query "$fault" "select max(seq) from event where kind = 16
			and a1 = (select count(*) from event)")"
done

# The server is killed while a program is recorded.
mkfifo "$T/gate"
"$p" record -q -n served sh "$T/work" 10000 "$T/gate" >"$T/out" 2>"$T/err" &
pid=$!
wait_for '[ "$(field served state)" = running ]' || fail "served never runs"
kill -KILL "$("$p" db status | sed -n 's/^pid *//p')"
echo go >"$T/gate"
wait $pid
is "server killed: status" 3 $?
same "server killed: output" "$T/whole" "$T/out"
wait_for '[ "$(field served state)" = done ]' || fail "served is never stored"
run "$p" replay served
is "server killed: replay" 0 "$status"
same "server killed: replayed output" "$T/whole" "$T/out"

# The recorder is killed: what was stored is whole and can be replayed. Without
# the agent, whose first thousands of events would come in the tenth of a second
# that is lost.
run env PASTIME_FAULT=recorder_kill:15000 "$p" record --no-agent -n killed \
	sh "$T/work" 50000
is "recorder killed: status" 125 "$status"
like "recorder killed: said" "recorder was killed.*E_GONE" "$(cat "$T/err")"
is "recorder killed: state" "cut off" "$(field killed state)"
run "$p" replay killed
is "recorder killed: replay" "0 first" "$status $(cat "$T/out")"
like "recorder killed: said by replay" "cut off at e[0-9]+" "$(cat "$T/err")"

# A power failure cuts a chunk off in the spool.
torn=$(until_cut_off torn chunk_truncate:NTH,db_connect:1+)
run "$p" replay "$torn"
is "torn chunk: replay" "0 first" "$status $(cat "$T/out")"

# What is stored is damaged: said, not believed; the other recordings are well.
# Originals that are still there would do.
export PASTIME_PROBE="${PASTIME_PROBE:-} -originals"
run env PASTIME_FAULT=blob_read "$p" replay base
is "damaged blob: status" 125 "$status"
like "damaged blob: said" "E_FORMAT" "$(cat "$T/err")"
base=$(field base rec)
query "update pastime.chunk set data = overlay(data placing '\\xdeadbeef'
	from 100) where recording = $base and first_seq > 1 returning 1" \
	>/dev/null
run "$p" replay base
is "damaged chunk: status" 125 "$status"
like "damaged chunk: said" "E_FORMAT" "$(cat "$T/err")"
run "$p" replay refused
is "damaged chunk: another recording" 0 "$status"

# Contents are lost: said; they come back with the next program that has them,
# for all who need them.
run "$p" record -q -n lost1 true
query "with gone as (delete from pastime.pack returning 1)
	select count(*) from gone" >/dev/null
refuses 125 E_FORMAT "lacks contents.*record the same" "$p" replay lost1
run env -u PASTIME_PROBE "$p" replay lost1
is "lost contents: from the files that have them still" 0 "$status"
run "$p" record -q -n lost2 true
for name in lost2 lost1; do
	run "$p" replay "$name"
	is "lost contents: replay of $name: $(cat "$T/err")" 0 "$status"
done
run "$p" rm lost2
run "$p" gc
is "lost contents: gc" 0 "$status"
run "$p" replay lost1
is "lost contents: the first one keeps them" 0 "$status"

# A newer pastime was here.
query "insert into pastime.schema_version
	values (9999, 'later', 1, now(), 'pastime 99') returning 1" >/dev/null
refuses 125 E_SCHEMA_NEWER "newer" "$p" ls
run "$p" record -n newer sh "$T/work"
is "newer schema: status of record" 3 "$status"
like "newer schema: said by record" "spool" "$(cat "$T/err")"
psql -q "$("$p" db url)" \
	-c 'delete from pastime.schema_version where version = 9999'
is "newer schema: later" "done" "$(field newer state)"
finish
