#!/bin/bash
# record ends when its command does; what the command leaves behind is recorded
# to its end, while "pastime ls" says so.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need setsid

p=$PASTIME

state()
{
	"$p" ls --json | sed -n 's/.*"name": "'"$1"'".*"state": "\([^"]*\)".*/\1/p'
}

recorder_of()
{
	awk '/TracerPid/ { print $2 }' "/proc/$1/status"
}

# A daemon that waits for a word, then writes a file.
mkfifo "$T/go"
cat >"$T/start" <<E
setsid sh -c 'read -r word <$T/go; echo "\$word" >$T/said' >/dev/null 2>&1 </dev/null &
echo started
exit 5
setsid sh -c 'read -r word <$T/go; echo "\$word" >$T/said' >/dev/null 2>&1 </dev/null &
echo started
exit 5
E
run "$p" record -n daemon sh "$T/start"
is "status" 5 "$status"
is "output" started "$(cat "$T/out")"
like "end line" "'daemon' goes on: [0-9]+ tasks? still runs?" \
	"$(cat "$T/err")"
wait_for '[ "$(state daemon)" = running ]' || fail "not shown as running"
run "$p" show daemon --call execve
is "events can be seen while it runs" 0 "$status"
echo word >"$T/go"
wait_for '[ "$(state daemon)" = done ]' || fail "it never ends"
is "what it did" word "$(cat "$T/said")"
run "$p" replay daemon
is "replay of all of it" 0 "$status"
is "output of the replay" started "$(cat "$T/out")"

# pastime holds no pipe of the user's for the daemon's sake.
cat >"$T/start2" <<E
setsid sh -c 'echo \$\$ >$T/pid; read -r x <$T/go' >/dev/null 2>&1 </dev/null &
E
"$p" record -q -n piped sh "$T/start2" 2>&1 | cat
pass # cat saw the end while the daemon still runs
wait_for '[ -s "$T/pid" ]' || fail "the daemon never starts"
wait_for '[ "$(state piped)" = running ]' || fail "not shown as running"

# SIGTERM to its recorder ends it, and the recording is whole.
kill -TERM "$(recorder_of "$(cat "$T/pid")")"
wait_for '[ "$(state piped)" = done ]' || fail "SIGTERM does not end it"
run "$p" replay piped
is "replay after SIGTERM" 0 "$status"

# kill -9 of the front is meant for the command.
rm "$T/pid"
"$p" record -q -n killed sh -c "echo \$\$ >$T/pid; read -r x <$T/go" &
front=$!
wait_for '[ -s "$T/pid" ]' || fail "it never starts"
kill -KILL $front
wait $front 2>/dev/null
wait_for '! alive "$(cat "$T/pid")"' ||
	fail "the command outlives kill -9 of record"
wait_for '[ "$(state killed)" = done ]' || fail "its recording never ends"

# kill -9 of the recorder ends the command; what it had recorded stays.
rm "$T/pid"
"$p" record -n orphan sh -c "echo before; echo \$\$ >$T/pid; read -r x <$T/go" \
	>"$T/out" 2>"$T/err" &
front=$!
wait_for '[ -s "$T/pid" ]' || fail "it never starts"
wait_for '[ "$(state orphan)" = running ]' || fail "not shown as running"
# What is kept ends with the last whole chunk: there must be one.
# shellcheck disable=SC2016 # wait_for expands it
wait_for '"$PASTIME" ls --json | grep -q "\"orphan\".*\"events\": [1-9]"' ||
	fail "nothing of it is stored while it waits"
kill -KILL "$(recorder_of "$(cat "$T/pid")")"
wait $front
is "status without its recorder" 125 $?
like "message" "recorder was killed.*E_GONE" "$(cat "$T/err")"
wait_for '! alive "$(cat "$T/pid")"' ||
	fail "the command outlives its recorder"
is "its state" "cut off" "$(state orphan)"
run "$p" replay orphan
is "replay of what is there" "0 before" "$status $(cat "$T/out")"
finish
