/*
 * What haven and the guest's first process say to each other, over one SOCK_SEQPACKET pair.
 *
 * The far side (init) is in other namespaces; descriptors it made there travel with READY, and
 * process ids are translated by the kernel (SCM_CREDENTIALS). The end of the pair is the end of
 * the other side: each notices the other's death by it.
 */
#ifndef HV_GATEWAY_GUEST_MESSAGE_H
#define HV_GATEWAY_GUEST_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/guest.h"
#include "gateway/guest_explain.h"

enum hv_message_kind {
	/* From the guest's side to haven. */
	HV_MESSAGE_NOTE = 1,	 /* value: enum hv_guest_log_level; text */
	HV_MESSAGE_FAILED,	 /* value: enum hv_stage; error; text: what was at hand */
	HV_MESSAGE_READY,	 /* wire and its descriptors: set up, waits for RELEASE */
	HV_MESSAGE_STARTED,	 /* sender: the command, about to exec */
	HV_MESSAGE_NOT_EXECUTED, /* error: of exec */
	HV_MESSAGE_STOPPED,	 /* value: the signal that stopped the command */
	HV_MESSAGE_ENDED,	 /* value: wait status of the command */
	/* From haven to the guest's side. */
	HV_MESSAGE_RELEASE,  /* value: 1 when the command gets the terminal */
	HV_MESSAGE_SIGNAL,   /* value: the signal for the command */
	HV_MESSAGE_CONTINUE, /* SIGCONT for the command's process group */
};

#define HV_MESSAGE_TEXT_SIZE 256

struct hv_message {
	enum hv_message_kind kind;
	int value;
	int error;    /* positive errno */
	pid_t sender; /* filled on receipt, in the ids of the receiver */
	union {
		char text[HV_MESSAGE_TEXT_SIZE];
		struct hv_guest_wire wire;
	};
};

/* Makes the pair, close-on-exec; ends[0] is haven's. Returns 0 or a negative errno. */
int hv_message_pair(int ends[2]);

/* Sends one message. Descriptors in message->wire of READY go along and stay the sender's.
 * Returns 0 or a negative errno (-EPIPE: the other side is gone). */
int hv_message_send(int channel, const struct hv_message *message);

/* Receives one message; descriptors of READY are the receiver's then. Returns 1, 0 when the other
 * side is gone, or a negative errno (-EAGAIN with wait false and nothing there). */
int hv_message_receive(int channel, struct hv_message *message, bool wait);

/* From the guest's side: one line for haven's log. */
void hv_message_note(int channel, enum hv_guest_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* From the guest's side: the set-up failed. `detail` may be empty. Returns -error. */
int hv_message_failed(int channel, enum hv_stage stage, int error, const char *detail);

#endif
