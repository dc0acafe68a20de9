/*
 * TLS as the options have it. See connect_tls.h.
 */
#include "cli/connect_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/read_file.h"

#define PEM_BYTES_MAX ((size_t)4 << 20)

/* --- contexts --------------------------------------------------------------------------- */

/* What the context is made of; it copies all of it. */
struct files {
	char *trust, *chain, *key;
	size_t trust_size, chain_size, key_size;
	struct haven_tls_identity identity;
};

__attribute__((format(printf, 2, 3))) static bool fail(char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, HV_TLS_TEXT, format, arguments);
	va_end(arguments);
	return false;
}

static bool read_pem(const char *option, const char *path, char **text, size_t *size,
		     char *error)
{
	if (!path)
		return true;
	*text = hv_read_file(path, PEM_BYTES_MAX, size);
	if (!*text)
		return fail(error, "--%s: cannot read '%.200s': %s", option, path,
			    strerror(errno));
	return true;
}

static bool read_files(const struct hv_connect_settings *settings, struct files *files,
		       char *error)
{
	return read_pem("ca", settings->ca_path, &files->trust, &files->trust_size, error) &&
	       read_pem("cert", settings->cert_path, &files->chain, &files->chain_size,
			error) &&
	       read_pem("key", settings->key_path, &files->key, &files->key_size, error);
}

/* user: the descriptor. */
static void log_key(void *user, const char *line)
{
	dprintf((int)(intptr_t)user, "%s\n", line);
}

static bool open_key_log(const char *path, struct haven_tls_config *config, char *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(error, "--key-log: cannot write '%.200s': %s", path,
			    strerror(errno));
	config->key_log = log_key;
	config->user = (void *)(intptr_t)fd; /* to the process's end */
	return true;
}

static bool fill(const struct hv_connect_settings *settings, struct files *files,
		 struct haven_tls_config *config, char *error)
{
	if (!read_files(settings, files, error))
		return false;
	files->identity = (struct haven_tls_identity){
		.chain = files->chain,
		.chain_size = files->chain_size,
		.key = files->key,
		.key_size = files->key_size,
	};
	config->identities = &files->identity;
	config->identity_count = files->chain ? 1 : 0;
	config->trust = files->trust;
	config->trust_size = files->trust_size;
	config->handshake_timeout_ns = settings->timeout_ns;
	if (config->role == HAVEN_TLS_SERVER && files->trust)
		config->client_auth = HAVEN_TLS_CLIENT_AUTH_REQUIRED;
	if (settings->insecure)
		config->verify = HAVEN_TLS_VERIFY_NOTHING_INSECURE;
	if (settings->key_log_path)
		return open_key_log(settings->key_log_path, config, error);
	return true;
}

bool hv_tls_make_context(const struct hv_connect_settings *settings, enum haven_tls_role role,
			 const char *default_alpn, struct haven_tls_context **out,
			 char error[HV_TLS_TEXT])
{
	struct haven_tls_config config;
	struct haven_tls_error wrong;
	struct files files = {0};
	bool good;

	haven_tls_config_init(&config, role);
	config.alpn = settings->alpn;
	config.alpn_count = settings->alpn_count;
	if (config.alpn_count == 0 && default_alpn) {
		config.alpn = &default_alpn;
		config.alpn_count = 1;
	}
	good = fill(settings, &files, &config, error);
	if (good && haven_tls_context_create(&config, out, &wrong) < 0)
		good = fail(error, "TLS: %s", wrong.text);
	hv_read_file_free(files.trust);
	hv_read_file_free(files.chain);
	hv_read_file_free(files.key);
	return good;
}

void hv_tls_destroy_context(struct haven_tls_context *context)
{
	haven_tls_context_destroy(context);
}

/* --- on a socket ------------------------------------------------------------------------ */

bool hv_tls_attach(struct haven_socket *socket, struct haven_tls_context *context,
		   const char *server_name, char error[HV_TLS_TEXT])
{
	struct haven_tls_error wrong;

	if (haven_tls_attach(socket, context, server_name, &wrong) == 0)
		return true;
	return fail(error, "TLS: %s", wrong.text);
}

const char *hv_tls_failure(const struct haven_socket *socket)
{
	const struct haven_tls *tls = haven_socket_tls(socket);
	const struct haven_tls_error *wrong = tls ? haven_tls_error(tls) : NULL;

	return wrong && wrong->code != HAVEN_TLS_ERROR_NONE ? wrong->text : NULL;
}

/* --- explaining ------------------------------------------------------------------------- */

static const char *date_text(int64_t seconds, char text[32])
{
	time_t at = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&at, &parts) || strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
		snprintf(text, 32, "a date that is none");
	return text;
}

static void explain_certificate(const struct hv_explain *explain, unsigned index,
				const struct haven_tls_certificate_info *info)
{
	char from[32], to[32];

	hv_explain_step(explain, "certificate",
			json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I}", "index", (int)index,
				  "subject", info->subject, "issuer", info->issuer, "names",
				  info->names, "serial", info->serial, "not_before",
				  (json_int_t)info->not_before, "not_after",
				  (json_int_t)info->not_after),
			"%u: '%s'%s%s%s, issued by '%s', valid from %s to %s", index,
			info->subject, info->names[0] ? " for " : "", info->names, "",
			info->issuer, date_text(info->not_before, from),
			date_text(info->not_after, to));
}

static void explain_checks(const struct hv_explain *explain, enum haven_tls_role role,
			   const struct haven_tls_info *info, const char *asked_for)
{
	bool server = role == HAVEN_TLS_SERVER;

	if (!info->verified) {
		hv_explain_step(explain, "checks",
				json_pack("{s:b, s:s}", "verified", 0, "finding",
					  info->finding.text),
				"NOT VERIFIED%s%s", info->finding.code ? ": " : "",
				info->finding.text);
		return;
	}
	hv_explain_step(explain, "checks", json_pack("{s:b}", "verified", 1),
			"all passed: the chain leads to a certificate that is trusted; dates, "
			"strength and purpose (TLS %s) are good%s%s%s",
			server ? "client" : "server", server ? "" : "; the name is '",
			server ? "" : asked_for, server ? "" : "'");
}

void hv_tls_explain(const struct hv_explain *explain, const struct haven_socket *socket,
		    enum haven_tls_role role, const char *asked_for)
{
	const struct haven_tls *tls = haven_socket_tls(socket);
	struct haven_tls_certificate_info certificate;
	struct haven_tls_info info;

	if (!explain->on)
		return;
	haven_tls_info(tls, &info);
	hv_explain_step(explain, "tls",
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "version",
				  info.version_name, "cipher", info.cipher, "group", info.group,
				  "alpn", info.alpn, "server_name", info.server_name, "resumed",
				  (int)info.resumed),
			"%s, cipher %s, key exchange %s, %s%s", info.version_name, info.cipher,
			info.group[0] ? info.group : "not told",
			info.alpn[0] ? "application protocol "
				     : "no application protocol agreed",
			info.alpn);
	for (unsigned i = 0; haven_tls_certificate(tls, i, &certificate); i++)
		explain_certificate(explain, i, &certificate);
	if (role == HAVEN_TLS_CLIENT || info.certificate_count > 0)
		explain_checks(explain, role, &info, asked_for);
}
