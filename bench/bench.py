#!/usr/bin/env python3
"""Overhead of recording and replaying against native and strace, as one table.

Runs of all kinds are interleaved, medians are printed as ratios to native under
the same CPU placement: "free" leaves the command and whoever traces it to the
scheduler and to pastime, "pinned" keeps both on one CPU. The store is a private
one in a temporary directory, whose server runs before anything is timed.
Nothing here passes or fails on time: it is a measurement. It fails when a
command of pastime does.
"""
import argparse
import csv
import io
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = {"free": [], "pinned": ["taskset", "-c", "0"]}


class Failed(Exception):
    pass


# --cpu: where perf writes what a command used.
cpu_file = None


def sh(*script):
    return ["sh", "-c", "; ".join(script)]


# What docs/PERFORMANCE.md aims at, at the sizes of --full: record and replay, at most.
GOALS = {
    **dict.fromkeys(["gzip -9", "python loop", "sqlite in memory", "cc1 -O2"], ("1.03x", "1.10x")),
    **dict.fromkeys(["getppid", "64-byte writes", "dd bs=1"], ("2x", "0.5x")),
    "clock_gettime": ("4x", "1.5x"),
    **dict.fromkeys(["find", "grep -r", "cp -r", "tar"], ("1.5x", "0.8x")),
    "make -j2": ("1.25x", "1.5x"),
    "100 x true": ("1.6x", "2x"),
    **dict.fromkeys(["xz -T4", "4 spinners"], ("1.1x", "1.3x")),
    "mutex ping-pong": ("1.6x", "1x"),
    "git status": ("1.8x+20", "1.8x+20"),
    **dict.fromkeys(["git log", "python start"], ("1.3x+5", "1.5x+20")),
    "node start": ("1.3x+30", "1.5x+20"),
    "redis -P 1": ("85 %", "1x"),
    "redis -P 16": ("65 %", "1x"),
    "python http": ("80 %", "1x"),
}
# These compute in several threads, which take turns: against one CPU.
ONE_CPU = ("xz -T4", "4 spinners", "mutex ping-pong")


class Sizes:
    """Of works: base times scale, or that by which GOALS are measured."""
    def __init__(self, scale, full):
        self.scale, self.full = scale, full

    def __call__(self, base, goal):
        return goal if self.full else max(1, int(base * self.scale))


def workloads(tmp, micro, n):
    """name -> (argv, program needed); n: Sizes."""
    text, tree, big = f"{tmp}/text", f"{tmp}/tree", f"{tmp}/big"
    py = f"x=0\nfor i in range({n(4000000, 16000000)}): x=(x*31+i)&0xffffffff\nprint(x)"
    sql = (f"with recursive c(x) as (select 1 union all select x+1 from c "
           f"where x<{n(1000000, 8000000)}) select sum(x*x % 7) from c")
    return {
        "gzip -9": (["gzip", "-9", "-c", text], "gzip"),
        "python loop": (["python3", "-c", py], "python3"),
        "sqlite in memory": (["sqlite3", ":memory:", sql], "sqlite3"),
        "cc -O2": (["gcc", "-O2", "-c", "-o", f"{tmp}/m.o", f"{HERE}/micro.c"], "gcc"),
        "cc1 -O2": ([cc1(), "-quiet", "-O2", "-o", f"{tmp}/long.s", f"{tmp}/long.c"], "gcc"),
        "xz": (["xz", "-3", "-c", "-T1", text], "xz"),
        "getppid": ([micro, "getppid", str(n(100000, 1000000))], None),
        "clock_gettime": ([micro, "clock", str(n(100000, 1000000))], None),
        "64-byte writes": ([micro, "writes", str(n(100000, 1000000))], None),
        "dd bs=1": (["dd", "if=/dev/zero", "of=/dev/null", "bs=1",
                     f"count={n(40000, 300000)}", "status=none"], "dd"),
        "find": (["find", big, "-name", "*7"], "find"),
        "grep -r": (["grep", "-rc", "needle", "/usr/include" if n.full else tree], "grep"),
        "cp -r": (sh(f"rm -rf {tmp}/copy", f"cp -r {tree} {tmp}/copy"), "cp"),
        "tar": (["tar", "cf", f"{tmp}/t.tar", tree], "tar"),
        "make -j2": (sh(f"make -s -C {tmp}/proj clean",
                        f"make -s -j2 -C {tmp}/proj"), "make"),
        "true": (["true"], "true"),
        "100 x true": (sh("i=0", f"while [ $i -lt {n(100, 300)} ]; do /bin/true; i=$((i+1)); done"), "true"),
        "xz -T4": (["xz", "-3", "-c", "-T4", "--block-size=262144", text], "xz"),
        "mutex ping-pong": ([micro, "pingpong", str(n(20000, 100000))], None),
        "4 spinners": ([micro, "spinners", "4", str(n(20000000, 200000000))], None),
        "git log": (["git", "-C", f"{tmp}/proj", "log", "--stat"], "git"),
        "git status": (["git", "-C", f"{tmp}/proj", "status"], "git"),
        "python start": (["python3", "-c", "import json, re"], "python3"),
        "node start": (["node", "-e", "1"], "node"),
    }


def cc1():
    p = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True)
    return p.stdout.strip()


def make_tree(top, per_directory):
    for d in range(20):
        os.makedirs(f"{top}/{d}")
        for i in range(per_directory):
            with open(f"{top}/{d}/f{i}", "w") as f:
                f.write(f"file {d} {i} needle\n" * 20)


def prepare(tmp, n):
    words = [f"word{i * 7919 % 10007}" for i in range(1000)]
    with open(f"{tmp}/text", "w") as f:
        for i in range(n(60000, 60000)):
            f.write(" ".join(words[(i * 13 + k * k) % 1000] for k in range(8)) + "\n")
    with open(f"{tmp}/long.c", "w") as f:
        for i in range(n(300, 1500)):
            f.write(f"int g{i}[64];\nint f{i}(int a, int *p)\n{{\n\tfor (int k = 0; k < a; k++)\n"
                    f"\t\tg{i}[k & 63] += p[k] * {i} ^ (a >> (k & 7));\n"
                    f"\treturn g{i}[a & 63] / (p[1] | 1);\n}}\n")
    make_tree(f"{tmp}/tree", n(250, 500))
    make_tree(f"{tmp}/big", n(250, 2500))
    os.makedirs(f"{tmp}/proj")
    names = [f"m{i}" for i in range(n(12, 60))]
    for m in names:
        with open(f"{tmp}/proj/{m}.c", "w") as f:
            f.write(f"#include <stdio.h>\nint {m}(int x) {{ printf(\"%d\", x); return x * 3; }}\n")
    with open(f"{tmp}/proj/Makefile", "w") as f:
        objs = " ".join(m + ".o" for m in names)
        f.write(f"lib.a: {objs}\n\tar rcs $@ $^\nclean:\n\trm -f *.o lib.a\n")
    git = ["git", "-C", f"{tmp}/proj", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    if shutil.which("git"):
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
            subprocess.run(git + words, check=True)


def run(argv, expect=None):
    """Seconds it took; output is taken away. expect: the status it must have."""
    if cpu_file:
        argv = ["perf", "stat", "-x,", "-e", "task-clock", "-o", cpu_file, "--"] + argv
    with open(os.devnull, "r+b") as null:
        begin = time.monotonic()
        p = subprocess.run(argv, stdin=null, stdout=null, stderr=subprocess.PIPE)
        took = time.monotonic() - begin
    if expect is not None and p.returncode != expect:
        said = p.stderr.decode(errors="replace").strip() or "(nothing on stderr)"
        raise Failed(f"{' '.join(argv)[:200]}: status {p.returncode}, "
                     f"expected {expect}\n{said}")
    if cpu_file:
        with open(cpu_file) as f:
            took = float([l for l in f if "task-clock" in l][-1].split(",")[0]) / 1000
    return took, p.returncode


class Pastime:
    def __init__(self, path):
        self.path = path

    def __call__(self, *words, expect=0):
        return run([self.path] + list(words), expect)[0]

    def query(self, sql):
        p = subprocess.run([self.path, "sql", "-q", "--csv", sql],
                           capture_output=True, text=True)
        rows = list(csv.reader(io.StringIO(p.stdout)))
        if p.returncode != 0 or len(rows) < 2:
            raise Failed(f"pastime sql: status {p.returncode}\n{p.stderr}")
        return [int(x) for x in rows[1]]

    def size(self):
        """Number of the last recording, its events, bytes of its chunks."""
        return self.query(
            "select recording, events, (select coalesce(sum(length(data)), 0)"
            " from pastime.chunk c where c.recording = r.recording)"
            " from pastime.recording r order by recording desc limit 1")


FORMAT = "{:<17}{:<8}{:>10}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}{:>9}"
HEAD = ("workload", "CPUs", "native", "record", "strace", "replay", "events", "B/event", "record<", "replay<")


def row(*cells):
    print(FORMAT.format(*cells, *[""] * (len(HEAD) - len(cells))).rstrip(), flush=True)


def measure(a, pt, name, argv):
    took = {}
    events = size = 0
    note = lambda key, t: took.setdefault(key, []).append(t)
    for i in range(a.runs + 1):
        for place in a.places:
            pre = PLACES[place]
            native, status = run((PLACES["pinned"] if name in ONE_CPU else pre) + argv)
            kinds = [("record", pre + [pt.path, "record", "-q", "-n", "bench"] +
                      a.options.split() + ["--"] + argv)]
            if a.strace and i == 1:  # for scale; it takes longest
                kinds.append(("strace", pre + ["strace", "-f", "-o", "/dev/null"] + argv))
            # Neither always comes after the same one; the first round warms up.
            if i % 2:
                kinds.reverse()
            times = {kind: run(words, status)[0] for kind, words in kinds}
            replay = run(pre + [pt.path, "replay", "-q", "bench"], 0)[0]
            if i == 0:
                continue
            note((place, "native"), native)
            note((place, "replay"), replay)
            for kind, t in times.items():
                note((place, kind), t)
        _, events, size = pt.size()
        pt("rm", "-q", "bench")
    for place in a.places:
        base = statistics.median(took[place, "native"])
        ratio = lambda kind: (f"{statistics.median(took[place, kind]) / base:.2f}x"
                              if (place, kind) in took else "-")
        row(name, place, f"{base * 1000:.1f} ms", ratio("record"), ratio("strace"),
            ratio("replay"), events, f"{size / events:.1f}" if events else "-",
            *GOALS.get(name, ()))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def servers(n):
    """name -> (server, load, stop, requests); each with PORT in its words."""
    redis = (["redis-server", "--port", "PORT", "--save", "", "--loglevel", "warning"],
             ["redis-cli", "-p", "PORT", "shutdown", "nosave"])
    load = lambda n, p: ["redis-benchmark", "-p", "PORT", "-n", n, "-P", p, "-t", "set,get", "-q"]
    py = [sys.executable, f"{HERE}/server.py"]
    one, many, http = n(50000, 100000), n(400000, 1000000), n(10000, 10000)
    return {
        "redis -P 1": (redis[0], load(str(one), "1"), redis[1], 2 * one),
        "redis -P 16": (redis[0], load(str(many), "16"), redis[1], 2 * many),
        "python http": (py + ["serve", "PORT"], py + ["load", "PORT", str(http)],
                        py + ["stop", "PORT"], http),
    }


def wait_for(port, p):
    """Until something listens there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and p.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", int(port))).close()
            return
        except OSError:
            time.sleep(0.01)
    raise Failed("the server does not come up")


def serve(tracer, server, load, stop):
    """Under tracer: seconds that the load took, and those from start to end."""
    port = free_port()
    words = lambda argv: [port if w == "PORT" else w for w in argv]
    with open(os.devnull, "r+b") as null:
        begin = time.monotonic()
        p = subprocess.Popen(tracer + words(server), stdin=null, stdout=null, stderr=null)
        try:
            wait_for(port, p)
            loaded = time.monotonic()
            subprocess.run(words(load), stdin=null, stdout=null, check=True, timeout=600)
            took = time.monotonic() - loaded
            subprocess.run(words(stop), stdin=null, stdout=null, check=True, timeout=60)
            p.wait(timeout=600)
        finally:
            if p.poll() is None:
                p.terminate()
                p.wait()
    if p.returncode != 0:
        raise Failed(f"{' '.join(server)}: status {p.returncode}")
    return took, time.monotonic() - begin


def measure_server(a, pt, name, server, load, stop, requests):
    """Requests a second natively, and what part of it is left under each tracer;
    the replay against what the recording took from start to end."""
    took, whole, replay = {}, [], []
    kinds = {"native": [], "record": [pt.path, "record", "-q", "-n", "bench"] +
             a.options.split() + ["--"]}
    if a.strace:
        kinds["strace"] = ["strace", "-f", "-o", "/dev/null"]
    for i in range(a.runs + 1):
        for kind in list(kinds) if i % 2 else reversed(list(kinds)):
            t, all_of_it = serve(kinds[kind], server, load, stop)
            if i > 0:
                took.setdefault(kind, []).append(t)
            if i > 0 and kind == "record":
                whole.append(all_of_it)
        t = run([pt.path, "replay", "-q", "bench"], 0)[0]
        if i > 0:
            replay.append(t)
    _, events, size = pt.size()
    pt("rm", "-q", "bench")
    base = statistics.median(took["native"])
    part = lambda kind: (f"{base / statistics.median(took[kind]) * 100:.0f} %"
                         if kind in took else "-")
    row(name, "free", f"{requests / base / 1000:.1f}k/s", part("record"), part("strace"),
        f"{statistics.median(replay) / statistics.median(whole):.2f}x", events,
        f"{size / events:.1f}", *GOALS.get(name, ()))


def serve_all(a, pt, n):
    row("server", "CPUs", "native", "record", "strace", "replay", "events", "B/event")
    failures = 0
    for name, (server, load, stop, requests) in servers(n).items():
        if not any(word in name for word in a.only.split("|")):
            continue
        if not shutil.which(server[0]) or not shutil.which(load[0]):
            row(name, "absent", *["-"] * 6)
            continue
        try:
            measure_server(a, pt, name, server, load, stop, requests)
        except (Failed, OSError, subprocess.SubprocessError) as e:
            failures += 1
            print(f"{name}: {e}", flush=True)
    return failures


def store_figures(a, pt, n, micro):
    """Events through the recorder into the server, as rows, and seeking."""
    n_writes = n(200000, 2000000)
    pt("db", "stop")
    whole = pt("record", "-q", "-n", "stored", "--", micro, "writes", str(n_writes))
    _, events, size = pt.size()
    print(f"\n{events} events of 64-byte writes, the server started meanwhile: "
          f"recorded and stored at {events / whole:.0f} a second, "
          f"{size / events:.1f} bytes each")
    begin = time.monotonic()
    rows, = pt.query("select count(*) from pastime.event where "
                     "recording = (select max(recording) from pastime.recording)")
    took = time.monotonic() - begin
    print(f"made into rows when first asked: {rows} in {took:.2f} s, "
          f"{rows / took:.0f} a second")
    random.seed(1)
    places = [random.randint(1, 99) for _ in range(a.runs)]
    took = [pt("replay", "-q", "stored", "--at", f"{p}%") for p in places]
    print(f"seek (pastime replay --at, cold, a process each): "
          f"median {statistics.median(took):.3f} s, worst {max(took):.3f} s")
    pt("rm", "-q", "stored")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--pastime", default=shutil.which("pastime") or "./pastime")
    ap.add_argument("--micro", default="./bench/micro")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--scale", type=float, default=1.0, help="size of the work, 1 = some ten minutes in all")
    ap.add_argument("--full", action="store_true", help="the sizes that the goals are set for; --scale is not used")
    ap.add_argument("--only", default="", help="workloads whose name contains one of these, with | between")
    ap.add_argument("--cpu", action="store_true",
                    help="CPU time of all processes of a command (needs perf), not elapsed time: for a host that is not quiet")
    ap.add_argument("--places", default="free,pinned", help="CPU placements: free, pinned")
    ap.add_argument("--no-strace", action="store_true", help="leave strace out: it takes most of the time")
    ap.add_argument("--options", default="", help="of record, such as --agent")
    a = ap.parse_args()
    a.places = a.places.split(",")
    a.strace = not a.no_strace and shutil.which("strace") is not None
    failures = 0
    micro = os.path.abspath(a.micro)
    pt = Pastime(os.path.abspath(a.pastime))
    n = Sizes(a.scale, a.full)
    os.environ.pop("PASTIME_DB", None)
    with tempfile.TemporaryDirectory(prefix="pastime-bench.") as tmp:
        # The server's account must be able to reach its directory.
        os.chmod(tmp, 0o755)
        os.environ["PASTIME_HOME"] = f"{tmp}/home"
        if a.cpu:
            global cpu_file
            cpu_file = f"{tmp}/cpu"
        prepare(tmp, n)
        try:
            pt("db", "start")
            pt("record", "-q", "true")
            row(*HEAD)
            for name, (argv, needs) in workloads(tmp, micro, n).items():
                if not any(word in name for word in a.only.split("|")):
                    continue
                if needs and not shutil.which(needs):
                    row(name, "absent", *["-"] * 6)
                    continue
                try:
                    measure(a, pt, name, argv)
                except Failed as e:
                    failures += 1
                    print(f"{name}: {e}", flush=True)
            if not a.cpu:
                print("\nRequests a second, and what part of them is left; replay: against the whole recording")
                failures += serve_all(a, pt, n)
            if not a.only:
                store_figures(a, pt, n, micro)
        except Failed as e:
            failures += 1
            print(e)
        finally:
            subprocess.run([pt.path, "db", "stop"], stderr=subprocess.DEVNULL)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
