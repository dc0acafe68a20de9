/*
 * A buffered file for captured packets. See capture.h.
 */
#include "gateway/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

struct hv_capture {
	int fd;
	const struct hv_log *log;
	bool failed; /* said once; nothing is written any more */
	size_t used;
	char buffer[BUFFER_BYTES];
};

int hv_capture_open(const char *path, const struct hv_log *log, struct hv_capture **out)
{
	struct hv_capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return -ENOMEM;
	capture->log = log;
	/* It holds what passes: for its owner alone. */
	capture->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (capture->fd < 0) {
		int error = -errno;

		free(capture);
		return error;
	}
	*out = capture;
	return 0;
}

static void write_out(struct hv_capture *capture, const char *data, size_t size)
{
	while (size > 0 && !capture->failed) {
		ssize_t n = write(capture->fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			capture->failed = true;
			hv_log_line(capture->log, HV_LOG_ERROR,
				    "cannot write the capture any further: %s",
				    strerror(errno));
			return;
		}
		data += n;
		size -= (size_t)n;
	}
}

void hv_capture_flush(struct hv_capture *capture)
{
	if (!capture || capture->used == 0)
		return;
	write_out(capture, capture->buffer, capture->used);
	capture->used = 0;
}

void hv_capture_write(void *user, const void *data, size_t size)
{
	struct hv_capture *capture = user;

	if (capture->used + size > BUFFER_BYTES)
		hv_capture_flush(capture);
	if (size > BUFFER_BYTES) {
		write_out(capture, data, size);
		return;
	}
	memcpy(capture->buffer + capture->used, data, size);
	capture->used += size;
}

void hv_capture_close(struct hv_capture *capture)
{
	if (!capture)
		return;
	hv_capture_flush(capture);
	close(capture->fd);
	free(capture);
}
