#!/bin/bash
# What motion in recordings takes (bench/motion.c): programs that compute for
# some seconds each, and servers under load, indexed; make bench-motion. Arguments:
# --full: as long as the targets say (60 s each, processes of 100 and 300 MB);
# which of them.
set -eu

pastime=${PASTIME:-./pastime}
motion=${MOTION:-bench/motion}
touch=${TOUCH:-bench/touch}
seconds=8
case ${1:-} in
--full)
	seconds=60
	shift
	;;
esac
T=$(mktemp -d "${TMPDIR:-/tmp}/pastime-motion.XXXXXX")
chmod 711 "$T"
export PASTIME_HOME=$T/home
clean_up()
{
	"$pastime" db stop -q >/dev/null 2>&1 || true
	rm -rf "$T"
}
trap clean_up EXIT

is_wanted()
{
	case " $wanted " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

measure()
{
	"$pastime" index -q "$1"
	"$pastime" ls | awk -v name="$1" 'NR == 1 || $2 == name'
	"$motion" "$1"
	"$pastime" rm -q "$1"
}

bench()
{
	local name=$1

	shift
	command -v "$1" >/dev/null && is_wanted "$name" || return 0
	"$pastime" record -q -n "$name" "$@" >/dev/null
	measure "$name"
}

# The server alone is recorded; what asks it goes on until the time is over.
bench_redis()
{
	local socket=$T/redis.sock server

	is_wanted redis && command -v redis-server redis-benchmark \
		redis-cli >/dev/null || return 0
	"$pastime" record -q -n redis redis-server --port 0 --save '' \
		--unixsocket "$socket" --dir "$T" >/dev/null &
	server=$!
	until redis-cli -s "$socket" ping >/dev/null 2>&1; do
		kill -0 "$server" || return 1
		sleep 0.1
	done
	timeout "$seconds" redis-benchmark -s "$socket" -t set,get -r 100000 \
		-c 20 -l -q >/dev/null 2>&1 || true
	redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1 || true
	wait "$server"
	measure redis
}

wanted=${*:-python gzip sqlite awk server redis touch100 touch300}
seq 1 3000000 >"$T/numbers"
cat >"$T/compute.py" <<'END'
import sys
d = {}
s = 0
for i in range(int(sys.argv[1])):
    s += hash(str(i)) & 7
    if i % 10 == 0:
        d[i] = s
print(s)
END
cat >"$T/server.py" <<'END'
import socket, threading
s = socket.create_server(("127.0.0.1", 0))
port = s.getsockname()[1]
N = 4000
def client():
    c = socket.create_connection(("127.0.0.1", port))
    for i in range(N):
        c.sendall(b"%08d" % i)
        c.recv(100)
    c.close()
t = threading.Thread(target=client)
t.start()
c, _ = s.accept()
seen = {}
while True:
    b = c.recv(8)
    if not b:
        break
    seen[b] = hash(b)
    c.sendall(b"%x" % sum(seen[k] & 3 for k in list(seen)[-50:]))
t.join()
END
bench python python3 "$T/compute.py" $((seconds * 800000))
bench gzip gzip -9c "$T/numbers"
bench sqlite sqlite3 :memory: 'create table t (i integer primary key, v);
	with recursive n(i) as (values (1) union all select i + 1 from n
	where i < 1000000) insert into t select i, i * i % 97 from n;
	select v, count(*), sum(i) from t group by v limit 3'
bench awk awk '{ s += $1; t[s % 9999] = $0 } END { print s }' "$T/numbers"
bench server python3 "$T/server.py"
bench_redis
bench touch100 "$touch" 100 "$seconds"
bench touch300 "$touch" 300 "$seconds"
