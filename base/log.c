#define LOG_DOMAIN "log"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define LINE_MAX_LEN 4096
#define RULES_MAX 32
#define LOW_FDS 100

struct rule {
	char domain[24];
	enum log_level level;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct rule rules[RULES_MAX];
static size_t nrules;
static int log_fd = STDERR_FILENO;

static bool
parse_level(const char *s, enum log_level *out_level)
{
	static const char *const names[] = {
		[LOG_OFF] = "off",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(s, names[i]) != 0)
			continue;
		*out_level = (enum log_level)i;
		return true;
	}
	return false;
}

/* "store:debug" or "store", which means debug. */
static void
add_rule(char *word)
{
	struct rule r = { .level = LOG_DEBUG };
	char *colon = strchr(word, ':');

	if (colon)
		*colon = '\0';
	if ((colon && !parse_level(colon + 1, &r.level)) || *word == '\0' ||
	    strlen(word) >= sizeof(r.domain))
		die("PASTIME_LOG: '%s%s%s' is not DOMAIN:LEVEL; levels are off,"
		    " info and debug",
		    word, colon ? ":" : "", colon ? colon + 1 : "");
	if (nrules == RULES_MAX)
		die("PASTIME_LOG: more than %d domains", RULES_MAX);
	memcpy(r.domain, word, strlen(word) + 1);
	rules[nrules++] = r;
}

static void
init(void)
{
	const char *spec = getenv("PASTIME_LOG");
	const char *path = getenv("PASTIME_LOG_FILE");
	char *copy, *word, *save;
	int fd;

	if (!spec || !*spec)
		return;
	copy = mem_strdup(spec);
	for (word = strtok_r(copy, ",", &save); word;
	     word = strtok_r(NULL, ",", &save))
		add_rule(word);
	mem_free(copy);

	if (!path || !*path)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		die("PASTIME_LOG_FILE: %s: %s", path, strerror(errno));
	log_fd = fd_move_high(fd, LOW_FDS);
	if (log_fd < 0)
		log_fd = fd;
}

bool
log_enabled(const char *domain, enum log_level level)
{
	pthread_once(&once, init);
	/* The last rule that names the domain, or all, counts. */
	for (size_t i = nrules; i-- > 0;) {
		if (strcmp(rules[i].domain, domain) == 0 ||
		    strcmp(rules[i].domain, "all") == 0)
			return level <= rules[i].level;
	}
	return false;
}

void
log_write(const char *domain, enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	int saved = errno;
	size_t len;
	va_list ap;

	if (!log_enabled(domain, level))
		return;
	snprintf(line, sizeof(line) - 1, "%d %s: ", (int)gettid(), domain);
	len = strlen(line);
	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - 1 - len, fmt, ap);
	va_end(ap);
	len += strlen(line + len);
	line[len++] = '\n';
	/* Nobody to tell when the log itself cannot be written. */
	(void)fd_write_all(log_fd, line, len);
	errno = saved;
}
