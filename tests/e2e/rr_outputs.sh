#!/bin/bash
# What replay says was written is what arrived, byte for byte and in order:
# tasks that write at the same time, bytes that a program hands on without
# looking at them, outputs that go by another name.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

smoke=${TOP_BUILDDIR:-.}/tools/rr-smoke

alike()
{
	local what=$1 n=$2

	shift 2
	run timeout 120 "$smoke" -o -t "$n" "$@" </dev/null
	is "$what" 0 "$status"
	[ "$status" = 0 ] || tail -n 8 "$T/err"
}

seq 2000 >"$T/lines"

alike "processes that write at the same time" 5 \
	sh -c 'for i in 1 2 3 4 5 6; do (echo $i; echo x$i >&2; echo $i) & done; wait'
alike "one letter at a time" 3 \
	sh -c 'for i in a b c; do (for k in 1 2 3 4 5 6 7 8; do printf $i; done) & done; wait'
alike "both outputs in one" 3 sh -c 'exec 2>&1; ls / /nowhere & ls /tmp/nowhere & wait'
alike "copied by cat" 1 cat "$T/lines"
alike "copied to a name of the output" 1 cp "$T/lines" /dev/stdout
alike "through other descriptors" 1 \
	bash -c 'exec 5>&1 6>&2 >/dev/null; echo a >&5; echo b >&6; echo c; exec 1>&5; echo d'
alike "appended by name" 1 bash -c 'echo a >>/dev/fd/1; echo b >>/proc/self/fd/2'
alike "a large write" 1 head -c 3000000 /dev/zero

if command -v python3 >/dev/null; then
	alike "threads that write at the same time" 5 python3 -c '
import threading
def f(n):
    for i in range(5): print("thread", n, i)
t = [threading.Thread(target=f, args=(i,)) for i in range(4)]
[x.start() for x in t]; [x.join() for x in t]'
fi

# Bytes that the kernel moves to the output past the program's memory: into a
# plain file, a pipe, a socket, they arrive as without pastime, and replay has
# them, in their place.
moves=${TOP_BUILDDIR:-.}/tests/guests/moves
"$moves" >"$T/want" || fail "moves itself fails into a file"
run "$PASTIME" record -q "$moves"
is "moves into a file: status" "0 " "$status $(cat "$T/err")"
same "moves into a file" "$T/want" "$T/out"
"$PASTIME" replay >"$T/replayed" || fail "replay of moves into a file"
same "moves into a file, replayed" "$T/want" "$T/replayed"

"$moves" | cat >"$T/want"
"$PASTIME" record -q "$moves" | cat >"$T/out"
same "moves into a pipe" "$T/want" "$T/out"
"$PASTIME" replay >"$T/replayed" || fail "replay of moves into a pipe"
same "moves into a pipe, replayed" "$T/want" "$T/replayed"
"$PASTIME" sql --csv "select string_agg(text, '' order by seq) from output" \
	2>/dev/null | tr -d '"\r' | sed 1d | grep . >"$T/told"
same "moves into a pipe, by SQL" "$T/want" "$T/told"

if command -v python3 >/dev/null; then
	# sockets WHAT COMMAND...: what comes out of a socket
	sockets()
	{
		python3 -c '
import socket, subprocess, sys, threading
a, b = socket.socketpair()
got = []
def read():
    while (s := a.recv(65536)): got.append(s)
t = threading.Thread(target=read, daemon=True)
t.start()
r = subprocess.run(sys.argv[1:], stdout=b.fileno()).returncode
b.close()
t.join()
sys.stdout.buffer.write(b"".join(got))
sys.exit(r)' "$@"
	}
	sockets "$moves" >"$T/want" || fail "moves itself fails into a socket"
	run sockets "$PASTIME" record -q "$moves"
	same "moves into a socket" "$T/want" "$T/out"
	"$PASTIME" replay >"$T/replayed" || fail "replay of moves into a socket"
	same "moves into a socket, replayed" "$T/want" "$T/replayed"
	like "moves into a socket: messages" "onetwo" "$(cat "$T/replayed")"
fi

# One that waits for input holds nobody up.
cat >"$T/waits.c" <<'E2'
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int p[2];
	if (pipe(p) < 0) return 1;
	if (fork() == 0) {
		close(p[1]);
		while (splice(p[0], 0, 1, 0, 100, 0) > 0) continue;
		_exit(0);
	}
	close(p[0]);
	usleep(50000);
	if (write(1, "not held up\n", 12) != 12) return 1;
	if (write(p[1], "moved\n", 6) != 6) return 1;
	close(p[1]);
	return wait(0) < 0;
}
E2
if ${CC:-cc} -o "$T/waits" "$T/waits.c"; then
	printf 'not held up\nmoved\n' >"$T/want"
	timeout 60 "$PASTIME" record -q "$T/waits" | cat >"$T/out"
	same "one that waits for input" "$T/want" "$T/out"
	"$PASTIME" replay >"$T/replayed"
	same "one that waits for input, replayed" "$T/want" "$T/replayed"
fi

# cat has a call that copies inside the kernel.
holds "cat to a plain file" "$smoke" -q cat "$T/lines" >"$T/copy"
same "the plain file" "$T/lines" "$T/copy"
finish
