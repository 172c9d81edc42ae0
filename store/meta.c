#include "store/meta.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config.h"
#include "store/frame.h"

void
meta_uuid(char out[37])
{
	uint8_t b[16];
	size_t at = 0;

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		die("no random numbers");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		snprintf(out + at, 3, "%02x", b[i]);
		at += 2;
	}
}

/* The file name of the command's first word. */
static char *
default_name(const char *command)
{
	size_t n = strcspn(command, " \t");
	const char *slash = memrchr(command, '/', n);
	const char *from = slash ? slash + 1 : command;

	n -= (size_t)(from - command);
	return n ? mem_printf("%.*s", (int)n, from) : mem_strdup("recording");
}

void
meta_put(struct buf *b, const struct store_sink_opts *o, const char *uuid,
	 const char *where_key)
{
	const char *command = o->command ? o->command : "";
	char *name = o->name ? mem_strdup(o->name) : default_name(command);
	char started[24];
	struct utsname u;

	snprintf(started, sizeof(started), "%llu",
		 (unsigned long long)clock_real_ns());
	facts_put(b, "uuid", uuid);
	facts_put(b, "where", where_key);
	facts_put(b, "name", name);
	facts_put(b, "command", command);
	facts_put(b, "version", PACKAGE_VERSION);
	facts_put(b, "host", uname(&u) == 0 ? u.nodename : "");
	facts_put(b, "started_ns", started);
	for (char *const *t = o->tags; t && *t; t++) {
		const char *eq = strchrnul(*t, '=');
		char *key = mem_printf("tag.%.*s", (int)(eq - *t), *t);

		facts_put(b, key, *eq ? eq + 1 : "");
		mem_free(key);
	}
	mem_free(name);
}
