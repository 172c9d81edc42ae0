#!/bin/bash
# Real programs, recorded and replayed. For each: the exit status and, where
# they are determined, the bytes of stdout and stderr are those of a native run;
# the replay prints what the recording printed, and memory is the same.
#
#	programs.sh [-n ROUNDS] [NAME...]
#
# shellcheck disable=SC1003,SC2028 # backslashes for make and C
# shellcheck source=e2e/lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME
rounds=${PROGRAMS_ROUNDS:-1}
[ "${1:-}" != -n ] || { rounds=$2; shift 2; }
wanted=" $* "
limit=${PROGRAMS_LIMIT:-300}
missing=
W=$T/w
mkdir "$W"
export LC_ALL=C TZ=UTC0 HOME=$W
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b \
	GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b \
	GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' \
	GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'

# once NAME ROUND same|free COMMAND...
once()
{
	local name=$1 round=$2 how=$3 native recorded replayed label began

	shift 3
	label="$name, round $round"
	began=$SECONDS
	if [ "$how" = same ]; then
		timeout "$limit" "$@" >"$T/n.out" 2>"$T/n.err" </dev/null
		native=$?
	fi
	timeout "$limit" "$p" record -q -n "$name" --checksum \
		"$@" \
		>"$T/r.out" 2>"$T/r.err" </dev/null
	recorded=$?
	timeout "$limit" "$p" replay --verify=memory "$name" \
		>"$T/p.out" 2>"$T/p.err" </dev/null
	replayed=$?
	if [ "$how" = same ]; then
		is "$label: status, native and recorded" "$native" "$recorded"
		same "$label: stdout, native and recorded" "$T/n.out" "$T/r.out"
		same "$label: stderr, native and recorded" "$T/n.err" "$T/r.err"
	else
		is "$label: status recorded" 0 "$recorded"
		[ "$recorded" -eq 0 ] || head -n 20 "$T/r.err"
	fi
	is "$label: status of replay" 0 "$replayed"
	same "$label: stdout, recorded and replayed" "$T/r.out" "$T/p.out"
	same "$label: stderr, recorded and replayed" "$T/r.err" "$T/p.err"
	"$p" rm "$name" -q
	[ -z "${PROGRAMS_TIMES:-}" ] ||
		printf '%-20s %3d s\n' "$name" $((SECONDS - began))
}

# program NAME NEEDS same|free COMMAND...: "same" when nothing in its output
# differs between two native runs.
program()
{
	local name=$1 need=$2 round q

	shift 2
	[ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || return
	for q in $need; do
		if ! command -v "$q" >/dev/null; then
			missing="$missing $q"
			[ "${CI:-}" != true ] || fail "$name: no $q"
			return
		fi
	done
	if declare -F "setup_${name//-/_}" >/dev/null &&
		! "setup_${name//-/_}" >"$T/setup" 2>&1; then
		fail "$name: cannot be set up"
		tail "$T/setup"
		return
	fi
	for ((round = 1; round <= rounds; round++)); do
		once "$name" $round "$@"
	done
}

# ---- what they need

setup_bash_traps()
{
	cat >"$W/traps.sh" <<'S'
trap 'echo exit trap' EXIT
trap 'echo usr1' USR1
trap 'children=1' CHLD
kill -USR1 $$
(sleep 0.05; exit 3) &
one=$!
(exit 4) &
two=$!
wait $one; echo one $?
wait $two; echo two $?
kill -USR1 $BASHPID
for i in 1 2 3; do (echo sub $i) ; done
echo here | while read -r x; do echo "read $x"; done
coproc cat
echo coprocess >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
trap - CHLD
echo children $children
sleep 100 &
# Before its exec the child is still a bash, which would run our exit trap.
until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
kill -TERM $!
wait $!
echo killed $?
exit 6
S
}

setup_repository()
{
	local i

	[ ! -d "$W/repo" ] || return 0
	git init -q "$W/repo" && cd "$W/repo" || return
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		seq "$i" 200 >"file$i"
		git add . && git commit -q -m "commit $i" || return
	done
	git repack -q -a -d
	cd / || return
}
setup_git_log() { setup_repository; }
setup_git_clone() { setup_repository; }

setup_gcc()
{
	local i

	{
		echo '#include <stdio.h>
#include <stdlib.h>
#include <string.h>'
		for i in $(seq 150); do
			echo "int f$i(int *v, int n) { int s = $i;
	for (int i = 0; i < n; i++) s += v[i] * (s ^ $i) >> (i & 7);
	return s; }"
		done
	} >"$W/real.c"
}

setup_make()
{
	local i

	mkdir -p "$W/project" && cd "$W/project" || return
	for i in 1 2 3 4 5 6 7 8; do
		echo "#include \"all.h\"
int part$i(int x) { return x * $i + (int)sizeof(long); }" >"part$i.c"
	done
	for i in 1 2 3 4 5 6 7 8; do echo "int part$i(int x);"; done >all.h
	{
		echo '#include <stdio.h>
#include "all.h"
int main(void) { int s = 0;'
		for i in 1 2 3 4 5 6 7 8; do echo "s += part$i(s);"; done
		echo 'printf("%d\n", s); return 0; }'
	} >main.c
	printf '%s\n' 'OBJ = main.o part1.o part2.o part3.o part4.o part5.o \' \
		'	part6.o part7.o part8.o' \
		'prog: $(OBJ)' '	$(CC) -o $@ $(OBJ)' \
		'%.o: %.c all.h' '	$(CC) -O1 -c -o $@ $<' >Makefile
	cd / || return
}

setup_python_threads()
{
	cat >"$W/threads.py" <<'S'
import queue, threading
q, done, lock, total = queue.Queue(4), queue.Queue(), threading.Lock(), [0]
def work():
    while True:
        n = q.get()
        if n is None:
            break
        with lock:
            total[0] += n * n
        done.put(n)
ts = [threading.Thread(target=work) for _ in range(8)]
for t in ts: t.start()
for n in range(500): q.put(n)
for t in ts: q.put(None)
for t in ts: t.join()
ev = threading.Event()
threading.Timer(0.05, ev.set).start()
print(total[0], done.qsize(), ev.wait(10))
S
}

setup_python_subprocess()
{
	cat >"$W/subprocess.py" <<'S'
import subprocess, sys
out = subprocess.run(["sort", "-r"], input=b"a\nc\nb\n", capture_output=True)
print(out.stdout, out.returncode)
ps = [subprocess.Popen(["sh", "-c", f"echo {i}; exit {i}"],
                       stdout=subprocess.PIPE) for i in range(6)]
for p in ps:
    print(p.communicate()[0], p.returncode)
p = subprocess.Popen(["sleep", "100"])
p.terminate()
print(p.wait())
try:
    subprocess.run(["sleep", "100"], timeout=0.1)
except subprocess.TimeoutExpired:
    print("timeout")
sys.stdout.flush()
print(subprocess.check_output([sys.executable, "-c", "print(6 * 7)"]))
S
}

setup_python_asyncio()
{
	cat >"$W/asyncio.py" <<'S'
import asyncio, os, signal
async def serve(r, w):
    while line := await r.readline():
        w.write(line.upper())
        await w.drain()
    w.close()
async def client(port, n):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    out = []
    for i in range(5):
        w.write(b"line %d.%d\n" % (n, i))
        out.append(await r.readline())
    w.close()
    return b"".join(out)
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = s.sockets[0].getsockname()[1]
    for out in await asyncio.gather(*[client(port, n) for n in range(6)]):
        print(out)
    p = await asyncio.create_subprocess_exec("echo", "child",
        stdout=asyncio.subprocess.PIPE)
    print(await p.communicate())
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 10)
    print(await asyncio.get_running_loop().run_in_executor(None, sum, range(99)))
asyncio.run(main())
S
}

setup_python_multiprocessing()
{
	cat >"$W/multiprocessing.py" <<'S'
import multiprocessing as mp, os
def square(n):
    return n * n
def count(lock, value):
    for _ in range(50):
        with lock:
            value.value += 1
if __name__ == "__main__":
    with mp.Pool(3) as pool:
        print(pool.map(square, range(40)))
    lock, value = mp.Lock(), mp.Value("i", 0, lock=False)
    ps = [mp.Process(target=count, args=(lock, value)) for _ in range(3)]
    for p in ps: p.start()
    for p in ps: p.join()
    print(value.value, [p.exitcode for p in ps])
    r, w = mp.Pipe()
    q = mp.Process(target=w.send, args=(["words"] * 3,))
    q.start()
    print(r.recv())
    q.join()
S
}

setup_perl_fork()
{
	cat >"$W/fork.pl" <<'S'
$| = 1;
my @kids;
for my $i (1 .. 6) {
	pipe(my $r, my $w) or die;
	my $pid = fork // die;
	if (!$pid) { close $r; print $w "kid $i\n"; close $w; exit $i; }
	close $w;
	push @kids, [$pid, $r];
}
for (@kids) {
	my $r = $_->[1];
	print scalar <$r>;
	waitpid $_->[0], 0;
	print $? >> 8, "\n";
}
print `echo backquote`;
local $SIG{ALRM} = sub { print "alarm\n" };
alarm 1; select undef, undef, undef, 5;
open my $p, "|-", "cat" or die; print $p "to cat\n"; close $p;
S
}

setup_curl()
{
	cat >"$W/serve.py" <<'S'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.path + "\n").encode() * 2000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
for _ in range(3):
    s.handle_request()
S
	cat >"$W/curl.sh" <<S
exec 3< <(exec python3 $W/serve.py)
read -r port <&3
for path in a b c; do
	curl -s "http://127.0.0.1:\$port/\$path" | sha256sum
done
wait
S
}

setup_redis()
{
	cat >"$W/redis.sh" <<S
cd "\$(mktemp -d "$W/redis.XXXXXX")" || exit
redis-server --port 0 --unixsocket \$PWD/s --save '' --daemonize no >log &
until [ -S s ] && redis-cli -s s ping >/dev/null 2>&1; do :; done
redis-cli -s s set key value
redis-cli -s s get key
for i in 1 2 3 4 5; do redis-cli -s s rpush list \$i; done
redis-cli -s s lrange list 0 -1
redis-cli -s s save
redis-cli -s s shutdown nosave
wait
ls
S
}

setup_xz()
{
	perl -e 'my $x = 1; for (1 .. 300000) {
		$x = ($x * 1103515245 + 12345) % 2147483648; print $x >> 8, "\n" }' \
		>"$W/data"
}

setup_tmux()
{
	cat >"$W/tmux.sh" <<S
export TMUX_TMPDIR=\$(mktemp -d "$W/tmux.XXXXXX") TERM=xterm
unset TMUX
tmux -f /dev/null new -d -s one "echo inside; tmux wait-for -S printed; exec cat"
tmux wait-for printed
tmux list-sessions -F '#{session_name} #{session_windows}'
tmux capture-pane -p -t one | head -n 1
tmux kill-server
S
}

setup_musl()
{
	cat >"$W/musl.c" <<'S'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *run(void *arg) { return (void *)((long)arg * 2); }
int main(void)
{
	long sum = 0;
	for (long i = 0; i < 8; i++) {
		pthread_t t;
		void *ret;
		pthread_create(&t, 0, run, (void *)i);
		pthread_join(t, &ret);
		sum += (long)ret;
	}
	char *p = malloc(1 << 20);
	printf("%ld %d\n", sum, p != 0);
	return 0;
}
S
	musl-gcc -static -O1 -o "$W/musl" "$W/musl.c" -pthread
}

setup_go()
{
	mkdir -p "$W/go" && cat >"$W/go/main.go" <<'S'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

func main() {
	var wg sync.WaitGroup
	ch := make(chan int)
	sum := 0
	var mu sync.Mutex
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range ch {
				mu.Lock()
				sum += n
				mu.Unlock()
			}
		}()
	}
	for i := 0; i < 1000; i++ {
		ch <- i
	}
	close(ch)
	wg.Wait()
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer")
	}
	out, err := exec.Command("echo", "child").Output()
	fmt.Println(sum, string(out), err)
	defer fmt.Println("deferred")
	func() {
		defer func() { fmt.Println("recovered", recover() != nil) }()
		var p *int
		fmt.Println(*p)
	}()
	f, _ := os.CreateTemp("", "x")
	fmt.Fprintln(f, "text")
	f.Close()
	os.Remove(f.Name())
}
S
	(cd "$W/go" && GOCACHE=$W/gocache GOFLAGS=-mod=mod go build -o prog main.go)
}

setup_node()
{
	cat >"$W/node.js" <<'S'
const { execFile } = require("child_process");
const fs = require("fs");
const { promisify } = require("util");
const { Worker } = require("worker_threads");
async function main() {
	await new Promise((done) => setImmediate(done));
	console.log("immediate");
	await promisify(setTimeout)(20);
	console.log("timer");
	const all = await Promise.all([1, 2, 3, 4, 5, 6].map((n) =>
		promisify(fs.readFile)("/etc/passwd").then((d) => d.length > n)));
	console.log(all);
	console.log(await promisify(execFile)("echo", ["child"]));
	const w = new Worker("require('worker_threads').parentPort" +
		".postMessage(6 * 7)", { eval: true });
	console.log(await new Promise((done) => w.once("message", done)));
	console.log(require("zlib").gzipSync("x".repeat(1e5)).length > 9);
}
main();
S
}

# ---- the list

program true "" same true
program ls "" same ls -lR /usr/share/doc
program pipeline "" same sh -c "printf 'b\na\n' | sort | wc -l"
program bash-traps bash same bash "$W/traps.sh"
program find find same find /usr/include -name '*.h' -size +8k
program grep grep same grep -r define /usr/include/linux
program tar-gzip "tar gzip" same \
	sh -c 'tar -C /usr/include -cf - linux | gzip -n | sha256sum'
program git-log git same git -C "$W/repo" --no-pager log --stat
program git-clone git same sh -c \
	"git clone -q '$W/repo' '$W/clone' && ls '$W/clone'; rm -rf '$W/clone'"
program gcc gcc same sh -c \
	"gcc -O2 -c -o '$W/real.o' '$W/real.c' && sha256sum '$W/real.o'"
program make "make gcc" same sh -c \
	"cd '$W/project' && rm -f *.o prog && make -s -j4 && ./prog"
program python-threads python3 same python3 "$W/threads.py"
program python-subprocess python3 same python3 "$W/subprocess.py"
program python-asyncio python3 same python3 "$W/asyncio.py"
program python-multiprocessing python3 same python3 "$W/multiprocessing.py"
program perl-fork perl same perl "$W/fork.pl"
program sqlite sqlite3 same sh -c "rm -f '$W/db'; sqlite3 '$W/db' '
	create table t (a integer primary key, b text);
	with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
		insert into t select i, hex(i * i) from n;
	create index i on t (b); select count(*), max(b) from t;
	delete from t where a % 3 = 0; vacuum; pragma integrity_check;
	select sum(a) from t;'"
program curl "bash curl python3" same bash "$W/curl.sh"
program redis "redis-server redis-cli" same bash "$W/redis.sh"
program xz xz same sh -c "xz -T4 --block-size=256KiB -c '$W/data' | sha256sum"
program openssl openssl free sh -c \
	"openssl genrsa 2048 2>/dev/null | openssl rsa -noout -check &&
	openssl rand -hex 16 && openssl dgst -sha256 /bin/sh"
program tmux tmux same sh "$W/tmux.sh"
program musl musl-gcc same "$W/musl"
program go go same "$W/go/prog"
program node node same node -e "$(cat "$W/node.js" 2>/dev/null ||
	{ setup_node && cat "$W/node.js"; })"
program java java same java -version
program gdb gdb same gdb --batch -nx
program valgrind valgrind same valgrind -q true

if [ -n "$missing" ]; then
	echo "not here:$missing"
	[ "$failed" -ne 0 ] || { echo "$checks checks"; exit 77; }
fi
finish
