/*
 * The server's side of TLS: its context, and what of it is new. See tls_in.h.
 */
#include "gateway/tls_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/gateway.h"
#include "gateway/relay_tls.h"
#include "gateway/tls_local.h"

/* How often files are looked at, and what the machine is called. */
#define LOOK_FILES_NS HV_NS_PER_S
#define LOOK_LOCAL_NS (3600 * HV_NS_PER_S)

struct hv_tls_in {
	struct hv_gateway *gateway;
	struct hv_tls_in_config config;
	const char *network;		   /* its name; NULL: none was given */
	struct haven_tls_context *context; /* NULL: nobody needed it yet */
	struct hv_tls_local *local;	   /* NULL: files, or nobody needed it yet */
	struct hv_tls_set set;		   /* what the context was made of; its stamps alone */
	struct hv_tls_stamp authorities;   /* of config.client_ca */
	struct hv_loop_timer timer;
	bool failed; /* the files have changed, and could not be used when last looked at */
	bool told;   /* that was said */
};

struct haven_tls_context *hv_tls_in_context(const struct hv_gateway *gateway)
{
	return gateway->tls_in->context;
}

/* What the context is to be made of. */
struct fresh {
	struct hv_tls_set set; /* of files */
	const struct haven_tls_identity *identities;
	unsigned count;
	struct hv_tls_file authorities;
};

static void fresh_free(struct fresh *fresh)
{
	hv_tls_set_free(&fresh->set);
	hv_tls_file_free(&fresh->authorities);
}

static int fresh_read(const struct hv_tls_in *in, struct fresh *fresh, char *error, size_t size)
{
	const struct hv_tls_in_config *config = &in->config;
	int failed = 0;

	*fresh = (struct fresh){0};
	if (in->local) {
		fresh->identities = hv_tls_local_identities(in->local, &fresh->count);
	} else {
		failed = hv_tls_set_read(config->pairs, config->pair_count, &fresh->set, error,
					 size);
		fresh->identities = fresh->set.identities;
		fresh->count = fresh->set.count;
	}
	if (failed == 0 && config->client_ca)
		failed = hv_tls_file_read(config->client_ca, &fresh->authorities, error, size);
	if (failed < 0)
		fresh_free(fresh);
	return failed;
}

/* A client wants a name that none of the certificates has: the local authority may have it. */
static void name_missing(void *user, const char *name)
{
	struct hv_tls_in *in = user;
	const struct haven_tls_identity *identities;
	unsigned count;

	if (!in->local || !hv_tls_local_add(in->local, name))
		return;
	identities = hv_tls_local_identities(in->local, &count);
	haven_tls_context_replace(in->context, identities, count, NULL);
}

static int create_context(struct hv_tls_in *in, const struct fresh *fresh,
			  struct haven_tls_context **out, struct haven_tls_error *error)
{
	struct haven_tls_config config;

	haven_tls_config_init(&config, HAVEN_TLS_SERVER);
	config.output_bytes = HV_RELAY_TLS_OUTPUT;
	config.identities = fresh->identities;
	config.identity_count = fresh->count;
	config.user = in;
	config.name_missing = name_missing;
	if (fresh->authorities.text) {
		config.client_auth = HAVEN_TLS_CLIENT_AUTH_REQUIRED;
		config.trust = fresh->authorities.text;
		config.trust_size = fresh->authorities.size;
	}
	return haven_tls_context_create(&config, out, error);
}

static bool authorities_changed(const struct hv_tls_in *in)
{
	return in->config.client_ca &&
	       hv_tls_file_changed(in->config.client_ca, &in->authorities);
}

/* Other authorities take another context, so that no ticket of before is good; with the same ones tickets stay good. */
static int use(struct hv_tls_in *in, const struct fresh *fresh, struct haven_tls_error *error)
{
	struct haven_tls_context *context;
	int failed;

	if (in->context && !authorities_changed(in))
		return haven_tls_context_replace(in->context, fresh->identities, fresh->count,
						 error);
	failed = create_context(in, fresh, &context, error);
	if (failed < 0)
		return failed;
	/* Connections that have it keep it. */
	haven_tls_context_destroy(in->context);
	in->context = context;
	return 0;
}

static void tell_dates(const struct hv_tls_in *in, const struct hv_tls_set *set)
{
	char line[512];

	for (unsigned i = 0; i < set->count; i++) {
		if (hv_tls_set_dates(set, i, time(NULL), line, sizeof(line)))
			hv_log_line(in->gateway->log, HV_LOG_WARNING, "%s", line);
	}
}

/* 0, or a negative errno with one line in text. */
static int load(struct hv_tls_in *in, char *text, size_t size)
{
	struct haven_tls_error error;
	struct fresh fresh;
	int failed = fresh_read(in, &fresh, text, size);

	if (failed < 0)
		return failed;
	failed = use(in, &fresh, &error);
	if (failed < 0) {
		hv_tls_fault_text(&error, in->config.client_ca, text, size);
		fresh_free(&fresh);
		return failed;
	}
	tell_dates(in, &fresh.set);
	hv_tls_set_free(&in->set);
	in->set = fresh.set;
	hv_tls_set_forget(&in->set);
	in->authorities = fresh.authorities.stamp;
	hv_tls_file_free(&fresh.authorities);
	return 0;
}

/* --- what is new ------------------------------------------------------------------------ */

static bool changed(const struct hv_tls_in *in)
{
	return hv_tls_set_changed(in->config.pairs, &in->set) || authorities_changed(in);
}

/*
 * A certificate and its key are two files, and are seldom written in one instant: what fails when it is first looked at is
 * looked at once more before it is told.
 */
static void look_at_files(struct hv_loop_timer *timer)
{
	struct hv_tls_in *in = hv_container(timer, struct hv_tls_in, timer);
	const struct hv_log *log = in->gateway->log;
	char text[512];

	if (!changed(in)) {
		in->failed = in->told = false;
	} else if (load(in, text, sizeof(text)) == 0) {
		hv_log_line(log, HV_LOG_INFO, "TLS: certificates were read again");
		in->failed = in->told = false;
	} else if (!in->failed) {
		in->failed = true;
	} else if (!in->told) {
		in->told = true;
		hv_log_line(log, HV_LOG_WARNING,
			    "TLS: the new certificates cannot be used, those of before are: %s",
			    text);
	}
	hv_loop_timer_set(&in->gateway->loop, timer, in->gateway->loop.now_ns + LOOK_FILES_NS);
}

static void look_at_machine(struct hv_loop_timer *timer)
{
	struct hv_tls_in *in = hv_container(timer, struct hv_tls_in, timer);
	char text[512];
	int failed = 0;

	if (hv_tls_local_is_stale(in->local, time(NULL)))
		failed = hv_tls_local_renew(in->local, text, sizeof(text));
	if (failed == 0)
		failed = load(in, text, sizeof(text));
	if (failed < 0)
		hv_log_line(in->gateway->log, HV_LOG_WARNING, "TLS: no new certificate: %s",
			    text);
	hv_loop_timer_set(&in->gateway->loop, timer, in->gateway->loop.now_ns + LOOK_LOCAL_NS);
}

/* --- life ------------------------------------------------------------------------------- */

static int start(struct hv_tls_in *in, struct hv_gateway_error *error)
{
	struct hv_loop *loop = &in->gateway->loop;
	int failed = load(in, error->text, sizeof(error->text));

	if (failed < 0)
		return failed;
	in->timer.expired = in->local ? look_at_machine : look_at_files;
	return hv_loop_timer_set(loop, &in->timer,
				 loop->now_ns + (in->local ? LOOK_LOCAL_NS : LOOK_FILES_NS));
}

int hv_tls_in_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		     struct hv_gateway_error *error)
{
	struct hv_tls_in *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	gateway->tls_in = in;
	in->gateway = gateway;
	in->config = config->tls_in;
	in->network = config->name;
	return in->config.pair_count > 0 ? start(in, error) : 0;
}

int hv_tls_in_need(struct hv_gateway *gateway, struct hv_gateway_error *error)
{
	struct hv_tls_in *in = gateway->tls_in;
	int failed;

	if (in->context)
		return 0;
	if (!in->local) {
		failed = hv_tls_local_open(in->network, &in->local, error->text,
					   sizeof(error->text));
		if (failed < 0)
			return failed;
	}
	return start(in, error);
}

void hv_tls_in_destroy(struct hv_gateway *gateway)
{
	struct hv_tls_in *in = gateway->tls_in;

	if (!in)
		return;
	hv_loop_timer_cancel(&gateway->loop, &in->timer);
	haven_tls_context_destroy(in->context);
	hv_tls_local_close(in->local);
	hv_tls_set_free(&in->set);
	free(in);
	gateway->tls_in = NULL;
}
