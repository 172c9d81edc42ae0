#include "tui/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

char *
config_path(const char *name)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config && *config)
		return mem_printf("%s/pastime/%s", config, name);
	if (home && *home)
		return mem_printf("%s/.config/pastime/%s", home, name);
	return NULL;
}

int
config_load(const char *path,
	    int (*line)(void *ctx, char *text, struct err *err), void *ctx,
	    struct err *err)
{
	struct buf text = { 0 };
	int rc = fd_read_file(path, &text), nr = 0;
	char *copy, *p, *next;

	if (rc == -ENOENT || rc == -ENOTDIR) {
		buf_free(&text);
		return 0;
	}
	if (rc < 0) {
		buf_free(&text);
		return err_set(err, -rc, "cannot read %s: %s", path,
			       strerror(-rc));
	}
	copy = mem_strdup(buf_cstr(&text));
	for (p = copy; p && rc >= 0; p = next) {
		nr++;
		next = strchr(p, '\n');
		if (next)
			*next++ = '\0';
		rc = line(ctx, p, err);
		if (rc < 0)
			err_wrap(err, "%s:%d", path, nr);
	}
	mem_free(copy);
	buf_free(&text);
	return rc < 0 ? rc : 0;
}
