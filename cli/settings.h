/*
 * What the options of `haven run` and `haven attach` say, and what guest and gateway are told
 * by it.
 */
#ifndef HV_CLI_SETTINGS_H
#define HV_CLI_SETTINGS_H

#include <haven/filter.h>

#include "cli/options.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"

enum hv_command {
	HV_COMMAND_RUN = 1 << 0,
	HV_COMMAND_ATTACH = 1 << 1,
};

struct hv_settings_family {
	bool off;
	bool has_address, has_gateway;
	uint8_t address[16], gateway[16];
	uint8_t prefix;
	bool has_host_loopback;
	uint8_t host_loopback[16];
	uint8_t dns[HV_GUEST_DNS_MAX][16];
	unsigned dns_count; /* 0: the default */
};

struct hv_settings {
	struct hv_settings_family v4, v6;
	bool dns_none;
	uint32_t mtu; /* 0: the default */
	enum hv_wire_kind wire;
	const char *ifname;	  /* NULL: the default */
	const char *capture_path; /* NULL: none */
	const char *name;	  /* NULL: one is made */
	const char *userns_path;  /* attach */
	bool map_root;
	uint32_t privileged_ports; /* 0: none */
	bool impaired;
	struct haven_fault fault_in, fault_out;
	struct hv_publication *publications;
	size_t publication_count;
	bool publish_auto;
	struct hv_policy_config policy;	 /* its rules are handed on by hv_settings_gateway */
	struct haven_services *services; /* /etc/services, once rules want it */
	struct hv_dns_static_name *static_names;
	size_t static_name_count;
	struct hv_tls_pair *tls_pairs; /* --tls-cert, --tls-key */
	unsigned tls_pair_count;
	const char *tls_client_ca;
	struct hv_tls_target *tls_targets; /* --tls-out */
	unsigned tls_target_count;
	const char *tls_out_ca;
	uint16_t ftp_ports[HV_FTP_PORTS_MAX]; /* --helper ftp */
	unsigned ftp_port_count;
	enum hv_log_level level;
	uint64_t started_ns; /* set by who reads the clock */
	bool help;
};

extern const struct hv_option hv_settings_options[];
extern const size_t hv_settings_option_count;

void hv_settings_init(struct hv_settings *settings);
void hv_settings_finish(struct hv_settings *settings);

/* The options about rules, as hv_option.apply: settings_policy.c */
bool hv_settings_allow(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_deny(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_policy(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_require_sni(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_dns_strict(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_name_floor(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_audit(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_learn(void *user, const char *value, char error[HV_OPTION_ERROR]);
/* What they may not be together. */
bool hv_settings_policy_complete(const struct hv_settings *settings,
				 char error[HV_OPTION_ERROR]);

/* The options about TLS: settings_tls.c */
bool hv_settings_tls_cert(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_tls_key(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_tls_client_ca(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_tls_out(void *user, const char *value, char error[HV_OPTION_ERROR]);
bool hv_settings_tls_out_ca(void *user, const char *value, char error[HV_OPTION_ERROR]);
/* What they may not be together, and what has to be there for others. */
bool hv_settings_tls_complete(const struct hv_settings *settings, char error[HV_OPTION_ERROR]);

/* Check what single options cannot, and fill in what was not said. False with a line in error. */
bool hv_settings_complete(struct hv_settings *settings, char error[HV_OPTION_ERROR]);

/* A message about an option: "--NAME 'VALUE': WHAT". Returns false. */
bool hv_settings_wrong(char error[HV_OPTION_ERROR], const char *option, const char *value,
		       const char *what);

/* After hv_settings_complete. The guest's network as initialised by hv_guest_*_init is changed. */
void hv_settings_guest_network(const struct hv_settings *settings,
			       struct hv_guest_network *network);
void hv_settings_guest_dns(const struct hv_settings *settings,
			   struct hv_guest_options *options);
/* The rules belong to config from here on. */
void hv_settings_gateway(struct hv_settings *settings, const struct hv_guest_network *network,
			 const struct hv_log *log, struct hv_gateway_config *config);

#endif
