/*
 * The built-in registry as arrays (data/services.inc), for the files of service*.c.
 *
 *	service_table.c		look-up by name and by port in the constant table
 *	service_overlay.c	the same over the text of an /etc/services
 *	service.c		questions over both
 *	service_nearest.c	names that are near to a wrong one
 *	service_ports.c		ports as people type them
 *	service_url.c		URLs
 */
#ifndef HV_PORT_SERVICE_TABLE_H
#define HV_PORT_SERVICE_TABLE_H

#include <haven/service.h>

#define HV_SERVICE_NONE UINT32_MAX

static inline char hv_service_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* FNV-1a over the name in lower case, its halves folded: what tools/make-services has, too. */
uint32_t hv_service_hash(const char *name, size_t size);
/* As strcasecmp() in the C locale, with the first size bytes of a. */
int hv_service_compare(const char *a, size_t size, const char *b);
/* Whether `name` begins with the first size bytes of prefix. */
bool hv_service_begins(const char *name, const char *prefix, size_t size);

/* Fill *out with a row. */
void hv_service_row(uint32_t row, struct haven_service *out);
/* Whether a row has this name, officially or as an alias. */
bool hv_service_row_has(uint32_t row, const char *name, size_t size);
/* First port of a row, and whether it is only that. */
uint16_t hv_service_row_port(uint32_t row);
bool hv_service_row_single(uint32_t row);
uint8_t hv_service_row_protocols(uint32_t row);

/*
 * Rows with a name, one after the other: *probe begins as 0 and is kept between calls. HV_SERVICE_NONE at the end.
 */
uint32_t hv_service_probe(const char *name, size_t size, uint32_t *probe);
/* The index-th row at a port, or HV_SERVICE_NONE. */
uint32_t hv_service_at_port(uint16_t port, uint32_t index);

/* All names and aliases, in the order of hv_service_compare(). */
uint32_t hv_service_names(void);
const char *hv_service_name_text(uint32_t index);
uint32_t hv_service_name_row(uint32_t index);

#endif
