/* A lock-free stack without tags: a node that left and came back (ABA). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define NODES 4
#define TURNS 30

struct node {
	struct node *_Atomic next;
	atomic_int owners;
};

static struct node pool[NODES];
static struct node *_Atomic top;
static atomic_int wrong;

static void
push(struct node *n)
{
	struct node *old = top;

	do
		n->next = old;
	while (!atomic_compare_exchange_weak(&top, &old, n));
}

static struct node *
pop(void)
{
	struct node *old = top, *next;

	do {
		if (!old)
			return NULL;
		next = old->next;
	} while (!atomic_compare_exchange_weak(&top, &old, next));
	return old;
}

static void
take(struct node *n)
{
	if (n && atomic_fetch_add(&n->owners, 1) != 0)
		wrong = 1;
}

static void
give(struct node *n)
{
	if (!n)
		return;
	atomic_fetch_sub(&n->owners, 1);
	push(n);
}

static void *
work(void *arg)
{
	for (int i = 0; i < TURNS && !wrong; i++) {
		struct node *a = pop(), *b;

		take(a);
		b = pop();
		take(b);
		give(a);
		give(b);
	}
	return arg;
}

int
main(void)
{
	pthread_t t[2];

	for (int i = 0; i < NODES; i++)
		push(&pool[i]);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	puts(wrong ? "a node had two owners" : "fine");
	return wrong;
}
