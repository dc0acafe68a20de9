/*
 * Options of `haven connect` and `haven listen`. See connect.h.
 */
#include "cli/connect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/loop.h"

#define BOTH (HV_COMMAND_CONNECT | HV_COMMAND_LISTEN)

#define TIMEOUT_DEFAULT_S 30
#define WAIT_DEFAULT_S	  1
#define SECONDS_MAX	  86400

#define FLAG(field)                                                           \
	static bool apply_##field(void *user, const char *value, char *error) \
	{                                                                     \
		(void)value;                                                  \
		(void)error;                                                  \
		((struct hv_connect_settings *)user)->field = true;           \
		return true;                                                  \
	}

FLAG(udp)
FLAG(tls)
FLAG(insecure)
FLAG(keep)
FLAG(v4_only)
FLAG(v6_only)
FLAG(explain)
FLAG(json)
FLAG(help)

#define PATH(field)                                                           \
	static bool apply_##field(void *user, const char *value, char *error) \
	{                                                                     \
		(void)error;                                                  \
		((struct hv_connect_settings *)user)->field = value;          \
		return true;                                                  \
	}

PATH(ca_path)
PATH(cert_path)
PATH(key_path)
PATH(key_log_path)

/* A number of seconds, as "2" or "0.5". */
static bool parse_seconds(const char *option, const char *value, uint64_t *ns, char *error)
{
	char *end;
	double seconds = strtod(value, &end);

	if (value[0] < '0' || value[0] > '9' || *end || !(seconds <= SECONDS_MAX)) {
		snprintf(error, HV_OPTION_ERROR,
			 "--%s '%.200s': a number of seconds, at most %d", option, value,
			 SECONDS_MAX);
		return false;
	}
	*ns = (uint64_t)(seconds * (double)HV_NS_PER_S);
	return true;
}

static bool apply_timeout(void *user, const char *value, char *error)
{
	return parse_seconds("timeout", value,
			     &((struct hv_connect_settings *)user)->timeout_ns, error);
}

static bool apply_wait(void *user, const char *value, char *error)
{
	return parse_seconds("wait", value, &((struct hv_connect_settings *)user)->wait_ns,
			     error);
}

static bool apply_alpn(void *user, const char *value, char *error)
{
	struct hv_connect_settings *settings = user;
	char *rest = settings->alpn_text, *word;

	settings->alpn_count = 0;
	if (strlen(value) < sizeof(settings->alpn_text)) {
		memcpy(rest, value, strlen(value) + 1);
		while ((word = strsep(&rest, ",")) && *word &&
		       settings->alpn_count < HV_CONNECT_ALPN_MAX)
			settings->alpn[settings->alpn_count++] = word;
		if (!word)
			return true;
	}
	snprintf(error, HV_OPTION_ERROR,
		 "--alpn '%.100s': names of protocols with commas between, at most %d and 255 "
		 "letters in all: h2,http/1.1",
		 value, HV_CONNECT_ALPN_MAX);
	return false;
}

static const struct hv_option options[] = {
	{'u', "udp", NULL, "datagrams (UDP) instead of a stream", BOTH, apply_udp},
	{0, "tls", NULL, "serve TLS; needs --cert", HV_COMMAND_LISTEN, apply_tls},
	{'4', "ipv4-only", NULL, "no IPv6 address", BOTH, apply_v4_only},
	{'6', "ipv6-only", NULL, "no IPv4 address", BOTH, apply_v6_only},
	{0, "timeout", "SECONDS",
	 "until it is connected, with TLS and name; 0: for ever\n"
	 "(default: 30)",
	 HV_COMMAND_CONNECT, apply_timeout},
	{'w', "wait", "SECONDS",
	 "with --udp: how long to wait for another datagram when\n"
	 "the input has ended (default: 1)",
	 BOTH, apply_wait},
	{'k', "keep", NULL, "serve one connection after the other", HV_COMMAND_LISTEN,
	 apply_keep},
	{0, "ca", "FILE",
	 "trust these certificates (PEM), and not the system's;\n"
	 "of listen: ask clients for a certificate of these",
	 BOTH, apply_ca_path},
	{0, "cert", "FILE", "our certificate and those that lead to its issuer (PEM)", BOTH,
	 apply_cert_path},
	{0, "key", "FILE", "its private key (default: in the file of --cert)", BOTH,
	 apply_key_path},
	{0, "alpn", "NAME[,NAME...]",
	 "application protocols to offer, best first\n"
	 "(default: http/1.1 for https, else none)",
	 BOTH, apply_alpn},
	{0, "insecure", NULL,
	 "DANGER: take any certificate, of anybody: whoever is on\n"
	 "the path can read and change everything",
	 HV_COMMAND_CONNECT, apply_insecure},
	{0, "key-log", "FILE",
	 "append the secrets of TLS, by which Wireshark reads it;\n"
	 "so does everybody who has that file",
	 BOTH, apply_key_log_path},
	{'x', "explain", NULL, "tell each step as it happens, on standard error", BOTH,
	 apply_explain},
	{0, "json", NULL, "the same, one JSON object a line", BOTH, apply_json},
	{'h', "help", NULL, "show this", BOTH, apply_help},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* What they may not be together; NULL: all is well. */
static const char *contradiction(const struct hv_connect_settings *settings)
{
	if (settings->v4_only && settings->v6_only)
		return "-4 and -6 together leave nothing";
	if (settings->key_path && !settings->cert_path)
		return "--key is the key of a certificate: --cert is missing";
	if (settings->tls && !settings->cert_path)
		return "--tls needs a certificate: --cert FILE [--key FILE]";
	if (settings->tls && settings->udp)
		return "--tls is for streams, and --udp is for datagrams";
	if (settings->keep && settings->udp)
		return "--keep is for streams: with --udp there are no connections";
	if (settings->insecure && settings->ca_path)
		return "--insecure trusts everybody, --ca does not: one of the two";
	return NULL;
}

int hv_connect_options(enum hv_connect_command command, int argc, char **argv,
		       struct hv_connect_settings *settings, struct hv_log *log)
{
	char error[HV_OPTION_ERROR];
	const char *wrong;
	int words;

	*settings = (struct hv_connect_settings){
		.timeout_ns = TIMEOUT_DEFAULT_S * HV_NS_PER_S,
		.wait_ns = WAIT_DEFAULT_S * HV_NS_PER_S,
	};
	hv_log_init(log, STDERR_FILENO, HV_LOG_WARNING);
	if (!hv_options_words(options, OPTIONS, command, argc, argv, settings, &words, error)) {
		hv_log_line(log, HV_LOG_ERROR, "%s", error);
		return -1;
	}
	wrong = settings->help ? NULL : contradiction(settings);
	if (wrong) {
		hv_log_line(log, HV_LOG_ERROR, "%s", wrong);
		return -1;
	}
	settings->explain |= settings->json;
	return words;
}

void hv_connect_options_help(enum hv_connect_command command)
{
	hv_options_help(options, OPTIONS, command, stdout);
}
