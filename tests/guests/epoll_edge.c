/* epoll with every kind of event source. */
#include "guest.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

int
main(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_NONBLOCK);
	int tm = timerfd_create(CLOCK_MONOTONIC, 0), sg, in = inotify_init1(0);
	struct itimerspec it = { .it_value.tv_nsec = 2000000 };
	struct epoll_event e[8];
	char dir[] = "/tmp/pastime-guest-XXXXXX", buf[512], path[64];
	uint64_t one = 1, got;
	struct signalfd_siginfo si;
	sigset_t set;
	int seen = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sg = signalfd(-1, &set, 0);
	CHECK(mkdtemp(dir) && inotify_add_watch(in, dir, IN_CREATE) >= 0);
	for (int i = 0; i < 4; i++) {
		int fds[] = { ev, tm, sg, in };
		struct epoll_event add = { .events = EPOLLIN | EPOLLET | EPOLLONESHOT,
					   .data.u32 = (uint32_t)i };

		CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &add));
	}
	CHECK(epoll_wait(ep, e, 8, 0) == 0);
	CHECK(write(ev, &one, 8) == 8 && !timerfd_settime(tm, 0, &it, NULL));
	CHECK(!kill(getpid(), SIGUSR1));
	snprintf(path, sizeof(path), "%s/f", dir);
	fclose(fopen(path, "w"));
	while (seen != 15) {
		int n = epoll_wait(ep, e, 8, -1);

		for (int i = 0; i < n; i++)
			seen |= 1 << e[i].data.u32;
	}
	CHECK(read(ev, &got, 8) == 8 && got == 1 && read(tm, &got, 8) == 8);
	CHECK(read(sg, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR1);
	CHECK(read(in, buf, sizeof(buf)) > 0);
	CHECK(!unlink(path) && !rmdir(dir));
	printf("all four came\n");
	return 0;
}
