/*
 * The audit: a file with a line of JSON for each flow that begins, ends or is refused (--audit).
 *
 *	{"time":"2026-11-29T10:03:12.345Z","event":"begin","flow":7,"protocol":"tcp","direction":"out",...}
 *
 * Lines are collected and written once a turn. A file that cannot be written any more is told once, and the network
 * goes on.
 */
#ifndef HV_GATEWAY_AUDIT_H
#define HV_GATEWAY_AUDIT_H

#include "gateway/policy.h"

/* Appends to `path`, made with mode 0600. 0 or a negative errno with error->text set. */
int hv_audit_open(const char *path, struct hv_gateway *gateway, struct hv_audit **out,
		  struct hv_gateway_error *error);
void hv_audit_close(struct hv_audit *audit);

/* Each allows NULL: no audit. */
void hv_audit_began(struct hv_audit *audit, struct hv_flow *flow);
void hv_audit_ended(struct hv_audit *audit, const struct hv_flow *flow, const char *reason);
void hv_audit_refused(struct hv_audit *audit, const struct hv_refused *refused);
/* Write what has been collected. */
void hv_audit_flush(struct hv_audit *audit);

#endif
