#!/bin/bash
# Every guest again, recorded with the agent, its call sites patched the first
# time they are seen, and with hardly any room for its records. What is replayed
# is compared call by call with registers, and with memory every few events.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
smoke=$build/tools/rr-smoke

# guest NAME OPTIONS...
guest()
{
	local name=$1 said ends

	shift
	mkdir -p "$T/$name"
	cd "$T/$name" || exit 99
	run timeout 120 "$smoke" -o "$@" "$build/tests/guests/$name" </dev/null
	said=$(tail -n 12 "$T/err")
	is "$name $*: replayed alike" 0 "$status"
	[ "$status" = 0 ] || printf '%s\n' "$said"
	# 0, or 77: what it tests is not possible here; lineage dies of SIGSEGV
	ends='0|0x4d00'
	[ "$name" != lineage ] || ends=0xb
	like "$name $*: its own checks" "status ($ends)," "$said"
	cd / && rm -rf "${T:?}/$name"
}

for file in "$build"/tests/guests/*; do
	if [ ! -f "$file" ] || [ ! -x "$file" ]; then continue; fi
	name=${file##*/}
	guest "$name" -A 1 -s 8
	guest "$name" -A 1 -r 6000 -c 1 -e
done
for name in agent_fds agent_signals agent_threads fork_tree sa_restart_matrix; do
	guest "$name" -A 3 -c 5
done

# Every kernel call of the agent's is told by an event, or was made again where
# the tracer saw it; with little room for records, too.
for options in '-A 1' '-A 1 -r 6000' '-A 3'; do
	for name in agent_clocks agent_fds agent_maps agent_seen agent_signals agent_threads agent_vectors agent_waits \
		blocking_buffers fork_tree sockets sa_restart_matrix; do
		# shellcheck disable=SC2086
		run timeout 120 "$smoke" -K $options "$build/tests/guests/$name" \
			</dev/null
		is "$name $options: its calls are in the events" 0 "$status"
		like "$name $options: accounts" ' 0 lost' "$(cat "$T/err")"
	done
done

# instructions_of FILE FROM TO: their addresses; padding is none.
instructions_of()
{
	objdump -dw --start-address="$2" --stop-address="$3" "$1" |
		awk '/^ +[0-9a-f]+:/ && !/nop/ { sub(":", "", $1); print $1 }'
}

# A signal at every instruction in the file of them that the guest's calls come
# to: at least LEAST. The rounds are as many as there are instructions.
# prod GUEST WHERE LIST LEAST
prod()
{
	local rounds=$(($(wc -l <"$3") + 20)) hits

	run timeout 300 "$smoke" -A 1 -c 50 -P "$3" \
		"$build/tests/guests/$1" "$rounds" prod </dev/null
	is "a signal at every instruction of $2: replayed alike" 0 "$status"
	hits=$(sed -n 's/^rr-smoke: \([0-9]*\) of .* prods$/\1/p' "$T/err")
	is "a signal at every instruction of $2: each came once" \
		"came $hits" "$(cat "$T/out")"
	holds "a signal at every instruction of $2: $hits of them" \
		[ "$hits" -ge "$4" ]
}

end=$(nm "$build/agent/code.elf" | awk '$3 == "agent_text_end" { print $1 }')
instructions_of "$build/agent/code.elf" 0x70040000 "0x$end" >"$T/prods"
printf '%s\n' 70000010 70000012 >>"$T/prods"
prod agent_prods 'the agent' "$T/prods" 1500
prod baton_prods 'the agent, between threads' "$T/prods" 800

# Eight signals in a row at each instruction of a hand-over: one that is kept for
# too long is one with those behind it.
nm -S "$build/agent/code.elf" | awk '$4 == "agent_hand_over" { print $1, $2 }' |
	while read -r from size; do
		instructions_of "$build/agent/code.elf" "0x$from" \
			"$((0x$from + 0x$size))"
	done | awk '{ for (i = 0; i < 8; i++) print }' >"$T/prods"
prod baton_prods 'a hand-over, again and again' "$T/prods" 600

# The same in the vdso's code, of which the agent has a copy.
start=$(sed -n 's/^\([0-9a-f]*\)-.*\[vdso\]$/\1/p' "/proc/$$/maps")
if [ -n "$start" ] && dd if="/proc/$$/mem" of="$T/vdso" bs=4096 count=2 \
	skip="$((0x$start / 4096))" 2>/dev/null; then
	nm -DS "$T/vdso" | awk '$4 ~ /^__vdso_(clock_gettime|gettimeofday)/ {
		print $1, $2 }' | while read -r from size; do
		instructions_of "$T/vdso" "0x$from" "$((0x$from + 0x$size))"
	done | while read -r at; do
		printf '%x\n' $((0x70010000 + 0x$at))
	done >"$T/prods"
	prod agent_prods 'the clocks' "$T/prods" 20
fi

# Who is killed in a call that waits was killed in that call.
run "$smoke" -A 1 -d "$build/tests/guests/agent_waits" </dev/null
killed=$(grep -B 1 'killed by SIGKILL; its process' "$T/err" |
	grep -c 'enter    \* read(')
is 'killed in a read' 3 "$killed"

# Most calls of a program that makes many are made by the agent.
run "$smoke" -a -d dd if=/dev/zero of=/dev/null bs=1 count=3000
is 'dd: replayed alike' 0 "$status"
made=$(grep -c ' AGENT$' "$T/err")
holds "dd: $made calls without a stop" [ "$made" -gt 5900 ]

# Threads hand over to each other without a stop: hardly a wait that traps.
run "$smoke" -a -d "$build/tests/guests/baton" </dev/null
made=$(grep -c ' enter .* futex(.* AGENT$' "$T/err")
other=$(grep ' enter .* futex(' "$T/err" | grep -vc ' AGENT$')
holds "hand-overs: $made without a stop, $other with one" \
	[ "$((made / 20))" -gt "$other" ]
made=$(grep -c ' enter .* epoll_wait(.*, 12000, .* AGENT$' "$T/err")
holds "a wait for 12,000 events: $made without a stop" [ "$made" -gt 5 ]

# Where the vdso can tell the time the agent makes calls for two clocks of nine
# and for clock_getres only: a thousand, where the guest asks four thousand times.
source=$(cat /sys/devices/system/clocksource/*0/current_clocksource 2>/dev/null)
if [ "$source" = tsc ]; then
	run "$smoke" -K -A 1 "$build/tests/guests/agent_clocks"
	made=$(sed -n "s/^rr-smoke: \\([0-9]*\\) calls of the agent's.*/\\1/p" "$T/err")
	holds "clocks: $made calls of the agent's" [ "$made" -lt 1200 ]
fi

finish
