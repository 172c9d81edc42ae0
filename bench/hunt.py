#!/usr/bin/env python3
"""Failures per hundred runs of small racy programs: plain, and recorded under
--chaos with a seed of its own for each run. Every failing recording is replayed
(--replays times): one that diverges or prints something else counts as unlike, a run
that does not end in time as hung. A measurement, not a test."""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HUNG = -1000


def run(argv, timeout):
    """(status, output); HUNG when it did not end."""
    try:
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired:
        return HUNG, b""
    return p.returncode, p.stdout


class Count:
    """What happened to one program."""

    def __init__(self):
        self.plain = self.failed = self.unlike = self.hung = 0


def hunt(a, program, count):
    name = f"hunt-{os.path.basename(program)}"
    for i in range(a.runs):
        words = [o.replace("SEED", str(a.seed + i)) for o in a.options.split()]
        status, output = run([a.pastime, "record", "-q", "-n", name, *words, "--", program], a.timeout)
        if status == 0:
            continue
        if status == HUNG:
            count.hung += 1
            continue
        count.failed += 1
        for _ in range(a.replays):
            # 0: every event came about again, the end and its status among them
            if run([a.pastime, "replay", name], 10 * a.timeout) != (0, output):
                count.unlike += 1
                print(f"  unlike: {name}, run {i}: {' '.join(words)}", file=sys.stderr)


def per_hundred(n, runs):
    return f"{100 * n / runs:>10.1f}" if runs else f"{'-':>10}"


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--pastime", default=shutil.which("pastime") or "./pastime")
    ap.add_argument("--runs", type=int, default=100, help="recorded runs of each program")
    ap.add_argument("--plain", type=int, default=0, help="plain runs of each (ten times --runs)")
    ap.add_argument("--replays", type=int, default=3, help="of each failing recording")
    ap.add_argument("--seed", type=int, default=1, help="of the first run; the next has the next")
    ap.add_argument("--options", default="--chaos=SEED",
                    help="words for pastime record; SEED is replaced by the run's")
    ap.add_argument("--timeout", type=float, default=60, help="seconds until a run has hung")
    ap.add_argument("--quick", action="store_true", help="20 runs of each, one replay")
    ap.add_argument("--least", type=float, default=0,
                    help="status 1 when a program fails in fewer of hundred runs")
    ap.add_argument("--only", default="", help="programs whose name contains this")
    a = ap.parse_args()
    if a.quick:
        a.runs, a.replays = 20, 1
    plain_runs = a.plain or 10 * a.runs
    bad = False
    print(f"failures in hundred runs ({plain_runs} plain, {a.runs} recorded, {a.replays} replays of each failure)")
    print(f"{'program':<18}{'plain':>10}{'recorded':>10}{'unlike':>8}{'hung':>6}")
    with tempfile.TemporaryDirectory(prefix="pastime-hunt.") as tmp:
        for source in sorted(glob.glob(f"{HERE}/racy/*.c")):
            name = os.path.basename(source)[:-2]
            if a.only not in name:
                continue
            exe = f"{tmp}/{name}"
            subprocess.run(["cc", "-g", "-O1", "-pthread", "-o", exe, source], check=True)
            c = Count()
            c.plain = sum(run([exe], a.timeout)[0] != 0 for _ in range(plain_runs))
            hunt(a, exe, c)
            print(f"{name:<18}{per_hundred(c.plain, plain_runs)}{per_hundred(c.failed, a.runs)}"
                  f"{c.unlike:>8}{c.hung:>6}", flush=True)
            bad |= c.unlike > 0 or c.hung > 0 or 100 * c.failed < a.least * a.runs
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
