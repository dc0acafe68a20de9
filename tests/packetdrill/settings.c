/*
 * Flags and sysctls: see settings.h.
 */
#include "settings.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ADDRESS[/BITS]" */
static bool parse_local(struct local_address *local, const char *text)
{
	char address[INET6_ADDRSTRLEN + 1] = "";
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	struct sockaddr_in *v4 = (struct sockaddr_in *)&local->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&local->address;

	if (length >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)length, text);
	memset(&local->address, 0, sizeof(local->address));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		local->prefix_bits = 16;
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		local->prefix_bits = 64;
	} else {
		return false;
	}
	if (slash)
		local->prefix_bits = (unsigned)strtoul(slash + 1, NULL, 10);
	return true;
}

static bool set_flag(struct settings *settings, const char *key, const char *value)
{
	if (!strcmp(key, "local")) {
		return settings->local_count < SETTINGS_ADDRESSES &&
		       parse_local(&settings->locals[settings->local_count++], value);
	} else if (!strcmp(key, "remote")) {
		return true;
	} else if (!strcmp(key, "mtu")) {
		settings->mtu = (unsigned)strtoul(value, NULL, 10);
		return settings->mtu >= 68 && settings->mtu <= 65535;
	} else if (!strcmp(key, "quickack")) {
		settings->no_quick_acks = !strcmp(value, "0");
		return settings->no_quick_acks || !strcmp(value, "1");
	} else if (!strcmp(key, "wmem")) {
		settings->linux_wmem = !strcmp(value, "linux");
		return settings->linux_wmem;
	} else if (!strcmp(key, "segment")) {
		settings->segment = (unsigned)strtoul(value, NULL, 10);
		return settings->segment <= 65535;
	} else if (!strcmp(key, "sysctl")) {
		snprintf(settings->file, sizeof(settings->file), "%s", value);
		return true;
	}
	return false;
}

bool settings_init(struct settings *settings, const char *flags)
{
	char *text = strdup(flags ? flags : ""), *rest = text, *word;
	bool good = text != NULL;

	*settings = (struct settings){.mtu = 1500};
	while (good && (word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (!*word)
			continue;
		if (value)
			*value++ = '\0';
		if (!value || !set_flag(settings, word, value)) {
			fprintf(stderr, "haven-packetdrill: bad flag '%s'\n", word);
			good = false;
		}
	}
	free(text);
	return good;
}

/* As much of it as there is room for. */
static void copy_text(char *to, size_t room, const char *from)
{
	size_t length = strnlen(from, room - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

static void set_sysctl(struct settings *settings, const char *name, const char *value)
{
	struct setting *setting = NULL;

	for (unsigned i = 0; i < settings->sysctl_count; i++) {
		if (!strcmp(settings->sysctls[i].name, name))
			setting = &settings->sysctls[i];
	}
	if (!setting) {
		if (settings->sysctl_count == SETTINGS_SYSCTLS)
			return;
		setting = &settings->sysctls[settings->sysctl_count++];
		copy_text(setting->name, sizeof(setting->name), name);
	}
	copy_text(setting->value, sizeof(setting->value), value);
}

void settings_reload(struct settings *settings)
{
	FILE *file = settings->file[0] ? fopen(settings->file, "re") : NULL;
	char line[256];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *value = strchr(line, '='), *name = line, *part;

		if (!value)
			continue;
		*value++ = '\0';
		value[strcspn(value, "\n")] = '\0';
		while ((part = strpbrk(name, "./")))
			name = part + 1;
		set_sysctl(settings, name, value);
	}
	fclose(file);
}

const char *settings_text(const struct settings *settings, const char *name)
{
	for (unsigned i = 0; i < settings->sysctl_count; i++) {
		if (!strcmp(settings->sysctls[i].name, name))
			return settings->sysctls[i].value;
	}
	return NULL;
}

long settings_number(const struct settings *settings, const char *name, unsigned index,
		     long otherwise)
{
	const char *text = settings_text(settings, name);
	long number = otherwise;

	if (!text)
		return otherwise;
	for (unsigned i = 0; i <= index; i++) {
		char *end;

		number = strtol(text, &end, 0);
		if (end == text)
			return otherwise;
		text = end;
	}
	return number;
}
