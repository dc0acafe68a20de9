/*
 * Between the files of the helper alone: helper.c moves lines, helper_ftp.c judges them, helper_ftp_data.c waits for
 * data. See helper.h.
 */
#ifndef HV_GATEWAY_HELPER_STATE_H
#define HV_GATEWAY_HELPER_STATE_H

#include "gateway/helper.h"
#include "gateway/helper_ftp_text.h"

/* Of a line; what is longer goes on in pieces. RFC 959 has no limit, servers take 512 to 4096. */
#define HV_HELPER_LINE 1024
/* What one line may become: itself, or one that was written. */
#define HV_HELPER_OUT (HV_HELPER_LINE + HV_FTP_DATA_LINE)

/* Ports of the host at which a control connection may wait for data at a time, and all together. */
#define HV_FTP_WAITING_MAX     4
#define HV_FTP_WAITING_ALL_MAX 256
#define HV_FTP_WAITING_NS      (30 * HV_NS_PER_S)

enum hv_helper_rest {
	HV_HELPER_REST_NONE,
	HV_HELPER_REST_PASS, /* a long line goes on: with it, what was decided for its beginning */
	HV_HELPER_REST_DROP,
};

struct hv_helper_side {
	uint8_t line[HV_HELPER_LINE]; /* what it has said */
	size_t line_size;
	uint8_t out[HV_HELPER_OUT]; /* what it is told */
	size_t out_size;
	enum hv_helper_rest rest;
	bool ended; /* says no more */
};

/* A port of the host where one connection is waited for. */
struct hv_ftp_waiting {
	struct hv_source source;
	struct hv_loop_timer timer;
	TAILQ_ENTRY(hv_ftp_waiting) entry;
	struct hv_helper *helper;
	uint8_t peer[16]; /* who alone may connect */
	uint16_t host_port, guest_port;
};

TAILQ_HEAD(hv_ftp_waiting_list, hv_ftp_waiting);

struct hv_helper {
	struct hv_relay *relay;
	struct hv_helper_side guest, host;
	bool aside; /* what is left goes on as it is */
	struct hv_ftp_dialogue dialogue;
	struct hv_ftp_waiting_list waiting; /* the oldest first */
	unsigned waiting_count;
};

/* Put `size` bytes behind what a side is told; there is room for what comes of one line. */
void hv_helper_tell(struct hv_helper_side *side, const void *data, size_t size);

/*
 * A line of `from`, or a piece of one; with its line end when it has one. Tells either side what comes of it, and
 * returns what is to become of the rest of the line.
 */
enum hv_helper_rest hv_ftp_line(struct hv_helper *helper, struct hv_helper_side *from,
				const char *line, size_t size);

/*
 * Wait at `local` (its port is chosen, and filled in) for one connection from `peer`, which goes to the guest's port. Of those
 * that a control connection waits for, the oldest gives way. 0 or a negative errno.
 */
int hv_ftp_wait(struct hv_helper *helper, struct haven_endpoint *local, const uint8_t peer[16],
		uint16_t guest_port);
void hv_ftp_wait_no_more(struct hv_ftp_waiting *waiting);

#endif
