/*
 * The options about rules: --allow, --deny, --policy and what goes with them. See settings.h.
 */
#include "cli/settings.h"

#include <stdlib.h>

#include "gateway/policy_file.h"
#include "gateway/services.h"

#define NAME_FLOOR_MAX 86400 /* a day */

/* The list that rules are added to, in the order of the options. */
static bool rules_of(struct hv_settings *settings, char error[HV_OPTION_ERROR])
{
	struct haven_env env;

	if (settings->policy.rules)
		return true;
	haven_env_default(&env);
	settings->services = hv_services_load(HV_SERVICES_PATH);
	if (haven_rules_create(&env, settings->services, &settings->policy.rules) == 0)
		return true;
	snprintf(error, HV_OPTION_ERROR, "out of memory");
	return false;
}

static bool add_rule(struct hv_settings *settings, enum haven_rule_verb verb,
		     const char *option, const char *value, char error[HV_OPTION_ERROR])
{
	char what[HV_OPTION_ERROR];

	if (!rules_of(settings, error))
		return false;
	if (hv_policy_rule_add(settings->policy.rules, verb, value, what, sizeof(what)))
		return true;
	return hv_settings_wrong(error, option, value, what);
}

bool hv_settings_allow(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	return add_rule(user, HAVEN_RULE_ALLOW, "allow", value, error);
}

bool hv_settings_deny(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	return add_rule(user, HAVEN_RULE_DENY, "deny", value, error);
}

bool hv_settings_policy(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;

	return rules_of(settings, error) &&
	       hv_policy_file_add(settings->policy.rules, value, error, HV_OPTION_ERROR);
}

bool hv_settings_require_sni(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;

	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return hv_settings_wrong(error, "require-sni", value, "it is yes or no");
	settings->policy.name_may_miss = strcmp(value, "no") == 0;
	return true;
}

bool hv_settings_dns_strict(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_settings *)user)->policy.dns_strict = true;
	return true;
}

bool hv_settings_name_floor(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	char *end;
	unsigned long seconds = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || seconds < 1 || seconds > NAME_FLOOR_MAX)
		return hv_settings_wrong(error, "name-floor", value,
					 "a number of seconds from 1 to 86400");
	((struct hv_settings *)user)->policy.name_floor_s = (uint32_t)seconds;
	return true;
}

bool hv_settings_audit(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct hv_settings *)user)->policy.audit_path = value;
	return true;
}

bool hv_settings_learn(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct hv_settings *)user)->policy.learn_path = value;
	return true;
}

static bool fail(char error[HV_OPTION_ERROR], const char *line)
{
	snprintf(error, HV_OPTION_ERROR, "%s", line);
	return false;
}

/* Whether some rule out has a name: haven's own DNS has to say what it means then. */
static bool rules_have_names(const struct haven_rules *rules)
{
	return rules && haven_rules_have_names(rules, HAVEN_OUT);
}

bool hv_settings_policy_complete(const struct hv_settings *settings,
				 char error[HV_OPTION_ERROR])
{
	bool elsewhere = settings->dns_none;

	if (settings->policy.learn_path && settings->policy.rules)
		return fail(error, "--learn allows everything, so that it sees what is needed: "
				   "no rules can stand beside it");
	if (settings->policy.dns_strict && elsewhere)
		return fail(error,
			    "--dns-strict is about haven's DNS, which --dns none turns off");
	if (elsewhere && rules_have_names(settings->policy.rules))
		return fail(error,
			    "rules with names need haven's DNS, which --dns none turns off: "
			    "what a name means is what it has answered");
	return true;
}
