#!/usr/bin/env python3
"""Record programs whose tasks compute at the same time, a seed after the other.

Each run is recorded into the store, plainly or with hostile choices (--chaos),
and replayed. It is alike when the status and output of the recording are those of
a native run, and the replay prints the same and finds the same memory at
every checksum. Prints a row for each program.

A run is given up when it has used more than --cpu seconds of CPU time
(time-out), or when nothing in it has used any for --idle seconds (hang). What
failed is kept in --dir: the recording in its store, what was printed, and
where every thread stood. Runs that are done are not repeated when it is started
again with the same --dir; --minutes begins none after so long. The rows are in
summary.txt there, too. Status: 0 all alike, 1 not, 2 all so far, but there are
more to do, 77 a program that was asked for is not here.
"""
import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
POLL = 0.25
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "threads")
COUNTS = """select count(*) filter (where kind = 13 and a0 = 2),
count(*) filter (where kind = 7), count(*) filter (where kind = 14), count(*)
from event where recording = %s"""


class Programs:
    """What is run, and how often at least: points, signals in all its runs."""

    def __init__(self, build, home):
        self.home, self.guests = home, build + "/tests/guests/"
        self.cc = os.environ.get("CC", "cc").split()
        guest = self.guest
        self.rows = {
            "spin locks": (guest("spin_locks"), 10, 0),
            "spin flag": (guest("spin_flag"), 2, 0),
            "compute": (self.spin("compute"), 2, 0),
            "cmpxchg": (self.spin("cmpxchg"), 2, 0),
            "memory": (self.spin("memory"), 0, 0),
            "ticket": (self.spin("ticket"), 2, 0),
            "yield": (self.spin("yield"), 1, 0),
            "sig storm": (guest("sig_storm"), 15, 80),
            "sig stops": (guest("sig_stops"), 5, 10),
            "prof timers": (guest("prof_timers"), 20, 60),
            "alarms": (guest("alarm_compute"), 4, 8),
            "perl": (self.script("perl", "alarm.pl"), 5, 40),
            "python": (self.script("python3", "switch.py"), 1, 0),
            "sqlite": (self.sqlite, 1, 1),
            "openssl": (self.openssl, 1, 1),
            "xz": (self.xz, 1, 0),
            "go": (self.go, 4, 2),
            "java": (self.java, 1, 0),
            "node": (self.script("node", "worker.js"), 0, 0),
        }

    def path(self, name):
        return os.path.join(self.home, name)

    def guest(self, name):
        return lambda: [self.guests + name]

    def script(self, tool, source):
        # Not through a wrapper that picks a version.
        path = next((p for p in ("/usr/bin/" + tool, shutil.which(tool))
                     if p and os.access(p, os.X_OK)), None)
        return lambda: path and [path, os.path.join(SOURCES, source)]

    def made(self, out, *command):
        if not shutil.which(command[0]):
            return False
        if not os.path.exists(self.path(out)):
            subprocess.run(command, cwd=self.home, check=True, env={
                **os.environ, "GOCACHE": self.path("go"), "HOME": self.home,
                "GO111MODULE": "off"})
        return True

    def spin(self, kind):
        def make():
            self.made("spin", *self.cc, "-O1", "-pthread", "-o", "spin",
                      SOURCES + "/spin.c")
            return [self.path("spin"), kind, "300"]
        return make

    def sqlite(self):
        if not shutil.which("sqlite3"):
            return None
        self.made("profile.so", *self.cc, "-shared", "-fPIC", "-o",
                  "profile.so", SOURCES + "/profile.c")
        return ["/bin/sh", "-c", f"LD_PRELOAD={self.path('profile.so')} sqlite3 "
                f":memory: <{SOURCES}/rows.sql"]

    def openssl(self):
        if not shutil.which("openssl"):
            return None
        return ["/bin/sh", "-c", "openssl speed -seconds 1 -bytes 1024 sha256 "
                ">/dev/null 2>&1"]

    def xz(self):
        if not shutil.which("xz"):
            return None
        if not os.path.exists(self.path("in")):
            with open(self.path("in"), "wb") as out:
                with open(os.path.realpath(sys.executable), "rb") as f:
                    out.write((f.read() * 4)[:3000000])
        return ["/bin/sh", "-c", f"xz -T4 --block-size=1MiB -c {self.path('in')}"]

    def go(self):
        ok = self.made("busy", "go", "build", "-o", "busy", SOURCES + "/busy.go")
        return [self.path("busy")] if ok else None

    def java(self):
        ok = shutil.which("java") and self.made(
            "Busy.class", "javac", "-d", ".", SOURCES + "/Busy.java")
        return ["/usr/bin/env", "java", "-Xmx64m", "-cp", self.home, "Busy"] if ok else None


class Tree:
    """A command and all that comes of it, watched by what it consumes."""

    def __init__(self, pid):
        self.pid = pid
        self.gone = {}  # CPU ticks of processes when last seen

    @staticmethod
    def processes():
        """pid -> (parent, CPU ticks)"""
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", "rb") as f:
                    rest = f.read().rsplit(b")", 1)[1].split()
                found[int(name)] = (int(rest[1]), int(rest[11]) + int(rest[12]))
            except (OSError, IndexError):
                continue
        return found

    def members(self, table):
        children = {}
        for pid, (parent, _) in table.items():
            children.setdefault(parent, []).append(pid)
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            if pid in table:
                found.append(pid)
            todo += children.get(pid, [])
        return found

    def cpu(self):
        table = self.processes()
        for pid in self.members(table):
            self.gone[pid] = table[pid][1]
        return sum(self.gone.values()) / TICK

    def where(self):
        """Where all its threads stand."""
        lines = []
        for pid in self.members(self.processes()):
            try:
                tids = os.listdir(f"/proc/{pid}/task")
            except OSError:
                continue
            for tid in tids:
                lines.append(f"{pid} {tid} " + " | ".join(
                    self.read(f"/proc/{pid}/task/{tid}/{what}")
                    for what in ("comm", "wchan", "syscall", "stack")))
                lines += [f"    {line}" for line in self.read(
                    f"/proc/{pid}/task/{tid}/status").splitlines()
                    if line.startswith(("State", "Sig", "Shd"))]
        return "\n".join(lines) + "\n"

    @staticmethod
    def read(path):
        try:
            with open(path, errors="replace") as f:
                return f.read().strip()
        except OSError as e:
            return e.strerror

    def kill(self):
        for pid in reversed(self.members(self.processes())):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass


class Ended(Exception):
    """It was not as it should be."""


class Runner:
    def __init__(self, opts, programs):
        self.opts, self.programs = opts, programs
        self.env = {**os.environ, "PASTIME_HOME": opts.dir + "/home", "LC_ALL": "C"}
        for name in "PASTIME_DB", "PGHOST", "PGSERVICE", "PGDATABASE":
            self.env.pop(name, None)
        self.pastime = os.environ.get("PASTIME", opts.build + "/pastime")
        self.natives = {}

    def watched(self, label, what, argv):
        """Run it. Returns its status; what it printed is in files."""
        base, reaped = f"{self.opts.dir}/{label}.{what}", self.reaped()
        with open(base + ".out", "wb") as out, open(base + ".err", "wb") as err:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=err, env=self.env, cwd=self.opts.dir,
                                 start_new_session=True)
        tree, used, since = Tree(p.pid), 0.0, time.monotonic()
        verdict = None
        while verdict is None:
            try:
                p.wait(POLL)
                return p.returncode, max(used, self.reaped() - reaped)
            except subprocess.TimeoutExpired:
                pass
            now, before = tree.cpu(), used
            if now > before:
                used, since = now, time.monotonic()
            if used > self.opts.cpu:
                verdict = f"time-out: {what} used {used:.0f} s of CPU time"
            elif time.monotonic() - since > self.opts.idle:
                verdict = f"hang: {what} stands still"
        with open(base + ".where", "w") as f:
            f.write(tree.where())
            if self.opts.gdb:
                f.write(self.backtraces(tree))
        tree.kill()
        p.wait()
        raise Ended(verdict)

    @staticmethod
    def reaped():
        """CPU time of what has ended."""
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r.ru_utime + r.ru_stime

    def backtraces(self, tree):
        """Of those that nobody traces: pastime's own."""
        text = ""
        for pid in tree.members(tree.processes()):
            if "TracerPid:\t0" in tree.read(f"/proc/{pid}/status"):
                text += subprocess.run(
                    ["gdb", "-batch", "-p", str(pid), "-ex",
                     "thread apply all bt full 12"], text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        return text

    def printed(self, label, what):
        texts = []
        for kind in "out", "err":
            with open(f"{self.opts.dir}/{label}.{what}.{kind}", "rb") as f:
                texts.append(f.read())
        return texts

    def native(self, name, argv):
        if name not in self.natives:
            label = name.replace(" ", "_")
            status, _ = self.watched(label, "native", argv)
            if status != 0:
                sys.exit(f"{name}: status {status} natively")
            self.natives[name] = self.printed(label, "native")
        return self.natives[name]

    def sql(self, text):
        got = subprocess.run([self.pastime, "sql", "--csv", text], env=self.env,
                             text=True, stdout=subprocess.PIPE, check=True)
        return [int(n) for n in got.stdout.splitlines()[1].split(",")]

    def compare(self, name, label, argv, seed):
        """One run. Returns points, signals, CPU seconds of record and replay."""
        expected = self.native(name, argv)
        how = [] if seed is None else [f"--chaos={seed}"]
        status, record = self.watched(
            label, "record", [self.pastime, "record", "-q", "-n", label,
                              f"--checksum={self.opts.checksum}", *how, *argv])
        if status != 0 or self.printed(label, "record") != expected:
            raise Ended(f"recorded: status {status}, output "
                        + ("as" if self.printed(label, "record") == expected
                           else "not as") + " natively")
        status, replay = self.watched(
            label, "replay", [self.pastime, "replay", "--verify=memory", label])
        if status != 0:
            raise Ended("diverged: " + self.printed(label, "replay")[1]
                        .decode(errors="replace")[-1500:])
        if self.printed(label, "replay") != expected:
            raise Ended("diverged: the replay prints something else")
        number = self.sql("select recording from recording where name = "
                          f"'{label}' order by recording desc limit 1")[0]
        points, signals, sums, _ = self.sql(COUNTS % number)
        if sums == 0:
            raise Ended("no checksums were compared")
        return points, signals, record, replay

    def one(self, name, label, argv, seed):
        began = time.monotonic()
        try:
            points, signals, record, replay = self.compare(
                name, label, argv, seed)
            result = {"ok": True, "points": points, "signals": signals,
                      "record": record, "replay": replay}
        except Ended as e:
            result = {"ok": False, "why": str(e)}
        result["seconds"] = time.monotonic() - began
        if result["ok"]:
            subprocess.run([self.pastime, "rm", "-q", label], env=self.env)
            for what in "record", "replay":
                for kind in "out", "err":
                    os.unlink(f"{self.opts.dir}/{label}.{what}.{kind}")
        return result


class Table:
    """What was done so far, in --dir, and the rows that are printed."""

    def __init__(self, path, summary):
        self.path, self.runs, self.summary = path, {}, open(summary, "w")
        if os.path.exists(path):
            with open(path) as f:
                self.runs = json.load(f)

    def add(self, label, result):
        self.runs[label] = result
        with open(self.path + ".new", "w") as f:
            json.dump(self.runs, f, indent=1)
        os.replace(self.path + ".new", self.path)

    def say(self, line):
        for out in sys.stdout, self.summary:
            print(line, file=out, flush=True)

    def row(self, name, labels, points, signals):
        runs = [self.runs[l] for l in labels if l in self.runs]
        good = [r for r in runs if r["ok"]]
        bad = {"time-out": 0, "hang": 0, "diverged": 0, "recorded": 0}
        for r in runs:
            if not r["ok"]:
                kind = r["why"].split(":")[0]
                bad[kind] = bad.get(kind, 0) + 1
        got = [sum(r[k] for r in good) for k in ("points", "signals")]
        few = got[0] < points * len(good) or got[1] < signals * len(good)
        used = [r["record"] + r["replay"] for r in good]
        other = sum(bad[k] for k in bad
                    if k not in ("time-out", "hang", "diverged"))
        self.say(f"{name:<12}{len(good):>4} of {len(labels):<4}"
                 f"{bad['time-out']:>9}{bad['hang']:>6}{bad['diverged']:>9}"
                 f"{other:>7}{got[0]:>8}{got[1]:>8}"
                 f"{max([r['record'] for r in good], default=0):>8.1f}"
                 f"{max([r['replay'] for r in good], default=0):>8.1f}"
                 f"{sum(used) / len(used) if used else 0:>8.1f}"
                 + ("  too few points or signals" if few else ""))
        for l in labels:
            if l in self.runs and not self.runs[l]["ok"]:
                self.say(f"    {l}: " + self.runs[l]["why"].strip().replace(
                    "\n", "\n        "))
        return len(good) == len(runs) and not few


TITLES = (f"{'program':<12}{'alike':>12}{'time-out':>9}{'hang':>6}{'diverged':>9}"
          f"{'other':>7}{'points':>8}{'signals':>8}{'record':>8}{'replay':>8}"
          f"{'both':>8}  (CPU s of a run: most, most, mean)")


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.environ.get("TOP_BUILDDIR", "."))
    p.add_argument("--dir", help="state, store and what failed; default: a new one")
    p.add_argument("--seeds", default="1-20", help="FROM-TO; 0: none")
    p.add_argument("--plain", type=int, default=0, help="rounds without --chaos")
    p.add_argument("--cpu", type=float, default=240, help="seconds for one record or replay")
    p.add_argument("--idle", type=float, default=120, help="seconds without any CPU time")
    p.add_argument("--minutes", type=float, help="begin no run after so long")
    p.add_argument("--checksum", type=int, default=500, help="every so many events")
    p.add_argument("--again", action="store_true", help="repeat what failed")
    p.add_argument("--gdb", action="store_true", help="backtraces of what is given up")
    p.add_argument("--list", action="store_true")
    p.add_argument("programs", nargs="*")
    return p.parse_args()


def labels_of(opts, name):
    """(label, seed) of every run that is wanted; no seed: plainly."""
    name = name.replace(" ", "_")
    runs = [(f"{name}-plain{i}", None) for i in range(1, opts.plain + 1)]
    if opts.seeds != "0":
        first, _, last = opts.seeds.partition("-")
        runs += [(f"{name}-seed{s}", s)
                 for s in range(int(first), int(last or first) + 1)]
    return runs


def go(opts):
    programs = Programs(opts.build, opts.dir)
    names = opts.programs or list(programs.rows)
    if opts.list:
        print("\n".join(names))
        return 0
    table = Table(opts.dir + "/runs.json", opts.dir + "/summary.txt")
    runner = Runner(opts, programs)
    until = time.monotonic() + 60 * opts.minutes if opts.minutes else None
    absent, alike, left = [], True, 0
    table.say(TITLES)
    for name in names:
        make, points, signals = programs.rows[name]
        argv = make()
        if not argv:
            absent.append(name)
            continue
        runs = labels_of(opts, name)
        for label, seed in runs:
            done = table.runs.get(label)
            if done is not None and (done["ok"] or not opts.again):
                continue
            if until is not None and time.monotonic() >= until:
                left += 1
            else:
                table.add(label, runner.one(name, label, argv, seed))
        alike &= table.row(name, [l for l, _ in runs], points, signals)
    subprocess.run([runner.pastime, "db", "stop", "-q"], env=runner.env)
    if absent:
        table.say("not here: " + ", ".join(absent))
    if left:
        table.say(f"{left} more runs to do: the same words again, with "
                  f"--dir={opts.dir}, go on with them")
    if not alike:
        return 1
    return 2 if left else 77 if opts.programs and absent else 0


def main():
    opts = arguments()
    opts.build = os.path.abspath(opts.build)
    kept = opts.dir is not None
    opts.dir = os.path.abspath(opts.dir) if kept else tempfile.mkdtemp(
        prefix="pastime-seeds.")
    os.makedirs(opts.dir, exist_ok=True)
    os.chmod(opts.dir, 0o711)  # for root the server runs under another account
    status = go(opts)
    if status in (1, 2):
        print("kept: " + opts.dir)
    elif not kept:
        shutil.rmtree(opts.dir, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
