/*
 * TCP Fast Open (RFC 7413): data in the SYN, and in the answer to it, so that a request costs one round trip
 * instead of two. A cookie says that the client has been reached at its address before.
 *
 * Server: a listener with TCP_FASTOPEN gives cookies to those who ask, and takes the data of a SYN that
 * brings a good one: the connection is made and can be accepted at once, in SYN-RECEIVED. The cookie
 * is a keyed hash of the two addresses and of the day half; the one before it still counts. How many
 * such connections may be without ACK is limited: beyond it the ordinary handshake is done.
 *
 * Client: with TCP_FASTOPEN_CONNECT or MSG_FASTOPEN. Without a cookie the SYN asks for one. With one the SYN waits for the first data. Cookies
 * are remembered by server, a bounded number of them. A SYN that gets lost is repeated without option and data, and
 * a server whose way seems to swallow such SYNs is left alone for a minute, then two, four ... (section 7.1).
 */
#include "tcp/tcp_fastopen.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_request.h"
#include "tcp/tcp_timer.h"

#define COOKIE_PERIOD_NS (43200 * HV_TCP_SECOND)
#define RESET_HELD_NS	 (60 * HV_TCP_SECOND)
#define BLACK_HOLE_NS	 (60 * HV_TCP_SECOND)

enum {
	BLACK_HOLE_SHIFT_MAX = 6, /* about an hour */
	OPTIONS_MAX = HV_TCP_HEADER_MAX - HV_TCP_HEADER,
};

/* A server and the cookie that it gave. */
struct hv_tcp_fast_open_server {
	struct hv_addr local, remote;
	uint64_t used_ns;    /* the longest unused makes room */
	uint64_t blocked_ns; /* no option until then */
	uint16_t mss;	     /* section 4.1.3.1: for the data of the next SYN */
	uint8_t losses;	     /* SYNs with option in a row that had to be repeated */
	uint8_t cookie_len;  /* 0: none */
	uint8_t cookie[HV_TCP_FAST_OPEN_MAX];
	bool used;
};

struct hv_tcp_fast_open_cache {
	struct hv_tcp_fast_open_server servers[HV_TCP_FASTOPEN_SERVERS];
};

/* --- server ------------------------------------------------------------------------------ */

static void cookie_of(struct hv_core *core, const struct hv_tuple *tuple, uint64_t period,
		      uint8_t *cookie)
{
	struct {
		struct hv_addr local, remote;
		uint64_t period,
			zero[2]; /* a size of its own makes it a function of its own (tcp_isn.c) */
	} input = {
		.local = tuple->local,
		.remote = tuple->remote,
		.period = period,
	};
	uint64_t hash;

	static_assert(sizeof(input) == 56, "no padding may be hashed");
	hash = hv_siphash(&core->isn_key, &input, sizeof(input));
	memcpy(cookie, &hash, HV_TCP_FASTOPEN_COOKIE);
}

void hv_tcp_fast_open_cookie(struct hv_core *core, const struct hv_tuple *tuple,
			     uint8_t *cookie)
{
	cookie_of(core, tuple, core->now_ns / COOKIE_PERIOD_NS, cookie);
}

/* Is it the one of this period (*fresh), or of the one before? */
static bool cookie_is_good(struct hv_core *core, const struct hv_tuple *tuple,
			   const struct hv_tcp_options *options, bool *fresh)
{
	uint64_t period = core->now_ns / COOKIE_PERIOD_NS;
	uint8_t cookie[HV_TCP_FASTOPEN_COOKIE];

	if (options->fast_open_len != sizeof(cookie))
		return false;
	cookie_of(core, tuple, period, cookie);
	*fresh = !memcmp(cookie, options->fast_open, sizeof(cookie));
	if (*fresh)
		return true;
	cookie_of(core, tuple, period - 1, cookie);
	return !memcmp(cookie, options->fast_open, sizeof(cookie));
}

void hv_tcp_listener_set_fast_open(struct hv_tcp_listener *listener, uint32_t most)
{
	listener->fast_open_max = most;
}

/*
 * Section 5.1: those that a reset ended count for a while, too. An attacker who has cookies for addresses of others
 * would else get room back with each reset that those send.
 */
static bool has_room(const struct hv_tcp_listener *listener)
{
	uint64_t now_ns = listener->tcp->core->now_ns;
	uint32_t held = now_ns - listener->fast_open_reset_ns < RESET_HELD_NS
				? listener->fast_open_resets
				: 0;

	return listener->fast_open_count + held < listener->fast_open_max;
}

/* Count it, and let the accept queue have it. */
static void join(struct hv_tcp_conn *conn, struct hv_tcp_fast_open *fast_open,
		 struct hv_tcp_listener *listener)
{
	conn->fast_open = fast_open;
	fast_open->server = true;
	conn->listener = listener;
	fast_open->listener = listener;
	hv_list_append(&listener->fast_open, &fast_open->link);
	listener->fast_open_count++;
	hv_tcp_congestion_start(conn, false); /* the answer may go before the ACK */
	hv_tcp_listener_ready(conn);
}

/* A connection with the data of the SYN. NULL: no room or no memory. */
static struct hv_tcp_conn *open_now(const struct hv_tcp_half_open *half,
				    const struct hv_packet *packet,
				    const struct hv_tcp_options *options)
{
	const struct hv_desc *d = &packet->d;
	struct hv_tcp *tcp = half->listener->tcp;
	struct hv_tcp_syn syn = {.irs = d->seq,
				 .window = d->window,
				 .options = options,
				 .settings = &half->listener->options,
				 .ecn = half->ecn};
	uint32_t size = d->payload_len;
	struct hv_tcp_conn *conn;
	int error;

	conn = hv_tcp_conn_new(tcp, &error);
	if (!conn || hv_tcp_conn_open_passive(conn, &half->tuple, &syn) < 0)
		return NULL;
	hv_tcp_hold(conn);
	/* No more than the first window: it opens here, and is announced with the SYN-ACK. */
	hv_tcp_window_field(conn, true);
	if (size > hv_tcp_receive_window(conn))
		size = hv_tcp_receive_window(conn);
	if (size)
		hv_tcp_deliver(conn, d->payload, size);
	return conn;
}

bool hv_tcp_fast_open_accept(struct hv_tcp_listener *listener, const struct hv_packet *packet,
			     const struct hv_tcp_options *options)
{
	struct hv_tcp *tcp = listener->tcp;
	struct hv_tcp_fast_open *fast_open;
	struct hv_tcp_half_open half;
	struct hv_tcp_conn *conn;
	bool fresh;

	hv_tcp_half_open_read(&half, listener, packet, options);
	if (!has_room(listener) || !cookie_is_good(tcp->core, &half.tuple, options, &fresh))
		return false;
	fast_open = hv_zalloc(tcp->core, sizeof(*fast_open));
	if (!fast_open)
		return false;
	conn = open_now(&half, packet, options);
	if (!conn) {
		hv_free(tcp->core, fast_open, sizeof(*fast_open));
		return false;
	}
	if (!fresh) {
		fast_open->cookie_len = HV_TCP_FASTOPEN_COOKIE;
		hv_tcp_fast_open_cookie(tcp->core, &half.tuple, fast_open->cookie);
	}
	join(conn, fast_open, listener);
	hv_tcp_release(conn);
	return true;
}

void hv_tcp_fast_open_forget(struct hv_tcp_listener *listener)
{
	struct hv_list *node;

	while ((node = hv_list_pop(&listener->fast_open)))
		hv_container(node, struct hv_tcp_fast_open, link)->listener = NULL;
	listener->fast_open_count = 0;
}

/* --- client: cookies ----------------------------------------------------------------------- */

static struct hv_tcp_fast_open_server *server_find(const struct hv_tcp_conn *conn)
{
	struct hv_tcp_fast_open_cache *cache = conn->tcp->fast_open;

	for (unsigned i = 0; cache && i < HV_TCP_FASTOPEN_SERVERS; i++) {
		struct hv_tcp_fast_open_server *server = &cache->servers[i];

		if (server->used && hv_addr_equal(&server->remote, &conn->tuple.remote) &&
		    hv_addr_equal(&server->local, &conn->tuple.local))
			return server;
	}
	return NULL;
}

/* Find or make, in the place of the longest unused one. NULL: no memory. */
static struct hv_tcp_fast_open_server *server_get(const struct hv_tcp_conn *conn)
{
	struct hv_tcp *tcp = conn->tcp;
	struct hv_tcp_fast_open_server *server = server_find(conn), *servers;

	if (!server) {
		if (!tcp->fast_open)
			tcp->fast_open = hv_zalloc(tcp->core, sizeof(*tcp->fast_open));
		if (!tcp->fast_open)
			return NULL;
		servers = tcp->fast_open->servers;
		server = &servers[0];
		for (unsigned i = 1; i < HV_TCP_FASTOPEN_SERVERS && server->used; i++) {
			if (!servers[i].used || servers[i].used_ns < server->used_ns)
				server = &servers[i];
		}
		*server = (struct hv_tcp_fast_open_server){
			.local = conn->tuple.local,
			.remote = conn->tuple.remote,
			.used = true,
		};
	}
	server->used_ns = tcp->core->now_ns;
	return server;
}

void hv_tcp_fast_open_finish(struct hv_tcp *tcp)
{
	hv_free(tcp->core, tcp->fast_open, sizeof(*tcp->fast_open));
	tcp->fast_open = NULL;
}

/* --- client: SYN and SYN-ACK --------------------------------------------------------------- */

int hv_tcp_fast_open_connect(struct hv_tcp_conn *conn)
{
	struct hv_tcp_fast_open_server *server = server_find(conn);

	if (conn->state != HV_TCP_SYN_SENT || conn->snd_max != conn->iss || conn->fast_open)
		return -EINVAL;
	if (server && server->blocked_ns > hv_tcp_now(conn))
		return 0; /* as if it had not been asked for */
	conn->fast_open = hv_zalloc(hv_tcp_core(conn), sizeof(*conn->fast_open));
	if (!conn->fast_open)
		return -ENOMEM;
	hv_list_init(&conn->fast_open->link);
	if (!server || !server->cookie_len)
		return 0;
	server->used_ns = hv_tcp_now(conn);
	conn->fast_open->cookie_len = server->cookie_len;
	memcpy(conn->fast_open->cookie, server->cookie, server->cookie_len);
	conn->fast_open->peer_mss = server->mss;
	conn->fast_open->deferred = true;
	conn->send_syn = false;
	return 0;
}

void hv_tcp_fast_open_go(struct hv_tcp_conn *conn)
{
	if (!hv_tcp_fast_open_is_deferred(conn))
		return;
	conn->fast_open->deferred = false;
	conn->send_syn = true;
	conn->progress_ns = hv_tcp_now(conn);
	hv_tcp_mark(conn);
}

/* The first SYN alone has the option: what is repeated may have been swallowed because of it. */
static bool is_first_syn(const struct hv_tcp_conn *conn)
{
	return conn->state == HV_TCP_SYN_SENT && conn->fast_open && conn->snd_max == conn->iss;
}

uint32_t hv_tcp_fast_open_syn_data(const struct hv_tcp_conn *conn)
{
	uint32_t room;

	if (!is_first_syn(conn) || !conn->fast_open->cookie_len)
		return 0;
	room = hv_tcp_mss_offer(conn->tcp, &conn->tuple.remote);
	if (conn->fast_open->peer_mss < room)
		room = conn->fast_open->peer_mss;
	if (conn->user_mss && conn->user_mss < room)
		room = conn->user_mss;
	room -= OPTIONS_MAX; /* the least MSS is larger */
	return conn->send.used < room ? conn->send.used : room;
}

void hv_tcp_fast_open_option(const struct hv_tcp_conn *conn, struct hv_tcp_options *options)
{
	const struct hv_tcp_fast_open *fast_open = conn->fast_open;

	if (!is_first_syn(conn) && !(fast_open && fast_open->server && fast_open->cookie_len))
		return;
	options->has_fast_open = true;
	options->fast_open = fast_open->cookie;
	options->fast_open_len = fast_open->cookie_len;
}

/* What the answer says about this server. */
static void learn(struct hv_tcp_conn *conn, const struct hv_tcp_options *options, bool repeated)
{
	struct hv_tcp_fast_open_server *server = server_get(conn);

	if (!server)
		return;
	if (repeated) { /* the SYN with the option was lost, the one without came through */
		uint64_t pause_ns = BLACK_HOLE_NS << server->losses;

		server->blocked_ns = hv_tcp_now(conn) + pause_ns;
		if (server->losses < BLACK_HOLE_SHIFT_MAX)
			server->losses++;
		return;
	}
	server->losses = 0;
	if (!options->has_fast_open || !options->fast_open_len)
		return;
	server->mss = conn->peer_mss;
	server->cookie_len = options->fast_open_len;
	memcpy(server->cookie, options->fast_open, options->fast_open_len);
}

void hv_tcp_fast_open_answered(struct hv_tcp_conn *conn, const struct hv_desc *d,
			       const struct hv_tcp_options *options)
{
	uint32_t acked = d->ack - (conn->iss + 1);

	if (!conn->fast_open)
		return;
	learn(conn, options, conn->count.retrans > 0);
	/*
	 * Section 4.2.2: the server may have taken all of the data, a part, or none. What it did not take is as if it had
	 * never been sent.
	 */
	hv_ring_consume(&conn->send, acked);
	conn->count.bytes_acked += acked;
	conn->snd_una = conn->snd_nxt = conn->snd_max = d->ack;
	conn->snd_small = conn->recover = conn->rack_round = d->ack;
	hv_tcp_disarm(conn, HV_TCP_DEADLINE_RETRANSMIT);
	if (acked && !conn->send.used && !conn->send_ended) {
		conn->all_sent = true;
		hv_tcp_notify(conn, HAVEN_EVENT_SENT);
	}
	hv_tcp_fast_open_end(conn, false);
}

void hv_tcp_fast_open_crossed(struct hv_tcp_conn *conn)
{
	if (!conn->fast_open)
		return;
	conn->snd_nxt = conn->snd_max = conn->iss + 1;
	hv_tcp_fast_open_end(conn, false);
}

void hv_tcp_fast_open_end(struct hv_tcp_conn *conn, bool reset)
{
	struct hv_tcp_fast_open *fast_open = conn->fast_open;
	struct hv_tcp_listener *listener;

	if (!fast_open)
		return;
	listener = fast_open->listener;
	if (listener) {
		uint64_t now_ns = hv_tcp_now(conn);

		hv_list_remove(&fast_open->link);
		listener->fast_open_count--;
		if (reset) {
			if (now_ns - listener->fast_open_reset_ns >= RESET_HELD_NS)
				listener->fast_open_resets = 0;
			listener->fast_open_resets++;
			listener->fast_open_reset_ns = now_ns;
		}
	}
	conn->fast_open = NULL;
	hv_free(hv_tcp_core(conn), fast_open, sizeof(*fast_open));
}
