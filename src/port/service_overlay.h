/*
 * Services that a text like /etc/services names: the same look-ups as service_table.h, over
 * memory of their own.
 */
#ifndef HV_PORT_SERVICE_OVERLAY_H
#define HV_PORT_SERVICE_OVERLAY_H

#include "port/service_table.h"

/* A name or alias. Those of one row are a list. */
struct hv_overlay_name {
	const char *text; /* not NUL-terminated in the caller's file, but in our copy */
	uint32_t row;
	uint32_t next; /* of the same row, or HV_SERVICE_NONE */
};

struct hv_overlay_row {
	uint32_t first_name, last_name;
	const char *description;
	uint32_t twin; /* built-in row that is the same service, or HV_SERVICE_NONE */
	uint16_t port;
	uint8_t protocols;
	uint8_t names; /* the official one, and up to HAVEN_SERVICE_ALIASES */
};

struct haven_services {
	struct haven_env env;
	char *text;
	struct hv_overlay_row *rows;
	struct hv_overlay_name *names;
	uint32_t *order;      /* of names, sorted */
	uint32_t *name_slots; /* open addressing: index of a name plus one */
	uint32_t *port_slots; /* open addressing: index of a row plus one */
	size_t text_size;     /* that was allocated, as the next two */
	uint32_t row_space, name_space;
	uint32_t row_count, name_count;
	uint32_t slot_mask; /* of both tables */
};

/* Fill *out with a row of the overlay and what its twin adds. */
void hv_overlay_fill(const struct haven_services *overlay, uint32_t row,
		     struct haven_service *out);
bool hv_overlay_has(const struct haven_services *overlay, uint32_t row, const char *name,
		    size_t size);
/* Rows with a name, rows at a port, one after the other; as hv_service_probe(). */
uint32_t hv_overlay_probe(const struct haven_services *overlay, const char *name, size_t size,
			  uint32_t *probe);
uint32_t hv_overlay_probe_port(const struct haven_services *overlay, uint16_t port,
			       uint32_t *probe);
/* The row that stands for a built-in one, or HV_SERVICE_NONE. overlay may be NULL. */
uint32_t hv_overlay_twin(const struct haven_services *overlay, uint32_t builtin);

#endif
