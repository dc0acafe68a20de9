/*
 * `haven connect` and `haven listen`: what their options say, and who does what.
 *
 *	connect NAME TARGET	hv_connect_into(): a socket of a network that runs
 *	connect - TARGET	hv_connect_here(): a stack and its gateway in this process (inproc.h)
 *	listen [ADDR:]PORT	hv_listen_here(): the same, the other way round
 */
#ifndef HV_CLI_CONNECT_H
#define HV_CLI_CONNECT_H

#include "cli/options.h"
#include "gateway/guest.h"
#include "gateway/log.h"

/* What connect and listen exit with, besides HV_EXIT_FAILED. */
#define HV_EXIT_NETWORK	    1  /* refused, unreachable, reset, TLS failed, cut short... */
#define HV_EXIT_HTTP_STATUS 22 /* 400 or above, as curl --fail has it */

#define HV_CONNECT_ALPN_MAX 16

enum hv_connect_command {
	HV_COMMAND_CONNECT = 1 << 0,
	HV_COMMAND_LISTEN = 1 << 1,
};

struct hv_connect_settings {
	bool udp, tls, insecure;
	bool keep; /* listen: one connection after the other */
	bool v4_only, v6_only;
	bool explain, json;
	bool help;
	const char *ca_path;		       /* NULL: the system's trust */
	const char *cert_path, *key_path;      /* NULL: none; key NULL: in cert's file */
	const char *key_log_path;	       /* NULL: none */
	const char *alpn[HV_CONNECT_ALPN_MAX]; /* in alpn_text */
	unsigned alpn_count;
	char alpn_text[256];
	uint64_t timeout_ns; /* until connected, with TLS */
	uint64_t
		wait_ns; /* datagrams: how long to wait for another one after the input's end */
};

/*
 * Parse argv[1..]; the words that are no options are moved to the front of argv. Returns their number, or -1 after a line on
 * standard error. `log` is made ready.
 */
int hv_connect_options(enum hv_connect_command command, int argc, char **argv,
		       struct hv_connect_settings *settings, struct hv_log *log);
void hv_connect_options_help(enum hv_connect_command command);

/* Each returns what haven exits with. */
int hv_connect_here(const char *target, const struct hv_connect_settings *settings,
		    const struct hv_log *log);
int hv_listen_here(const char *target, const struct hv_connect_settings *settings,
		   const struct hv_log *log);
/* Its options but --explain and --timeout are errors. */
int hv_connect_into(const char *name, const char *target,
		    const struct hv_connect_settings *settings);

#endif
