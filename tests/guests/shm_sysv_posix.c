/* System V and POSIX shared memory, memfd, remapping of shared memory. */
#include "guest.h"
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>

int
main(void)
{
	int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
	char name[64], *a, *b, *c;
	int fd, mfd;
	pid_t pid;

	CHECK(id >= 0);
	a = shmat(id, NULL, 0);
	b = shmat(id, NULL, 0);
	CHECK(a != (void *)-1 && b != (void *)-1);
	strcpy(a, "sysv");
	CHECK(!strcmp(b, "sysv"));
	CHECK(!shmctl(id, IPC_RMID, NULL));
	pid = fork();
	if (!pid) {
		strcpy(a + 100, "child");
		_exit(0);
	}
	CHECK(reap(pid) == 0 && !strcmp(b + 100, "child"));
	CHECK(!shmdt(b));
	snprintf(name, sizeof(name), "/pastime-guest-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && !shm_unlink(name) && !ftruncate(fd, 65536));
	b = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	c = mmap(NULL, 65536, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(b != MAP_FAILED && c != MAP_FAILED);
	strcpy(b + 40000, "posix");
	CHECK(!strcmp(c + 40000, "posix"));
	b = mremap(b, 65536, 8192, 0);
	b = mremap(b, 8192, 65536, MREMAP_MAYMOVE);
	CHECK(b != MAP_FAILED && !strcmp(b + 40000, "posix"));
	mfd = memfd_create("guest", MFD_ALLOW_SEALING);
	CHECK(mfd >= 0 && write(mfd, "memfd", 6) == 6);
	CHECK(!fcntl(mfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	c = mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, mfd, 0);
	CHECK(c != MAP_FAILED && !strcmp(c, "memfd"));
	printf("%s %s %s %s\n", a, a + 100, b + 40000, c);
	return 0;
}
