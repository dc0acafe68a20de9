/*
 * Service names as the user's machine has them: the registry of the library with /etc/services on
 * top, and one line for what is no port.
 */
#ifndef HV_GATEWAY_SERVICES_H
#define HV_GATEWAY_SERVICES_H

#include <stddef.h>

#include <haven/service.h>

#define HV_SERVICES_PATH "/etc/services"

/*
 * The services of a file; to be ended with haven_services_destroy(). NULL, which asks the registry alone, when there is
 * no such file or it cannot be read.
 */
struct haven_services *hv_services_load(const char *path);

/*
 * What is wrong with `text`, of which haven_ports_parse() said `error` for these protocols, in one line
 * without a name in front: "no TCP service is called 'htps'; did you mean 'https' or 'http'?"
 */
void hv_services_explain(const struct haven_services *services, const char *text,
			 unsigned protocols, int error, char *line, size_t size);

#endif
