#!/usr/bin/env python3
"""Failures per hundred runs of small racy programs: plain, recorded, recorded
with options (as --chaos). Every failing recording is replayed; a replay that
does not fail alike is counted apart. A measurement, not a test."""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def failures(argv, runs):
    null = subprocess.DEVNULL
    return sum(subprocess.run(argv, stdout=null, stderr=null).returncode != 0 for _ in range(runs))


def hunt(pastime, program, options, runs):
    """(failing runs, failing recordings whose replay was not the same)"""
    failed = wrong = 0
    null = subprocess.DEVNULL
    for i in range(runs):
        name = f"hunt-{os.path.basename(program)}"
        words = [o.replace("SEED", str(i + 1)) for o in options]
        p = subprocess.run([pastime, "record", "-q", "-n", name, *words, "--", program],
                           stdout=subprocess.PIPE, stderr=null)
        if p.returncode == 0:
            continue
        failed += 1
        again = subprocess.run([pastime, "replay", name], stdout=subprocess.PIPE, stderr=null)
        wrong += again.returncode != 0 or again.stdout != p.stdout
    return failed, wrong


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--pastime", default=shutil.which("pastime") or "./pastime")
    ap.add_argument("--runs", type=int, default=100)
    ap.add_argument("--options", default="", help="words for pastime record, SEED is replaced by the run's number")
    ap.add_argument("--only", default="")
    a = ap.parse_args()
    print(f"{'program':<18}{'plain':>8}{'recorded':>10}{'unlike':>8}   of {a.runs}")
    with tempfile.TemporaryDirectory(prefix="pastime-hunt.") as tmp:
        for source in sorted(glob.glob(f"{HERE}/racy/*.c")):
            name = os.path.basename(source)[:-2]
            if a.only not in name:
                continue
            exe = f"{tmp}/{name}"
            subprocess.run(["cc", "-g", "-O1", "-pthread", "-o", exe, source], check=True)
            plain = failures([exe], a.runs)
            failed, wrong = hunt(a.pastime, exe, a.options.split(), a.runs)
            print(f"{name:<18}{plain:>8}{failed:>10}{wrong:>8}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
