#!/bin/bash
# record ends as its command does, and prints one line, at the end, on stderr.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME

for code in 0 1 2 77 125 126 127 200 255; do
	run "$p" record -q sh -c "exit $code"
	is "exit $code" $code "$status"
	is "-q says nothing" "" "$(cat "$T/err")"
done

# By a signal: without a core file of ours, and seen as such by wait.
ulimit -c 0
for sig in HUP INT QUIT ABRT KILL SEGV PIPE TERM USR1; do
	number=$(kill -l $sig)
	run "$p" record -q sh -c "kill -$sig \$\$"
	is "death by SIG$sig" $((128 + number)) "$status"
done
run perl -e '
	my $pid = fork; if (!$pid) { exec @ARGV; }
	waitpid $pid, 0; print $? & 127, "\n";' \
	"$p" record -q sh -c 'kill -TERM $$'
is "wait sees the signal" 15 "$(cat "$T/out")"

# A command may end while its child goes on: its status counts.
run "$p" record -q sh -c '(exit 9) & exit 4'
is "status with a child in the background" 4 "$status"

# The end line
run "$p" record -n line sh -c 'echo out; echo err >&2; exit 3'
is "status" 3 "$status"
is "stdout" out "$(cat "$T/out")"
is "lines on stderr" 2 "$(wc -l <"$T/err")"
is "the program's first" err "$(head -n 1 "$T/err")"
like "end line" \
	"^pastime: recorded #[0-9]+ 'line' [0-9,]+ events, 1 task, .*  \\(pastime tui, pastime replay\\)$" \
	"$(tail -n 1 "$T/err")"

# -v: one line before, too
run "$p" record -v -n verbose true
is "lines with -v" 2 "$(wc -l <"$T/err")"
like "first line with -v" "^pastime: recording 'verbose'" \
	"$(head -n 1 "$T/err")"

# Options end at the command; -- may stand before it.
run "$p" record -q -- printf '%s|' -n --name -- x
is "arguments that look like options" "-n|--name|--|x|" "$(cat "$T/out")"
run "$p" record -q printf '%s|' -n --version
is "without --" "-n|--version|" "$(cat "$T/out")"

# --env, --tag, --name
run "$p" record -q -n named -t a=1 -t b=two -e NEW=x -e PATH="$PATH" \
	sh -c 'echo "$NEW"'
is "--env" x "$(cat "$T/out")"
run "$p" tag named
like "tags" "a=1.*b=two" "$(cat "$T/out")"
run "$p" tag named a= c=3
run "$p" tag named
like "tags after a change" "b=two.*c=3" "$(cat "$T/out")"
is "a= removes the tag" "" "$(grep -o a=1 "$T/out")"
run "$p" mv named renamed
run "$p" replay renamed
is "replay by the new name" x "$(cat "$T/out")"
finish
