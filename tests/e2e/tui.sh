#!/bin/bash
# The whole path in a real terminal: record a program, browse it, rewind it.
# What the panes show is the program's own state at that event, and what the
# terminal shows is what the headless screens of the other tests show.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh" || exit
# shellcheck source=tmux.sh
. "${TOP_SRCDIR:-.}/tests/e2e/tmux.sh" || exit
need "${CC%% *}"
trap 'no_terminal; clean_up' EXIT

# counter is 0x11111111 * n at the n-th line, text its digit four times.
cat >"$T/steps.c" <<'END'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int counter;
char text[8];

static void
step(int n)
{
	char line[] = "step 0\n";

	counter = 0x11111111 * n;
	memset(text, '0' + n, 4);
	line[5] = (char)('0' + n);
	write(1, line, 7);
}

int
main(void)
{
	for (int n = 1; n <= 5; n++)
		step(n);
	abort();
}
END
(cd "$T" && ${CC:-cc} -g -O0 -o steps steps.c 2>/dev/null) || skip "no compiler"
"$PASTIME" record -q -n steps "$T/steps" >"$T/printed" 2>/dev/null
is "what it printed" "step 1 step 2 step 3 step 4 step 5" \
	"$(xargs <"$T/printed")"

terminal 100 30 "PASTIME_HOME=$PASTIME_HOME"
enter "$PASTIME tui steps"
shows "the first screen" '#1 steps .* e1 of [0-9]+ '

# The fifth write: backtrace, source, memory, as they were.
type '&call:write'
press Enter
shows "five writes" 'step 5'
press End
shows "the last of them" '^>e[0-9]+ .*"step 5\\n"'
shows "the stack" '1 step\+[0-9]+ steps\.c:16'
shows "and who called it" '2 main\+[0-9]+ steps\.c:23'
shows "source of the first frame that has some" '^> +16 +write\(1, line, 7\);'
press M-6 j j Enter
shows "source of a frame" '^> +23 +step\(n\);'
type ':memory counter'
press Enter
shows "memory of a variable" '>[0-9a-f]+ (55[* ]){4}UUUU'
shows "output so far" '^step 5'

# Names of the program and of its libraries, by Tab.
type ':break st'
press Tab
shows "several begin so" '^[ >]step +steps\.c'
press C-g
type ':break mai'
press Tab
shows "one begins so" '^:break main$'
press C-g
type ':break libc.so.6:getpi'
press Tab
shows "of a library" '^:break libc\.so\.6:getpid$'
press C-g
type ':print counte'
press Tab
press Enter
shows "a value" '^ counter = 1431655765 +int'

# Backwards, a write at a time: really replayed there.
for n in 4 3 2 1; do
	press h
	shows "back to write $n" "^>e[0-9]+ .*\"step $n"
	shows "memory then" ">[0-9a-f]+ (${n}${n}[* ]){4}"
	shows "and there" "[ *][0-9a-f]+ (3${n}[* ]){4}$n$n$n$n"
	hides "output then" "^step $((n + 1))"
done
press l l
shows "forwards again" '^>e[0-9]+ .*"step 3'
shows "memory is marked as changed" '>[0-9a-f]+ (33\*){4}3333'

# Registers at this event are those that replay --at shows.
press M-7
shows "registers" 'rip +0000'
press O
shows "maximised" '\*?gs_base'
pos=$(screen | grep -oE ' e[0-9]+ of' | grep -oE 'e[0-9]+')
"$PASTIME" replay steps --at "$pos" >"$T/at" 2>/dev/null
screen >"$T/regs"
for reg in rip rsp rbp rdi rsi rdx rax; do
	want=$(grep -oE "\b$reg +0x[0-9a-f]{16}" "$T/at" | grep -oE '[0-9a-f]{16}$')
	found=$(grep -oE "[ *]$reg +[0-9a-f]{16}" "$T/regs" | grep -oE '[0-9a-f]{16}$')
	is "$reg at $pos" "${want:-none}" "$found"
done
press O

# A bookmark is in the database.
press m
type third
press Enter
shows "set" "bookmark @third is at $pos"
is "other commands know it" "$pos" \
	"$("$PASTIME" sql steps --csv 'select pos from mark' 2>/dev/null |
		tail -n 1 | tr -d '\r')"

# gdb at this moment, and back.
if command -v gdb >/dev/null; then
	press g
	shows "gdb stands there" '^\(gdb\) *$'
	tm send-keys "p/x counter" Enter
	shows "the same memory" '= 0x33333333$'
	tm send-keys "quit" Enter
	shows "gdb asks" 'Quit anyway\?'
	tm send-keys y Enter
	shows "and back" "#1 steps .* $pos of .* replay ready"
fi

# SQL leads to events.
press M-0
shows "the pane for SQL" '^sql>'
press Enter
type "select seq, ret from call where name = 'write' order by seq"
shows "typed" '^sql> select .* order by seq$'
press Enter
shows "a table" '^ *seq +ret'
press Home j j j j Enter
shows "a row leads to its event" '^>e[0-9]+ .*"step 3|^>e[0-9]+ .*"step 4|^>e[0-9]+ .*"step 2'

# The crash.
type '&'
press C-u
type kind:signal
press Enter
press M-2 End
shows "the signal" '^>e[0-9]+ .*SIGABRT'
press M-6
shows "who raised it" 'abort\+[0-9]+|raise|pthread_kill'
press Q
shows "back in the shell" '^ready> *$'

# Begin at a position; the same keys without a terminal give the same screen.
enter "$PASTIME tui steps --at @third"
shows "at the bookmark" "#1 steps .* $pos of .* replay ready"
shows "its source" 'steps\.c|Code\]'
printf 'size 100x30\nscreen steps\n' >"$T/keys"
PASTIME_TUI_SCRIPT=$T/keys "$PASTIME" tui steps --at @third >"$T/headless" 2>&1
tail -n +2 "$T/headless" >"$T/want"
holds "terminal and headless screen are the same" \
	wait_for "screen >'$T/found'; cmp -s '$T/want' '$T/found'"
cmp -s "$T/want" "$T/found" || diff -a "$T/want" "$T/found"
press Q
shows "quit" '^ready> *$'

# Refused in words, on the screen as it was.
enter "$PASTIME tui nobody"
shows "no such recording" '\[E_NOT_FOUND\]'
enter "$PASTIME tui steps --at nowhere"
shows "no such position" '\[E_POSITION\]'
enter "$PASTIME tui --db host=/nonexistent"
shows "no server" '\[E_DB_UNREACHABLE\]'
finish
