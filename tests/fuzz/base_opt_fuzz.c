/* No command line does worse than E_USAGE, and operands are kept. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/opt.h"

#define WORDS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	bool flag = false;
	int count = 0;
	const char *str = NULL, *maybe = NULL;
	struct opt_strs strs = { 0 };
	uint64_t number = 0;
	const struct opt opts[] = {
		{ 'f', "flag", OPT_FLAG, &flag, NULL, "" },
		{ 'v', "verbose", OPT_COUNT, &count, NULL, "" },
		{ 'n', "name", OPT_STR, &str, "N", "" },
		{ 'e', "env", OPT_STRS, &strs, "K=V", "" },
		{ 'u', "number", OPT_U64, &number, "N", "" },
		{ 'c', "chaos", OPT_OPT_STR, &maybe, "SEED", "" },
		{ 0 },
	};
	char command[] = "cmd";
	char *argv[WORDS_MAX + 2] = { command };
	struct err err = { 0 };
	struct buf words = { 0 };
	int argc = 1, left = -1;

	buf_put(&words, p, n);
	buf_u8(&words, '\0');
	for (size_t at = 0; at < words.len && argc <= WORDS_MAX; argc++) {
		argv[argc] = (char *)words.p + at;
		at += strlen(argv[argc]) + 1;
	}
	if (opt_parse(opts, argc, argv, n % 2, &left, &err) == 0)
		ASSERT(left >= 0 && left < argc && !argv[left]);
	else
		ASSERT(err.code == -E_USAGE && err.text[0] && left == -1);
	opt_strs_free(&strs);
	buf_free(&words);
	return 0;
}
