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

# An output without O_APPEND, for which cat has a call that copies inside the
# kernel: the bytes arrive, and replay prints them.
holds "cat to a plain file" "$smoke" -q cat "$T/lines" >"$T/copy"
same "the plain file" "$T/lines" "$T/copy"
"$smoke" -d cat "$T/lines" >"$T/copy" 2>"$T/events"
like "cat's bytes pass through its memory" 'write\(1, ' "$(cat "$T/events")"

finish
