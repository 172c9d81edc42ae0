#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Diagnostics for developers, off by default:
 * PASTIME_LOG=store:debug,tracee:info (or all:debug) chooses domains,
 * PASTIME_LOG_FILE a file in place of stderr. One line: "tid domain: text".
 * Any thread. Libraries log at debug only; user-visible text is cli's.
 *
 * Define LOG_DOMAIN before including: #define LOG_DOMAIN "store"
 */
#include <stdbool.h>

enum log_level { LOG_OFF, LOG_INFO, LOG_DEBUG };

bool log_enabled(const char *domain, enum log_level level);
void log_write(const char *domain, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_info(...)                                                \
	(log_enabled(LOG_DOMAIN, LOG_INFO) ?                         \
		 log_write(LOG_DOMAIN, LOG_INFO, __VA_ARGS__) : (void)0)
#define log_debug(...)                                               \
	(log_enabled(LOG_DOMAIN, LOG_DEBUG) ?                        \
		 log_write(LOG_DOMAIN, LOG_DEBUG, __VA_ARGS__) : (void)0)

#endif
