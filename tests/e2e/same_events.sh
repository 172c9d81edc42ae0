#!/bin/bash
# The agent changes how calls are made, not what is recorded: programs that do
# the same each time, recorded with it and without, have the same events with
# the same data.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
W=$T/w
mkdir "$W" && cd "$W" || exit 99
export LC_ALL=C TZ=UTC0 HOME=$W PYTHONHASHSEED=0
for i in $(seq 40); do
	mkdir -p "src/d$((i % 7))" && seq "$i" 400 >"src/d$((i % 7))/f$i"
done
printf '#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n' >t.c

# same_both MADE NAME [-b BEFORE] COMMAND...: so many calls are the agent's
same_both()
{
	local least=$1 name=$2 made

	shift 2
	if ! command -v "$name" >/dev/null; then
		echo "no $name here"
		return
	fi
	run timeout 120 "$build/tools/same-events" "$@" </dev/null
	if [ "$status" = 77 ]; then
		echo "addresses cannot be kept here"
		exit 77
	fi
	is "$name: the same events" 0 "$status"
	[ "$status" = 0 ] || tail -n 8 "$T/err"
	made=$(sed -n 's/.* with, \([0-9]*\) of them .*/\1/p' "$T/err")
	holds "$name: ${made:-none} calls by the agent" \
		[ "${made:-0}" -ge "$least" ]
}

same_both 100 ls ls -lR src
same_both 1000 find find /usr/include
same_both 200 tar -b 'rm -f x.tar' tar cf x.tar src
same_both 300 cp -b 'rm -rf copy' cp -r src copy
same_both 50 rm -b 'rm -rf copy; cp -r src copy' rm -r copy
same_both 20 gzip -b 'rm -f t.c.gz' gzip -k t.c
same_both 20 sort sort -o sorted src/d1/f1 src/d2/f2
same_both 600 dd dd if=/dev/zero of=z bs=1000 count=300 status=none
same_both 20 awk awk '{ n += NF } END { print n }' src/d1/f1 src/d2/f2
same_both 300 python3 /usr/bin/python3 -S -c 'import json; print(json.dumps([1, {"a": 2}]))'
same_both 100 gcc -b 'rm -f t.s' "$(gcc -print-prog-name=cc1)" -quiet t.c -o t.s
same_both 20 git git --version
for guest in agent_fds brk_mmap_mix efault_partial hello sig_nested \
	sa_restart_matrix select_timeouts sig_mask vfork_exec; do
	PATH=$build/tests/guests:$PATH same_both 1 "$guest" "$guest"
done

finish
