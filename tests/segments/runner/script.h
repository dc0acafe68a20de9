/*
 * A script as it was read: a list of statements, one for each line. The language is described in
 * tests/segments/README.md; reader.c makes this of the text, run.c does what it says.
 */
#ifndef SEGMENTS_SCRIPT_H
#define SEGMENTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SEG_NAME = 48,
	SEG_LINE = 512,
	SEG_OPTIONS = 12,
	SEG_BYTES = 40,
	SEG_BLOCKS = 4,
	SEG_VARIABLES = 48,
	SEG_FILES = 24,
	SEG_PAIRS = 8,
};

/* A number as the script has it: nothing, `*`, N, or N..M. */
struct seg_value {
	bool given, any;
	int64_t low, high;
};

enum seg_flag { /* RFC 9293 section 3.1 */
		SEG_FIN = 0x01,
		SEG_SYN = 0x02,
		SEG_RST = 0x04,
		SEG_PSH = 0x08,
		SEG_ACK = 0x10,
		SEG_URG = 0x20,
		SEG_ECE = 0x40,
		SEG_CWR = 0x80,
};

enum seg_option_kind {
	SEG_OPTION_MSS,
	SEG_OPTION_WSCALE,
	SEG_OPTION_SACKOK,
	SEG_OPTION_SACK,
	SEG_OPTION_TS,
	SEG_OPTION_FASTOPEN,
	SEG_OPTION_NOP,
	SEG_OPTION_END,
	SEG_OPTION_BYTES, /* as they are on the wire */
};

struct seg_option {
	enum seg_option_kind kind;
	struct seg_value a, b; /* MSS, shift; TS value and echo */
	unsigned count;	       /* SACK blocks */
	struct seg_value blocks[SEG_BLOCKS][2];
	unsigned size; /* cookie, raw bytes */
	uint8_t bytes[SEG_BYTES];
	bool automatic; /* ts auto */
	bool same;	/* fastopen same: the cookie that was seen last */
	bool any;	/* fastopen *: one cookie or other */
};

/* Addresses that nobody has; of segments in. */
enum seg_odd_address { SEG_USUAL, SEG_MULTICAST, SEG_BROADCAST, SEG_UNSPECIFIED };

enum seg_options_mode { SEG_OPTIONS_UNSAID, SEG_OPTIONS_LISTED, SEG_OPTIONS_ANY };

struct seg_segment {
	uint8_t flags;
	bool push_or_not; /* p: PSH does not matter */
	struct seg_value seq, size, ack, window, urgent, ecn, ttl, tos;
	enum seg_options_mode mode;
	unsigned option_count;
	struct seg_option options[SEG_OPTIONS];
	/* Of segments in only. */
	bool no_timestamp, bad_checksum;
	struct seg_value data_offset, truncate, reserved;
	enum seg_odd_address from, to;
};

struct seg_icmp {
	unsigned kind; /* index into the table of icmp.c */
	struct seg_value mtu, seq, quote;
	bool bad_checksum;
};

enum seg_verb {
	SEG_CALL_SOCKET,
	SEG_CALL_BIND,
	SEG_CALL_LISTEN,
	SEG_CALL_ACCEPT,
	SEG_CALL_CONNECT,
	SEG_CALL_SEND,
	SEG_CALL_RECV,
	SEG_CALL_CLOSE,
	SEG_CALL_ABORT,
	SEG_CALL_SHUTDOWN,
	SEG_CALL_SET,
	SEG_CALL_GET,
	SEG_CALL_HAS,
	SEG_CALL_ERROR,
	SEG_CALL_INFO,
	SEG_CALL_QUEUED,
	SEG_CALL_TAKE,
};

/* `c: send 100 more = EAGAIN` */
struct seg_call {
	char socket[SEG_NAME];
	enum seg_verb verb;
	char word
		[SEG_NAME]; /* name of another socket, an option, a direction, a string value */
	char text[SEG_NAME];
	unsigned pair_count; /* numbers, or fields with their numbers */
	const char *names[SEG_PAIRS];
	struct seg_value values[SEG_PAIRS];
	unsigned flags;		    /* MSG_ bits; events wanted */
	unsigned unwanted;	    /* events that must not be */
	bool said;		    /* a result is expected */
	struct seg_value result;    /* negative: errno */
	char result_text[SEG_NAME]; /* of options that are strings */
};

enum seg_kind {
	SEG_SEGMENT_IN,
	SEG_SEGMENT_OUT,
	SEG_ICMP_IN,
	SEG_ICMP_OUT,
	SEG_QUIET,
	SEG_DISCARD,
	SEG_WAIT,
	SEG_CALL,
	SEG_STATE,
	SEG_DROPS,
	SEG_FAIL,
	SEG_FLOW,
	SEG_ANEW,
	SEG_BATCH,
	SEG_FLUSH,
	SEG_LINK,
	SEG_REFUSE,
	SEG_REQUESTS,
};

enum seg_when { SEG_NOW, SEG_AFTER, SEG_AT };

struct seg_statement {
	enum seg_kind kind;
	const char *file; /* kept by the script */
	int line;
	char text[SEG_LINE]; /* as it is after substitution, for messages */
	bool own;	     /* of the script itself, not of what it includes */
	enum seg_when when;
	uint64_t from_ns, to_ns;
	bool range;
	union {
		struct seg_segment segment;
		struct seg_icmp icmp;
		struct seg_call call;
		struct {
			char name[SEG_NAME * 2];
			struct seg_value value, more;
		} plain;
	};
};

/* `config` lines: what the stack and the link are made with. */
struct seg_config {
	int64_t mtu, send_buffer, receive_buffer, max_sockets, max_time_wait, max_requests,
		max_half_open, seed, peer_iss, stack_iss, port, hop_limit, ecn, mtu_probing;
	bool no_quick_acks, offloads, forwarder;
	uint64_t time_wait_ns, tolerance_ns;
	bool v4, v6; /* run over this family */
	char congestion[SEG_NAME];
};

struct seg_variable {
	char name[SEG_NAME];
	char value[SEG_LINE];
};

struct seg_script {
	const char *path;
	struct seg_config config;
	struct seg_statement *statements;
	size_t count, room;
	char *files[SEG_FILES]; /* names, for messages */
	unsigned file_count;
	struct seg_variable variables[SEG_VARIABLES];
	unsigned variable_count;
	/* `each NAME in VALUE...`: how many values, and which one this reading is of. */
	unsigned each_count, each_at;
	bool each_seen;
	char each_value[SEG_NAME * 2];
	bool v6_now;
	unsigned expectations; /* of the script itself */
	unsigned depth;	       /* includes */
	char error[SEG_LINE * 3];
};

/*
 * Read a script for one family and one value of `each`. Returns whether it is good; if not,
 * script->error says where and why. In both cases seg_script_free() ends it.
 */
bool seg_read(struct seg_script *script, const char *path, bool v6, unsigned each_at);
void seg_script_free(struct seg_script *script);

#endif
