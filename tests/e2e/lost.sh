#!/bin/bash
# The tour of README.md, "From the crash back to the cause", in a real terminal:
# a lost update is found from the abort, backwards. PASTIME_TOUR=FILE writes the
# screens there.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh" || exit
# shellcheck source=tmux.sh
. "${TOP_SRCDIR:-.}/tests/e2e/tmux.sh" || exit
need "${CC%% *}"
trap 'no_terminal; clean_up' EXIT

source=$TOP_SRCDIR/examples/lost.c
write=$(grep -n 'ledger.balance = before + 1' "$source" | cut -d: -f1)
mkdir "$T/here"
cd "$T/here" || exit 99
cp "$source" lost.c
${CC:-cc} -g -O0 -pthread -o lost lost.c || fail "cannot compile"

# Backwards to a write that goes by an old balance.
stale="break $write if before != ledger.balance"
cat >keys <<END
size 80x24
key $
type :catch signal
key Enter C
type :$stale
key Enter C
screen found
END

# With the line of the write named it fails.
line=$(sed -n '/ledger.balance = before + 1/=' "$TOP_SRCDIR/examples/lost.c")
holds "the README names that line" \
	grep -q -- "--chaos-at=lost.c:$line" "$TOP_SRCDIR/README.md"
named=0
for seed in 1 2 3; do
	{ "$PASTIME" record -q --chaos="$seed" --chaos-at="lost.c:$line" \
		./lost; } >"$T/said" 2>&1
	[ $? -ne 134 ] || named=$((named + 1))
done
holds "a named place makes it fail ($named of 3)" [ "$named" -gt 0 ]

# A run that fails, in which the thread stands still between the read and the
# write; where exactly is chance.
found=
for seed in $(seq 100); do
	{ "$PASTIME" record -q --chaos="$seed" ./lost; } \
		>"$T/said" 2>&1
	[ $? -eq 134 ] || continue
	PASTIME_TUI_SCRIPT=keys run "$PASTIME" tui
	is "a session on seed $seed: $(cat "$T/err")" 0 "$status"
	if grep -q 'breakpoint at .*: task' "$T/out"; then
		found=yes
		break
	fi
done
holds "a run that fails" [ -n "$found" ]
[ -n "$found" ] || finish
like "what it printed" '^booked 40, balance [0-9]+$' \
	"$(head -n 1 "$T/said")"

shot()
{
	[ -z "${PASTIME_TOUR:-}" ] || {
		printf -- '--- %s\n' "$1"
		screen
	} >>"$PASTIME_TOUR"
}

terminal 80 24 "PASTIME_HOME=$PASTIME_HOME"
enter "$PASTIME tui"
shows "the first screen" '#[0-9]+ lost .* e1 of [0-9]+ '

# The crash.
type ':catch signal'
press Enter
shows "what c and C do then" 'goes on to the next signal'
press '$' C
shows "the crash" '^ task 1, e[0-9]+: --- SIGABRT'
shows "the source of the frame that has one" '^> +[0-9]+ +abort\(\);'
shows "the stack" '[0-9] check\+[0-9]+ lost\.c:'
shot crash

# Back to where an old balance is about to be written.
type ":$stale"
press Enter
shows "the breakpoint is set" "breakpoint at $write: 0x"
press C
shows "the guilty write" '^ breakpoint at 0x[0-9a-f]+: task [23], e'
shows "its source" "^> +$write +ledger.balance = before \\+ 1;"
press x
shows "what it goes by" '  before = [0-9]+ +int'
shot guilty
before=$(screen | sed -n 's/.* before = \([0-9]*\) .*/\1/p')
here=$(screen | sed -n 's/^>lost \([0-9]*\) .*/\1/p')

# Who wrote what is there now?
type ':memory ledger.balance'
press Enter
shows "the memory" '\[Mem\] FDs'
wrote="^ the instruction before of task [23] wrote 0x([0-9a-f]+) to 0x[0-9a-f]+, which was 0x([0-9a-f]+)"
press w
shows "who wrote it" "$wrote"
shot other
other=$(screen | sed -n 's/^>lost \([0-9]*\) .*/\1/p')
like "a thread each" '^[0-9]+ [0-9]+$' "$here $other"
holds "another thread than the guilty one" [ "$here" != "$other" ]
[[ $(screen | tail -n 1) =~ $wrote ]]
balance=$((16#${BASH_REMATCH[1]:-0}))
holds "more than what the guilty one goes by ($balance, $before)" \
	[ "$balance" -gt "$before" ]

# And forwards again: the payment is gone.
press W
shows "the next write" "^ the instruction before of task [23] wrote \
$(printf '0x%x to 0x[0-9a-f]+, which was 0x%x' $((before + 1)) "$balance")"
is "by the guilty one" "$here" \
	"$(screen | sed -n 's/^>lost \([0-9]*\) .*/\1/p')"
shot lost
press Q
shows "the shell again" '^ready> *$'
finish
