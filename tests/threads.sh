#!/bin/bash
# Programs whose tasks compute at the same time, wait by looking at memory, or
# get signals while they compute: recorded into memory and replayed with
# checksums, output and status compared.
#
#	threads.sh [-n ROUNDS [-x]] [NAME...]
#
# -x: as many rounds again with hostile choices, each with a seed of its own.
# "make check-threads" does it twenty times.
#
# shellcheck source=e2e/lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
smoke=$build/tools/rr-smoke
guests=$build/tests/guests
rounds=1
seeds=
while getopts n:x c; do
	case $c in
	n) rounds=$OPTARG ;;
	x) seeds=$rounds ;;
	*) exit 99 ;;
	esac
done
shift $((OPTIND - 1))
wanted=" $* "
limit=${THREADS_LIMIT:-300}
missing=
export LC_ALL=C HOME=$T
cd "$T" || exit 99

# some points|signals: how many rr-smoke says there were
some()
{
	local n

	n=$(sed -n "s/^rr-smoke: status.* \([0-9]*\) $1,.*/\1/p" "$T/smoke")
	echo "${n:-0}"
}

# round LABEL OPTION... -- COMMAND...
round()
{
	local label=$1 said

	shift
	timeout "$limit" "$smoke" -o -c 500 "$@" >"$T/out" 2>"$T/smoke" \
		</dev/null
	status=$?
	said=$(tail -n 12 "$T/smoke")
	is "$label: replayed alike" 0 "$status"
	[ "$status" = 0 ] || printf '%s\n' "$said"
	like "$label: its own status" "status 0," "$said"
	points=$((points + $(some points)))
	signals=$((signals + $(some signals)))
}

# try NAME [POINTS [SIGNALS]] -- COMMAND...: so many at the least in a round
try()
{
	local name=$1 i before=$failed began=$SECONDS min_points=0 min_signals=0

	shift
	[ "$1" = -- ] || { min_points=$1; shift; }
	[ "$1" = -- ] || { min_signals=$1; shift; }
	shift
	[[ $wanted = "  " || $wanted = *" $name "* ]] || return
	command -v "$1" >/dev/null || {
		missing+=" $name"
		return
	}
	points=0
	signals=0
	for ((i = 1; i <= rounds; i++)); do
		round "$name, round $i" "$@"
	done
	holds "$name: points ($points)" \
		[ "$points" -ge $((min_points * rounds)) ]
	holds "$name: signals ($signals)" \
		[ "$signals" -ge $((min_signals * rounds)) ]
	for ((i = 1; i <= seeds; i++)); do
		round "$name, seed $i" -x "$i" "$@"
	done
	printf '%-12s %3d rounds%s, %d points, %d signals, %d s%s\n' "$name" \
		"$rounds" "${seeds:+, $seeds seeds}" "$points" "$signals" \
		$((SECONDS - began)) \
		"$([ "$failed" = "$before" ] || echo ", FAILED")"
}

# built COMMAND...: quietly; it may not be there
built()
{
	command -v "$1" >/dev/null && "$@" >"$T/built" 2>&1
}

try spin_locks 20 -- "$guests/spin_locks"
try spin_flag 2 -- "$guests/spin_flag"
try sig_storm 15 80 -- "$guests/sig_storm"
try sig_stops 5 10 -- "$guests/sig_stops"
try prof_timers 20 60 -- "$guests/prof_timers"
try alarm_compute 4 8 -- "$guests/alarm_compute"

cat >alarm.pl <<'END'
use Time::HiRes qw(ualarm);
my ($n, $h) = (0, 1);
$SIG{ALRM} = sub { $n++; ualarm(2000) if $n < 40; };
ualarm(2000);
while ($n < 40) { $h = ($h * 31 + 7) % 1000003 }
print "alarms $n\n";
END
try perl 5 40 -- perl alarm.pl

cat >switch.py <<'END'
import sys, threading
sys.setswitchinterval(1e-6)
n, lock = [0], threading.Lock()
def work():
    for k in range(3000):
        with lock:
            n[0] += 1
        for j in range(20):
            pass
threads = [threading.Thread(target=work) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print("sum", n[0])
END
try python -- python3 switch.py

cat >rows.sql <<'END'
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 30000)
insert into t select x, hex(x * 7919) from c;
create index i on t(b);
select count(*), sum(length(b)) from t where b like '3%';
END
cat >profile.c <<'END'
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
static volatile unsigned long samples;
static void sample(int sig, siginfo_t *si, void *uc)
{
	samples += (unsigned long)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];
}
__attribute__((constructor)) static void profile(void)
{
	struct sigaction sa = { .sa_sigaction = sample,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	sigaction(SIGPROF, &sa, 0);
	setitimer(ITIMER_PROF, &it, 0);
}
END
# shellcheck disable=SC2086 # CC may have words
built ${CC:-cc} -shared -fPIC -o profile.so profile.c
try sqlite 1 1 -- sh -c \
	'command -v sqlite3 >/dev/null || exit 0
	LD_PRELOAD=./profile.so sqlite3 :memory: <rows.sql'

cat >speed.sh <<'END'
command -v openssl >/dev/null || exit 0
openssl speed -seconds 1 -bytes 1024 sha256 >/dev/null 2>&1
END
try openssl 1 1 -- sh speed.sh

head -c 3000000 /usr/bin/env >in.bin
for f in /usr/bin/*; do
	[ "$(stat -c %s in.bin)" -lt 3000000 ] || break
	head -c 3000000 "$f" >>in.bin 2>/dev/null
done
try xz 2 -- sh -c 'xz -T4 --block-size=1MiB -c in.bin >out.xz'

cat >busy.go <<'END'
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func work(n uint64, id int) uint64 {
	h := uint64(id)
	for i := uint64(0); i < n; i++ {
		h = (h ^ i) * 0x100000001b3
	}
	return h
}

func main() {
	runtime.GOMAXPROCS(4)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum, n := uint64(0), 0
	ch := make(chan int)
	go func() {
		for i := 0; i < 30; i++ {
			ch <- i
			time.Sleep(time.Millisecond)
		}
		close(ch)
	}()
	for i := 0; i < 6; i++ {
		wg.Add(1)
		go func(id int) {
			defer wg.Done()
			for k := 0; k < 4; k++ {
				v := work(8000000, id)
				mu.Lock()
				sum += v
				mu.Unlock()
			}
		}(i)
	}
	for v := range ch {
		n += v
	}
	wg.Wait()
	runtime.GC()
	fmt.Println(sum, n)
}
END
GOCACHE=$T/go built go build -o busy busy.go || missing+=" go"
[ ! -x busy ] || try go 4 2 -- ./busy

cat >Busy.java <<'END'
public class Busy {
	static long sum;
	static final Object lock = new Object();
	static volatile boolean flag;

	static long work(long n, int id) {
		long h = id;
		for (long i = 0; i < n; i++)
			h = (h ^ i) * 0x100000001b3L;
		return h;
	}

	public static void main(String[] args) throws Exception {
		Thread[] t = new Thread[4];
		for (int i = 0; i < 4; i++) {
			final int id = i;
			t[i] = new Thread(() -> {
				for (int k = 0; k < 50; k++) {
					long v = work(200000, id);
					synchronized (lock) {
						sum += v;
					}
				}
				while (!flag)
					Thread.onSpinWait();
			});
			t[i].start();
		}
		Thread.sleep(50);
		flag = true;
		for (Thread x : t)
			x.join();
		System.out.println(sum);
	}
}
END
built javac Busy.java || missing+=" java"
[ ! -f Busy.class ] || try java 1 -- java -Xmx64m Busy

cat >worker.js <<'END'
const {Worker, isMainThread, workerData} = require('worker_threads');
if (isMainThread) {
	const sab = new SharedArrayBuffer(8), a = new Int32Array(sab);
	let done = 0;
	for (let i = 0; i < 3; i++)
		new Worker(__filename, {workerData: sab}).on('exit', () => {
			if (++done == 3) console.log('sum', a[0]);
		});
} else {
	const a = new Int32Array(workerData);
	let h = 0;
	for (let k = 0; k < 50000; k++) {
		Atomics.add(a, 0, 1);
		h = (h * 31 + k) | 0;
	}
	while (Atomics.load(a, 0) < 150000);
}
END
try node -- node worker.js

[ -z "$missing" ] || echo "not here:$missing"
finish
