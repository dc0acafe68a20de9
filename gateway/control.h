/*
 * The control socket: how `haven ls`, `ports`, `flows`, `why`, `publish` and `unpublish` talk to a
 * gateway. doc/control.md describes what is said over it.
 *
 * It is a Unix stream socket in the abstract namespace, "\0haven/UID/NAME": no file that could be left
 * behind by a gateway that was killed, and out of reach from inside the guest, whose network
 * namespace is another. Who connects is asked for by SO_PEERCRED: the gateway's user, or root.
 *
 * Nothing here may make the guest's traffic wait: few clients, requests of one line, answers made
 * in slices as fast as they are read, and who does not read is dropped.
 */
#ifndef HV_GATEWAY_CONTROL_H
#define HV_GATEWAY_CONTROL_H

#include "gateway/gateway.h"
#include "gateway/guest.h"

struct hv_control;

/*
 * Listens under config->name, or under one made of the command's name and haven's process id.
 * Returns 0; or a negative errno with error->text set: -EADDRINUSE, a network of that name is up.
 */
int hv_control_create(struct hv_gateway *gateway, const struct hv_guest *guest,
		      const struct hv_gateway_config *config, struct hv_control **out,
		      struct hv_gateway_error *error);
void hv_control_destroy(struct hv_control *control); /* NULL is allowed */

#endif
