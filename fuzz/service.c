/*
 * What people type and what files say about ports: the first byte chooses between ports, a URL, an
 * /etc/services, and a near name. Whatever is taken must be sound.
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

/* Every answer to `name` has it, by name and by prefix. */
static void names(const struct haven_services *overlay, const char *name)
{
	struct haven_service_query query;
	struct haven_service service;
	const char *near[4];
	size_t count = haven_service_nearest(overlay, name, 0, near, 4);

	for (size_t i = 0; i < count; i++) {
		haven_service_by_name(&query, overlay, near[i], 0);
		check(haven_service_next(&query, &service));
	}
	haven_service_by_name(&query, overlay, name, 0);
	while (haven_service_next(&query, &service))
		check(service.protocols && service.first <= service.last);
	haven_service_by_prefix(&query, overlay, name, 0);
	while (haven_service_next(&query, &service))
		check(strncasecmp(query.matched, name, strlen(name)) == 0);
}

static void file(const char *text, size_t size)
{
	struct haven_services *overlay;
	struct haven_service_query query;
	struct haven_service service;
	struct haven_env env;

	haven_env_default(&env);
	if (haven_services_parse(&env, text, size, &overlay, NULL) < 0)
		return;
	haven_service_by_range(&query, overlay, 0, 65535, 0);
	while (haven_service_next(&query, &service)) {
		struct haven_service_query by_name;
		struct haven_service found;

		if (!service.overlay)
			continue;
		haven_service_by_name(&by_name, overlay, service.name, 0);
		do
			check(haven_service_next(&by_name, &found));
		while (found.first != service.first || strcmp(found.name, service.name) != 0);
	}
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
	/* Those that look at every name or port are slow, and have fewer numbers. */
	switch (data[0] % 32) {
	default:
		ports(NULL, text, size - 1);
		break;
	case '1' % 32:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		url(NULL, text);
		break;
	case '2' % 32:
		names(NULL, text);
		break;
	case '3' % 32:
		file(text, size - 1);
		break;
	}
	free(text);
	return 0;
}
