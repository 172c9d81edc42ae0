#!/bin/bash
# Programs with threads that compute, spin and signal, recorded with hostile
# choices, a seed after the other, and replayed: each run ends, as it would
# without, and its replay is alike.
#
#	chaos.sh [SEEDS]	a few guests with 2 seeds; with SEEDS all programs
#
# shellcheck source=e2e/lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
smoke=$build/tools/rr-smoke
guests=$build/tests/guests
seeds=${1:-2}
limit=${CHAOS_LIMIT:-300}
cc=${CC:-cc} # may be two words

# under NAME STATUS COMMAND...: STATUS is a pattern of what rr-smoke says
under()
{
	local name=$1 ends=$2 seed said

	shift 2
	for ((seed = 1; seed <= seeds; seed++)); do
		run timeout "$limit" "$smoke" -x "$seed" "$@" </dev/null
		said=$(grep -a '^rr-smoke:' "$T/err")
		is "$name, seed $seed: replayed alike" 0 "$status"
		[ "$status" = 0 ] || tail -n 8 "$T/err"
		like "$name, seed $seed: its status" "status ($ends)," "$said"
	done
}

# racy NAME: a program of bench/racy, which may fail
racy()
{
	# shellcheck disable=SC2086
	$cc -O1 -pthread -o "$T/$1" "$TOP_SRCDIR/bench/racy/$1.c" ||
		exit 99
	under "$1" '0|0x100' "$T/$1"
}

# What was chosen is in the recording, with its seed.
choices()
{
	"$smoke" -d -n -x 7 "$guests/threads_mutex_cond" >/dev/null 2>"$T/err"
	like 'choices are events' ' chaos +chaos: ' "$(cat "$T/err")"
	"$smoke" -d -n -x 7 -k all=off,maps "$guests/threads_mutex_cond" \
		>/dev/null 2>"$T/err"
	like 'mappings are moved' 'chaos: maps near 0x7e' "$(cat "$T/err")"
	is 'no other choice' 0 "$(grep ' chaos: ' "$T/err" | grep -vc 'maps near')"
	"$smoke" -d -n -x 7 -k all=off "$guests/threads_mutex_cond" \
		>/dev/null 2>"$T/err"
	is 'no knob, no choice' 0 "$(grep -c ' chaos: ' "$T/err")"
	run "$smoke" -x 7 -k tempo=on true
	is 'an unknown knob' 2 "$status"
}

# knob NAME SEED COMMAND...: recorded with that knob alone, and replayed; what
# was chosen is in err, what was said in out.
knob()
{
	run "$smoke" -d -x "$2" -k "all=off,$1" "${@:3}" </dev/null
	is "$1, seed $2: replayed alike" 0 "$status"
}

# What calls do: the programs print what must be in the recording.
calls()
{
	local seed n

	# shellcheck disable=SC2086
	$cc -O1 -pthread -o "$T/calls" "$TOP_SRCDIR/tests/chaos/calls.c" ||
		exit 99
	for kind in p u; do
		knob short 1 "$T/calls" "$kind"
		is 'nothing is lost' '40000 bytes, some short' "$(cat "$T/out")"
		like 'each is an event' 'of 100 bytes offered' "$(cat "$T/err")"
		knob births 1 "$T/calls" "$kind"
		is 'not without it' '40000 bytes, none short' "$(cat "$T/out")"
	done
	for kind in v m 'v threads' 'm threads'; do
		# shellcheck disable=SC2086 # two words
		knob short 1 "$T/calls" $kind
		is "vectors, $kind" \
			'all, 0 bad, reads short, writes short' \
			"$(cat "$T/out")"
	done
	knob births 1 "$T/calls" v
	is 'whole without it' 'all, 0 bad, reads whole, writes whole' \
		"$(cat "$T/out")"
	knob spurious 1 "$T/calls" s
	n=$(grep -c 'chaos: woken for nothing' "$T/err")
	is 'as many waits ended as events say' "ended $n" "$(cat "$T/out")"
	is 'there were some' 1 "$((n > 0))"
	for seed in 1 2 3 4 5 6 7 8 9 10; do
		knob wakes "$seed" "$T/calls" w
		grep -q 'order 1 2 3' "$T/out" || break
	done
	like 'woken in another order' 'order (1 3 2|2 . .|3 . .)' \
		"$(cat "$T/out")"
	like 'which was chosen' 'chaos: wakes 1, task . first' "$(cat "$T/err")"
	knob cpus 3 sh -c 'grep -c ^processor /proc/cpuinfo
		grep -c "^cpu[0-9]" /proc/stat
		echo 0-$(($(nproc) - 1))
		sed -n "s/^Cpus_allowed[_list]*:.//p" /proc/self/status
		sed -n "s/^State:.//p" /proc/self/status
		sed -n "s/^Cpus_allowed[_list]*:.//p" /proc/$$/task/$$/status
		cat /sys/devices/system/cpu/online
		cd /sys/devices/system/cpu && echo cpu[0-9]*
		ls -U . | grep -c "^cpu[0-9]"'
	is 'CPUs agree' \
		"$(printf '4\n4\n0-3\nf\n0-3\nR (running)\nf\n0-3\n0-3\ncpu0 cpu1 cpu2 cpu3\n4')" \
		"$(cat "$T/out")"
	like 'the read is an event' 'chaos: 4 CPUs' "$(cat "$T/err")"
}

# chosen NAME PATTERN COMMAND...: with one of some seeds there is such an event.
chosen()
{
	local seed

	for ((seed = 1; seed <= 40; seed++)); do
		knob "$1" "$seed" "${@:3}"
		grep -qE " chaos: $2" "$T/err" && break
	done
	holds "$1 is an event" grep -qE " chaos: $2" "$T/err"
}

# named WHAT LEAST PLACES MATCH COMMAND...: all ambushes are at PLACES, which
# end in these digits (a pattern); of five seeds at least LEAST fail, and fail
# again in replay.
named()
{
	local what=$1 least=$2 places=$3 match=$4 seed found=0

	shift 4
	for seed in 1 2 3 4 5; do
		run "$smoke" -d -x "$seed" -l "$places" "$@" </dev/null
		is "$what, seed $seed: replayed alike" 0 "$status"
		grep -qa '^rr-smoke:.*status 0x100,' "$T/err" &&
			found=$((found + 1))
		is "$what, seed $seed: nowhere else" '' \
			"$(sed -n 's/.*ambushed at 0x\([0-9a-f]*\),.*/\1/p' \
				"$T/err" | grep -vxE "[0-9a-f]*($match)")"
		is "$what, seed $seed: found and reached" 0 \
			"$(grep -c 'chaos-at' "$T/err")"
	done
	is "$what: of five $found fail" 1 "$((found >= least))"
}

# The last three digits of where symbols are, which a page does not change.
digits()
{
	nm "$1" | sed -n "s/^[0-9a-f]*\([0-9a-f]\{3\}\) . $2\$/\1/p"
}

# Places that the user names: by line, function and address, of programs that
# are loaded anywhere and of a library that comes later and has no lines.
named_places()
{
	local source=$TOP_SRCDIR/tests/chaos/named.c line library settle

	line=$(sed -n '/HERE/=' "$source")
	library=$T/libnamed.so
	settle=settle_here
	# shellcheck disable=SC2086
	{
		$cc -g -O1 -fno-inline -fPIE -pie -pthread -o "$T/named" \
			"$source" -ldl &&
			$cc -g -O1 -fno-inline -no-pie -pthread \
				-o "$T/named_fixed" "$source" -ldl &&
			$cc -O1 -fPIC -shared -DLIBRARY -o "$library" \
				"$source" &&
			$cc -g -O1 -no-pie -pthread -o "$T/handler_malloc" \
				"$TOP_SRCDIR/bench/racy/handler_malloc.c"
	} || exit 99
	named 'a line' 3 "named.c:$line" ... "$T/named"
	named 'a function' 3 $settle "$(digits "$T/named" $settle)" "$T/named"
	named 'an address' 3 "0x$(nm "$T/named" | sed -n "s/ . $settle\$//p")" \
		"$(digits "$T/named" $settle)" sh -c "$T/named; exit \$?"
	named 'an address that stays' 3 \
		"0x$(nm "$T/named_fixed" | sed -n "s/ . $settle\$//p")" \
		"$(digits "$T/named_fixed" $settle)" "$T/named_fixed"
	named 'a library' 3 libnamed.so:settle "$(digits "$library" settle)" \
		"$T/named" "$library"
	line=$(sed -n '/cache = b->next;/=' \
		"$TOP_SRCDIR/bench/racy/handler_malloc.c" | head -n 1)
	named 'a signal' 1 "handler_malloc.c:$line" ... "$T/handler_malloc"
	# Optimized code: the entry of a statement may have no code of its own.
	is 'all of that line, and no other' "handler_malloc.c:$line" \
		"$(sed -n 's/.*ambushed at \(0x[0-9a-f]*\),.*/\1/p' "$T/err" |
			addr2line -e "$T/handler_malloc" |
			sed 's/.*\///; s/ .*//' | sort -u)"

	for place in nowhere never "named.c:99999"; do
		run "$smoke" -x 1 -l "$place" "$T/named"
		is "$place: recorded and replayed" 0 "$status"
		case $place in
		never) like 'nobody came by' \
			'chaos-at=never: was never reached' "$(cat "$T/err")" ;;
		*) like "$place is not known" \
			"chaos-at=$place: no program that ran has" \
			"$(cat "$T/err")" ;;
		esac
	done
	run "$smoke" -d -n -x 7 -k all=off -l "$settle" "$T/named"
	is 'no other choice than what is named' 0 \
		"$(grep ' chaos: ' "$T/err" | grep -vcE 'ambushed|plan named')"
	for place in '' : file.c:0 file.c:1x 12 0x 0xz a,,b; do
		run "$smoke" -x 1 -l "$place" true
		is "'$place' is no place" 2 "$status"
	done
}

# Every knob has a name, which the manual explains, and makes choices of its own.
knobs()
{
	local name

	# shellcheck disable=SC2086
	$cc -O1 -pthread -o "$T/lost_update" \
		"$TOP_SRCDIR/bench/racy/lost_update.c" || exit 99
	while read -r name; do
		holds "the manual explains $name" grep -qx "\.B $name" \
			"$TOP_SRCDIR/man/pastime-record.1"
		case $name in
		priorities) chosen priorities priority "$T/lost_update" ;;
		slices) chosen slices 'a turn of' "$guests/spin_flag" ;;
		starve) chosen starve held "$guests/threads_mutex_cond" ;;
		births) chosen births held "$guests/threads_mutex_cond" ;;
		ambush) chosen ambush ambushed "$T/lost_update" ;;
		calls) chosen calls 'its turn ends' \
			"$guests/threads_mutex_cond" ;;
		signals) chosen signals '.*worse' "$guests/sig_compute" ;;
		eintr) chosen eintr '.*EINTR' "$T/calls" e ;;
		short | wakes | spurious | maps | cpus) ;; # above
		*) holds "a test of $name" false ;;
		esac
	done < <(sed -n 's/^KNOB(\([a-z]*\),.*/\1/p' \
		"$TOP_SRCDIR/recorder/knobs.def")
}

programs()
{
	under spin_flag 0 "$guests/spin_flag"
	under alarm_prof 0 "$guests/alarm_prof"
	under sig_nested 0 "$guests/sig_nested"
	under robust_cleartid 0 "$guests/robust_cleartid"
	if command -v xz >/dev/null; then
		head -c 3000000 "$smoke" >"$T/in"
		under xz 0 xz -T4 --block-size=300000 -kc "$T/in"
	fi
	for python in /usr/bin/python3 /usr/local/bin/python3; do
		[ -x "$python" ] || continue
		under python 0 "$python" -c '
import sys, threading
sys.setswitchinterval(1e-6)
n = 0
def add():
    global n
    for i in range(10000):
        n += 1
threads = [threading.Thread(target=add) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()'
		break
	done
	spinners
	go_program
	java_program
}

# Threads that share locks which spin: cmpxchg, ticket, sched_yield.
spinners()
{
	local kind

	cat >"$T/spin.c" <<'END'
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int word, next, now;
static int count, kind;

static void
take(void)
{
	int mine, zero = 0;

	if (kind == 1) {
		mine = atomic_fetch_add(&next, 1);
		while (atomic_load(&now) != mine)
			;
		return;
	}
	while (!atomic_compare_exchange_weak(&word, &zero, 1)) {
		zero = 0;
		if (kind == 2)
			sched_yield();
	}
}

static void
give(void)
{
	if (kind == 1)
		atomic_fetch_add(&now, 1);
	else
		atomic_store(&word, 0);
}

static void *
work(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		take();
		count++;
		give();
	}
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t t[4];

	kind = atoi(argv[1]);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return count != 4 * 2000;
}
END
	# shellcheck disable=SC2086
	$cc -O1 -pthread -o "$T/spin" "$T/spin.c" || exit 99
	for kind in 0 1 2; do
		under "spin lock $kind" 0 "$T/spin" "$kind"
	done
}

go_program()
{
	command -v go >/dev/null || return 0
	cat >"$T/main.go" <<'END'
package main

import "sync"

func main() {
	var w sync.WaitGroup
	var m sync.Mutex
	n := 0
	for i := 0; i < 4; i++ {
		w.Add(1)
		go func() {
			defer w.Done()
			for k := 0; k < 5000; k++ {
				m.Lock()
				n++
				m.Unlock()
			}
		}()
	}
	w.Wait()
	if n != 20000 {
		panic(n)
	}
}
END
	HOME=$T GOCACHE=$T/go GOFLAGS=-mod=mod go build -o "$T/gomain" \
		"$T/main.go" || return 0
	under go 0 "$T/gomain"
}

java_program()
{
	command -v javac >/dev/null || return 0
	cat >"$T/Main.java" <<'END'
public class Main {
	static int n;

	public static void main(String[] a) throws Exception {
		Thread[] t = new Thread[3];
		for (int i = 0; i < t.length; i++) {
			t[i] = new Thread(() -> {
				for (int k = 0; k < 20000; k++)
					synchronized (Main.class) {
						n++;
					}
			});
			t[i].start();
		}
		for (Thread x : t)
			x.join();
		System.exit(n == 60000 ? 0 : 1);
	}
}
END
	javac -d "$T" "$T/Main.java" || return 0
	under java 0 java -cp "$T" Main
}

choices
calls
knobs
named_places
under threads_mutex_cond 0 "$guests/threads_mutex_cond"
under sig_compute 0 "$guests/sig_compute"
under fork_tree 0 "$guests/fork_tree"
racy lost_update
racy two_processes
racy handler_malloc
if [ $# -gt 0 ]; then
	under cpu_bound_two 0 "$guests/cpu_bound_two"
	for source in "$TOP_SRCDIR"/bench/racy/*.c; do
		name=${source##*/}
		racy "${name%.c}"
	done
	programs
fi

finish
