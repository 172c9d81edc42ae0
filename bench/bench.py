#!/usr/bin/env python3
"""Overhead of recording and replaying against native and strace, as one table.

Runs of each kind are interleaved, medians are printed as ratios to native. All
kinds run on the same CPUs. Nothing here passes or fails: it is a measurement.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def sh(*script):
    return ["sh", "-c", "; ".join(script)]


def workloads(tmp, micro, scale):
    """name -> (argv, packages needed); sizes grow with scale."""
    n = lambda base: str(int(base * scale))
    text, tree = f"{tmp}/text", f"{tmp}/tree"
    py = f"x=0\nfor i in range({n(2000000)}): x=(x*31+i)&0xffffffff\nprint(x)"
    sql = (f"with recursive c(x) as (select 1 union all select x+1 from c "
           f"where x<{n(400000)}) select sum(x*x % 7) from c")
    return {
        "gzip -9": (["gzip", "-9", "-c", text], "gzip"),
        "python loop": (["python3", "-c", py], "python3"),
        "sqlite in memory": (["sqlite3", ":memory:", sql], "sqlite3"),
        "cc -O2": (["gcc", "-O2", "-c", "-o", f"{tmp}/m.o", f"{HERE}/micro.c"], "gcc"),
        "xz": (["xz", "-3", "-c", "-T1", text], "xz"),
        "getppid": ([micro, "getppid", n(50000)], None),
        "clock_gettime": ([micro, "clock", n(50000)], None),
        "64-byte writes": ([micro, "writes", n(50000)], None),
        "dd bs=1": (["dd", "if=/dev/zero", "of=/dev/null", "bs=1",
                     "count=" + n(15000), "status=none"], "dd"),
        "find": (["find", tree, "-name", "*7"], "find"),
        "grep -r": (["grep", "-rc", "needle", tree], "grep"),
        "cp -r": (sh(f"rm -rf {tmp}/copy", f"cp -r {tree} {tmp}/copy"), "cp"),
        "tar": (["tar", "cf", f"{tmp}/t.tar", tree], "tar"),
        "make -j2": (sh(f"make -s -C {tmp}/proj clean",
                        f"make -s -j2 -C {tmp}/proj"), "make"),
        "100 x true": (sh("i=0", "while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done"), "true"),
        "xz -T4": (["xz", "-3", "-c", "-T4", "--block-size=262144", text], "xz"),
        "mutex ping-pong": ([micro, "pingpong", n(5000)], None),
        "4 spinners": ([micro, "spinners", "4", n(20000000)], None),
        "git log": (["git", "-C", f"{tmp}/proj", "log", "--stat"], "git"),
        "git status": (["git", "-C", f"{tmp}/proj", "status"], "git"),
        "python start": (["python3", "-c", "import json, re"], "python3"),
        "node start": (["node", "-e", "1"], "node"),
    }


def prepare(tmp, scale):
    words = [f"word{i * 7919 % 10007}" for i in range(1000)]
    with open(f"{tmp}/text", "w") as f:
        for i in range(int(60000 * scale)):
            f.write(" ".join(words[(i * 13 + k * k) % 1000] for k in range(8)) + "\n")
    for d in range(20):
        os.makedirs(f"{tmp}/tree/{d}")
        for i in range(int(50 * scale)):
            with open(f"{tmp}/tree/{d}/f{i}", "w") as f:
                f.write(f"file {d} {i} needle\n" * 20)
    os.makedirs(f"{tmp}/proj")
    names = [f"m{i}" for i in range(12)]
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


def run(argv, env=None):
    with open(os.devnull, "r+b") as null:
        begin = time.monotonic()
        p = subprocess.run(argv, stdin=null, stdout=null, stderr=subprocess.PIPE, env=env)
        return time.monotonic() - begin, p


def table_row(cells):
    print("{:<18}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}".format(*cells), flush=True)


def measure(a, name, argv, micro_db):
    native, record, strace, replay = [], [], [], []
    events = size = 0
    for _ in range(a.runs):
        native.append(run(argv)[0])
        took, p = run([a.pastime, "record", "-v", "-n", "bench", "--"] + argv)
        record.append(took)
        if p.returncode == 125:
            return [name, "-", "failed", "-", "-", "-", "-", "-"]
        if a.strace:
            strace.append(run(["strace", "-f", "-o", "/dev/null"] + argv)[0])
        took, p = run([a.pastime, "replay"])
        replay.append(took if p.returncode == 0 else float("nan"))
        row = subprocess.run([a.pastime, "sql", "-q", micro_db], capture_output=True, text=True)
        found = re.findall(r"(\d+)\D+(\d+)", row.stdout)
        if found:
            events, size = int(found[-1][0]), int(found[-1][1])
    base = statistics.median(native)
    ratio = lambda t: f"{statistics.median(t) / base:.2f}x" if t else "-"
    rate = events / statistics.median(record) if events else 0
    return [name, f"{base:.3f}s", ratio(record), ratio(strace), ratio(replay), events,
            f"{size / events:.1f}" if events else "-", f"{rate:.0f}"]


def seek_times(a):
    """Random seeks in the last recording, cold: each a command of its own."""
    took = [run([a.pastime, "replay", "--at", f"{p}%"])[0] for p in (13, 55, 89)]
    print(f"\nseek (pastime replay --at, cold): median {statistics.median(took):.3f} s")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--pastime", default=shutil.which("pastime") or "./pastime")
    ap.add_argument("--micro", default="./bench/micro")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--scale", type=float, default=1.0, help="size of the work, 1 = a few minutes in all")
    ap.add_argument("--only", default="", help="workloads whose name contains this")
    a = ap.parse_args()
    a.strace = bool(shutil.which("strace"))
    sizes = ("select events, (select coalesce(sum(length(data)), 0) from pastime.chunk c "
             "where c.recording = r.recording) from pastime.recording r "
             "order by recording desc limit 1")
    with tempfile.TemporaryDirectory(prefix="pastime-bench.") as tmp:
        prepare(tmp, a.scale)
        table_row(["workload", "native", "record", "strace", "replay", "events", "B/event", "events/s"])
        for name, (argv, needs) in workloads(tmp, os.path.abspath(a.micro), a.scale).items():
            if a.only not in name:
                continue
            if needs and not shutil.which(needs):
                table_row([name, "absent"] + ["-"] * 6)
                continue
            table_row(measure(a, name, argv, sizes))
        seek_times(a)
    return 0


if __name__ == "__main__":
    sys.exit(main())
