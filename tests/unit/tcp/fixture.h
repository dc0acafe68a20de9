/*
 * TCP without IP: hosts whose ip/ is a stand-in that keeps what TCP sends, a manual clock, and a
 * scripted peer that sends segments and says what must come back.
 */
#ifndef TEST_TCP_FIXTURE_H
#define TEST_TCP_FIXTURE_H

#include "support/test.h"

#include "tcp/tcp_conn.h"
#include "tcp/tcp_listen.h"

/* The stand-in for ip/ (struct hv_ip is opaque to tcp/). */
struct hv_ip {
	struct hv_core *core;
	struct hv_packet_queue sent; /* data at the TCP header, d.src and d.dst set */
	uint32_t mtu;
	bool busy;	    /* hv_ip_is_busy() */
	unsigned suspected; /* hv_ip_suspect() */
	int status;	    /* what hv_ip_output() returns instead of sending; 0: it sends */
	int icmp_kind;	    /* of the last hv_ip_icmp_error_output(); -1: none */
	uint8_t quote[60];
	uint32_t quote_len;
};

/* One TCP with all it stands on. */
struct host {
	struct test_env *env;
	struct hv_core core;
	struct hv_ip ip;
	struct hv_port_table ports;
	struct hv_tcp tcp;
	struct hv_addr addr;
	unsigned events; /* all that any owner was told since the test cleared it */
	unsigned incoming;
};

void host_init(struct host *host, struct test_env *env, unsigned number, bool v6);
void host_finish(struct host *host);
/* Move the clock to now_ns, run timers, flush. */
void host_run(struct host *host, uint64_t now_ns);
/* Next segment sent, or NULL; the caller frees it. Parsed: d is filled in, checksum verified. */
struct hv_packet *host_take(struct host *host);
/* A listener on the port, with its bind. */
struct hv_tcp_listener *host_listen(struct host *host, struct hv_bind *bind, uint16_t port,
				    int backlog);
struct hv_tcp_conn *host_connect(struct host *host, const struct hv_addr *to, uint16_t port);
/* Send bytes of the owner; returns how many were taken. */
size_t host_send(struct hv_tcp_conn *conn, const void *data, size_t size);
/* Read and consume; returns bytes. */
size_t host_read(struct hv_tcp_conn *conn, void *data, size_t size);

/* --- the scripted peer ----------------------------------------------------------------- */

enum { PEER_PORT = 5000, HOST_PORT = 80 };

struct script {
	struct test_env env;
	struct host host;
	struct hv_bind bind;
	struct hv_tcp_listener *listener;
	struct hv_tcp_conn *conn;
	struct hv_addr peer;
	uint16_t peer_port, host_port;
	uint32_t peer_iss, host_iss; /* sequence numbers below are relative to these */
	uint16_t peer_window;
	uint16_t urgent, got_urgent;
	uint8_t traffic_class, got_traffic_class; /* of what goes in; of what came out last */
	bool timestamps;			  /* the peer sends them */
	uint32_t ts_value, ts_echo; /* of the next segment in; ts_echo follows what comes out */
	struct hv_tcp_options syn;  /* what the peer's SYN offers */
	struct hv_tcp_options extra; /* what its other segments carry besides timestamps */
	struct hv_tcp_options got;   /* options of the last segment that came out */
	uint8_t got_fast_open[16];   /* its cookie */
	uint16_t got_window;
	bool got_pushed; /* PSH of that segment; script_out() does not look at it */
	uint8_t got_payload[70000];
	uint32_t got_size;
	bool no_flush; /* segments in are not followed by a flush */
};

int script_setup(void **state);
int script_teardown(void **state);
#define SCRIPT_TEST(function) \
	cmocka_unit_test_setup_teardown(function, script_setup, script_teardown)

/* Time passes: timers run, and what they cause is sent. */
void script_wait_ms(struct script *s, uint64_t ms);
/* A segment of the peer. payload NULL: size bytes of a pattern that depends on seq. */
void script_in(struct script *s, uint8_t flags, uint32_t seq, uint32_t ack, const void *payload,
	       uint32_t size);
/* The owner sends, all of it is taken, and what may go leaves. */
void script_send(struct script *s, const void *data, size_t size);
/* An ACK with up to three SACK blocks: pairs of relative sequence numbers, SACK(left, right, ...), or NULL. */
void script_ack(struct script *s, uint32_t ack, const uint32_t *pairs);
#define SACK(...) ((const uint32_t[]){__VA_ARGS__, 0})
/* An ICMP error about the segment with that relative sequence number; mtu with EMSGSIZE. */
void script_icmp(struct script *s, int error, bool hard, uint32_t mtu, uint32_t seq);
/* The next segment out must be this. size: payload; SYN has the sequence number 0. */
#define script_out(s, flags, seq, ack, size) \
	script_expect(s, __FILE__, __LINE__, flags, seq, ack, size)
void script_expect(struct script *s, const char *file, int line, uint8_t flags, uint32_t seq,
		   uint32_t ack, uint32_t size);
/* Nothing more was sent. */
#define script_quiet(s) script_expect_quiet(s, __FILE__, __LINE__)
void script_expect_quiet(struct script *s, const char *file, int line);
/* Throw away what was sent; returns how many segments. */
unsigned script_skip(struct script *s);
/* Drops counted for the reason. */
uint64_t script_drops(const struct script *s, enum hv_drop reason);

/* Handshakes: after them the connection is ESTABLISHED, and nothing is left to send. */
void script_accept(struct script *s);  /* the peer connects to a listener */
void script_connect(struct script *s); /* the host connects to the peer */

#define FLAGS_A	  HV_TCP_ACK
#define FLAGS_S	  HV_TCP_SYN
#define FLAGS_SA  (HV_TCP_SYN | HV_TCP_ACK)
#define FLAGS_PA  (HV_TCP_PSH | HV_TCP_ACK)
#define FLAGS_FA  (HV_TCP_FIN | HV_TCP_ACK)
#define FLAGS_FPA (HV_TCP_FIN | HV_TCP_PSH | HV_TCP_ACK)
#define FLAGS_R	  HV_TCP_RST
#define FLAGS_RA  (HV_TCP_RST | HV_TCP_ACK)

#define assert_state(conn, name) assert_string_equal(hv_tcp_state_name(conn), name)

#endif
