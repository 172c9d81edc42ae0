"""Scenarios at a terminal, each played natively and under "pastime record -q".

A small shell gives its job a process group and the terminal, as any shell with
job control does. What it sees of the job (exited, signalled, stopped) and what
the job prints are the transcript; both transcripts must be equal.
"""
import fcntl
import os
import select
import signal
import sys
import termios
import time

LIMIT = 30

# Prints every signal it gets; the argument is what to do besides. Signals come
# in sigsuspend only, so that none is missed between two calls.
GUEST = r"""
use POSIX;
$| = 1;
my $what = shift || "";
if ($what eq "read") {
	print "ready;"; my $l = <STDIN>; chomp $l; print "read $l;"; exit 0;
}
my ($all, $none) = (POSIX::SigSet->new, POSIX::SigSet->new);
$all->addset($_) for SIGINT, SIGUSR1, SIGCONT, SIGWINCH, SIGTERM;
sigprocmask(SIG_BLOCK, $all);
$SIG{INT} = sub { print "INT;" };
$SIG{USR1} = sub { print "USR1;" };
$SIG{CONT} = sub { print "CONT;" };
$SIG{WINCH} = sub { print "WINCH;" };
$SIG{TERM} = sub { print "TERM;"; exit 7 };
$SIG{TSTP} = "IGNORE" if $what eq "notstp";
print "ready;";
sigsuspend($none) while 1;
"""


def perl(what=""):
    return ["perl", "-e", GUEST, what]


def shell(job, report, orders):
    """Runs in the session leader: start job, tell what becomes of it."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(job[0], job)
    try:
        os.setpgid(pid, pid)
    except PermissionError:
        pass  # it has done so itself, and more
    os.write(report, b"pid %d\n" % pid)
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpid())
        if os.WIFSTOPPED(status):
            os.write(report, b"stopped %d\n" % os.WSTOPSIG(status))
            order = os.read(orders, 1)
            if order in b"f1":
                os.tcsetpgrp(0, pid)
            os.kill(pid if order == b"1" else -pid, signal.SIGCONT)
            continue
        if os.WIFSIGNALED(status):
            os.write(report, b"signalled %d\n" % os.WTERMSIG(status))
        else:
            os.write(report, b"exited %d\n" % os.WEXITSTATUS(status))
        os._exit(0)


class Play:
    def __init__(self, prefix, job):
        self.master, slave = os.openpty()
        # An echo, or what a key flushes, comes when it pleases.
        mode = termios.tcgetattr(slave)
        mode[3] = mode[3] & ~termios.ECHO | termios.NOFLSH
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        report_r, report_w = os.pipe()
        orders_r, self.orders = os.pipe()
        self.log = []
        self.text = {"tty": b"", "shell": b""}
        self.leader = os.fork()
        if self.leader == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.close(slave)
            os.close(self.master)
            os.close(report_r)
            os.close(self.orders)
            try:
                shell(prefix + job, report_w, orders_r)
            finally:
                os._exit(99)
        os.close(slave)
        os.close(report_w)
        os.close(orders_r)
        self.report = report_r
        self.pid = int(self.expect("shell", b"\n").split()[1])

    def expect(self, where, token):
        """Wait for token in what the job prints or the shell reports."""
        until = time.monotonic() + LIMIT
        while token not in self.text[where]:
            left = until - time.monotonic()
            fds = [self.master, self.report]
            ready = select.select(fds, [], [], max(left, 0))[0]
            if not ready:
                raise TimeoutError(
                    f"{token!r} in {where}: {self.text}, so far {self.log}")
            for fd in ready:
                name = "tty" if fd == self.master else "shell"
                try:
                    data = os.read(fd, 4096)
                except OSError:
                    data = b""
                if not data and name == where:
                    raise EOFError(f"{token!r}: {self.text}, {self.log}")
                self.text[name] += data
        at = self.text[where].index(token) + len(token)
        seen = self.text[where][:at]
        self.text[where] = self.text[where][at:]
        return seen

    # The steps of scenarios; what they see goes to the log.

    def sees(self, token):
        self.log.append(self.expect("tty", token.encode()))

    def shell_sees(self, token):
        self.log.append(self.expect("shell", b"\n"))
        if not self.log[-1].startswith(token.encode()):
            raise AssertionError(f"{token}: {self.log}")

    def key(self, key):
        os.write(self.master, key.encode())

    def kill(self, sig):
        os.kill(self.pid, sig)

    def killpg(self, sig):
        os.killpg(self.pid, sig)

    def foreground(self):
        """fg: give it the terminal, continue its group."""
        os.write(self.orders, b"f")

    def resume(self):
        """bg: continue its group without the terminal."""
        os.write(self.orders, b"b")

    def resume_one(self):
        """Give it the terminal, continue the job's first process only."""
        os.write(self.orders, b"1")

    def close(self):
        for fd in (self.master, self.report, self.orders):
            os.close(fd)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.leader, 0)


def ctrl_c_handled(play):
    play.sees("ready;")
    play.key("\x03")
    play.sees("INT;")
    play.key("\x03")
    play.sees("INT;")
    play.kill(signal.SIGTERM)
    play.sees("TERM;")
    play.shell_sees("exited 7")


def ctrl_c_deadly(play):
    play.sees("ready")
    play.key("\x03")
    play.shell_sees("signalled 2")


def ctrl_backslash(play):
    play.sees("ready;")
    play.key("\x1c")
    play.shell_sees("signalled 3")


def ctrl_z(play):
    play.sees("ready;")
    for _ in range(3):
        play.key("\x1a")
        play.shell_sees("stopped 20")
        play.foreground()
        play.sees("CONT;")
    play.kill(signal.SIGTERM)
    play.sees("TERM;")
    play.shell_sees("exited 7")


def ctrl_z_ignored(play):
    play.sees("ready;")
    play.key("\x1a")
    play.key("\x03")
    play.sees("INT;")
    play.kill(signal.SIGTERM)
    play.sees("TERM;")
    play.shell_sees("exited 7")


def sigstop_of_group(play):
    play.sees("ready;")
    play.killpg(signal.SIGSTOP)
    play.shell_sees("stopped 19")
    play.foreground()
    play.sees("CONT;")
    play.kill(signal.SIGKILL)
    play.shell_sees("signalled 9")


def cont_of_one(play):
    play.sees("ready;")
    play.key("\x1a")
    play.shell_sees("stopped 20")
    play.resume_one()
    play.sees("CONT;")
    play.kill(signal.SIGTERM)
    play.sees("TERM;")
    play.shell_sees("exited 7")


def passed_on(play):
    play.sees("ready;")
    play.kill(signal.SIGUSR1)
    play.sees("USR1;")
    play.kill(signal.SIGINT)
    play.sees("INT;")
    play.kill(signal.SIGTERM)
    play.sees("TERM;")
    play.shell_sees("exited 7")


def background_read(play):
    play.sees("ready;")
    play.key("\x1a")
    play.shell_sees("stopped 20")
    play.resume()
    # It is in read() again, without the terminal.
    play.shell_sees("stopped 21")
    play.foreground()
    play.key("words\n")
    play.sees("read words;")
    play.shell_sees("exited 0")


def window_size(play):
    play.sees("ready;")
    fcntl.ioctl(play.master, termios.TIOCSWINSZ, b"\x30\0\x90\0\0\0\0\0")
    play.sees("WINCH;")
    play.kill(signal.SIGTERM)
    play.sees("TERM;")
    play.shell_sees("exited 7")


def stty(play):
    play.sees("size\r\n")
    play.shell_sees("exited 0")


def pipeline(play):
    play.sees("3")
    play.shell_sees("exited 0")


def interactive_shell(play):
    play.sees("$ ")
    play.key("echo a; (exit 5)\n")
    play.sees("a\r\n$ ")
    play.key("sleep 1000\n")
    play.wait_foreground_child()
    play.key("\x1a")
    play.sees("Stopped")
    play.sees("$ ")
    play.key("fg\n")
    play.sees("sleep 1000\r\n")
    play.wait_foreground_child()
    play.key("\x03")
    play.sees("$ ")
    play.key("echo status $?\n")
    play.sees("status 130")
    play.sees("$ ")
    play.key("exit 9\n")
    play.shell_sees("exited 9")


def wait_foreground_child(self):
    """Until the terminal belongs to a group that is not the job's own."""
    until = time.monotonic() + LIMIT
    while True:
        group = os.tcgetpgrp(self.master)
        if group not in (self.pid, self.leader) and group > 0:
            comm = f"/proc/{group}/comm"
            if os.path.exists(comm) and open(comm).read() == "sleep\n":
                return
        if time.monotonic() > until:
            raise TimeoutError("no child in the foreground")
        select.select([], [], [], 0.01)


Play.wait_foreground_child = wait_foreground_child

BASH = ["bash", "--norc", "--noprofile", "--noediting", "-i"]

SCENARIOS = [
    (ctrl_c_handled, perl()),
    (ctrl_c_deadly, ["sh", "-c", "echo ready; exec sleep 1000"]),
    (ctrl_backslash, perl()),
    (ctrl_z, perl()),
    (ctrl_z_ignored, perl("notstp")),
    (sigstop_of_group, perl()),
    (cont_of_one, perl()),
    (passed_on, perl()),
    (background_read, perl("read")),
    (window_size, perl()),
    (stty, ["sh", "-c", "stty -a; stty size; echo size"]),
    (pipeline, ["sh", "-c", "printf 'a\\nb\\nc\\n' | cat | wc -l"]),
    (interactive_shell, BASH),
]


def transcript(scenario, job, prefix):
    play = Play(prefix, job)
    try:
        scenario(play)
        return play.log
    finally:
        play.close()


def main():
    pastime = sys.argv[1]
    only = sys.argv[2:]
    os.environ["PS1"] = "$ "
    os.environ.pop("PROMPT_COMMAND", None)
    failed = 0
    for scenario, job in SCENARIOS:
        if only and scenario.__name__ not in only:
            continue
        logs = []
        for prefix in ([], [pastime, "record", "-q"]):
            try:
                logs.append(transcript(scenario, job, prefix))
            except (AssertionError, EOFError, TimeoutError) as e:
                logs.append(f"{'recorded' if prefix else 'native'}: {e}")
        good = logs[0] == logs[1] and isinstance(logs[0], list)
        failed += not good
        print(f"{'ok' if good else 'FAILED'}: {scenario.__name__}", flush=True)
        if not good:
            print(f"  native:   {logs[0]}\n  recorded: {logs[1]}")
    return 1 if failed else 0


sys.exit(main())
