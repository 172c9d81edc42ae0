#!/bin/bash
# Moments between events: named by arrivals at an address, found again by
# counting, the same as single-stepping shows them.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME
build=${TOP_BUILDDIR:-.}

# Guests that are preempted and signalled, and whatever programs are here.
check()
{
	run timeout 300 "$build/tools/pos-check" -a -i 5 -k 1500 -p 10 -s "$@"
	is "pos-check $2" 0 "$status"
	like "pos-check $2" "(50|40|30) positions, 0 wrong" \
		"$(tail -n 1 "$T/out" | tr -d '\0')"
}
seq 1 20000 >"$T/numbers"
check 1 "$build/tests/guests/alarm_compute"
check 2 "$build/tests/guests/cpu_bound_two"
check 3 gzip -c "$T/numbers"
if [ -x "$(command -v python3)" ]; then
	check 4 python3 -c 'print(sum(map(hash, map(str, range(9000)))))'
fi

# By the command: a name is found, one that does not exist says what there is.
run "$p" record -n pos gzip -c "$T/numbers"
is "record" 0 "$status"
run "$p" replay pos --at e40+5
is "steps from an event" 0 "$status"
pc=$(sed -n 's/^\* .* \(0x[0-9a-f]*\) .*/\1/p' "$T/out" | head -n 1)
at=$(sed -n '1s/^\(e[0-9]*\)+5 .*/\1/p' "$T/out")
like "the event before the code" "^e[0-9]+$" "$at"
run "$p" replay pos --at "$at+$pc"
is "an address in the same code" 0 "$status"
like "its name" "^${at}[+]0x[0-9a-f]+#1 of recording" "$(head -n 1 "$T/out")"
run "$p" replay pos --at "$at+$pc#99999999"
is "an arrival that never comes" 125 "$status"
like "what there is" "is reached [0-9]+ times? between $at and" \
	"$(cat "$T/err")"

# The instruction that made a call, by its address, whether pastime's jump is
# there now or not: it is found, and the call comes next.
run "$p" record -q -n calls find /usr/include/linux -name 'n*'
is "record calls" 0 "$status"
"$p" sql --csv calls "select min(seq) - 1, to_hex(pc - 2) from event
	where kind = 5 group by pc order by 1 desc limit 20" |
	tr -d '\r' | sed '1d;s/,/ /' >"$T/sites"
holds "call sites: $(wc -l <"$T/sites")" [ "$(wc -l <"$T/sites")" -gt 5 ]
while read -r seq pc; do
	run "$p" replay calls --at "e$seq+0x$pc"
	is "the call at 0x$pc after e$seq: $(cat "$T/err")" 0 "$status"
done <"$T/sites"

# The tasks as --at shows them, but for flags that the next instruction sets
# anew: points do not tell these apart.
tasks()
{
	sed -n '/^Tasks/,$p' "$T/out" | sed 's/ *eflags *0x[0-9a-f]*//'
}

# Where a thread was stopped has a name by its address, too: not before it was
# counted, and then it is the same moment.
run "$p" record -q -n stops "$build/tests/guests/spin_flag"
is "record threads" 0 "$status"
run "$p" show -k sched stops
is "not counted" 0 "$(grep -c 'at e[0-9]*+0x' "$T/out")"
stops=$(wc -l <"$T/out")
holds "there are stops ($stops)" [ "$stops" -ge 2 ]
run "$p" replay --positions stops
is "count" 0 "$status"
run "$p" show -k sched stops
is "counted" "$stops" "$(grep -c 'at e[0-9]*+0x[0-9a-f]*#[1-9]' "$T/out")"
cp "$T/out" "$T/stops"
run "$p" sql --csv stops 'select position from this.point order by seq'
is "the same in SQL" \
	"$(sed 's/.* at //' "$T/stops")" "$(tr -d '\r' <"$T/out" | sed 1d)"
while read -r event at; do
	run "$p" replay stops --at "$event"
	tasks >"$T/by_event"
	run "$p" replay stops --at "$at"
	is "$at" 0 "$status"
	tasks >"$T/by_address"
	same "$event and $at" "$T/by_event" "$T/by_address"
	holds "$event shows something" [ -s "$T/by_event" ]
done < <(sed -n '1p;2p;$p' "$T/stops" | sed 's/^\(e[0-9]*\) .* at /\1 /')
run "$p" rm -q stops
run "$p" gc -q
is "forgotten with it" 0 "$("$p" sql --csv \
	'select count(*) from pastime.arrival' | tail -n 1 | tr -d '\r')"
finish
