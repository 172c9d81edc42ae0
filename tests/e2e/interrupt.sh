#!/bin/bash
# Ctrl-C ends every command at once, as the signal does without pastime, and
# leaves nothing running.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need dd perl

p=$PASTIME

# interrupt WHAT WHEN COMMAND...: SIGINT as soon as the condition holds; within
# a second it has died of it. A shell gives background jobs an ignored SIGINT.
interrupt()
{
	local what=$1 when=$2 pid began

	shift 2
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@" \
		>"$T/out" 2>"$T/err" </dev/null &
	pid=$!
	wait_for "$when" || fail "$what: it never begins"
	began=$(date +%s%N)
	kill -INT $pid
	wait $pid
	is "$what: status" 130 $?
	holds "$what: at once" \
		[ $((($(date +%s%N) - began) / 1000000)) -lt 1000 ]
}

"$p" record -q -n long dd if=/dev/zero of=/dev/null bs=1 count=50000 \
	status=none || fail "record"

# Backends that run our query.
sleeping()
{
	"$p" sql --csv "select count(*) from pg_stat_activity where
		state = 'active' and query like '%pg_sleep(1000)%'
		and pid <> pg_backend_pid()" | tr -d '\r' | tail -n 1
}
interrupt "sql" '[ "$(sleeping)" = 1 ]' "$p" sql "select pg_sleep(1000)"
wait_for '[ "$(sleeping)" = 0 ]' || fail "the server still runs the query"

# Puppets of a replay are its children and go with it.
replaying=$(mktemp -u "$T/replay.XXXXXX")
ln -s "$(command -v "$p")" "$replaying"
interrupt "replay" 'pgrep -f "$replaying replay" >/dev/null' \
	"$replaying" replay long
wait_for '! pgrep -f "$replaying replay" >/dev/null' ||
	fail "something of the replay is left"

run "$p" replay long
is "and the recording is whole" 0 "$status"
finish
