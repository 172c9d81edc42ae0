#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* die() ends the process without a look at stdio, so wishes write(2). */
static char one[] = "one ";
static char two[] = "two ";
static char three[] = "three ";
static char failed[] = "the wish failed";

static void
say(void *arg)
{
	const char *s = arg;

	if (write(STDERR_FILENO, s, strlen(s)) < 0)
		_exit(1);
}

static void
die_again(void *arg)
{
	die("%s", (const char *)arg);
}

Test(base_mem, nothing_is_still_a_pointer)
{
	void *p = mem_alloc(0);
	void *q = mem_calloc(0, 8);

	cr_assert_not_null(p);
	cr_assert_not_null(q);
	p = mem_realloc(p, 0);
	cr_assert_not_null(p);
	mem_free(p);
	mem_free(q);
	mem_free(NULL);
}

Test(base_mem, zeroed_memory_is_zero)
{
	static const char zero[100];
	char *p = mem_zalloc(100);
	char *q = mem_calloc(10, 10);

	cr_assert_arr_eq(p, zero, 100);
	cr_assert_arr_eq(q, zero, 100);
	mem_free(p);
	mem_free(q);
}

Test(base_mem, copies_and_formats)
{
	char *a = mem_strdup("abc");
	char *b = mem_dup("xyz", 4);
	char *c = mem_printf("%s-%d", a, 7);

	cr_assert_str_eq(a, "abc");
	cr_assert_str_eq(b, "xyz");
	cr_assert_str_eq(c, "abc-7");
	mem_free(a);
	mem_free(b);
	mem_free(c);
}

Test(base_mem, a_product_that_overflows_dies, .exit_code = 125)
{
	volatile size_t n = SIZE_MAX / 2;

	mem_free(mem_calloc(n, 4));
}

Test(base_mem, die_runs_wishes_in_reverse_and_prints_last, .exit_code = 125)
{
	int fds[2];
	char text[200] = "";
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		die_wish(say, one);
		die_wish(say, two);
		die_wish(say, three);
		die_unwish(say, two);
		die_wish(die_again, failed);
		die("n = %d", 5);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_gt(read(fds[0], text, sizeof(text) - 1), 0);
	cr_assert_str_eq(text, "three one pastime: the wish failed\n");
	die("as announced");
}

Test(base_mem, a_forked_child_does_not_run_its_parents_wishes)
{
	int fds[2];
	char text[200] = "";
	int status;
	pid_t pid;

	die_wish(say, one);
	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		die("child");
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WEXITSTATUS(status), 125);
	cr_assert_gt(read(fds[0], text, sizeof(text) - 1), 0);
	cr_assert_str_eq(text, "pastime: child\n");
}

Test(base_mem, long_last_words_are_cut_off, .exit_code = 125)
{
	static char big[5000];

	memset(big, 'x', sizeof(big) - 1);
	die("%s", big);
}

Test(base_mem, assert_names_the_place, .exit_code = 125)
{
	ASSERT(1 + 1 == 2);
	ASSERT(1 + 1 == 3);
}
