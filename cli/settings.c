/*
 * The table of options, and what each does. See settings.h; settings_apply.c hands it on.
 */
#include "cli/settings.h"

#include <stdlib.h>

#include "gateway/control_name.h"
#include "gateway/dns_static.h"
#include "gateway/services.h"

#define PORT_FTP 21 /* RFC 959 section 8: the control connection's */

#define BOTH (HV_COMMAND_RUN | HV_COMMAND_ATTACH)

bool hv_settings_wrong(char error[HV_OPTION_ERROR], const char *option, const char *value,
		       const char *what)
{
	snprintf(error, HV_OPTION_ERROR, "--%s '%.200s': %s", option, value, what);
	return false;
}

static struct hv_settings_family *family_of(struct hv_settings *settings,
					    const uint8_t address[16])
{
	return hv_address_is_v4(address) ? &settings->v4 : &settings->v6;
}

static bool apply_publish(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	size_t count = settings->publication_count;
	struct hv_publication *publications;

	if (strcmp(value, "auto") == 0) {
		settings->publish_auto = true;
		return true;
	}
	publications = realloc(settings->publications, (count + 1) * sizeof(*publications));
	if (!publications)
		return hv_settings_wrong(error, "publish", value, "out of memory");
	settings->publications = publications;
	if (!hv_publication_parse(value, &publications[count], error, HV_OPTION_ERROR))
		return false;
	settings->publication_count++;
	return true;
}

/* ftp[:PORT] */
static bool apply_helper(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	const char *colon = strchr(value, ':');
	struct haven_ports ports = {.first = PORT_FTP, .last = PORT_FTP};
	struct haven_services *services;
	int failed = 0;

	if (strncmp(value, "ftp", 3) != 0 || (value[3] && value[3] != ':'))
		return hv_settings_wrong(error, "helper", value,
					 "there is one for ftp, or ftp:PORT");
	if (colon) {
		services = hv_services_load(HV_SERVICES_PATH);
		failed = haven_ports_parse(services, colon + 1, strlen(colon + 1),
					   HAVEN_SERVICE_TCP, &ports);
		haven_services_destroy(services);
	}
	if (failed < 0 || ports.first == 0 || ports.first != ports.last)
		return hv_settings_wrong(
			error, "helper", value,
			"the port is no number from 1 to 65535 and no service");
	if (settings->ftp_port_count == HV_FTP_PORTS_MAX)
		return hv_settings_wrong(error, "helper", value, "at most four ports");
	settings->ftp_ports[settings->ftp_port_count++] = ports.first;
	return true;
}

/* An address that can be given to an interface. */
static bool parse_unicast(const char *value, uint8_t address[16])
{
	return hv_address_parse(value, address) && !hv_address_is_multicast(address) &&
	       !hv_address_is_unspecified(address) && !hv_address_is_loopback(address) &&
	       !hv_address_is_link_local6(address);
}

static bool apply_address(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	struct hv_settings_family *family;
	uint8_t address[16];
	char text[64];
	const char *slash = strchr(value, '/');
	size_t size = slash ? (size_t)(slash - value) : strlen(value);
	long prefix = -1;
	char *end;

	if (size >= sizeof(text))
		return hv_settings_wrong(error, "address", value, "not an address");
	memcpy(text, value, size);
	text[size] = '\0';
	if (!parse_unicast(text, address))
		return hv_settings_wrong(error, "address", value, "not a unicast address");
	family = family_of(settings, address);
	if (slash) {
		prefix = strtol(slash + 1, &end, 10);
		if (*end || end == slash + 1 || prefix < 1 ||
		    prefix > (family == &settings->v4 ? 30 : 126))
			return hv_settings_wrong(
				error, "address", value,
				"the prefix is no number of bits that leaves room for a gateway");
		family->prefix = (uint8_t)prefix;
	}
	memcpy(family->address, address, 16);
	family->has_address = true;
	return true;
}

static bool apply_gateway(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	uint8_t address[16];
	struct hv_settings_family *family;

	if (!parse_unicast(value, address))
		return hv_settings_wrong(error, "gateway", value, "not a unicast address");
	family = family_of(user, address);
	memcpy(family->gateway, address, 16);
	family->has_gateway = true;
	return true;
}

static bool apply_dns(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	struct hv_settings_family *family;
	uint8_t address[16];

	if (strcmp(value, "none") == 0) {
		settings->dns_none = true;
		return true;
	}
	if (!parse_unicast(value, address))
		return hv_settings_wrong(error, "dns", value,
					 "neither 'none' nor a unicast address");
	family = family_of(settings, address);
	if (family->dns_count == HV_GUEST_DNS_MAX)
		return hv_settings_wrong(error, "dns", value,
					 "at most three servers of a family");
	memcpy(family->dns[family->dns_count++], address, 16);
	return true;
}

static bool apply_host_name(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	size_t count = settings->static_name_count;
	struct hv_dns_static_name *names;
	char why[HV_OPTION_ERROR / 2];

	if (count == HV_DNS_STATIC_MAX)
		return hv_settings_wrong(error, "host-name", value, "at most 1024 of them");
	names = realloc(settings->static_names, (count + 1) * sizeof(*names));
	if (!names)
		return hv_settings_wrong(error, "host-name", value, "out of memory");
	settings->static_names = names;
	if (!hv_dns_static_parse(value, &names[count], why, sizeof(why))) {
		snprintf(error, HV_OPTION_ERROR, "--host-name: %s", why);
		return false;
	}
	settings->static_name_count++;
	return true;
}

static bool apply_host_loopback(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	uint8_t address[16];
	struct hv_settings_family *family;

	if (!parse_unicast(value, address))
		return hv_settings_wrong(error, "host-loopback", value,
					 "not a unicast address");
	family = family_of(user, address);
	memcpy(family->host_loopback, address, 16);
	family->has_host_loopback = true;
	return true;
}

static bool apply_mtu(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	char *end;
	long mtu = strtol(value, &end, 10);

	if (*end || end == value || mtu < 576 || mtu > 65520)
		return hv_settings_wrong(error, "mtu", value, "not a number from 576 to 65520");
	settings->mtu = (uint32_t)mtu;
	return true;
}

static bool apply_link(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;

	if (strcmp(value, "auto") == 0)
		settings->wire = HV_WIRE_AUTO;
	else if (strcmp(value, "tap") == 0)
		settings->wire = HV_WIRE_TAP;
	else if (strcmp(value, "veth") == 0)
		settings->wire = HV_WIRE_VETH;
	else
		return hv_settings_wrong(error, "link", value, "it is one of tap, veth, auto");
	return true;
}

static bool apply_ifname(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;

	/* As dev_valid_name() of Linux has it, and no '%', by which the kernel chooses a number. */
	if (!*value || strlen(value) >= IFNAMSIZ || strpbrk(value, "/:%") ||
	    strpbrk(value, " \t\n\v\f\r") || value[0] == '.')
		return hv_settings_wrong(error, "ifname", value, "not a name of an interface");
	settings->ifname = value;
	return true;
}

/* "in" of the command line is towards the guest; haven_fault_parse() only cuts the words apart. */
static bool apply_impair(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct hv_settings *settings = user;
	const char *bad = value;

	if (haven_fault_parse(value, &settings->fault_in, &settings->fault_out, &bad) < 0) {
		snprintf(
			error, HV_OPTION_ERROR,
			"--impair: '%.60s' is not understood; words are loss=1%% burst=1%% "
			"burst-length=10 duplicate=1%% reorder=1%% corrupt=1%% delay=10ms jitter=1ms rate=10mbit queue=64k, "
			"with 'in.' or 'out.' in front for one direction",
			bad);
		return false;
	}
	settings->impaired = true;
	return true;
}

static bool apply_pcap(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct hv_settings *)user)->capture_path = value;
	return true;
}

static bool apply_name(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	if (!hv_control_name_valid(value))
		return hv_settings_wrong(
			error, "name", value,
			"letters, digits, '.', '_' and '-', at most 48, the first a letter or digit");
	((struct hv_settings *)user)->name = value;
	return true;
}

static bool apply_log(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	if (!hv_log_parse_level(value, &((struct hv_settings *)user)->level))
		return hv_settings_wrong(error, "log", value,
					 "it is one of error, warning, info, debug");
	return true;
}

static bool apply_ipv4_only(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_settings *)user)->v6.off = true;
	return true;
}

static bool apply_ipv6_only(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_settings *)user)->v4.off = true;
	return true;
}

static bool apply_root(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_settings *)user)->map_root = true;
	return true;
}

static bool apply_privileged_ports(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	char *end;
	unsigned long limit = strtoul(value, &end, 10);

	/* strtoul() also takes signs and spaces; 65536 makes every port a privileged one, which Linux does not know. */
	if (value[0] < '0' || value[0] > '9' || *end || limit > 65535)
		return hv_settings_wrong(error, "privileged-ports", value,
					 "a number from 0 to 65535");
	((struct hv_settings *)user)->privileged_ports = (uint32_t)limit;
	return true;
}

static bool apply_userns(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct hv_settings *)user)->userns_path = value;
	return true;
}

static bool apply_help(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_settings *)user)->help = true;
	return true;
}

const struct hv_option hv_settings_options[] = {
	{'p', "publish", "SPEC|auto",
	 "publish a port of the guest on the host; repeatable\n"
	 "SPEC: [[ADDR:]HOSTPORT[-END]:]PORT[-END][/tcp|/udp][/tls]\n"
	 "ports are numbers or names of services: 8080:http\n"
	 "/tls: clients speak TLS, the guest need not: 8443:80/tls\n"
	 "auto: whatever the guest listens on, at the same port",
	 BOTH, apply_publish},
	{0, "name", "NAME",
	 "what 'haven ls', 'ports' and others call this network\n"
	 "(default: the command's name and a number)",
	 BOTH, apply_name},
	{'4', "ipv4-only", NULL, "no IPv6 in the guest", BOTH, apply_ipv4_only},
	{'6', "ipv6-only", NULL, "no IPv4 in the guest", BOTH, apply_ipv6_only},
	{0, "root", NULL, "be root inside (user and group 0)", HV_COMMAND_RUN, apply_root},
	{0, "privileged-ports", "N",
	 "binding a port below N takes root inside\n"
	 "(default: 0, every port is for all; a host has 1024)",
	 HV_COMMAND_RUN, apply_privileged_ports},
	{0, "address", "ADDR[/BITS]",
	 "the guest's address, once for each family\n"
	 "(default: 10.0.2.100/24, fd00::100/64)",
	 BOTH, apply_address},
	{0, "gateway", "ADDR",
	 "the gateway's address, once for each family\n"
	 "(default: 2 in the guest's network)",
	 BOTH, apply_gateway},
	{0, "dns", "ADDR|none",
	 "the guest's DNS server; in the guest's network the gateway\n"
	 "answers there, by the host's resolvers; else a server out\n"
	 "there; none: no DNS at the gateway (default: 3 in the\n"
	 "guest's network); repeatable",
	 BOTH, apply_dns},
	{0, "allow", "RULE",
	 "allow flows: in|out [tcp|udp|icmp|any] [HOST][:PORTS]\n"
	 "[from HOST] [log] [limit N/s] [max N]; repeatable. As soon as\n"
	 "one of 'out' stands, all else out is refused. HOST: address,\n"
	 "block, name, *.name, host; PORTS: numbers, ranges, services",
	 BOTH, hv_settings_allow},
	{0, "deny", "RULE",
	 "refuse flows; 'drop' in it: without a word. Rules are tried\n"
	 "in the order given, the first that matches decides",
	 BOTH, hv_settings_deny},
	{0, "policy", "FILE", "rules of a file, one a line, with allow or deny in front", BOTH,
	 hv_settings_policy},
	{0, "require-sni", "yes|no",
	 "whether TLS, HTTP and QUIC to what is allowed by name must\n"
	 "say that name in the clear (default: yes)",
	 BOTH, hv_settings_require_sni},
	{0, "dns-strict", NULL, "answer no DNS question for a name that no rule can reach",
	 BOTH, hv_settings_dns_strict},
	{0, "name-floor", "SECONDS",
	 "how long a name in a rule holds an address at least,\n"
	 "whatever DNS says (default: 60)",
	 BOTH, hv_settings_name_floor},
	{0, "audit", "FILE",
	 "append a line of JSON for each flow that begins, ends, is refused", BOTH,
	 hv_settings_audit},
	{0, "learn", "FILE",
	 "allow everything, and write the smallest policy that would\n"
	 "have let this run through",
	 HV_COMMAND_RUN, hv_settings_learn},
	{0, "host-name", "NAME=ADDR",
	 "a name that the gateway's DNS knows; repeatable\n"
	 "(host.haven is the host, always)",
	 BOTH, apply_host_name},
	{0, "host-loopback", "ADDR",
	 "reach the host's loopback at ADDR (default: out of reach)", BOTH,
	 apply_host_loopback},
	{0, "helper", "ftp[:PORT]",
	 "let FTP's data through, as its control connections at PORT\n"
	 "(default: 21) ask for it; repeatable",
	 BOTH, apply_helper},
	{0, "tls-cert", "FILE",
	 "certificate of published ports with /tls, and its chain\n"
	 "(PEM); repeatable, the name that a client asks for chooses;\n"
	 "read again when it changes (default: by the authority that\n"
	 "'haven ca' shows)",
	 BOTH, hv_settings_tls_cert},
	{0, "tls-key", "FILE",
	 "private key of the --tls-cert before it (default: in the\n"
	 "certificate's file)",
	 BOTH, hv_settings_tls_key},
	{0, "tls-client-ca", "FILE",
	 "clients of /tls must show a certificate that an authority in\n"
	 "FILE has issued",
	 BOTH, hv_settings_tls_client_ca},
	{0, "tls-out", "HOST:PORT",
	 "what the guest sends to HOST:PORT in the clear leaves as TLS,\n"
	 "to a server that is verified to be HOST; repeatable",
	 BOTH, hv_settings_tls_out},
	{0, "tls-out-ca", "FILE", "authorities that --tls-out trusts besides the system's",
	 BOTH, hv_settings_tls_out_ca},
	{0, "mtu", "BYTES", "of the guest's interface (default: 65520)", BOTH, apply_mtu},
	{0, "link", "tap|veth|auto",
	 "what the guest is wired with (default: auto, which is tap\n"
	 "where /dev/net/tun can be opened)",
	 BOTH, apply_link},
	{0, "ifname", "NAME", "of the guest's interface (default: tap0 or eth0)", BOTH,
	 apply_ifname},
	{0, "userns", "PATH", "user namespace to join first (default: found by itself)",
	 HV_COMMAND_ATTACH, apply_userns},
	{0, "impair", "'WORDS'",
	 "a bad network on purpose: loss=1% burst=1% burst-length=10\n"
	 "duplicate=1% reorder=1% corrupt=1% delay=10ms jitter=1ms\n"
	 "rate=10mbit queue=64k;\n"
	 "'in.' (to the guest) or 'out.' in front: one direction",
	 BOTH, apply_impair},
	{0, "pcap", "FILE", "write all packets of the guest's network to FILE (pcapng)", BOTH,
	 apply_pcap},
	{0, "log", "LEVEL",
	 "error, warning, info (flows that open and close) or debug\n"
	 "(default: warning)",
	 BOTH, apply_log},
	{'h', "help", NULL, "show this", BOTH, apply_help},
};
const size_t hv_settings_option_count =
	sizeof(hv_settings_options) / sizeof(hv_settings_options[0]);

void hv_settings_init(struct hv_settings *settings)
{
	memset(settings, 0, sizeof(*settings));
	settings->level = HV_LOG_WARNING;
	settings->wire = HV_WIRE_AUTO;
}

void hv_settings_finish(struct hv_settings *settings)
{
	free(settings->publications);
	settings->publications = NULL;
	haven_rules_destroy(settings->policy.rules);
	settings->policy.rules = NULL;
	haven_services_destroy(settings->services);
	settings->services = NULL;
	free(settings->static_names);
	settings->static_names = NULL;
	free(settings->tls_pairs);
	settings->tls_pairs = NULL;
	free(settings->tls_targets);
	settings->tls_targets = NULL;
}
