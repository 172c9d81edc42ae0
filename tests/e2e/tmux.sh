# A real terminal for tests: tmux holds it, keys go in, what it shows comes out.
# Source it after lib.sh.
# shellcheck shell=bash
need tmux
# Patterns count characters of what the screen shows, which are not bytes.
export LC_ALL=C.UTF-8
TMUX_SOCKET=$T/tmux
terminals=0

tm()
{
	tmux -S "$TMUX_SOCKET" -f /dev/null "$@"
}

# terminal COLUMNS ROWS [VARIABLE=VALUE...]: a shell in a terminal of its own
terminal()
{
	local cols=$1 rows=$2

	shift 2
	no_terminal
	# A server that is about to end would take the new one for its own.
	terminals=$((terminals + 1))
	TMUX_SOCKET=$T/tmux$terminals
	tm new-session -d -x "$cols" -y "$rows" \
		"env TERM=screen-256color LC_ALL=C.UTF-8 PS1='ready> ' $* \
		bash --norc --noprofile -i"
	tm set -s escape-time 0
	tm set -s set-clipboard on
	shows "a prompt" '^ready> *$'
}

# press KEY...: as tmux names them
press()
{
	tm send-keys "$@"
}

# type TEXT
type()
{
	tm send-keys -l "$1"
}

# enter COMMAND: on a screen that is empty but for its prompt
enter()
{
	tm send-keys "clear; $1" Enter
}

screen()
{
	tm capture-pane -p
}

# shows WHAT PATTERN: the screen comes to show it
shows()
{
	if wait_for "screen | grep -qE -- '$2'"; then
		pass
	else
		fail "$1: no $2"
		screen
	fi
}

# hides WHAT PATTERN: it goes away
hides()
{
	if wait_for "! screen | grep -qE -- '$2'"; then
		pass
	else
		fail "$1: still $2"
		screen
	fi
}

# no_terminal: before the server's files go
no_terminal()
{
	tm kill-server 2>/dev/null
}
