#!/bin/bash
# The terminal side of the TUI in a real terminal, over a made-up recording: taken
# and given back on every way out, resized, suspended, mouse, paste, clipboard.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh" || exit
# shellcheck source=tmux.sh
. "${TOP_SRCDIR:-.}/tests/e2e/tmux.sh" || exit
trap 'no_terminal; clean_up' EXIT

demo=${TOP_BUILDDIR:-.}/tui_demo
[ -x "$demo" ] || skip "no tui_demo"

demo_pid()
{
	pgrep -f "tui_demo $1\$" -P "$(tm display -p '#{pane_pid}')"
}

modes()
{
	tm display -p '#{alternate_on}#{mouse_any_flag}#{cursor_flag}'
}

# The terminal is as a shell wants it.
is_restored()
{
	shows "$1: a prompt" '^ready> *$'
	is "$1: main screen, no mouse, cursor" 001 "$(modes)"
	enter 'stty -a | tr " ;" "\n\n" | grep -xE -- "-?(echo|icanon|isig|icrnl)" | xargs echo is'
	shows "$1: modes of the line" '^is icrnl isig icanon echo$'
}

terminal 80 24
enter "$demo small"
shows "the first screen" '^>e1  4711 getpid'
is "alternate screen, mouse, no cursor" 110 "$(modes)"

# Keys of every kind.
press l l l
shows "three events on" '^>e4 '
press Left
shows "an arrow" '^>e3 '
press M-7
shows "Alt chooses a pane" '\[Regs\]'
press End
press M-2 PageDown
shows "a page on" '^>e9 '
press 2 0 e
shows "a count" '^>e20 '

# Another size, while it runs.
tm resize-window -x 120 -y 40
shows "wider" '^─ #12 flaky-test ─{40,} e20 of 60'
shows "higher" '^>e20 4712 \+\+\+ task 2 is born: tid 4712'
tm resize-window -x 30 -y 8
shows "too small says so" 'is too small'
tm resize-window -x 80 -y 24
shows "as before" '^─ #12 flaky-test ─{17} e20 of 60'

# The mouse, in the form without a limit.
type $'\e[<0;11;8M'
shows "a click goes to an event" '^>e18 '
type $'\e[<65;11;8M'
shows "the wheel moves" '^>e21 '
type $'\e[<0;57;14M\e[<0;57;14m'
shows "a click chooses a tab" '\[Stack\]|\[Regs\]'
# What no table knows is no command.
type $'\e[99;5u\e[I\e[200;1z'
shows "unknown sequences do nothing" '^>e21 '

# Copied, through the terminal.
press y
shows "copied" 'copied e21'
holds "on the clipboard" wait_for '[ "$(tm show-buffer 2>/dev/null)" = e21 ]'

# Pasted text is text, one line of it.
tm set-buffer -b two $'e5\nQ'
tm paste-buffer -p -b two
press l
shows "pasted without a prompt: nothing" '^>e22 '
press :
shows "a prompt" '^:$'
tm paste-buffer -p -b two
shows "pasted into it" '^:e5 Q$'
press C-u
type e5
press Enter
shows "the command line" '^>e5 '

# Suspended and continued.
press C-z
shows "stopped" 'Stopped'
is "given back while stopped" 001 "$(modes)"
enter fg
shows "continued" '^>e5 '
is "taken again" 110 "$(modes)"
press l
shows "and alive" '^>e6 '

press Q
is_restored "quit"

# Signals end it in order.
for signal in TERM HUP INT; do
	enter "$demo small; echo left \$?"
	shows "$signal: a screen" '^>e1 '
	# shellcheck disable=SC2016 # wait_for expands it
	wait_for '[ -n "$(demo_pid small)" ]' || fail "$signal: no process"
	kill -"$signal" "$(demo_pid small)"
	shows "$signal: says so" "ended by SIG$signal"
	shows "$signal: status" '^left 125$'
	is_restored "$signal"
done

# A crash of ours still gives the terminal back.
enter "ulimit -c 0; $demo small"
shows "before the crash" '^>e1 '
kill -SEGV "$(demo_pid small)"
shows "the crash" 'Segmentation fault'
is_restored "crash"

# A terminal that goes away ends it.
enter "$demo small"
shows "before hanging up" '^>e1 '
pid=$(demo_pid small)
tm kill-pane
holds "ended with its terminal" wait_for "! alive $pid"

# Terminals that cannot, and none at all.
terminal 80 24
for term in dumb nonsense ''; do
	enter "TERM=$term $demo small"
	shows "TERM=$term is refused" "the terminal \"$term\" cannot show screens"
	shows "and what to do" 'pastime show'
done
enter "$demo small | cat"
shows "a pipe" 'the TUI needs a terminal for input and output'
enter "$demo small </dev/null"
shows "no input" 'the TUI needs a terminal for input and output'

# Without colours, and without UTF-8.
enter "$demo small; echo left \$?"
shows "with colours" '^>e1 '
holds "there are colours" wait_for "tm capture-pane -pe | grep -q '\[36m'"
press Q
shows "status" '^left 0$'
is_restored "with colours"
mkdir -p "$T/config/pastime"
printf '# titles\ntitle green on 18\nselect underline\n' >"$T/config/pastime/theme"
enter "XDG_CONFIG_HOME=$T/config $demo small"
shows "with a theme" '^>e1 '
holds "its colours" wait_for "tm capture-pane -pe | grep -q '\[32m'"
holds "and not the others" wait_for "! tm capture-pane -pe | grep -q '\[36m─'"
press Q
is_restored "with a theme"
echo 'title mauve' >"$T/config/pastime/theme"
enter "XDG_CONFIG_HOME=$T/config $demo small"
shows "a mistake in it" 'theme:1: "mauve" is no colour'
press Q
is_restored "a theme with a mistake"
enter "NO_COLOR=1 $demo small"
shows "without colours" '^>e1 '
tm capture-pane -pe >"$T/plain"
holds "there are none" eval "! grep -qE '\[(3[0-7]|9[0-7])m' '$T/plain'"
press Q
is_restored "without colours"
enter "LC_ALL=C $demo small"
shows "ASCII" '^= Events =+\+- Detail'
press Q
is_restored "ASCII"
finish
