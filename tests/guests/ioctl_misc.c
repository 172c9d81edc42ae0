/* ioctl on terminals, sockets, files; an unknown request. */
#include "guest.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

int
main(void)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), sl, s, n = -1, p[2];
	struct winsize ws = { 24, 80, 0, 0 }, got;
	struct termios t;
	struct ifreq ifr = { 0 };
	char buf[64];

	CHECK(m >= 0 && !grantpt(m) && !unlockpt(m));
	sl = open(ptsname(m), O_RDWR | O_NOCTTY);
	CHECK(sl >= 0 && isatty(sl) && !tcgetattr(sl, &t));
	cfmakeraw(&t);
	CHECK(!tcsetattr(sl, TCSANOW, &t));
	CHECK(!ioctl(m, TIOCSWINSZ, &ws) && !ioctl(sl, TIOCGWINSZ, &got));
	CHECK(got.ws_col == 80);
	CHECK(write(m, "hello", 5) == 5);
	CHECK(read(sl, buf, 5) == 5 && !memcmp(buf, "hello", 5));
	CHECK(!pipe(p) && write(p[1], "xyz", 3) == 3);
	CHECK(!ioctl(p[0], FIONREAD, &n) && n == 3);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	strcpy(ifr.ifr_name, "lo");
	if (s >= 0 && !ioctl(s, SIOCGIFINDEX, &ifr))
		CHECK(ifr.ifr_ifindex > 0);
	CHECK(ioctl(p[0], 0x80047fff, buf) == -1);
	printf("unknown ioctl: %s\n", strerror(errno));
	return 0;
}
