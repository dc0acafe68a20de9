/*
 * /etc/hosts. See hosts.h.
 */
#include "cli/hosts.h"

#include <string.h>
#include <strings.h>

#include "cli/read_file.h"
#include "gateway/address.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

#define BLANKS " \t\r"

/* The next word of [*at, end), NULL: there is none. */
static const char *next_word(const char **at, const char *end, size_t *size)
{
	const char *word;

	while (*at < end && strchr(BLANKS, **at))
		++*at;
	word = *at;
	while (*at < end && !strchr(BLANKS, **at))
		++*at;
	*size = (size_t)(*at - word);
	return *size > 0 ? word : NULL;
}

static bool names(const char *at, const char *end, const char *name)
{
	const char *word;
	size_t size;

	while ((word = next_word(&at, end, &size))) {
		if (size == strlen(name) && strncasecmp(word, name, size) == 0)
			return true;
	}
	return false;
}

static unsigned add(uint8_t addresses[HV_HOSTS_MAX][16], unsigned count,
		    const uint8_t address[16])
{
	for (unsigned i = 0; i < count; i++) {
		if (hv_address_equal(addresses[i], address))
			return count;
	}
	if (count < HV_HOSTS_MAX)
		memcpy(addresses[count++], address, 16);
	return count;
}

static unsigned read_line(const char *at, const char *end, const char *name,
			  uint8_t addresses[HV_HOSTS_MAX][16], unsigned count)
{
	size_t size;
	const char *word = next_word(&at, end, &size);
	uint8_t address[16];
	char text[64];

	if (!word || size >= sizeof(text))
		return count;
	memcpy(text, word, size);
	text[size] = '\0';
	if (hv_address_parse(text, address) && names(at, end, name))
		count = add(addresses, count, address);
	return count;
}

unsigned hv_hosts_find(const char *text, size_t size, const char *name,
		       uint8_t addresses[HV_HOSTS_MAX][16])
{
	const char *end = text + size;
	unsigned count = 0;

	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		const char *comment;

		if (!line_end)
			line_end = end;
		comment = memchr(text, '#', (size_t)(line_end - text));
		count = read_line(text, comment ? comment : line_end, name, addresses, count);
		text = line_end + 1;
	}
	return count;
}

unsigned hv_hosts_lookup(const char *path, const char *name,
			 uint8_t addresses[HV_HOSTS_MAX][16])
{
	size_t size;
	char *text = hv_read_file(path, FILE_BYTES_MAX, &size);
	unsigned count = 0;

	if (text)
		count = hv_hosts_find(text, size, name, addresses);
	hv_read_file_free(text);
	return count;
}

bool hv_hosts_is_localhost(const char *name)
{
	static const char tail[] = ".localhost";
	size_t size = strlen(name);

	return strcmp(name, tail + 1) == 0 ||
	       (size > strlen(tail) && strcmp(name + size - strlen(tail), tail) == 0);
}
