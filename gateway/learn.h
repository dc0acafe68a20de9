/*
 * Learning a policy (--learn): everything is allowed, what the guest needed is remembered, and at the end the smallest policy that
 * would have let this run through is written, for a person to read and keep.
 *
 * A flow is kept by the name that it said itself, if that name was bound to its address by DNS; else by the bound name,
 * when it is of a kind that says none; else by its address: so that each rule allows just what was seen. Ports of one host become one rule.
 */
#ifndef HV_GATEWAY_LEARN_H
#define HV_GATEWAY_LEARN_H

#include "gateway/policy.h"

/* The file is made at once, so that it is known that it can be. command: for its first line. */
int hv_learn_open(const char *path, char *const *command, struct hv_gateway *gateway,
		  struct hv_learn **out, struct hv_gateway_error *error);
/* Writes the policy. NULL is allowed. */
void hv_learn_close(struct hv_learn *learn);

/* A flow said its server's name; NULL: it is one that should, and did not. */
void hv_learn_said(struct hv_learn *learn, struct hv_flow *flow, const char *name);
/* A flow has ended. NULL is allowed: nothing is learned. */
void hv_learn_ended(struct hv_learn *learn, const struct hv_flow *flow);

#endif
