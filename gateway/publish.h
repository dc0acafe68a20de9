/*
 * Published ports: listeners on the host whose traffic goes into the guest.
 *
 * An address family that the host does not have is left out when all addresses were asked for.
 */
#ifndef HV_GATEWAY_PUBLISH_H
#define HV_GATEWAY_PUBLISH_H

#include "gateway/gateway.h"
#include "gateway/udp.h"

/* One bound socket of the host. */
struct hv_published {
	LIST_ENTRY(hv_published) entry;
	struct hv_gateway *gateway;
	uint8_t protocol;
	bool tls;		    /* outside (tls_in.h) */
	bool automatic;		    /* by -p auto */
	bool wanted;		    /* mark of publish_auto.c */
	struct haven_endpoint host; /* as bound */
	uint16_t guest_port;
	struct hv_source source;    /* TCP */
	struct hv_loop_timer pause; /* TCP: until accepting is tried again */
	struct hv_udp_listener *udp;
};

LIST_HEAD(hv_published_list, hv_published);

struct hv_publish_auto;

struct hv_publish {
	struct hv_published_list list;
	struct hv_publish_auto *automatic; /* NULL: not asked for */
};

int hv_publish_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		      struct hv_gateway_error *error);
void hv_publish_destroy(struct hv_gateway *gateway);

/*
 * Binds one address and port (0: chosen; *bound_port tells). The listener accepts at once.
 * 0 or a negative errno.
 */
int hv_publish_open(struct hv_gateway *gateway, uint8_t protocol,
		    const struct haven_endpoint *host, uint16_t guest_port,
		    struct hv_published **out);
void hv_publish_close(struct hv_published *published);

/*
 * What `publish` and `unpublish` ask for while the guest runs. Add opens all of a publication or nothing, and
 * hands each socket to `each` (may be NULL). Remove closes what the publication names: its guest's
 * ports, at its address and host ports where they are said; connections that are open stay. Returns the
 * number of sockets, 0 from remove: there is none such; or a negative errno with error->text set.
 */
int hv_publish_add(struct hv_gateway *gateway, const struct hv_publication *publication,
		   void (*each)(void *user, const struct hv_published *published), void *user,
		   struct hv_gateway_error *error);
int hv_publish_remove(struct hv_gateway *gateway, const struct hv_publication *publication,
		      void (*each)(void *user, const struct hv_published *published),
		      void *user);

/* One line about why a port could not be bound: who has it, how to be allowed to. */
void hv_publish_explain(uint8_t protocol, const struct haven_endpoint *host, int error,
			char *text, size_t size);

/* --- publish_auto.c --------------------------------------------------------------------- */

/*
 * Publish what the guest listens on, at the same port of the host, looked for every second
 * through diag_fd, a NETLINK_SOCK_DIAG socket of the guest's namespace (not taken).
 */
int hv_publish_auto_start(struct hv_gateway *gateway, int diag_fd);
void hv_publish_auto_stop(struct hv_gateway *gateway);

#endif
