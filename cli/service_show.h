/*
 * What `haven service` found, shown: services and URLs as aligned tables, or each as a JSON object
 * on a line of its own.
 */
#ifndef HV_CLI_SERVICE_SHOW_H
#define HV_CLI_SERVICE_SHOW_H

#include <haven/service.h>

#include "cli/table.h"

struct hv_service_show {
	bool json;
	FILE *out;
	struct hv_text_table services, urls;
	bool failed; /* no memory for something */
};

void hv_service_show_init(struct hv_service_show *show, bool json, FILE *out);
/* Prints the tables, which JSON has no need of. */
void hv_service_show_finish(struct hv_service_show *show);

/* An answer to `query`, as it was typed. protocols: those that were asked for, 0: all. */
void hv_service_show_service(struct hv_service_show *show, const char *query,
			     const struct haven_service *service, unsigned protocols);
/* Ports where no service is known. */
void hv_service_show_ports(struct hv_service_show *show, const char *query,
			   const struct haven_ports *ports);
void hv_service_show_url(struct hv_service_show *show, const char *query,
			 const struct haven_url *url);
/* What could not be answered, and names that may have been meant. Only JSON has it in its output. */
void hv_service_show_error(struct hv_service_show *show, const char *query, const char *error,
			   const char *const *near, size_t near_count);

#endif
