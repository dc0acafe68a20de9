/*
 * What haven says while it runs: one line each, on standard error.
 *
 * A log is a value that whoever needs it is handed. A line is one write(2), so that lines of haven
 * and of the command do not cut each other.
 */
#ifndef HV_GATEWAY_LOG_H
#define HV_GATEWAY_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum hv_log_level {
	HV_LOG_ERROR,
	HV_LOG_WARNING, /* also what the user has to know, as a port that was chosen */
	HV_LOG_INFO,	/* flows that open and close */
	HV_LOG_DEBUG,
	HV_LOG_LEVELS
};

struct hv_log {
	int fd;
	enum hv_log_level level; /* lines above it are not written */
	bool colour;
};

/* Something that may happen very often: one line each `interval_ns`, with the number left out. */
struct hv_log_limit {
	uint64_t next_ns;
	uint64_t suppressed;
};

/* The same where single lines matter: so many at once, then one each half second. Zeroed: full. */
#define HV_LOG_BURST 20
struct hv_log_bucket {
	unsigned used;
	uint64_t filled_ns; /* when `used` last became less */
	uint64_t suppressed;
};

void hv_log_init(struct hv_log *log, int fd, enum hv_log_level level);

/* "error", "warning", "info", "debug". Returns false when it is none of them. */
bool hv_log_parse_level(const char *text, enum hv_log_level *level);

static inline bool hv_log_on(const struct hv_log *log, enum hv_log_level level)
{
	return level <= log->level;
}

__attribute__((format(printf, 3, 4))) void hv_log_line(const struct hv_log *log,
						       enum hv_log_level level,
						       const char *format, ...);

/* A line without a level's name, written at HV_LOG_WARNING and above. */
__attribute__((format(printf, 2, 3))) void hv_log_notice(const struct hv_log *log,
							 const char *format, ...);

/* A warning, at most HV_LOG_BURST at once. */
__attribute__((format(printf, 4, 5))) void hv_log_bucketed(const struct hv_log *log,
							   struct hv_log_bucket *bucket,
							   uint64_t now_ns, const char *format,
							   ...);

/* A warning, at most one in five seconds. */
__attribute__((format(printf, 4, 5))) void hv_log_limited(const struct hv_log *log,
							  struct hv_log_limit *limit,
							  uint64_t now_ns, const char *format,
							  ...);

#endif
