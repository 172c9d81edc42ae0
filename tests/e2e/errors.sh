#!/bin/bash
# Bad input gets a clear error: what happened, why, what to type next; with a
# code, the right exit status, nothing on stdout, and nothing lost.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME

# The command line
refuses 125 E_USAGE "unknown command 'recrod'" "$p" recrod true
like "nearest command" "pastime record" "$(cat "$T/err")"
refuses 125 E_USAGE "unknown option '--nmae'" "$p" record --nmae x true
like "nearest option" "--name" "$(cat "$T/err")"
refuses 125 E_USAGE "record needs" "$p" record
refuses 125 E_USAGE "KEY=VALUE" "$p" record --tag novalue true
refuses 125 E_USAGE "KEY=VALUE" "$p" record --env =x true
refuses 125 E_USAGE "no number" "$p" record --name 12 true
refuses 125 E_USAGE "not empty" "$p" record --name '' true
refuses 125 E_USAGE "checksum" "$p" record --checksum=often true
refuses 125 E_USAGE "does nothing alone" "$p" record --chaos-knobs=maps true
refuses 125 E_USAGE "does nothing alone" "$p" record --chaos-at=main true
refuses 125 E_USAGE "'a.c:0' is no place" "$p" record --chaos \
	--chaos-at=main,a.c:0 true
refuses 125 E_USAGE "exclude each other" "$p" ls --json --csv
refuses 125 E_USAGE "too many: 'x'" "$p" ls x
refuses 125 E_USAGE "no help about 'nothing'" "$p" help nothing
refuses 125 E_USAGE "none of status" "$p" db restart
refuses 125 ENOTTY "terminal" "$p" tui

run "$p"
is "status without a command" 125 "$status"
like "usage without a command" "record" "$(cat "$T/err")"
run "$p" --help
is "status of --help" 0 "$status"
like "--help" "record" "$(cat "$T/out")"

# Commands that cannot run
touch "$T/not-executable"
refuses 127 E_EXEC "no-such-program" "$p" record no-such-program
refuses 127 E_EXEC "No such file" "$p" record "$T/no/such/file"
refuses 126 E_EXEC "Permission denied" "$p" record "$T/not-executable"
refuses 126 E_EXEC "Permission denied" "$p" record "$T"
printf '#!/no/such/interpreter\n' >"$T/script"
chmod +x "$T/script"
run "$p" record "$T/script"
is "status of a script without its interpreter" 127 "$status"
like "message about it" "E_EXEC" "$(cat "$T/err")"
run "$p" ls --json
is "failed starts leave no recording" "" "$(cat "$T/out")"

# No recordings at all
refuses 125 E_NOT_FOUND "no recording" "$p" replay
refuses 125 E_NOT_FOUND "no recording" "$p" show

# Recordings and positions
run "$p" record -q -n one true
is "record true" 0 "$status"
run "$p" record -q -n two true
refuses 125 E_NOT_FOUND "three" "$p" replay three
refuses 125 E_NOT_FOUND "99" "$p" show 99
refuses 125 E_NOT_FOUND "99" "$p" ps 99
refuses 125 E_NOT_FOUND "99" "$p" rm one 99
is "rm of something that is not there removes nothing" 2 \
	"$("$p" ls --json | wc -l)"
for pos in e 12 e99999999 101% -1s 1x @nomark e1+ "e1+0x10#0"; do
	run "$p" replay one --at="$pos" </dev/null
	is "status of --at=$pos" 125 "$status"
	like "message of --at=$pos" "\\[E_(POSITION|NOT_FOUND)\\]" \
		"$(cat "$T/err")"
done
refuses 125 E_USAGE "no system call 'opneat'" "$p" show --call opneat
refuses 125 E_USAGE "no kind" "$p" show --kind sycsall
refuses 125 E_NOT_FOUND "no task" "$p" show --task 4000000
refuses 125 E_USAGE "verified is memory" "$p" replay --verify=everything

# A prefix of the UUID that fits both recordings: record until two have the
# same first digit.
uuids()
{
	"$p" sql --csv "select uuid from pastime.recording" | tr -d '\r' |
		sed 1d
}
prefix=
for _ in $(seq 100); do
	prefix=$(uuids | cut -c1 | grep '[a-f]' | sort | uniq -d | head -n 1)
	[ -z "$prefix" ] || break
	"$p" record -q -n more true
done
refuses 125 E_AMBIGUOUS "$prefix" "$p" replay "$prefix"

# SQL
refuses 125 E_DB "syntax error" "$p" sql "selec 1"
refuses 125 ENOENT "no/such" "$p" sql -f /no/such/file

# Servers
refuses 125 E_DB_UNREACHABLE "no/such/folder" \
	"$p" ls --db "host=/no/such/folder dbname=x"
PASTIME_DB="host=/no/such/folder dbname=x" \
	refuses 125 E_DB_UNREACHABLE "no/such/folder" "$p" ls
refuses 125 E_USAGE "not ours" "$p" db stop --db "host=/no/such/folder"

# A server that is away does not stop a recording: it waits in the spool.
run "$p" record --db "host=/no/such/folder dbname=x" -n spooled echo hello
is "status of a recording without a server" 0 "$status"
is "output of a recording without a server" hello "$(cat "$T/out")"
like "end line of a recording without a server" "spool" "$(cat "$T/err")"

# A recording inside a recording
run "$p" record -q "$p" record -q true
is "nested record" 125 "$status"
like "message of nested record" E_NESTED "$(cat "$T/err")"

# A host that cannot trace
PASTIME_PROBE=-ptrace refuses 125 E_PTRACE_DENIED "cannot trace" \
	"$p" record -q true
PASTIME_PROBE=-ptrace run "$p" doctor
is "status of doctor there" 1 "$status"
like "what doctor says" "NO +ptrace.*cannot record here" \
	"$(tr '\n' ' ' <"$T/out")"
run "$p" doctor
is "status of doctor here" 0 "$status"
run "$p" record -q "$p" doctor
is "status of doctor while recorded" 1 "$status"
like "what it says" "NO +not recorded" "$(cat "$T/out")"
if command -v strace >/dev/null; then
	run strace -f -o /dev/null "$p" record -q true
	is "status under strace" 125 "$status"
	like "the tracer is named" "strace.*E_PTRACE_DENIED" "$(cat "$T/err")"
fi

# A recording made on a processor that could do more: not replayed, but read.
lesser()
{
	env PASTIME_PROBE="-sse4_2 -popcnt" "$p" "$@"
}
refuses 125 E_CPU "lacks features .*: sse4_2 popcnt  .*recorded on: .*show" \
	lesser replay one
refuses 125 E_CPU "sse4_2 popcnt" lesser replay one --at end
run lesser show one
is "status of show there" 0 "$status"
like "what it shows" "exit_group" "$(cat "$T/out")"
printf 'size 100x30\nscreen one\n' >"$T/keys"
PASTIME_TUI_SCRIPT=$T/keys run lesser tui one
is "status of the TUI there" 0 "$status"
like "the TUI says it" "lacks features" "$(cat "$T/out")"
like "and lists the events" "task 1 is born" "$(cat "$T/out")"
run "$p" replay one
is "status of replay here" 0 "$status"

# Codes are explained
for code in E_DIVERGED e_db_unreachable nested; do
	run "$p" help "$code"
	is "help $code" 0 "$status"
	[ -s "$T/out" ] || fail "help $code says nothing"
done

# Places that are not there
run "$p" record -n named --chaos=1 --chaos-at=nowhere --chaos-at=lost.c:7 true
is "a place that is not there is no failure" 0 "$status"
like "but it is said" "nowhere: no program that ran" "$(cat "$T/err")"
like "of each" "lost.c:7: no program that ran" "$(cat "$T/err")"

finish
