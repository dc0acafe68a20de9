/*
 * One end of a connection, in the kernel's TCP or in haven's: the same words, the same answer.
 */
#ifndef INTEROP_PEER_H
#define INTEROP_PEER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "stream.h"

struct peer_options {
	const char *tap; /* haven behind this TAP; NULL: the kernel */
	bool listens;
	struct sockaddr_storage address; /* to listen at, or to connect to */
	socklen_t address_size;
	const char *congestion;		 /* NULL: the default */
	int send_buffer, receive_buffer; /* 0: by themselves */
	uint32_t mtu;
	bool no_quick_acks, no_pacing; /* of haven, as the next two: see <haven/stack.h> */
	int ecn, mtu_probing;	       /* -1: the default */
	double seconds;		       /* the end sends for so long; 0: all it has */
	const char *pcap;
};

/* How it went, beside the stream. */
struct peer_result {
	char error[256]; /* "": none */
	bool connected;
	bool closed;	  /* both directions ended in order, and all was acknowledged */
	unsigned options; /* TCPI_OPT_ bits of TCP_INFO, as negotiated */
	uint32_t rtt_us, retransmits, mss, cwnd;
};

struct tcp_info;

/* What TCP_INFO of either stack says, into the answer. */
void peer_note_info(struct peer_result *result, const struct tcp_info *info);
uint64_t peer_now_ns(void);
/* All connected: tells who started it (one line), so that the other end may be. */
void peer_is_ready(void);

/* The answer, one line of JSON. */
void peer_tell(const struct stream *stream, const struct peer_result *result);

void peer_kernel(const struct peer_options *options, struct stream *stream,
		 struct peer_result *result);
/* Tells by itself, and goes on answering (the last acknowledgement may be lost) until standard input ends. */
void peer_haven(const struct peer_options *options, struct stream *stream,
		struct peer_result *result);

#endif
