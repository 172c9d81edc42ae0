#!/bin/bash
# Every question of sql/questions, asked of recordings that are made here, and
# compared with tests/golden/question-NN.out. What differs from run to run
# (numbers of events, pids, times, ports) is left out or made the same.
# GOLDEN=write rewrites the expected files; the diff is the review.
# shellcheck source=tests/e2e/lib.sh
. "$TOP_SRCDIR/tests/e2e/lib.sh"

guest=$TOP_BUILDDIR/tests/guests/lineage
golden=$TOP_SRCDIR/tests/golden
ways=rows
which_recording= # and more words for pastime sql
[ ! -e "$TOP_BUILDDIR/sql/fdw/pastime_fdw.so" ] || ways='rows chunks'

# Columns by name, in the given order, of the CSV on standard input, when
# column KEY (may be "-") matches PATTERN.
pick()
{
	python3 -c '
import csv, re, sys
columns, key, pattern = sys.argv[1].split(","), sys.argv[2], sys.argv[3]
print(",".join(columns))
for row in csv.DictReader(sys.stdin):
    if key == "-" or re.search(pattern, row[key]):
        line = ",".join(row[c].replace("\n", "\\n") for c in columns)
        line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line)
        print(line.replace(sys.argv[4], "LINEAGE"))
' "$1" "$2" "$3" "$guest"
}

# ask NN COLUMNS [KEY PATTERN [LINES [FILTER]]]: the first LINES of the answer,
# through FILTER (sort: where the order follows from times); from rows, and from
# chunks where the server can read them
ask()
{
	local nn=$1 file expected=$golden/question-$1.out way

	file=$(echo "$TOP_SRCDIR"/sql/questions/"$nn"_*.sql)
	for way in $ways; do
		# shellcheck disable=SC2086 # words
		run env PASTIME_EVENTS="$way" "$PASTIME" sql --csv \
			-f "$file" $which_recording
		is "status of question $nn, $way: $(cat "$T/err")" 0 "$status"
		pick "$2" "${3:--}" "${4:-}" <"$T/out" |
			sed -n "1,${5:-1000}p" | "${6:-cat}" >"$T/found"
		if [ "${GOLDEN:-}" = write ]; then
			cp "$T/found" "$expected"
		fi
		same "answer to question $nn, $way" "$expected" "$T/found"
	done
}

unique()
{
	sort -u
}

addresses()
{
	sed -E 's/0x[0-9a-f]+/ADDR/g'
}

need python3
mkdir "$T/here"
cd "$T/here" || exit 99

# The shell says by itself that it died.
{ "$PASTIME" record -q "$guest"; } >/dev/null 2>&1
is "status of the guest: killed by SIGSEGV" 139 $?

# Newest first: the last ones are the program's own doing, whatever libc does.
ask 01 kind,call,error,note kind . 5
ask 02 process,name,calls,errors name \
	'^(sendto|recvfrom|setuid|accept4|connect|socket)$' 1000 sort
ask 03 error_name,name,path,times name '^(open|openat|write)$'
ask 04 process,fd,text
ask 05 path,process,command,peer,bytes,text
ask 06 command,ending
ask 07 what,process,fd,kind,name what '^(leaked|used)'
ask 11 peer,sent,received,calls
ask 12 process,name,a1,a2,ret name '^(mprotect|setuid)$'

# Threads that wait for each other. Turns that time ends are not everywhere the
# same ones.
run "$PASTIME" record -q "$TOP_BUILDDIR/tests/guests/deadlock"
is "status of the guest with a deadlock" 0 "$status"
ask 08 task,why why '^(waits in futex|ended)$' 1000 unique
ask 09 task,outcome,waker,holder,deadlock holder . 1000 sort

# The same command twice: what it reads differs.
twice()
{
	echo "$1" >input
	run "$PASTIME" record -q -n "$1" sh -c 'echo begins; cat input; echo ends $$'
	is "status of the command that is recorded twice" 0 "$status"
}
twice one
twice two
which_recording='one --with two'
ask 10 what,event_a,event_b
which_recording=
rm input

# What was traced.
run "$PASTIME" record -q "$TOP_BUILDDIR/tests/guests/traced"
is "status of the guest that is traced" 0 "$status"
run "$PASTIME" trace -q --writes line
is "trace --writes" 0 "$status"
ask 13 writer,old,new
run "$PASTIME" trace -q --calls fact,jumper,even,odd,mixed
is "trace --calls" 0 "$status"
ask 14 call,result,ended,caller call . 1000 addresses
finish
