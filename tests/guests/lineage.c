/*
 * Does what the questions of sql/questions ask about: reads a file, sends it
 * over a socket to itself, looks three times for a file that is not there,
 * prints, leaks a descriptor through exec, uses a closed one, makes memory
 * writable and executable, and dies of a signal. Run it in an empty directory.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(90);
}

static void
make_secret(void)
{
	int fd = open("secret", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	say(fd, "the combination is 12345\n");
	close(fd);
}

/* Client and server in one process: the backlog lets connect return. */
static void
send_secret(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[64];
	ssize_t n;
	int peer, fd;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(server, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(server, 1) < 0 ||
	    getsockname(server, (struct sockaddr *)&in, &len) < 0 ||
	    connect(client, (struct sockaddr *)&in, sizeof(in)) < 0)
		_exit(91);
	peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	fd = open("secret", O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0 || send(client, text, (size_t)n, 0) != n ||
	    recv(peer, text, sizeof(text), 0) != n ||
	    send(peer, "ok", 2, 0) != 2 || recv(client, text, 2, 0) != 2)
		_exit(92);
	close(peer);
	close(client);
	close(server);
}

static void
child(const char *self)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(self, "lineage", "child", (char *)NULL);
		_exit(93);
	}
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	long page = sysconf(_SC_PAGESIZE);
	char *code;

	if (argc > 1) {
		say(2, "child here\n");
		return 3;
	}
	say(1, "begin\n");
	make_secret();
	send_secret();
	for (int i = 0; i < 3; i++) {
		if (open("missing", O_RDONLY) >= 0)
			return 94;
	}
	/* No O_CLOEXEC: the child has it without having opened it. */
	if (dup2(open("secret", O_RDONLY), 40) != 40)
		return 95;
	child("/proc/self/exe");
	close(40);
	if (write(40, "late", 4) >= 0)
		return 96;
	code = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mprotect(code, (size_t)page, PROT_READ | PROT_WRITE | PROT_EXEC) <
		    0 ||
	    setuid(getuid()) < 0)
		return 97;
	say(1, "now it dies: \xc3\xa9\n");
	kill(getpid(), SIGSEGV);
	return 0;
}
