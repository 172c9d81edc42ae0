#!/bin/bash
# Stored checkpoints: from each of them a replay goes on as from the start, with
# the same registers and memory; of threads, processes, shared memory, signals.
# And pastime index, which keeps them in the database.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME
build=${TOP_BUILDDIR:-.}

# check SEED [-d] COMMAND...
check()
{
	local seed=$1

	shift
	run timeout 300 "$build/tools/stored-check" -n 5 -s "$seed" "$@"
	is "stored-check $*" 0 "$status"
	like "stored-check $*: some are stored" \
		"[1-9][0-9]* checkpoints, 0 wrong, 0 refused" \
		"$(tail -n 1 "$T/out" | tr -d '\0')"
}

seq 1 20000 >"$T/numbers"
guests="alarm_compute brk_mmap_mix cpu_bound_two exec_thread exit_races \
	fork_tree futex_ops huge_reserve map_file_changes map_shared_fork \
	map_shared_merge rdtsc_loop robust_cleartid self_modify shm_sysv_posix \
	sig_nested small_stack stack_growth threads_mutex_cond tls_fsgsbase \
	vfork_exec"
for guest in $guests; do
	check 1 "$build/tests/guests/$guest"
done
check 2 sh -c 'seq 1 99 | sort -n | tail -n 1; exec true'
if [ -x "$(command -v python3)" ]; then
	check 3 python3 -c 'print(sum(map(hash, map(str, range(9000)))))'
fi
if [ -x "$(command -v xz)" ]; then
	check 4 xz -T2 -c "$T/numbers"
fi
# With the agent, whose pages are the replay's own.
check 6 -a sh -c 'seq 1 99 | sort -n | tail -n 1; exec true'
check 7 -a "$build/tests/guests/agent_threads"
# In the midst of code, too.
check 41 -S 20000 gzip -9c "$T/numbers"
if [ -x "$(command -v awk)" ]; then
	check 42 -n 30 -S 20000 awk 'BEGIN { for (k = 0; k < 12; k++) {
		for (i = 0; i < 200000; i++) s += i; print s; fflush() } }'
	like "some are in code" ", [1-9][0-9]* in code" "$(tail -n 1 "$T/out")"
fi
check 43 -S 20000 "$build/tests/guests/fork_tree"
check 44 -a -S 20000 "$build/tests/guests/threads_mutex_cond"
check 45 -d -S 20000 gzip -c "$T/numbers"
# What is damaged is noticed, and the replay does without.
check 5 -d "$build/tests/guests/fork_tree"

# By the command: each moment looks as it did before.
moments()
{
	local at

	for at in 50% 90% e20 end; do
		"$p" replay stored --at "$at" 2>"$T/err"
	done
}
number()
{
	"$p" sql --csv stored "$1" | tail -n 1 | tr -d '\r'
}
run "$p" record -q -n stored sh -c "seq 1 200000 | sort -rn | gzip -c | wc -c"
is "record" 0 "$status"
is "nothing is indexed" 0 "$("$p" ls --csv | tail -n 1 | cut -d, -f9)"
moments >"$T/before"
run "$p" index --every 0.01 stored
is "index" 0 "$status"
like "what it says" "recording 1 has [0-9]+ checkpoints? more" "$(cat "$T/err")"
n=$(number 'select count(*) from pastime.checkpoint')
holds "there are some ($n)" [ "$n" -ge 2 ]
is "one is at the end" 1 "$(number 'select count(*) from pastime.checkpoint
	join pastime.recording using (recording) where seq = events')"
moments >"$T/after"
same "moments" "$T/before" "$T/after"
size=$("$p" ls --csv | tail -n 1 | cut -d, -f9)
holds "ls tells their size ($size)" [ "$size" -gt 1000 ]
run "$p" index --every 0.01 stored
is "index again" 0 "$status"
is "nothing is to be done" "$n" \
	"$(number 'select count(*) from pastime.checkpoint')"

# Damaged blobs: said, and replayed from the start.
PASTIME_FAULT=blob_read:1 run "$p" replay stored --at end
is "damaged" 0 "$status"
like "it is said" "stored checkpoints are not used: .*damaged" "$(cat "$T/err")"
"$p" replay stored --at end >"$T/end"
same "the same without" "$T/end" "$T/out"
PASTIME_FAULT=blob_read:9 run "$p" replay -q stored --at end
is "damaged memory" 0 "$status"
same "the same, too" "$T/end" "$T/out"

# gdb and the TUI say it, once.
run_gdb()
{
	run timeout 60 env PASTIME_FAULT=blob_read:1 DEBUGINFOD_URLS= \
		"$p" gdb stored --port - </dev/null
}
run_gdb
is "gdb's server" 0 "$status"
is "it says it" 1 "$(grep -c "stored checkpoints are not used: .*damaged" \
	"$T/err")"
printf '%s\n' 'screen damaged' 'key h' 'screen later' >"$T/keys"
PASTIME_FAULT=blob_read:1 PASTIME_TUI_SCRIPT=$T/keys run timeout 60 \
	"$p" tui --at end stored
is "the TUI" 0 "$status"
is "it says it, too" 1 "$(grep -ac "stored checkpoints are not used: " \
	"$T/out")"

# They go away by themselves, and with the recording.
packs='select count(*) from pastime.recording_pack where indexed'
holds "packs are kept for them" [ "$(number "$packs")" -ge 1 ]
run "$p" index --drop stored
is "drop" 0 "$status"
like "what is dropped" "$n checkpoints of recording 1 removed" "$(cat "$T/err")"
is "no packs any more" 0 "$(number "$packs")"
is "none is left" 0 "$("$p" ls --csv | tail -n 1 | cut -d, -f9)"
run "$p" gc -q
is "gc" 0 "$status"
moments >"$T/after"
same "moments without them" "$T/before" "$T/after"
run "$p" index -q stored
is "index once more" 0 "$status"
is "it says nothing" "" "$(cat "$T/out" "$T/err")"
run "$p" record -q -n other true
run "$p" rm -q stored
run "$p" gc -q
is "gone with it" 0 "$("$p" sql --csv \
	'select count(*) from pastime.checkpoint' | tail -n 1 | tr -d '\r')"

run "$p" index nowhere
is "no such recording" 125 "$status"
for every in x -1 '' 1e9; do
	run "$p" index "--every=$every"
	is "--every=$every" 125 "$status"
	like "--every=$every: why" "is no number of seconds" "$(cat "$T/err")"
done

# Ctrl-C keeps what is done. Seconds of replay, as each call stops in it, too.
run "$p" record -q --no-agent -n stored \
	dd if=/dev/zero of=/dev/null bs=1 count=100000
is "record a long one" 0 "$status"
(trap - INT; exec "$p" index --every 0 stored >"$T/out" 2>"$T/err") &
job=$!
wait_for '[ "$(number "select count(*) from pastime.checkpoint")" -ge 2 ]' ||
	fail "nothing is stored while it runs"
kill -INT "$job"
wait "$job"
is "interrupted" 130 "$?"
n=$(number 'select count(*) from pastime.checkpoint')
holds "what is done stays ($n)" [ "$n" -ge 2 ]
run "$p" index --every 0 stored
is "the rest" 0 "$status"
is "up to the end" 1 "$(number 'select count(*) from pastime.checkpoint
	join pastime.recording using (recording) where seq = events')"
finish
