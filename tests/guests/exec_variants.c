/* Scripts, exec by descriptor, of deleted files and memfds; failures. */
#include "guest.h"
#include <fcntl.h>
#include <sys/stat.h>

extern char **environ;

static int
try(int (*fn)(void *), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(100 + fn(arg));
	return reap(pid);
}

static int
script(void *path)
{
	execl(path, path, "arg", NULL);
	return errno;
}

/* The kernel takes the first argument away, and leaves it where it was. */
static int
by_long_name(void *path)
{
	static char name[40000];
	char *argv[] = { name, path, NULL };

	memset(name, 'x', sizeof(name) - 1);
	execve(path, argv, environ);
	return errno;
}

static int
by_fd(void *fd)
{
	char *argv[] = { "x", "-c", "echo by descriptor", NULL };

	fexecve(*(int *)fd, argv, environ);
	return errno;
}

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

int
main(void)
{
	char dir[] = "/tmp/pastime-guest-XXXXXX", a[64], b[64], text[256];
	int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC), mfd = memfd_create("image", MFD_CLOEXEC);
	char buf[65536];
	ssize_t n;

	CHECK(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	put(a, "#!/bin/sh\necho script $1\n");
	snprintf(text, sizeof(text), "#!%s\nnothing\n", a);
	put(b, text);
	printf("= %d\n", try(script, a));
	printf("= %d\n", try(by_long_name, a));
	CHECK(try(script, b) == 0);
	put(b, "no interpreter");
	printf("= %d\n", try(script, b));
	put(b, "#!/no/such/interpreter\n");
	printf("= %d\n", try(script, b));
	chmod(b, 0644);
	printf("= %d\n", getuid() ? 100 + EACCES : try(script, b));
	printf("= %d\n", try(by_fd, &fd));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		CHECK(write(mfd, buf, (size_t)n) == n);
	printf("= %d\n", try(by_fd, &mfd));
	CHECK(!unlink(a) && !unlink(b) && !rmdir(dir));
	return 0;
}
