/* Structures in the memory of calls, as text: the kernel's layouts. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "event/format_priv.h"

#define ELEMENTS_MAX 8u /* of an array on one line */

static uint16_t
u16(struct span s, size_t at)
{
	uint16_t v = 0;

	if (at + sizeof(v) <= s.len)
		memcpy(&v, s.p + at, sizeof(v));
	return v;
}

static uint32_t
u32(struct span s, size_t at)
{
	uint32_t v = 0;

	if (at + sizeof(v) <= s.len)
		memcpy(&v, s.p + at, sizeof(v));
	return v;
}

static uint64_t
u64(struct span s, size_t at)
{
	uint64_t v = 0;

	if (at + sizeof(v) <= s.len)
		memcpy(&v, s.p + at, sizeof(v));
	return v;
}

static struct span
sub(struct span s, size_t at, size_t len)
{
	if (at > s.len)
		at = s.len;
	if (len > s.len - at)
		len = s.len - at;
	return len ? span_of(s.p + at, len) : (struct span){ 0 };
}

void
fmt_status(struct fmt *f, int status)
{
	if (WIFEXITED(status))
		buf_printf(f->out, "exit status %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		buf_printf(f->out, "killed by %s%s",
			   signal_name(WTERMSIG(status)),
			   WCOREDUMP(status) ? ", core dumped" : "");
	else if (WIFSTOPPED(status))
		buf_printf(f->out, "stopped by %s",
			   signal_name(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		buf_str(f->out, "continued");
	else
		buf_printf(f->out, "status %#x", (unsigned)status);
}

static void
inet6(struct fmt *f, struct span a)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16] = { 0 };

	if (a.len > 0)
		memcpy(addr, a.p, a.len);
	buf_printf(f->out, "[%s]",
		   inet_ntop(AF_INET6, addr, text, sizeof(text)));
}

void
fmt_sockaddr(struct fmt *f, struct span s)
{
	const unsigned family = u16(s, 0);
	struct span path = sub(s, 2, s.len);
	const uint8_t *nul;

	if (s.len < 2) {
		buf_str(f->out, "{}");
		return;
	}
	switch (family) {
	case 1: /* AF_UNIX: a path, or NUL and a name that ends with the bytes
		 */
		nul = path.len && path.p[0] ? memchr(path.p, '\0', path.len)
					    : NULL;
		if (nul)
			path.len = (size_t)(nul - path.p);
		buf_str(f->out, "unix:");
		if (path.len && path.p[0] == '\0') {
			buf_str(f->out, "@");
			path = sub(path, 1, path.len);
		}
		fmt_quote(f, path);
		return;
	case 2:
		buf_printf(f->out, "%u.%u.%u.%u:%u", u32(s, 4) & 0xff,
			   u32(s, 4) >> 8 & 0xff, u32(s, 4) >> 16 & 0xff,
			   u32(s, 4) >> 24, __builtin_bswap16(u16(s, 2)));
		return;
	case 10:
		inet6(f, sub(s, 8, 16));
		buf_printf(f->out, ":%u", __builtin_bswap16(u16(s, 2)));
		return;
	case 16:
		buf_printf(f->out, "netlink:pid=%u,groups=%#x", u32(s, 4),
			   u32(s, 8));
		return;
	default:
		buf_str(f->out, "{");
		fmt_enum(f, flags_sock_domain, family);
		buf_str(f->out, ", ");
		fmt_quote(f, path);
		buf_str(f->out, "}");
	}
}

static void
times_text(struct fmt *f, struct span s, const char *unit)
{
	const size_t n = s.len / 16;

	if (n > 1)
		buf_str(f->out, "[");
	for (size_t i = 0; i < n; i++)
		buf_printf(f->out, "%s{tv_sec=%" PRId64 ", tv_%s=%" PRId64 "}",
			   i ? ", " : "", (int64_t)u64(s, i * 16), unit,
			   (int64_t)u64(s, i * 16 + 8));
	if (n > 1)
		buf_str(f->out, "]");
}

static void
sigset_text(struct fmt *f, uint64_t set)
{
	const bool most = __builtin_popcountll(set) > 32;
	bool first = true;

	if (most) {
		buf_str(f->out, "~");
		set = ~set;
	}
	buf_str(f->out, "[");
	for (int i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		buf_printf(f->out, "%s%s", first ? "" : " ",
			   signal_name(i + 1) + 3);
		first = false;
	}
	buf_str(f->out, "]");
}

static void
sigaction_text(struct fmt *f, struct span s)
{
	const uint64_t handler = u64(s, 0);

	buf_str(f->out, "{sa_handler=");
	if (handler == 0)
		buf_str(f->out, "SIG_DFL");
	else if (handler == 1)
		buf_str(f->out, "SIG_IGN");
	else
		fmt_hex(f, handler);
	buf_str(f->out, ", sa_mask=");
	sigset_text(f, u64(s, 24));
	buf_str(f->out, ", sa_flags=");
	fmt_flags(f, flags_sa, (uint32_t)u64(s, 8));
	buf_str(f->out, "}");
}

void
fmt_siginfo(struct fmt *f, struct span s)
{
	const int signo = (int)u32(s, 0), code = (int)u32(s, 8);
	const char *name = si_code_name(signo, code);

	if (signo == 0) { /* waitid found nothing */
		buf_str(f->out, "{}");
		return;
	}
	buf_printf(f->out, "{si_signo=%s, si_code=", signal_name(signo));
	if (name)
		buf_str(f->out, name);
	else
		buf_printf(f->out, "%d", code);
	if (signo == 17 && code > 0) {
		buf_printf(f->out, ", si_pid=%d, si_status=%d", (int)u32(s, 16),
			   (int)u32(s, 24));
	} else if (code > 0 && code != 0x80) {
		buf_str(f->out, ", si_addr=");
		fmt_pointer(f, u64(s, 16));
	} else if (code == 0 || code == -1 || code == -6) {
		buf_printf(f->out, ", si_pid=%d, si_uid=%u", (int)u32(s, 16),
			   u32(s, 20));
	}
	buf_str(f->out, "}");
}

static void
fdset_text(struct fmt *f, struct span s)
{
	bool first = true;

	buf_str(f->out, "[");
	for (size_t i = 0; i < s.len * 8; i++) {
		if (!(s.p[i / 8] >> (i % 8) & 1))
			continue;
		buf_printf(f->out, "%s%zu", first ? "" : " ", i);
		first = false;
	}
	buf_str(f->out, "]");
}

/* An array of n elements of size bytes: the first few, then "...". */
static void
array_text(struct fmt *f, struct span s, size_t size,
	   void (*one)(struct fmt *f, struct span element))
{
	const size_t n = s.len / size;

	buf_str(f->out, "[");
	for (size_t i = 0; i < n && i < ELEMENTS_MAX; i++) {
		if (i)
			buf_str(f->out, ", ");
		one(f, sub(s, i * size, size));
	}
	if (n > ELEMENTS_MAX)
		buf_str(f->out, ", ...");
	buf_str(f->out, "]");
}

static void
pollfd_text(struct fmt *f, struct span s)
{
	buf_str(f->out, "{fd=");
	fmt_fd(f, (int)u32(s, 0));
	buf_str(f->out, ", events=");
	fmt_flags(f, flags_poll, u16(s, 4));
	if (u16(s, 6)) {
		buf_str(f->out, ", revents=");
		fmt_flags(f, flags_poll, u16(s, 6));
	}
	buf_str(f->out, "}");
}

/* POLLIN and EPOLLIN are one number; the names of epoll are longer. */
static void
epevent_text(struct fmt *f, struct span s)
{
	buf_str(f->out, "{events=");
	fmt_flags(f, flags_poll, u32(s, 0));
	buf_str(f->out, ", data=");
	fmt_hex(f, u64(s, 4));
	buf_str(f->out, "}");
}

static void
int_text(struct fmt *f, struct span s)
{
	buf_printf(f->out, "%" PRId32, (int32_t)u32(s, 0));
}

static void
fd_text(struct fmt *f, struct span s)
{
	fmt_fd(f, (int)u32(s, 0));
}

static void
long_text(struct fmt *f, struct span s)
{
	const uint64_t v = u64(s, 0);

	if (v >> 40)
		fmt_hex(f, v);
	else
		buf_printf(f->out, "%" PRIu64, v);
}

static void
mode_text(struct fmt *f, unsigned mode)
{
	fmt_enum(f, flags_mode, mode & 0170000);
	buf_printf(f->out, "|%04o", mode & 07777);
}

static void
stat_text(struct fmt *f, struct span s)
{
	const bool statx = s.len == 256;

	buf_str(f->out, "{st_mode=");
	mode_text(f, statx ? u16(s, 28) : u32(s, 24));
	buf_printf(f->out, ", st_size=%" PRIu64 ", st_ino=%" PRIu64 ", ...}",
		   u64(s, statx ? 40 : 48), u64(s, statx ? 32 : 8));
}

bool
fmt_struct(struct fmt *f, unsigned type, struct span s, int nr, unsigned arg)
{
	switch ((enum arg_type)type) {
	case ARG_TIMESPEC:
		return s.len >= 16 ? times_text(f, s, "nsec"), true : false;
	case ARG_TIMEVAL:
		return s.len >= 16 ? times_text(f, s, "usec"), true : false;
	case ARG_SIGSET:
		return s.len >= 8 ? sigset_text(f, u64(s, 0)), true : false;
	case ARG_SIGACTION:
		return s.len >= 32 ? sigaction_text(f, s), true : false;
	case ARG_SIGINFO:
		return s.len >= 28 ? fmt_siginfo(f, s), true : false;
	case ARG_SOCKADDR:
		return s.len >= 2 ? fmt_sockaddr(f, s), true : false;
	case ARG_FDSET:
		return s.len >= 8 ? fdset_text(f, s), true : false;
	case ARG_POLLFDS:
		array_text(f, s, 8, pollfd_text);
		return true;
	case ARG_EPEVENTS:
		array_text(f, s, 12, epevent_text);
		return true;
	case ARG_FDPAIR:
		array_text(f, s, 4, fd_text);
		return true;
	case ARG_STAT:
		return s.len >= 144 ? stat_text(f, s), true : false;
	case ARG_INTS:
		if (nr == SYS_wait4 && arg == 1 && s.len >= 4) {
			buf_str(f->out, "[");
			fmt_status(f, (int)u32(s, 0));
			buf_str(f->out, "]");
		} else {
			array_text(f, s, 4, int_text);
		}
		return true;
	case ARG_LONGS:
		array_text(f, s, 8, long_text);
		return true;
	case ARG_STRUCT:
		return s.len == 4 ? array_text(f, s, 4, int_text), true : false;
	default:
		return false;
	}
}
