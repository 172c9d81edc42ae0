#!/usr/bin/env python3
"""What execution points cost, as two tables: make bench-points.

Recording: CPU time of programs that compute, of the recorder with them, as
ratios to native; medians of interleaved runs. Once as they are, once stopped
after every slice of the default length although nobody waits, and once a hundred
times a second; each stop is a point that is stored.

Replay: what the search for a point takes of the interval's native CPU time, by
tests/exact.py, which also checks every one.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
import exact  # noqa: E402

COST = ["sqlite", "python", "perl", "openssl", "awk",
        "loop dec", "loop heap", "loop rep", "avx2"]
KINDS = [("native", None), ("record", ""), ("slices", "50"), ("100/s", "10")]


def cpu_seconds(argv, preempt):
    """User and system time of argv and all that it waited for."""
    env = dict(os.environ)
    env.pop("PASTIME_PREEMPT", None)
    if preempt:
        env["PASTIME_PREEMPT"] = preempt
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    got = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if got.returncode != 0:
        sys.exit(f"{' '.join(argv)[:200]}: status {got.returncode}\n"
                 + got.stderr.decode(errors="replace")[-500:])
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def costs(opts, programs):
    print(f"{'recording':<13}" + "".join(f"{k:>9}" for k, _ in KINDS), flush=True)
    all_ratios = {k: [] for k, _ in KINDS}
    for name in COST:
        argv = programs.rows[name]()
        if argv is None:
            continue
        times = {k: [] for k, _ in KINDS}
        for _ in range(opts.rounds):
            for kind, preempt in KINDS:
                smoke = [] if preempt is None else [f"{opts.build}/tools/rr-smoke", "-n", "-q"]
                times[kind].append(cpu_seconds(smoke + argv, preempt))
        native = statistics.median(times["native"])
        row = f"{name:<13}{native:>8.2f}s"
        for kind, _ in KINDS[1:]:
            ratio = statistics.median(t / n for t, n in zip(times[kind], times["native"]))
            all_ratios[kind].append(ratio)
            row += f"{ratio:>9.3f}"
        print(row, flush=True)
    print(f"{'median':<13}{'':>9}" + "".join(
        f"{statistics.median(all_ratios[k]):>9.3f}" for k, _ in KINDS[1:]), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=".")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--size", type=float, default=3, help="of the programs, recording")
    p.add_argument("--points", type=int, default=30, help="of each program, replay")
    p.add_argument("--only", choices=["recording", "replay"])
    opts = p.parse_args()
    opts.build = os.path.abspath(opts.build)
    if opts.only != "replay":
        with tempfile.TemporaryDirectory(prefix="pastime-points.") as tmp:
            costs(opts, exact.Programs(opts.build, tmp, opts.size))
    if opts.only == "recording":
        return 0
    print(flush=True)
    return subprocess.run([sys.executable, exact.__file__, "--build", opts.build,
                           "--points", str(opts.points)]).returncode


if __name__ == "__main__":
    sys.exit(main())
