#!/usr/bin/env python3
"""Stop real programs at random moments and see that replay stops there, too.

Each program is recorded with a preemption after every slice of random length,
though nobody waits for its turn, and a hash of all writable memory behind each.
The replay has to find every one of these points: the registers and the hash
must be those of the recording. Runs are repeated, with other seeds, until there
are enough points.

Prints a row for each program: its points, how many were wrong or not found, and
what the replay of an interval took of its native CPU time, the searching
process's included (intervals of 5 ms and more). Where replay goes back and
searches in another way, all of that counts as one search. Status: 0 when nothing was
wrong, 1 when something was, 77 when a program that was asked for is not here.

Limits are of CPU time, so that a busy machine is no failure; one that gets no
further at all is (STILL_S). With --state each run is written down when it is
done, and --resume goes on from there.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

RATIO_FROM_MS = 5.0
STILL_S = 120  # no CPU time was used for so long: it waits for what never comes
POLL_S = 0.2
POINT = re.compile(
    r"^point e(\d+) t(\d+) (\S+) (found|LOST) ([\d.]+) ms cpu ([\d.]+) "
    r"wall ([\d.]+) visits (\d+) mismatches (\d+) stops (\d+) "
    r"copies (\d+) fell (\d+)(.*)$", re.M)
END = re.compile(r"^rr-smoke: status \S+, .*, record (\d+) ms, "
                 r"replay (\d+) ms: replayed alike$", re.M)

PYTHON = """
def f(n):
    d, x, s = {}, 1, 0
    for i in range(n):
        x = (x * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        d[x >> 50] = d.get(x >> 50, 0) + i
        s += len(str(x)) + d[x >> 50] %% 7
    return s
print(f(%d))
"""
PERL = """my ($x, $s, %%h) = (1, 0);
for my $i (1 .. %d) {
    $x = ($x * 1103515245 + 12345) & 0x7fffffff;
    $h{$x %% 5003} .= chr(65 + $x %% 26);
    $h{$x %% 5003} = '' if length $h{$x %% 5003} > 40;
    $s += () = $h{$x %% 5003} =~ /[AEIOU]/g;
}
print "$s\\n";"""
AWK = """BEGIN { x = 1; for (i = 0; i < %d; i++) {
    x = (x * 16807) %% 2147483647; n[x %% 997] += i; s = s substr("abcdefgh", x %% 8, 1);
    if (length(s) > 200) { gsub(/a+/, "b", s); s = substr(s, 100) } }
    print n[5], length(s) }"""
SQL = """with recursive c(x) as (select 1 union all select x + 1 from c
where x < %d) select sum(x * x %% 7), count(distinct x %% 1009) from c"""
NODE = """let h = 1, o = {}; const a = new Int32Array(4096);
for (let r = 0; r < %d; r++) { for (let i = 0; i < a.length; i++) {
  h = (Math.imul(h, 1664525) + 1013904223) >>> 0; a[i] ^= h >>> 7; }
  o["k" + h %% 1000] = (o["k" + h %% 1000] || 0) + r; }
console.log(a.reduce((x, y) => (x + y) | 0), Object.keys(o).length);"""
GO = """package main
import ("fmt"; "sort")
func main() { h, m := uint64(1), map[uint64]int{}
  a := make([]uint64, 0, 1024)
  for i := 0; i < %d; i++ { h = h*6364136223846793005 + 1442695040888963407
    m[h>>54] += i; a = append(a, h>>40)
    if len(a) == 1024 { sort.Slice(a, func(x, y int) bool { return a[x] < a[y] }); a = a[:0] } }
  fmt.Println(h, m[5]) }
"""
JAVA = """public class Points {
  static long work(int seed, int turns) { long h = seed; int[] a = new int[4096];
    for (int r = 0; r < turns; r++) for (int i = 0; i < a.length; i++) {
      h = h * 6364136223846793005L + 1442695040888963407L; a[i] ^= (int) (h >>> 33); }
    long s = h; for (int x : a) s += x; return s; }
  public static void main(String[] v) throws Exception { long[] out = new long[3];
    Thread[] t = new Thread[3];
    for (int i = 0; i < 3; i++) { final int k = i;
      t[i] = new Thread(() -> { out[k] = work(k + 1, %d); }); t[i].start(); }
    for (Thread x : t) x.join();
    System.out.println(out[0] + out[1] + out[2]); } }
"""
LOOPS = {  # turns for about a third of a second
    "dec": 1000000000, "live": 600000000, "rcx": 1000000000,
    "global": 200000000, "stack": 1000000000, "heap": 600000000,
    "hidden": 1200000000, "memory": 2000000000, "flags": 1000000000,
    "vector": 800000000, "x87": 700000000, "recurse": 100000000,
    "rep": 40000000, "string": 400000000,
}
CODE = {"itself": 8000000, "beside": 8000000, "again": 400000000,
        "once": 30000000, "sum": 400000000}
SLICES = {"gzip": 0.2, "sort": 0.3}  # these compute less between their calls
SAMPLE = ["gzip", "python", "awk", "loop dec", "loop global", "loop hidden",
          "loop memory", "loop rep", "avx2", "code beside", "code once", "code sum",
          "signals", "spin wait"]


class Programs:
    """What is run: each by a method or row, made when it is first needed."""

    def __init__(self, build, tmp, size):
        self.guests = build + "/tests/guests"
        self.tmp, self.size = tmp, size
        self.rows = {
            "gzip": lambda: self.tool("gzip", "-9", "-c", self.text(6)),
            "bzip2": lambda: self.tool("bzip2", "-9", "-c", self.text(4)),
            "xz": lambda: self.tool("xz", "-6", "-T1", "-c", self.text(2)),
            "sqlite": lambda: self.tool("sqlite3", ":memory:", SQL % self.n(400000)),
            "python": lambda: self.tool(sys.executable, "-c", PYTHON % self.n(300000)),
            "perl": lambda: self.tool("perl", "-e", PERL % self.n(300000)),
            "cc1": self.cc1,
            "sort": lambda: self.tool("sort", "--parallel=1", "-k2", self.text(8)),
            "openssl": lambda: self.tool(
                "openssl", "enc", "-aes-128-ctr", "-pbkdf2", "-iter",
                str(self.n(600000)), "-k", "x", "-S", "0102030405060708",
                "-in", "/dev/null"),
            "awk": lambda: self.tool("awk", AWK % self.n(1000000)),
            "node": lambda: self.tool(
                "node", self.file("points.js", NODE % self.n(40000))),
            "go": self.go,
            "java": self.java,
            "avx2": lambda: self.guest("point_vectors", "avx2", 400000),
            "avx512": lambda: self.guest("point_vectors", "avx512", 600000),
            "signals": lambda: self.guest("point_signals", str(self.n(120))),
            "spin wait": lambda: self.guest("spin_flag"),
        }
        for name, turns in LOOPS.items():
            self.rows["loop " + name] = (
                lambda name=name, turns=turns: self.guest("point_loops", name, turns))
        for name, turns in CODE.items():
            self.rows["code " + name] = (
                lambda name=name, turns=turns: self.guest("point_modify", name, turns))

    def n(self, turns):
        return max(1, int(turns * self.size))

    def tool(self, name, *args):
        path = shutil.which(name)
        return [path, *args] if path else None

    def guest(self, name, *args):
        args = [str(self.n(a)) if isinstance(a, int) else a for a in args]
        return [f"{self.guests}/{name}", *args]

    def file(self, name, text):
        path = f"{self.tmp}/{name}"
        if not os.path.exists(path):
            with open(path, "w") as f:
                f.write(text() if callable(text) else text)
        return path

    def text(self, megabytes):
        def lines():
            x, out = 1, []
            for _ in range(int(self.n(megabytes * 1000000) / 40) + 1):
                x = (x * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
                out.append(f"word{x >> 52} {x >> 40 & 0xfff} the quick {x >> 20 & 0xfffff:x}\n")
            return "".join(out)
        return self.file(f"text{megabytes}", lines)

    def cc1(self):
        if not shutil.which("gcc"):
            return None
        path = subprocess.run(["gcc", "-print-prog-name=cc1"], text=True,
                              stdout=subprocess.PIPE).stdout.strip()
        source = self.file("source.c", lambda: "".join(
            f"int f{i}(int *a, int n) {{ int s = {i}; for (int i = 0; i < n; i++) "
            f"{{ s += a[i] * {i % 13} ^ s << {i % 5 + 1}; if (s % {i % 7 + 2}) s ^= "
            f"a[(s & 7) % (n + 1)]; }} switch (s & 7) {{ case 1: return s * {i}; "
            f"case 3: return n; default: return a[0]; }} }}\n"
            for i in range(self.n(120))))
        return [path, "-quiet", "-O2", source, "-o", "/dev/null"]

    def built(self, tool, name, text, out, *args):
        if not shutil.which(tool):
            return False
        source = self.file(name, text)
        if not os.path.exists(f"{self.tmp}/{out}"):
            subprocess.run([tool, *args, source], cwd=self.tmp, check=True,
                           env={**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off",
                                "GOCACHE": self.tmp + "/cache"})
        return True

    def go(self):
        ok = self.built("go", "points.go", GO % self.n(6000000), "points",
                        "build", "-o", "points")
        return [self.tmp + "/points"] if ok else None

    def java(self):
        ok = shutil.which("java") and self.built(
            "javac", "Points.java", JAVA % self.n(20000), "Points.class")
        return [shutil.which("java"), "-cp", self.tmp, "Points"] if ok else None


class Run:
    """What one recording and its replay said."""

    def __init__(self, text="", status=0, trouble=None):
        self.points = self.wrong = self.lost = 0
        self.traps = self.ahead = self.fell = 0
        self.ratios, self.notes = [], []
        looked_for, missed = 0, 0.0  # the point that was lost; time for it
        for m in POINT.finditer(text):
            at, ms = int(m[1]), float(m[5]) * float(m[6])
            if m[4] == "LOST" or at < looked_for:
                # Replay goes back, and comes again.
                looked_for, missed = max(at, looked_for), missed + ms
                continue
            self.points += 1
            self.traps += "trap" in m[13]
            self.ahead += "ahead" in m[13]
            self.fell += int(m[12]) > 0
            if float(m[5]) >= RATIO_FROM_MS:
                self.ratios.append((missed + ms) / float(m[5]))
            looked_for, missed = 0, 0.0
        if looked_for:  # and never came there
            self.points += 1
            self.lost += 1
        if trouble:
            self.notes.append(f"{trouble}; {self.points} points until then")
        elif not END.search(text) or status != 0:
            # Not found is counted; anything else that parts is a wrong point.
            self.wrong += self.lost == 0
            said = [l for l in text.splitlines() if not l.startswith("point ")]
            self.notes.append("\n".join(said[-8:]))


class Row:
    COUNTS = "points", "wrong", "lost", "traps", "ahead", "fell"

    def __init__(self, name):
        self.name = name
        self.points = self.wrong = self.lost = self.runs = 0
        self.traps = self.ahead = self.fell = 0
        self.ratios, self.notes = [], []

    def failed(self):
        return self.wrong + self.lost > 0 or bool(self.notes)

    def add(self, other, runs=1):
        for k in self.COUNTS:
            setattr(self, k, getattr(self, k) + getattr(other, k))
        self.ratios += other.ratios
        self.notes += other.notes
        self.runs += runs

    def ratio(self, part):
        v = sorted(self.ratios)
        return v[min(len(v) - 1, int(len(v) * part))] if v else 0.0

    def text(self):
        return (f"{self.name:<13}{self.points:>7}{self.wrong:>6}{self.lost:>6} |"
                f"{len(self.ratios):>6}{self.ratio(.5):>7.2f}{self.ratio(.95):>6.2f}"
                f"{self.ratio(1):>7.2f} |{self.traps:>6}{self.ahead:>6}{self.fell:>5}"
                f"{self.runs:>5}")


TITLES = (f"{'program':<13}{'points':>7}{'wrong':>6}{'lost':>6} |{'n>5ms':>6}"
          f"{'median':>7}{'p95':>6}{'worst':>7} |{'traps':>6}{'ahead':>6}{'back':>5}"
          f"{'runs':>5}")


class State:
    """Runs that are done, a line for each: a later call goes on behind them."""

    def __init__(self, path, resume):
        self.path, self.done = path, {}
        if resume and os.path.exists(path):
            with open(path) as f:
                for name, seed, run in map(json.loads, f):
                    self.done[name, seed] = run
        elif path:
            open(path, "w").close()

    def get(self, name, seed):
        run = Run()
        if (name, seed) not in self.done:
            return None
        run.__dict__.update(self.done[name, seed])
        return run

    def put(self, name, seed, run):
        if self.path:
            with open(self.path, "a") as f:
                f.write(json.dumps([name, seed, run.__dict__]) + "\n")


def cpu_seconds(root):
    """CPU time of a process, what it waited for, and all below it."""
    ticks, parents = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(pid)] = int(fields[1])
        ticks[int(pid)] = sum(map(int, fields[11:15]))
    total = 0
    for pid in ticks:
        at = pid
        while at not in (0, root):
            at = parents.get(at, 0)
        total += ticks[pid] if at == root else 0
    return total / os.sysconf("SC_CLK_TCK")


def wait(child, seconds):
    """Until it ends: None; else what kept it from that, and it is killed."""
    used, moved = 0.0, time.monotonic()
    while True:
        try:
            child.wait(POLL_S)
            return None
        except subprocess.TimeoutExpired:
            now = cpu_seconds(child.pid)
        if now > used + 0.05:
            used, moved = now, time.monotonic()
        trouble = (f"not done after {seconds} s of CPU time" if used > seconds else
                   f"it stands still after {used:.1f} s of CPU time"
                   if time.monotonic() - moved > STILL_S else None)
        if trouble:
            child.kill()
            child.wait()
            return trouble


def run_once(opts, name, argv, seed):
    ms = opts.slice * SLICES.get(name, 1)
    env = {**os.environ, "PASTIME_PREEMPT": f"{ms:g},seed={seed},sums"}
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([f"{opts.build}/tools/rr-smoke", "-o", "-p", *argv],
                                 env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=said)
        try:
            trouble = wait(child, opts.seconds)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        said.seek(0)
        text = said.read().decode(errors="replace")
    if opts.verbose:
        print("\n".join(m[0] for m in POINT.finditer(text)
                        if float(m[6]) >= opts.verbose), flush=True)
    return Run(text, child.returncode, trouble)


def measure(opts, state, name, argv):
    """Runs of one program until there are enough points of it."""
    row = Row(name)
    while row.points < opts.points and row.runs < opts.runs and not row.failed():
        seed = opts.seed + row.runs
        run = state.get(name, seed)
        if run is None:
            run = run_once(opts, name, argv, seed)
            state.put(name, seed, run)
        row.add(run)
    if row.points == 0 and not row.failed():
        row.notes.append("no points were taken")
    return row


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.environ.get("TOP_BUILDDIR", "."))
    p.add_argument("--points", type=int, default=4, help="of each program, at least")
    p.add_argument("--runs", type=int, default=100, help="of each program, at most")
    p.add_argument("--seconds", type=int, default=120, help="of CPU time, for one run")
    p.add_argument("--slice", type=float, default=15, help="milliseconds of CPU time")
    p.add_argument("--size", type=float, default=1, help="of the programs")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--state", default="", help="file with the runs that are done")
    p.add_argument("--resume", action="store_true", help="go on from that")
    p.add_argument("--verbose", type=float, default=0, metavar="RATIO",
                   help="print each point that took so many times the interval")
    p.add_argument("--sample", action="store_true", help="only some programs")
    p.add_argument("--list", action="store_true")
    p.add_argument("programs", nargs="*")
    return p.parse_args()


def main():
    opts = arguments()
    opts.build = os.path.abspath(opts.build)
    rows, absent, state = [], [], State(opts.state, opts.resume)
    with tempfile.TemporaryDirectory(prefix="pastime-exact.") as tmp:
        programs = Programs(opts.build, tmp, opts.size)
        names = opts.programs or (SAMPLE if opts.sample else list(programs.rows))
        if opts.list:
            print("\n".join(names))
            return 0
        print(TITLES, flush=True)
        for name in names:
            argv = programs.rows[name]()
            if argv is None or (name.startswith("avx") and subprocess.run(
                    argv[:-1] + ["1"], stdout=subprocess.DEVNULL).returncode == 77):
                absent.append(name)
                continue
            row = measure(opts, state, name, argv)
            rows.append(row)
            print(row.text(), flush=True)
            for note in row.notes:
                print("    " + note.replace("\n", "\n    "), flush=True)
    total = Row("all")
    for r in rows:
        total.add(r, r.runs)
    print(total.text())
    for name in absent:
        print(f"{name}: not here, left out")
    if any(r.failed() for r in rows):
        return 1
    return 77 if opts.programs and absent else 0


if __name__ == "__main__":
    sys.exit(main())
