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
	run timeout 300 "$build/tools/move-check" -a -s "$seed" -r "$rounds" \
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
# Sweeps for watchpoints, in many short stretches.
check 21 10 -S 50000 "$build/tests/guests/futex_ops"
check 24 10 -S 100000 sh -c 'seq 1 300 | sort | tail -n 1'
if [ -x "$(command -v python3)" ]; then
	check 8 10 python3 -c 'print(sum(map(hash, map(str, range(9000)))))'
fi

# By source line: calls, recursion, a callback out of code without lines, a line
# that is a long loop; then a handler in the midst, longjmp, another thread.
cat >"$T/calls.c" <<'END'
#include <stdio.h>
#include <stdlib.h>

static long
factorial(long n)
{
	if (n <= 1)
		return 1;
	return n * factorial(n - 1);
}

static int
twice(int a)
{
	return a * 2;
}

static int
order(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int
main(void)
{
	int v[] = { 5, 3, 1, 4 };
	int (*f)(int) = twice;

	for (int i = 0; i < 2; i++) {
		v[i] += f(i) + twice(1);
		for (int k = 0; k < 500; k++) v[3] += k ^ i;
	}
	qsort(v, 4, sizeof(*v), order);
	printf("%ld %d\n", factorial(4), v[0]);
	return 0;
}
END
cat >"$T/jumps.c" <<'END'
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static volatile int hits, sum;
static jmp_buf env;

static void
on_alarm(int s)
{
	hits++;
	sum ^= s;
}

static void
deeper(int n)
{
	if (n == 0)
		longjmp(env, 1);
	deeper(n - 1);
}

static void *
worker(void *arg)
{
	for (int i = 0; i < 300; i++)
		sum += i;
	return arg;
}

int
main(void)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	pthread_t t;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	while (hits < 3) sum++;
	it.it_value.tv_usec = it.it_interval.tv_usec = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	if (setjmp(env) == 0)
		deeper(2);
	sum++;
	pthread_create(&t, NULL, worker, NULL);
	for (int i = 0; i < 20; i++)
		sum += i;
	pthread_join(t, NULL);
	raise(SIGALRM);
	printf("%d\n", hits);
	return 0;
}
END
if (cd "$T" && ${CC:-cc} -g -O0 -o calls calls.c &&
	${CC:-cc} -g -O0 -pthread -o jumps jumps.c) 2>/dev/null; then
	check 3 4 -l "$T/calls"
	check 4 4 -l "$T/jumps"
	# At a fixed address, and without a table of unwinding in memory.
	if (cd "$T" && ${CC:-cc} -g -O0 -static -no-pie -o static calls.c) \
		2>/dev/null; then
		check 3 4 -l "$T/static"
	fi
	# Until line N is the one of the Source pane.
	cat >"$T/keys" <<'END'
size 100x40
key 0 s
screen main
key n n n
screen over
key s
screen into
key f
screen finished
key n n u
screen until
key U
screen until-back
key 0 s 3 n s
screen again
key F
screen called
key N
screen line-before
key 0 s s s s s S S
screen two-back
key 0 s n n n n i
type :memory v[0]
key Enter w
screen who-wrote
key w
screen who-before
type :break twice if a == 1
key Enter c
screen conditional
clip
key y
clip
key c c C C y
clip
type :break calls.c:34
key Enter c c c
screen by-file
type :break factorial
key Enter c
screen by-name
key c c n
screen recursion
END
	"$PASTIME" record -q -n calls "$T/calls" >/dev/null
	PASTIME_TUI_SCRIPT=$T/keys run "$PASTIME" tui calls
	is "tui by line" 0 "$status"
	# line SCREEN NUMBER
	line()
	{
		is "the line: $1" "$2" "$(sed -n "/^--- $1 /,/^--- /p" \
			"$T/out" | grep -oE '^> +[0-9]+ ' | tr -dc '0-9\n' |
			tail -n 1)"
	}
	line main 27
	line over 31
	line into 15
	line finished 31
	line until 34
	line until-back 30
	line again 15
	line called 31
	line line-before 31
	line two-back 30
	line conditional 15
	line by-file 34
	line who-wrote 32
	line who-before 27
	like "two numbers of four bytes" "wrote 0x[0-9a-f]+ to 0x[0-9a-f]+, which was 0x5" \
		"$(cat "$T/out")"
	line by-name 7
	line recursion 9
	is "back over a breakpoint with a condition" \
		"$(grep '^clipboard: ' "$T/out" | sed -n 2p)" \
		"$(grep '^clipboard: ' "$T/out" | sed -n 3p)"
	like "it was somewhere" '^clipboard: e[0-9]+[+]' \
		"$(grep '^clipboard: ' "$T/out" | sed -n 3p)"
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
# Just after an instruction that wrote: that is the write.
type :break count
key Enter 0 c c c i
screen just-behind
key w
screen just-before
key w
screen one-before
# Stops at events, both ways.
key Alt-b d
type :catch call write
key Enter 0 c
screen caught
key y
clip
type :catch exit
key Enter c
screen ended
key C y
clip
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
	like "the write just before" "wrote 0x3 to 0x[0-9a-f]+, which was 0x2" \
		"$(sed -n '/^--- just-before/,/^--- /p' "$T/out")"
	is "nothing moved" \
		"$(sed -n '/^--- just-behind/,/^--- /p' "$T/out" | grep -A 3 '^>  *[0-9]')" \
		"$(sed -n '/^--- just-before/,/^--- /p' "$T/out" | grep -A 3 '^>  *[0-9]')"
	like "the one before" "wrote 0x2 to 0x[0-9a-f]+, which was 0x1" \
		"$(sed -n '/^--- one-before/,/^--- /p' "$T/out")"
	is "stopped at the call" "$(sed -n 1p "$T/clips")" \
		"$(sed -n 6p "$T/clips")"
	like "what it says" "task 1, e[0-9]+: write\(1, \"done" \
		"$(sed -n '/^--- caught/,/^--- /p' "$T/out")"
	like "stopped at the end" "task 1, e[0-9]+: .* task 1 ends" \
		"$(sed -n '/^--- ended/,$p' "$T/out")"
	is "and back" "$(sed -n 6p "$T/clips")" "$(sed -n 7p "$T/clips")"
fi
finish
