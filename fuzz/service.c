/*
 * What people type and what files say about ports: the first byte chooses between ports, a URL, a near name,
 * an /etc/services and a prefix. Whatever is taken must be sound.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <haven/service.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void ports(const struct haven_services *overlay, const char *text, size_t size)
{
	for (unsigned mask = 0; mask <= HAVEN_SERVICE_UDP; mask++) {
		struct haven_ports out;

		if (haven_ports_parse(overlay, text, size, mask, &out) < 0)
			continue;
		check(out.first <= out.last && out.protocols);
		check(mask == 0 || out.protocol_given || (out.protocols & mask));
	}
}

static void url(const struct haven_services *overlay, const char *text)
{
	struct haven_url out;

	if (haven_url_parse(overlay, text, &out) < 0)
		return;
	check(haven_url_is(text) && out.port && *out.host && *out.scheme && out.service);
	check(out.path_at <= strlen(text));
	check(strlen(out.host) < sizeof(out.host));
	check(out.protocol == HAVEN_SERVICE_TCP || out.protocol == HAVEN_SERVICE_UDP);
	for (const char *c = out.host; *c; c++)
		check(*c > ' ' && *c < 0x7f && !strchr("/@\\?#[]%", *c));
}

/* Names that are near to a wrong one are names. */
static void nearest(const char *word)
{
	struct haven_service_query query;
	struct haven_service service;
	const char *near[4];
	size_t count = haven_service_nearest(NULL, word, 0, near, 4);

	for (size_t i = 0; i < count; i++) {
		haven_service_by_name(&query, NULL, near[i], 0);
		check(haven_service_next(&query, &service));
	}
}

/* Every answer to a prefix begins with it, and is found by that name and by its port. */
static void names(const struct haven_services *overlay, const char *prefix)
{
	struct haven_service_query query, again;
	struct haven_service service, found;

	haven_service_by_prefix(&query, overlay, prefix, 0);
	/* A short prefix has thousands. */
	for (unsigned i = 0; i < 50 && haven_service_next(&query, &service); i++) {
		check(strncasecmp(query.matched, prefix, strlen(prefix)) == 0);
		check(service.protocols && service.first <= service.last);
		haven_service_by_name(&again, overlay, query.matched, 0);
		do
			check(haven_service_next(&again, &found));
		while (found.first != service.first || strcmp(found.name, service.name) != 0);
		haven_service_by_port(&again, overlay, service.last, 0);
		do
			check(haven_service_next(&again, &found));
		while (strcmp(found.name, service.name) != 0);
	}
}

static void file(const char *text, size_t size)
{
	struct haven_services *overlay;
	struct haven_env env;
	char prefix[3] = {0};

	haven_env_default(&env);
	if (haven_services_parse(&env, text, size, &overlay, NULL) < 0)
		return;
	strncpy(prefix, text, sizeof(prefix) - 1);
	names(overlay, prefix);
	names(overlay, text);
	ports(overlay, text, strlen(text));
	url(overlay, text);
	haven_services_destroy(overlay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case '1':
		url(NULL, text);
		break;
	case '2':
		nearest(text);
		break;
	case '3':
		file(text, size - 1);
		break;
	case '4':
		names(NULL, text);
		break;
	default:
		ports(NULL, text, size - 1);
		break;
	}
	free(text);
	return 0;
}
