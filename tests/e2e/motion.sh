#!/bin/bash
# Forwards from stop to stop and back over all of them: breakpoints, watchpoints,
# events, steps, with threads, signals, forks and exec, gzip and Python. At each
# stop position, registers and stack are what they were, from wherever it is
# gone back.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}

# check SEED ROUNDS COMMAND...
check()
{
	local seed=$1 rounds=$2

	shift 2
	run timeout 300 "$build/tools/move-check" -s "$seed" -r "$rounds" \
		-n 10 "$@"
	is "move-check $1" 0 "$status"
	like "move-check $1: something is compared" \
		"[1-9][0-9]+ stops compared, 0 wrong" \
		"$(tail -n 1 "$T/out" | tr -d '\0')"
}

cat >"$T/near.c" <<'END'
#include <sys/syscall.h>
#include <unistd.h>

volatile long sum;

int
main(void)
{
	for (int i = 0; i < 100; i++) {
		sum += syscall(SYS_getppid);
		for (int k = 0; k < 20; k++)
			sum += k;
	}
	return 0;
}
END
# Stopped for a look again and again, also just where a breakpoint is.
if (cd "$T" && ${CC:-cc} -O1 -o near near.c 2>/dev/null); then
	check 9 10 -S 20000 "$T/near"
fi
seq 1 9000 >"$T/numbers"
check 1 10 "$build/tests/guests/cpu_bound_two"
check 2 10 "$build/tests/guests/alarm_compute"
check 3 15 "$build/tests/guests/fork_tree"
check 4 15 "$build/tests/guests/exec_thread"
check 5 15 "$build/tests/guests/futex_ops"
check 6 15 sh -c 'echo one | cat; exec true'
check 7 10 gzip -c "$T/numbers"
if [ -x "$(command -v python3)" ]; then
	check 8 10 python3 -c 'print(sum(map(hash, map(str, range(9000)))))'
fi

# The same from the keyboard: what is copied is where it stands.
cat >"$T/walk.c" <<'END'
#include <unistd.h>

volatile long counter __attribute__((aligned(8)));

__attribute__((noinline)) void
count(long n)
{
	counter = n;
}

int
main(void)
{
	for (long n = 1; n <= 5; n++)
		count(n);
	write(1, "done\n", 5);
	return 0;
}
END
if (cd "$T" && ${CC:-cc} -g -O1 -o walk walk.c 2>/dev/null); then
	cat >"$T/keys" <<'END'
size 100x30
type &call:write
key Enter
key l
key y
clip
type :memory counter
key Enter
key w
screen last-write
key y
clip
key w w w w y
clip
key W y
clip
key i i i I I I y
clip
key w w
screen last
END
	run "$PASTIME" record -q -n walk "$T/walk"
	is "record" 0 "$status"
	PASTIME_TUI_SCRIPT=$T/keys run "$PASTIME" tui walk
	is "tui" 0 "$status"
	grep '^clipboard: ' "$T/out" >"$T/clips"
	like "at the call" "^clipboard: e[0-9]+$" "$(sed -n 1p "$T/clips")"
	like "the last write" "^clipboard: e[0-9]+[+]0x[0-9a-f]+#5$" \
		"$(sed -n 2p "$T/clips")"
	like "what it says" "wrote 0x5 to 0x[0-9a-f]+, which was 0x4" \
		"$(cat "$T/out")"
	like "the first write" "^clipboard: e[0-9]+[+]0x[0-9a-f]+#1$" \
		"$(sed -n 3p "$T/clips")"
	like "the second" "^clipboard: e[0-9]+[+]0x[0-9a-f]+#2$" \
		"$(sed -n 4p "$T/clips")"
	is "steps and back" "$(sed -n 4p "$T/clips")" "$(sed -n 5p "$T/clips")"
	like "nobody before the first" "nobody wrote there before" \
		"$(cat "$T/out")"
fi
finish
