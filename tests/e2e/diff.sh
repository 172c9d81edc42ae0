#!/bin/bash
# Where two recordings part: pastime diff.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need python3

p=$PASTIME
mkdir "$T/here"
cd "$T/here" || exit 99

# json FIELD...: of the one row of $T/out
json()
{
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
	o = json.loads(line)
	print(*[o[k] for k in sys.argv[2:]])' "$T/out" "$@"
}

# rec NAME COMMAND...
rec()
{
	local name=$1

	shift
	"$p" record -q -n "$name" "$@" >"$T/said" </dev/null
}

# Whatever differs from run to run by itself: pids, times, addresses, names of
# temporary files, the turns of processes.
cat >prog <<'S'
echo "I am $$ at $(date) or $(date +%s.%N)"
name=$(mktemp)
echo kept >"$name"
cat "$name"
tr a-z A-Z <input
rm "$name"
(sort input | tr a-z A-Z) &
wait
grep nothing /proc/self/maps /proc/self/stat
exit "$(wc -l <input)"
S
echo same >input
rec one sh prog
is "status of the program" 1 $?
rec two sh prog
run "$p" diff one two
is "the same twice: $(cat "$T/out")" 0 "$status"
like "the same twice" "^recordings 1 and 2 go the same way: [0-9,]+ events" \
	"$(cat "$T/out")"
run "$p" diff one two --json
is "the same twice, for machines" "0 " "$status $(cat "$T/out")"

# What it reads differs: the one that reads is named, not those that follow.
echo other >input
rec three sh prog
run "$p" diff one three --json
is "another input" 1 "$status"
is "what differs" "1 3" "$(json rec_a rec_b)"
like "what differs" "read\\(.*same.* read\\(.*other" "$(json event_a event_b)"
like "what differs" "data" "$(json differs)"
from=$(json pos_a)
to=$(json pos_b)
run "$p" diff one three
is "for people" 1 "$status"
like "for people" "part: .*data.*  1: $from read.*  3: $to read" \
	"$(tr '\n' ' ' <"$T/out")"
like "side by side" "one, task [0-9]+ tr +\\|  3 three, task [0-9]+ tr" \
	"$(cat "$T/out")"
like "side by side" "> $from +read.*\\|> $to +read" "$(cat "$T/out")"
is "five before, five after, and a heading" 12 "$(grep -c ' |' "$T/out")"
run "$p" diff one three -C 0
is "no context" 2 "$(grep -c ' |' "$T/out")"
# The other way round it is the same pair.
run "$p" diff three one --json
is "the other way round" "$to $from" "$(json pos_a pos_b)"
run "$p" diff one three --csv
is "as CSV" 2 "$(wc -l <"$T/out")"

# An event that only one has.
rec four sh -c 'echo a; if [ -e more ]; then echo b; fi'
touch more
rec five sh -c 'echo a; if [ -e more ]; then echo b; fi'
run "$p" diff four five --json
like "the test is what differs" "result newfstatat.*more.*ENOENT.*more.* = 0" \
	"$(json differs event_a event_b)"

# Threads: the lost update is seen where it is told; turns do not count.
# shellcheck disable=SC2086 # CC may have words
$CC -O1 -g -pthread -o lost "$TOP_SRCDIR/bench/racy/lost_update.c" ||
	fail "cannot compile"
good=
bad=
for seed in $(seq 60); do
	"$p" record -q -n "lost$seed" --chaos="$seed" ./lost >/dev/null
	case $? in
	0) good=${good:-$seed} ;;
	*) bad=${bad:-$seed} ;;
	esac
	[ -z "$good" ] || [ -z "$bad" ] || break
done
like "seeds with and without the failure" "^[0-9]+ [0-9]+$" "$good $bad"
run "$p" diff "lost$good" "lost$bad" --json
is "the lost update" "1 data" "$status $(json differs)"
like "the lost update" "write\\(1.* write\\(1" "$(json event_a event_b)"

# The terminal interface shows both there.
"$p" diff "lost$good" "lost$bad" --json >"$T/out"
from=$(json pos_a)
to=$(json pos_b)
cat >keys <<'S'
size 80x24
screen first
key D
screen other
key h D h D
screen other-again
S
PASTIME_TUI_SCRIPT=keys run "$p" tui --diff="lost$bad" "lost$good"
is "status of tui --diff: $(cat "$T/err")" 0 "$status"
like "each where they part" "lost$good -+ $from of.*lost$bad -+ $to of" \
	"$(grep '─ #' "$T/out" | sed 's/─/-/g' | tr '\n' ' ')"
like "what each is told" "here they part; D: .*here they part; D: " \
	"$(tr '\n' ' ' <"$T/out")"
like "each keeps its place" "lost$bad -+ e$((${to#e} - 1)) of" \
	"$(grep '─ #' "$T/out" | sed 's/─/-/g' | tail -n 1)"
echo 'key D' >keys
PASTIME_TUI_SCRIPT=keys run "$p" tui four
is "without another one" 0 "$status"

# Another command altogether.
run "$p" diff four "lost$bad" --json
like "another command" "path or address.*sh.*lost" \
	"$(json differs event_a event_b)"

refuses 125 E_USAGE "diff" "$p" diff one
refuses 125 E_NOT_FOUND "nothere" "$p" diff one nothere
refuses 125 E_USAGE "context" "$p" diff one two -C 1000000
finish
