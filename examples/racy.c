/*
 * A lost update: two tellers (processes) pay into one account without a lock.
 * Each payment reads the balance from a file, adds one, and writes it back.
 * When both read before either writes, one payment is lost.
 *
 * Prints what it expected and what it found; exit status 1 when money is
 * missing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAYMENTS 100

static int account;

static int
read_balance(void)
{
	char text[16] = "";

	if (pread(account, text, sizeof(text) - 1, 0) < 0) {
		perror("read");
		exit(2);
	}
	return atoi(text);
}

static void
write_balance(int balance)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%-8d", balance);

	if (pwrite(account, text, (size_t)len, 0) != len) {
		perror("write");
		exit(2);
	}
}

static void
teller(void)
{
	for (int i = 0; i < PAYMENTS; i++) {
		int balance = read_balance();

		/* Here the other teller may pay in, too. */
		write_balance(balance + 1);
	}
}

int
main(void)
{
	char path[] = "/tmp/account.XXXXXX";
	pid_t other;
	int found;

	account = mkstemp(path);
	if (account < 0) {
		perror("mkstemp");
		return 2;
	}
	unlink(path);
	write_balance(0);
	other = fork();
	if (other < 0) {
		perror("fork");
		return 2;
	}
	teller();
	if (other == 0)
		_exit(0);
	waitpid(other, NULL, 0);

	found = read_balance();
	printf("expected %d, found %d: %s\n", 2 * PAYMENTS, found,
	       found == 2 * PAYMENTS ? "ok" : "payments were lost");
	return found == 2 * PAYMENTS ? 0 : 1;
}
