/*
 * The options about TLS: --tls-cert, --tls-out and what goes with them. See settings.h.
 */
#include "cli/settings.h"

#include <stdlib.h>

bool hv_settings_tls_cert(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	unsigned count = settings->tls_pair_count;
	struct hv_tls_pair *pairs;

	if (count == HV_TLS_PAIRS_MAX)
		return hv_settings_wrong(error, "tls-cert", value, "at most 256 of them");
	pairs = realloc(settings->tls_pairs, (count + 1) * sizeof(*pairs));
	if (!pairs)
		return hv_settings_wrong(error, "tls-cert", value, "out of memory");
	pairs[count] = (struct hv_tls_pair){.certificate = value};
	settings->tls_pairs = pairs;
	settings->tls_pair_count++;
	return true;
}

bool hv_settings_tls_key(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	unsigned count = settings->tls_pair_count;

	if (count == 0)
		return hv_settings_wrong(error, "tls-key", value,
					 "it goes behind the --tls-cert that it belongs to");
	if (settings->tls_pairs[count - 1].key)
		return hv_settings_wrong(
			error, "tls-key", value,
			"the --tls-cert before it has one already; each key goes "
			"behind its own certificate");
	settings->tls_pairs[count - 1].key = value;
	return true;
}

bool hv_settings_tls_client_ca(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct hv_settings *)user)->tls_client_ca = value;
	return true;
}

bool hv_settings_tls_out(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	unsigned count = settings->tls_target_count;
	struct hv_tls_target *targets;
	char what[HV_OPTION_ERROR];

	if (count == HV_TLS_OUT_MAX)
		return hv_settings_wrong(error, "tls-out", value, "at most 256 of them");
	targets = realloc(settings->tls_targets, (count + 1) * sizeof(*targets));
	if (!targets)
		return hv_settings_wrong(error, "tls-out", value, "out of memory");
	settings->tls_targets = targets;
	if (!hv_tls_target_parse(value, &targets[count], what, sizeof(what)))
		return hv_settings_wrong(error, "tls-out", value, what);
	settings->tls_target_count++;
	return true;
}

bool hv_settings_tls_out_ca(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct hv_settings *)user)->tls_out_ca = value;
	return true;
}

static bool fail(char error[HV_OPTION_ERROR], const char *line)
{
	snprintf(error, HV_OPTION_ERROR, "%s", line);
	return false;
}

static bool targets_have_names(const struct hv_settings *settings)
{
	for (unsigned i = 0; i < settings->tls_target_count; i++) {
		if (!settings->tls_targets[i].is_address)
			return true;
	}
	return false;
}

bool hv_settings_tls_complete(const struct hv_settings *settings, char error[HV_OPTION_ERROR])
{
	if (settings->tls_out_ca && settings->tls_target_count == 0)
		return fail(error, "--tls-out-ca is about --tls-out, which is not there");
	if (settings->dns_none && targets_have_names(settings))
		return fail(error,
			    "--tls-out with a name needs haven's DNS, which --dns none turns "
			    "off: what a name means is what it has answered");
	return true;
}
