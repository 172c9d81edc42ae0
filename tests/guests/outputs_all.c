/*
 * Every call that writes memory, with buffers of their own. After each call a
 * hash of all that it could have written goes into an argument of getppid, so
 * that a replay which lacks a byte stops at the very call. All of it twice:
 * alone, and beside a thread that wants to run, so that calls which may wait
 * write to scratch memory first.
 */
#include "guest.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

#define POOL (1u << 20)
#define GAP 64u
#define CALL(name, ...) done(syscall(SYS_##name, ##__VA_ARGS__))
#define CALL_NR(nr, ...) done(syscall(nr, ##__VA_ARGS__))

static uint8_t *pool, *top, *mark;
static unsigned calls, worked;

/* n fresh bytes, with a gap behind them that nobody may touch. */
static void *
out(size_t n)
{
	void *p = top;

	CHECK(top + n + GAP < pool + POOL);
	memset(top, 0xa5, n + GAP);
	top += (n + GAP + 15) & ~(size_t)15;
	return p;
}

/* The same, with contents. */
static void *
inout(const void *from, size_t n)
{
	return memcpy(out(n), from, n);
}

static uint32_t *
word(uint32_t v)
{
	return inout(&v, sizeof(v));
}

static uint64_t *
quad(uint64_t v)
{
	return inout(&v, sizeof(v));
}

/* After a call: what it wrote becomes an argument. */
static long
done(long ret)
{
	long r = ret < 0 ? -errno : ret;

	calls++;
	worked += ret >= 0;
	syscall(SYS_getppid, fnv(0, mark, (size_t)(top - mark)), r);
	mark = top;
	return ret;
}

static struct iovec *
iov2(size_t a, size_t b)
{
	struct iovec v[2] = { { out(a), a }, { out(b), b } };

	return inout(v, sizeof(v));
}

static int
temp_file(void)
{
	char name[] = "/tmp/outputs_allXXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	CHECK(unlink(name) == 0);
	CHECK(write(fd, "0123456789abcdefghijklmnopqrstuvwxyz", 36) == 36);
	return fd;
}

static void
files(void)
{
	int fd = temp_file(), fd2 = temp_file(), p[2], dir;
	struct flock lock = { .l_type = F_WRLCK };
	struct iovec *v;

	lseek(fd, 0, SEEK_SET);
	CALL(read, fd, out(100), 10);
	CALL(pread64, fd, out(100), 100, 30);
	v = iov2(10, 100);
	CALL(readv, fd, v, 2);
	CHECK(memcmp(v[0].iov_base, "abcdefghij", 10) == 0 &&
	      memcmp(v[1].iov_base, "klmnop", 6) == 0);
	CALL(preadv, fd, iov2(3, 3), 2, 5, 0);
	CALL(preadv2, fd, iov2(30, 30), 2, 5, 0, 0);
	CALL(read, fd, out(100), 100);
	CALL(stat, "/", out(144));
	CALL(lstat, "/proc/self", out(144));
	CALL(fstat, fd, out(144));
	CALL(newfstatat, AT_FDCWD, "/", out(144), 0);
	CALL(newfstatat, AT_FDCWD, "/nowhere", out(144), 0);
	CALL(statx, AT_FDCWD, "/", 0, 0xfff, out(256));
	CALL(statfs, "/", out(120));
	CALL(fstatfs, fd, out(120));
	CALL(ustat, 0x801, out(32));
	CALL(getcwd, out(4096), 4096);
	CALL(getcwd, out(10), 1);
	CALL(readlink, "/proc/self/cwd", out(100), 100);
	CALL(readlinkat, AT_FDCWD, "/proc/self/cwd", out(100), 2);
	dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
	CALL(getdents64, dir, out(2048), 2048);
	CALL(getdents, dir, out(2048), 2048);
	CALL(fcntl, fd, F_GETLK, inout(&lock, sizeof(lock)));
	CALL(fcntl, fd, F_OFD_GETLK, inout(&lock, sizeof(lock)));
	CALL(fcntl, fd, 16 /* F_GETOWN_EX */, out(8));
	CALL(fcntl, fd, 17 /* F_GETOWNER_UIDS */, out(8));
	CALL(fcntl, fd, 1035 /* F_GET_RW_HINT */, out(8));
	CALL(ioctl, fd, 0x541b /* FIONREAD */, out(4));
	CALL(ioctl, fd, 0x80086601 /* FS_IOC_GETFLAGS */, out(8));
	CALL(ioctl, fd, 2 /* FIGETBSZ */, out(4));
	CALL(ioctl, fd, 0x5460 /* FIOQSIZE */, out(8));
	CALL(ioctl, fd, 0x801c581f /* FS_IOC_FSGETXATTR */, out(28));
	CALL(pipe, out(8));
	CALL(pipe2, out(8), O_CLOEXEC);
	CHECK(pipe(p) == 0);
	lseek(fd, 0, SEEK_SET);
	CALL(sendfile, p[1], fd, quad(3), 10);
	CALL(splice, p[0], NULL, fd2, quad(1), 5, 0);
	CALL(copy_file_range, fd, quad(0), fd2, quad(50), 20, 0);
	v = iov2(2, 100);
	CALL(vmsplice, p[0], v, 2, 0);
	CHECK(memcmp(v[0].iov_base, "89", 2) == 0 &&
	      memcmp(v[1].iov_base, "abc", 3) == 0);
	CALL_NR(451 /* cachestat */, fd, quad(0), out(40), 0);
	CALL_NR(468 /* file_getattr */, AT_FDCWD, "/", out(24), 24, 0);
}

static void
fiemap(void)
{
	struct {
		uint64_t start, length;
		uint32_t flags, mapped, count, reserved;
	} head = { 0, ~0ull, 0, 0, 3, 0 };
	uint8_t *p = out(32 + 3 * 56);
	int fd = open("/proc/self/exe", O_RDONLY);

	memcpy(p, &head, sizeof(head));
	CALL(ioctl, fd, 0xc020660b /* FS_IOC_FIEMAP */, p);
	close(fd);
}

static void
attributes(void)
{
	uint32_t handle[2] = { 128, 0 };
	uint8_t *h = out(8 + 128);
	struct {
		uint64_t value;
		uint32_t size, flags;
	} args;
	int fd = temp_file();

	syscall(SYS_fsetxattr, fd, "user.test", "value", 5, 0);
	CALL(fgetxattr, fd, "user.test", out(100), 100);
	CALL(fgetxattr, fd, "user.test", out(100), 0);
	CALL(flistxattr, fd, out(100), 100);
	CALL(flistxattr, fd, out(100), 0);
	CALL(getxattr, "/", "user.none", out(100), 100);
	CALL(listxattr, "/", out(100), 100);
	CALL(llistxattr, "/", out(100), 100);
	memcpy(h, handle, 8);
	CALL(name_to_handle_at, AT_FDCWD, "/", h, out(4), 0);
	handle[0] = 0;
	CALL(name_to_handle_at, AT_FDCWD, "/", inout(handle, 8), out(4), 0);
	args.value = (uintptr_t)out(64);
	args.size = 64;
	args.flags = 0;
	CALL_NR(464 /* getxattrat */, fd, "", 0x1000, "user.test",
		inout(&args, sizeof(args)), sizeof(args));
	CALL_NR(465 /* listxattrat */, fd, "", 0x1000, out(100), 100);
}

static void
signals(void)
{
	sigset_t set, old;
	stack_t ss = { 0 };
	struct timespec zero = { 0 };
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	CALL(rt_sigaction, SIGUSR1, NULL, out(32), 8);
	CALL(rt_sigprocmask, SIG_BLOCK, inout(&set, 8), out(8), 8);
	CALL(rt_sigprocmask, SIG_BLOCK, NULL, out(8), 8);
	CALL(sigaltstack, NULL, out(24));
	CALL(sigaltstack, inout(&ss, 24), out(24));
	raise(SIGUSR1);
	CALL(rt_sigpending, out(8), 8);
	CALL(rt_sigtimedwait, inout(&set, 8), out(128), inout(&zero, 16), 8);
	CALL(rt_sigtimedwait, inout(&set, 8), out(128), inout(&zero, 16), 8);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	raise(SIGUSR2);
	CALL(read, fd, out(256), 256);
	CALL(read, fd, out(256), 256);
	sigprocmask(SIG_UNBLOCK, &set, &old);
}

static void
times_and_timers(void)
{
	struct itimerspec it = { .it_value.tv_sec = 1000 };
	struct timespec soon = { 0, 1000 };
	uint8_t *id;
	int fd, t;

	CALL(gettimeofday, out(16), out(8));
	CALL(time, out(8));
	CALL(times, out(32));
	CALL(clock_gettime, CLOCK_MONOTONIC, out(16));
	CALL(clock_gettime, 77, out(16));
	CALL(clock_getres, CLOCK_REALTIME, out(16));
	CALL(nanosleep, inout(&soon, 16), out(16));
	CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, inout(&soon, 16), out(16));
	CALL(getitimer, ITIMER_REAL, out(32));
	CALL(setitimer, ITIMER_VIRTUAL, inout(&(struct itimerspec){ 0 }, 32),
	     out(32));
	id = out(4);
	CALL(timer_create, CLOCK_MONOTONIC, NULL, id);
	memcpy(&t, id, 4);
	CALL(timer_settime, t, 0, inout(&it, 32), out(32));
	CALL(timer_gettime, t, out(32));
	CALL(timer_delete, t);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	CALL(timerfd_settime, fd, 0, inout(&it, 32), out(32));
	CALL(timerfd_gettime, fd, out(32));
	CALL(read, fd, out(8), 8);
	CALL(adjtimex, inout(&(char[208]){ 0 }, 208));
	CALL(clock_adjtime, CLOCK_REALTIME, inout(&(char[208]){ 0 }, 208));
}

static void
process(void)
{
	uint32_t v1[2] = { 0x19980330, 0 }, v3[2] = { 0x20080522, 0 },
		 bad[2] = { 1, 0 };
	uint32_t attr[14] = { 4096 };
	pid_t pid;

	CALL(getrlimit, 7, out(16));
	CALL(prlimit64, 0, 3, NULL, out(16));
	CALL(getrusage, 0, out(144));
	CALL(sysinfo, out(112));
	CALL(uname, out(390));
	CALL(getgroups, 0, out(4));
	CALL(getgroups, 64, out(256));
	CALL(getresuid, out(4), out(4), out(4));
	CALL(getresgid, out(4), out(4), out(4));
	CALL(capget, inout(v1, 8), out(24));
	CALL(capget, inout(v3, 8), out(24));
	CALL(capget, inout(bad, 8), NULL);
	CALL(sched_getparam, 0, out(4));
	CALL(sched_rr_get_interval, 0, out(16));
	CALL(sched_getattr, 0, out(56), 56, 0);
	CALL(sched_setattr, 0, inout(attr, 56), 0);
	CALL(sched_getaffinity, 0, 128, out(128));
	CALL(getcpu, out(4), out(4), NULL);
	CALL(get_robust_list, 0, out(8), out(8));
	CALL(prctl, PR_GET_NAME, out(16));
	CALL(prctl, PR_GET_PDEATHSIG, out(4));
	CALL(prctl, PR_GET_TSC, out(4));
	CALL(prctl, PR_GET_CHILD_SUBREAPER, out(4));
	CALL(prctl, 40 /* PR_GET_TID_ADDRESS */, out(8));
	CALL(prctl, 0x41555856 /* PR_GET_AUXV */, out(512), 512, 0, 0);
	CALL(arch_prctl, 0x1003 /* ARCH_GET_FS */, out(8));
	CALL(seccomp, 3 /* GET_NOTIF_SIZES */, 0, out(6));
	CALL(getrandom, out(32), 32, 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(7);
	CALL(waitid, P_PID, pid, out(128), WEXITED | WNOWAIT, out(144));
	CALL(wait4, pid, out(4), 0, out(144));
	CALL(wait4, -1, out(4), WNOHANG, out(144));
	CALL(waitid, P_ALL, 0, out(128), WEXITED | WNOHANG, out(144));
	CALL_NR(461 /* lsm_list_modules */, out(64), word(64), 0);
	CALL_NR(459 /* lsm_get_self_attr */, 100, out(256), word(256), 0);
	CALL(keyctl, 6 /* DESCRIBE */, -4, out(64), 64);
	CALL(keyctl, 6, -4, out(64), 3);
	CALL(keyctl, 31 /* CAPABILITIES */, out(32), 32);
	CALL(sysfs, 2, 0, out(64));
	CALL(syslog, 3, out(64), 64);
}

static void
memory(void)
{
	uint64_t st[32], mount[3] = { 24, 0, 0x3f };
	struct iovec remote[1];
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **pages;

	CHECK(page != MAP_FAILED);
	page[0] = 1;
	CALL(mincore, page, 8192, out(2));
	CALL(get_mempolicy, out(4), out(128), 1024, NULL, 0);
	pages = out(16);
	pages[0] = page;
	pages[1] = page + 4096;
	CALL(move_pages, 0, 2, pages, NULL, out(8), 0);
	remote[0].iov_base = page;
	remote[0].iov_len = 50;
	CALL(process_vm_readv, getpid(), iov2(20, 100), 2, remote, 1, 0);
	remote[0].iov_base = (void *)8;
	CALL(process_vm_readv, getpid(), iov2(20, 100), 2, remote, 1, 0);
	CALL(futex, word(0), FUTEX_WAKE_OP, 1, 1, word(5),
	     FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5));
	CALL(futex, word(0), 8 /* TRYLOCK_PI */, 0, NULL, NULL, 0);
	syscall(SYS_statx, AT_FDCWD, "/", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */,
		st);
	mount[1] = st[18];
	CALL_NR(457 /* statmount */, inout(mount, 24), out(512), 512, 0);
	CALL_NR(457 /* statmount */, inout(mount, 24), out(512), 20, 0);
	CALL_NR(458 /* listmount */, inout(&(uint64_t[3]){ 24, ~0ull, 0 }, 24),
		out(64), 8, 0);
}

static void
polling(void)
{
	struct pollfd pf[2];
	struct timespec ts = { 0, 0 };
	struct timeval tv = { 0, 1000 };
	fd_set set;
	int p[2], ep, ev;
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x1122334455 };

	CHECK(pipe(p) == 0);
	CHECK(write(p[1], "x", 1) == 1);
	pf[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	pf[1] = (struct pollfd){ .fd = -1, .events = POLLIN };
	CALL(poll, inout(pf, sizeof(pf)), 2, 0);
	CALL(ppoll, inout(pf, sizeof(pf)), 2, inout(&ts, 16), NULL, 8);
	ts.tv_nsec = 3000000;
	CALL(ppoll, inout(pf, sizeof(pf)), 2, inout(&ts, 16), NULL, 8);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	CALL(select, p[0] + 1, inout(&set, 8), NULL, NULL, inout(&tv, 16));
	FD_SET(p[1], &set);
	CALL(pselect6, p[1] + 1, inout(&set, 8), inout(&set, 8), inout(&set, 8),
	     inout(&ts, 16), NULL);
	tv.tv_usec = 2000;
	CALL(select, 0, NULL, NULL, NULL, inout(&tv, 16));
	ep = epoll_create1(0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	CALL(epoll_wait, ep, out(48), 4, 0);
	CALL(epoll_pwait, ep, out(48), 4, 0, NULL, 8);
	CALL_NR(441 /* epoll_pwait2 */, ep, out(48), 4, inout(&ts, 16), NULL,
		8);
	ev = eventfd(3, EFD_NONBLOCK);
	CALL(read, ev, out(8), 8);
	CALL(read, ev, out(8), 8);
	ev = inotify_init1(IN_NONBLOCK);
	inotify_add_watch(ev, "/tmp", IN_CREATE);
	close(temp_file());
	CALL(read, ev, out(4096), 4096);
}

static void
sockets(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int s = socket(AF_INET, SOCK_STREAM, 0), c, u[2];
	int on = 1;

	CHECK(bind(s, (void *)&in, sizeof(in)) == 0 && listen(s, 5) == 0);
	CHECK(getsockname(s, (void *)&in, &len) == 0);
	for (int i = 0; i < 3; i++) {
		c = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(connect(c, (void *)&in, sizeof(in)) == 0);
	}
	CALL(accept, s, out(128), word(128));
	CALL(accept4, s, out(128), word(5), 0);
	CALL(accept, s, NULL, NULL);
	CALL(getsockname, c, out(128), word(128));
	CALL(getpeername, c, out(128), word(3));
	CALL(getpeername, s, out(128), word(128));
	CALL(getsockopt, c, SOL_SOCKET, SO_RCVBUF, out(16), word(16));
	CALL(getsockopt, c, SOL_SOCKET, SO_LINGER, out(16), word(4));
	CALL(getsockopt, c, IPPROTO_TCP, 11 /* TCP_INFO */, out(512),
	     word(512));
	CALL(ioctl, c, 0x8912 /* SIOCGIFCONF */,
	     inout(&(uint64_t[2]){ 200, (uintptr_t)out(200) }, 16));
	CALL(ioctl, c, 0x8913 /* SIOCGIFFLAGS */,
	     inout((char[40]){ "lo" }, 40));
	CALL(socketpair, AF_UNIX, SOCK_DGRAM, 0, out(8));
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, u) == 0);
	CHECK(send(u[0], "0123456789", 10, 0) == 10);
	CALL(recvfrom, u[1], out(4), 4, MSG_TRUNC | MSG_PEEK, out(110),
	     word(110));
	CALL(recvfrom, u[1], out(100), 100, 0, NULL, NULL);
	CALL(recvfrom, u[1], out(100), 100, MSG_DONTWAIT, NULL, NULL);
	setsockopt(u[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

static void
messages(void)
{
	uint64_t control[8];
	struct cmsghdr *cm = (void *)control;
	struct msghdr m = { 0 };
	struct mmsghdr mm[3];
	int u[2], on = 1;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, u) == 0);
	CHECK(setsockopt(u[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	memset(control, 0, sizeof(control));
	m.msg_iov = &(struct iovec){ (void *)(uintptr_t) "hello", 5 };
	m.msg_iovlen = 1;
	m.msg_control = control;
	m.msg_controllen = CMSG_LEN(sizeof(int));
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	CHECK(sendmsg(u[0], &m, 0) == 5);
	m = (struct msghdr){ .msg_name = out(110),
			     .msg_namelen = 110,
			     .msg_iov = iov2(2, 100),
			     .msg_iovlen = 2,
			     .msg_control = out(256),
			     .msg_controllen = 256 };
	CALL(recvmsg, u[1], inout(&m, sizeof(m)), 0);
	CHECK(memcmp(m.msg_iov[0].iov_base, "he", 2) == 0 &&
	      memcmp(m.msg_iov[1].iov_base, "llo", 3) == 0);
	m.msg_iov = iov2(2, 100);
	CALL(recvmsg, u[1], inout(&m, sizeof(m)), MSG_DONTWAIT);
	memset(mm, 0, sizeof(mm));
	for (int i = 0; i < 3; i++) {
		mm[i].msg_hdr.msg_iov = iov2(3, (size_t)i);
		mm[i].msg_hdr.msg_iovlen = 2;
	}
	CALL(sendmmsg, u[0], inout(mm, sizeof(mm)), 3, 0);
	for (int i = 0; i < 3; i++) {
		mm[i].msg_hdr.msg_iov = iov2(2, 2);
		mm[i].msg_hdr.msg_control = out(128);
		mm[i].msg_hdr.msg_controllen = 128;
	}
	CALL(recvmmsg, u[1], inout(mm, sizeof(mm)), 3, MSG_DONTWAIT,
	     inout(&(struct timespec){ 5, 5 }, 16));
	CALL(recvmmsg, u[1], inout(mm, sizeof(mm)), 3, MSG_DONTWAIT, NULL);
}

static void
sysv(void)
{
	struct {
		long type;
		char text[32];
	} msg = { 5, "hello" };
	int q = msgget(IPC_PRIVATE, 0600), s = semget(IPC_PRIVATE, 3, 0600),
	    m = shmget(IPC_PRIVATE, 4096, 0600);

	CALL(msgctl, q, IPC_STAT, out(120));
	CALL(msgctl, q, 3 /* IPC_INFO */, out(32));
	if (q >= 0 && msgsnd(q, &msg, 6, 0) == 0)
		CALL(msgrcv, q, out(40), 32, 0, IPC_NOWAIT);
	CALL(msgrcv, q, out(40), 32, 0, IPC_NOWAIT);
	CALL(semctl, s, 0, IPC_STAT, out(104));
	CALL(semctl, s, 0, GETALL, out(6));
	CALL(shmctl, m, IPC_STAT, out(112));
	CALL(shmctl, m, 14 /* SHM_INFO */, out(48));
	CALL(msgctl, q, IPC_RMID, NULL);
	CALL(semctl, s, 0, IPC_RMID, 0);
	CALL(shmctl, m, IPC_RMID, NULL);
}

static void
queues(void)
{
	long attr[8] = { 0, 4, 32 };
	char name[32];
	int q;

	snprintf(name, sizeof(name), "outputs_all.%d", (int)getpid());
	q = (int)syscall(SYS_mq_open, name, O_CREAT | O_RDWR | O_NONBLOCK, 0600,
			 attr);
	syscall(SYS_mq_unlink, name);
	CALL(mq_getsetattr, q, NULL, out(64));
	syscall(SYS_mq_timedsend, q, "hello", 5, 3, NULL);
	CALL(mq_timedreceive, q, out(32), 32, out(4), NULL);
	CALL(mq_timedreceive, q, out(32), 32, out(4), NULL);
}

static void
terminals(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return;
	CALL(ioctl, fd, 0x5401 /* TCGETS */, out(60));
	CALL(ioctl, fd, 0x802c542a /* TCGETS2 */, out(60));
	CALL(ioctl, fd, 0x5405 /* TCGETA */, out(60));
	CALL(ioctl, fd, 0x5413 /* TIOCGWINSZ */, out(8));
	CALL(ioctl, fd, 0x80045430 /* TIOCGPTN */, out(8));
	CALL(ioctl, fd, 0x80045439 /* TIOCGPTLCK */, out(8));
	CALL(ioctl, fd, 0x5424 /* TIOCGETD */, out(8));
	CALL(ioctl, fd, 0x541b /* FIONREAD */, out(8));
	CALL(ioctl, fd, 0x5411 /* TIOCOUTQ */, out(8));
	CALL(ioctl, fd, 0x540f /* TIOCGPGRP */, out(8));
	close(fd);
	fd = open("/dev/urandom", O_RDONLY);
	CALL(ioctl, fd, 0x80045200 /* RNDGETENTCNT */, out(8));
	close(fd);
}

static void
all(void)
{
	top = mark = pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pool != MAP_FAILED);
	calls = worked = 0;
	files();
	fiemap();
	attributes();
	signals();
	times_and_timers();
	process();
	memory();
	polling();
	sockets();
	messages();
	sysv();
	queues();
	terminals();
	CHECK(calls > 150 && worked > 100);
}

static void *
neighbour(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_ACQUIRE))
		sched_yield();
	return NULL;
}

int
main(void)
{
	pthread_t thread;
	int stop = 0;

	all();
	printf("alone\n");
	fflush(stdout);
	CHECK(pthread_create(&thread, NULL, neighbour, &stop) == 0);
	all();
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	CHECK(pthread_join(thread, NULL) == 0);
	printf("in company\n");
	return 0;
}
