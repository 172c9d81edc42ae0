/*
 * A lost update in memory: two threads book into one ledger, and a payment is a
 * read and a write without a lock. In the end the books are checked; when they
 * do not agree the program aborts, long after the guilty write.
 *
 * See "From the crash back to the cause" in README.md.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PAYMENTS 20

struct ledger {
	volatile int balance; /* of the account */
	int booked[2];	      /* what each teller has paid in */
};

static struct ledger ledger;

static void
book(int teller)
{
	int before = ledger.balance;

	/* Here the other teller may book, too. */
	ledger.balance = before + 1;
	ledger.booked[teller]++;
}

static void *
work(void *arg)
{
	int teller = *(int *)arg;

	for (int i = 0; i < PAYMENTS; i++)
		book(teller);
	return NULL;
}

static void
check(void)
{
	int sum = ledger.booked[0] + ledger.booked[1];

	printf("booked %d, balance %d\n", sum, ledger.balance);
	fflush(stdout);
	if (ledger.balance != sum)
		abort();
}

int
main(void)
{
	static int tellers[2] = { 0, 1 };
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, work, &tellers[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	check();
	return 0;
}
