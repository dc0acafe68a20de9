/*
 * --explain: what happens, step by step, on standard error, each with the time since the start.
 *
 *	   1.234 ms  dns-answer  upload.academy has 192.0.2.1, for 300 s
 *	{"at_ms": 1.234, "step": "dns-answer", "text": "upload.academy has ...", ...}
 *
 * What is told was seen: in a packet, in an answer, or asked of the kernel. Without --explain nothing is looked at.
 */
#ifndef HV_CLI_EXPLAIN_H
#define HV_CLI_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct hv_explain {
	bool on, json;
	uint64_t start_ns;
};

void hv_explain_init(struct hv_explain *explain, bool on, bool json);

/*
 * A step, with its figures: fields is taken (NULL: none), its names are added to the JSON object. Ask explain->on before making
 * them.
 */
__attribute__((format(printf, 4, 5))) void hv_explain_step(const struct hv_explain *explain,
							   const char *step, json_t *fields,
							   const char *format, ...);

/* "https (system range)", "8443, which no service is registered for (user range)" */
#define HV_PORT_TEXT 128
const char *hv_explain_port(uint16_t port, unsigned protocol, char text[HV_PORT_TEXT]);

#endif
