/*
 * What the parts of DNS share, and nobody else sees: who asks, the whole, and the calls between dns.c, dns_query.c, dns_stream.c and
 * dns_tcp.c.
 */
#ifndef HV_GATEWAY_DNS_STATE_H
#define HV_GATEWAY_DNS_STATE_H

#include "gateway/dns.h"
#include "gateway/dns_cache.h"
#include "gateway/dns_static.h"
#include "gateway/idle.h"
#include "gateway/resolv_conf.h"
#include "gateway/table.h"

/* Questions over TCP that wait for a resolver; those over UDP are flows, and limited as such. */
#define HV_DNS_TCP_WAITING_MAX 1024
/* Who can wait for one and the same answer. */
#define HV_DNS_ASKERS_MAX 64

struct hv_dns_client;
struct hv_dns_query;
struct hv_dns_stream;

/* One question of the guest, until it is answered. */
struct hv_dns_asker {
	struct hv_dns *dns;
	TAILQ_ENTRY(hv_dns_asker) entry;       /* of its query */
	struct hv_dns_query *query;	       /* NULL: it waits for none */
	bool own;			       /* the query is made from this question */
	struct hv_dns_client *client;	       /* over TCP; NULL: over UDP */
	LIST_ENTRY(hv_dns_asker) client_entry; /* of its client */
	struct hv_flow flow;		       /* over UDP; source: the guest */
	struct hv_dns_question question;
	uint8_t message[];
};

TAILQ_HEAD(hv_dns_asker_list, hv_dns_asker);
LIST_HEAD(hv_dns_client_askers, hv_dns_asker);
LIST_HEAD(hv_dns_query_list, hv_dns_query);
LIST_HEAD(hv_dns_stream_list, hv_dns_stream);
LIST_HEAD(hv_dns_client_list, hv_dns_client);

struct hv_dns {
	struct hv_gateway *gateway;
	struct hv_dns_watcher watcher;
	struct hv_dns_static names;
	struct hv_dns_cache cache;

	struct hv_resolv_conf conf;
	uint64_t generation; /* of conf: what was asked of others is neither kept nor joined */
	unsigned preferred;  /* index of the resolver that is asked first */
	uint64_t preferred_until_ns;

	struct hv_dns_query_list queries;
	struct hv_table shared; /* of the queries, those that can be joined */
	struct hv_dns_stream_list streams;

	struct hv_dns_client_list clients;
	struct hv_idle_clock idle; /* of clients */
	unsigned client_count, tcp_waiting;
	size_t unsent_bytes; /* of all clients */

	uint8_t *
		scratch; /* HV_DNS_MESSAGE_MAX bytes: answers made here, until they are delivered */
};

/* --- dns.c -------------------------------------------------------------------------------- */

/*
 * A question: it is answered, or waits. Over TCP client is set, else datagram. Errors, after which it neither is nor does: -EINVAL (not a
 * question, or too long), -ENOMEM, -EMFILE (limit of flows).
 */
int hv_dns_ask(struct hv_dns *dns, struct hv_dns_client *client,
	       const struct haven_datagram *datagram, const uint8_t *message, size_t size);

/* Its answer, which is changed to be that. Frees the asker, which is off its query's list. reason: for the log. */
void hv_dns_deliver(struct hv_dns_asker *asker, uint8_t *message, size_t size,
		    const char *reason);

/* --- dns_query.c: questions to resolvers ---------------------------------------------------- */

/* Look whether resolvers are others now. Before each question. */
void hv_dns_refresh(struct hv_dns *dns);

/* The asker waits for an answer that is under way, or for one that is asked for now. 0 or -ENOMEM, then nothing has happened. */
int hv_dns_query_join(struct hv_dns *dns, struct hv_dns_asker *asker);
/* The asker does not wait any longer. */
void hv_dns_query_leave(struct hv_dns_asker *asker);
/* An answer to the attempt that is being made; may be changed. */
void hv_dns_query_answered(struct hv_dns_query *query, uint8_t *message, size_t size);
/* The attempt has failed; same: for no fault of the resolver's, which can be asked again. */
void hv_dns_query_failed(struct hv_dns_query *query, bool same);
/* All of them: haven ends. */
void hv_dns_query_end_all(struct hv_dns *dns);

/* --- dns_stream.c: TCP to resolvers --------------------------------------------------------- */

/* What a query has on a stream. Embedded in it. */
struct hv_dns_streamed {
	TAILQ_ENTRY(hv_dns_streamed) entry;
	struct hv_dns_stream *stream; /* NULL: on none */
	struct hv_dns_query *query;
	uint8_t *bytes;	     /* two of length, then the message */
	size_t size;	     /* of both */
	size_t question_end; /* in the message */
	size_t sent;
};

/* Sends the question under an identifier of its own. 0 (hv_dns_query_answered or _failed follows, later) or a negative errno. */
int hv_dns_stream_ask(struct hv_dns *dns, const struct hv_resolver *server,
		      struct hv_dns_streamed *streamed);
/* No answer is wanted any longer, if one was. slow: none came in time. */
void hv_dns_stream_leave(struct hv_dns_streamed *streamed, bool slow);
void hv_dns_stream_end_all(struct hv_dns *dns);

/* --- dns_tcp.c: TCP of the guest ------------------------------------------------------------- */

/* Its question has this answer; the asker is the caller's to free, and off the client's list afterwards. */
void hv_dns_client_answer(struct hv_dns_asker *asker, const uint8_t *message, size_t size);
void hv_dns_client_add(struct hv_dns_client *client, struct hv_dns_asker *asker);
void hv_dns_client_end_all(struct hv_dns *dns);

#endif
