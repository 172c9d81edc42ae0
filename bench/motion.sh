#!/bin/bash
# What motion in recordings takes (bench/motion.c): programs that compute for
# some seconds each, and a server under load, indexed; make bench-motion. Arguments:
# which of them.
set -eu

pastime=${PASTIME:-./pastime}
motion=${MOTION:-bench/motion}
T=$(mktemp -d "${TMPDIR:-/tmp}/pastime-motion.XXXXXX")
chmod 711 "$T"
export PASTIME_HOME=$T/home
clean_up()
{
	"$pastime" db stop -q >/dev/null 2>&1 || true
	rm -rf "$T"
}
trap clean_up EXIT

bench()
{
	local name=$1

	shift
	command -v "$1" >/dev/null || return 0
	case " $wanted " in
	*" $name "*) ;;
	*) return 0 ;;
	esac
	"$pastime" record -q -n "$name" "$@" >/dev/null
	"$pastime" index -q "$name"
	"$pastime" ls | awk -v name="$name" 'NR == 1 || $2 == name'
	"$motion" "$name"
	"$pastime" rm -q "$name"
}

wanted=${*:-python gzip sqlite awk server}
seq 1 3000000 >"$T/numbers"
cat >"$T/compute.py" <<'END'
d = {}
s = 0
for i in range(4000000):
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
bench python python3 "$T/compute.py"
bench gzip gzip -9c "$T/numbers"
bench sqlite sqlite3 :memory: 'create table t (i integer primary key, v);
	with recursive n(i) as (values (1) union all select i + 1 from n
	where i < 1000000) insert into t select i, i * i % 97 from n;
	select v, count(*), sum(i) from t group by v limit 3'
bench awk awk '{ s += $1; t[s % 9999] = $0 } END { print s }' "$T/numbers"
bench server python3 "$T/server.py"
