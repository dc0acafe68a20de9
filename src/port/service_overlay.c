/*
 * The text of a services(5) file as a table. See service_overlay.h.
 *
 * The text is copied and cut into strings in place. What the arrays can need at most is counted beforehand (a
 * row takes a line, a name a word), so that nothing grows while reading.
 */
#include "port/service_overlay.h"

#include <string.h>

#define TEXT_LIMIT (UINT32_C(1) << 20)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* --- look-up ----------------------------------------------------------------------------- */

static uint32_t port_hash(uint16_t port)
{
	return port * UINT32_C(0x9e3779b1) >> 8;
}

uint32_t hv_overlay_probe(const struct haven_services *overlay, const char *name, size_t size,
			  uint32_t *probe)
{
	uint32_t start = hv_service_hash(name, size);

	for (;;) {
		uint32_t slot = overlay->name_slots[(start + *probe) & overlay->slot_mask];

		if (slot == 0)
			return HV_SERVICE_NONE;
		++*probe;
		if (hv_service_compare(name, size, overlay->names[slot - 1].text) == 0)
			return overlay->names[slot - 1].row;
	}
}

uint32_t hv_overlay_probe_port(const struct haven_services *overlay, uint16_t port,
			       uint32_t *probe)
{
	for (;;) {
		uint32_t slot =
			overlay->port_slots[(port_hash(port) + *probe) & overlay->slot_mask];

		if (slot == 0)
			return HV_SERVICE_NONE;
		++*probe;
		if (overlay->rows[slot - 1].port == port)
			return slot - 1;
	}
}

bool hv_overlay_has(const struct haven_services *overlay, uint32_t row, const char *name,
		    size_t size)
{
	for (uint32_t i = overlay->rows[row].first_name; i != HV_SERVICE_NONE;
	     i = overlay->names[i].next) {
		if (hv_service_compare(name, size, overlay->names[i].text) == 0)
			return true;
	}
	return false;
}

uint32_t hv_overlay_twin(const struct haven_services *overlay, uint32_t builtin)
{
	uint32_t probe = 0, row;

	if (!overlay)
		return HV_SERVICE_NONE;
	do {
		row = hv_overlay_probe_port(overlay, hv_service_row_port(builtin), &probe);
	} while (row != HV_SERVICE_NONE && overlay->rows[row].twin != builtin);
	return row;
}

static void add_alias(struct haven_service *service, const char *name)
{
	if (hv_service_compare(name, strlen(name), service->name) == 0 ||
	    service->alias_count == HAVEN_SERVICE_ALIASES)
		return;
	for (unsigned i = 0; i < service->alias_count; i++) {
		if (hv_service_compare(name, strlen(name), service->aliases[i]) == 0)
			return;
	}
	service->aliases[service->alias_count++] = name;
}

void hv_overlay_fill(const struct haven_services *overlay, uint32_t index,
		     struct haven_service *out)
{
	const struct hv_overlay_row *row = &overlay->rows[index];
	struct haven_service twin;
	uint32_t name = row->first_name;

	memset(out, 0, sizeof(*out));
	out->overlay = true;
	out->name = overlay->names[name].text;
	out->description = row->description;
	out->first = out->last = row->port;
	out->protocols = row->protocols;
	while ((name = overlay->names[name].next) != HV_SERVICE_NONE)
		add_alias(out, overlay->names[name].text);
	if (row->twin == HV_SERVICE_NONE)
		return;
	hv_service_row(row->twin, &twin);
	out->protocols |= twin.protocols;
	out->registered = twin.registered &&
			  hv_service_compare(out->name, strlen(out->name), twin.name) == 0;
	if (!*out->description)
		out->description = twin.description;
	add_alias(out, twin.name);
	for (unsigned i = 0; i < twin.alias_count; i++)
		add_alias(out, twin.aliases[i]);
}

/* --- reading ----------------------------------------------------------------------------- */

/* Cuts the next word off *rest. NULL: there is none. */
static char *next_word(char **rest)
{
	char *word = *rest, *end;

	while (is_blank(*word))
		word++;
	if (*word == '\0')
		return NULL;
	for (end = word; *end && !is_blank(*end); end++)
		;
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* "443/tcp" */
static bool parse_port(const char *word, uint16_t *port, uint8_t *protocol)
{
	uint32_t value = 0;
	size_t digits = 0;

	for (; word[digits] >= '0' && word[digits] <= '9' && digits < 6; digits++)
		value = value * 10 + (uint32_t)(word[digits] - '0');
	if (digits == 0 || value > 65535 || word[digits] != '/')
		return false;
	word += digits + 1;
	*port = (uint16_t)value;
	*protocol = (uint8_t)haven_service_protocol(word, strlen(word));
	return *protocol != 0;
}

static void add_name(struct haven_services *overlay, uint32_t row, const char *text)
{
	struct hv_overlay_row *owner = &overlay->rows[row];
	uint32_t name = overlay->name_count, slot;

	if (owner->names > HAVEN_SERVICE_ALIASES ||
	    hv_overlay_has(overlay, row, text, strlen(text)))
		return;
	owner->names++;
	overlay->name_count++;
	overlay->names[name] =
		(struct hv_overlay_name){.text = text, .row = row, .next = HV_SERVICE_NONE};
	if (owner->first_name == HV_SERVICE_NONE)
		owner->first_name = name;
	else
		overlay->names[owner->last_name].next = name;
	owner->last_name = name;
	slot = hv_service_hash(text, strlen(text)) & overlay->slot_mask;
	while (overlay->name_slots[slot])
		slot = (slot + 1) & overlay->slot_mask;
	overlay->name_slots[slot] = name + 1;
}

/* The row that a line belongs to: the same name at the same port, for another protocol, or a new one. */
static uint32_t row_of(struct haven_services *overlay, const char *name, uint16_t port)
{
	uint32_t probe = 0, row, slot;

	while ((row = hv_overlay_probe_port(overlay, port, &probe)) != HV_SERVICE_NONE) {
		const char *official = overlay->names[overlay->rows[row].first_name].text;

		if (hv_service_compare(name, strlen(name), official) == 0)
			return row;
	}
	row = overlay->row_count++;
	overlay->rows[row] = (struct hv_overlay_row){
		.first_name = HV_SERVICE_NONE,
		.description = "",
		.twin = HV_SERVICE_NONE,
		.port = port,
	};
	slot = port_hash(port) & overlay->slot_mask;
	while (overlay->port_slots[slot])
		slot = (slot + 1) & overlay->slot_mask;
	overlay->port_slots[slot] = row + 1;
	return row;
}

/* Returns false when the line is neither empty nor a service. */
static bool read_line(struct haven_services *overlay, char *line)
{
	char *comment = strchr(line, '#');
	char *name, *where, *word;
	uint8_t protocol;
	uint16_t port;
	uint32_t row;

	if (comment) {
		*comment++ = '\0';
		while (is_blank(*comment) || *comment == '#')
			comment++;
		for (size_t end = strlen(comment); end > 0 && is_blank(comment[end - 1]); end--)
			comment[end - 1] = '\0';
	}
	name = next_word(&line);
	if (!name)
		return true;
	where = next_word(&line);
	if (!where || !parse_port(where, &port, &protocol))
		return false;
	row = row_of(overlay, name, port);
	overlay->rows[row].protocols |= protocol;
	if (comment && !*overlay->rows[row].description)
		overlay->rows[row].description = comment;
	add_name(overlay, row, name);
	while ((word = next_word(&line)))
		add_name(overlay, row, word);
	return true;
}

/* The built-in service that a row is: at that port alone, for one of its protocols, with a common name. */
static uint32_t find_twin(const struct haven_services *overlay, uint32_t index)
{
	const struct hv_overlay_row *row = &overlay->rows[index];
	uint32_t builtin;

	for (uint32_t i = 0; (builtin = hv_service_at_port(row->port, i)) != HV_SERVICE_NONE;
	     i++) {
		if (!hv_service_row_single(builtin) ||
		    !(hv_service_row_protocols(builtin) & row->protocols) ||
		    hv_overlay_twin(overlay, builtin) != HV_SERVICE_NONE)
			continue;
		for (uint32_t name = row->first_name; name != HV_SERVICE_NONE;
		     name = overlay->names[name].next) {
			const char *text = overlay->names[name].text;

			if (hv_service_row_has(builtin, text, strlen(text)))
				return builtin;
		}
	}
	return HV_SERVICE_NONE;
}

/* --- sorting: a heap, which needs no memory and has no bad case --------------------------- */

static bool comes_before(const struct haven_services *overlay, uint32_t a, uint32_t b)
{
	const char *text = overlay->names[a].text;
	int d = hv_service_compare(text, strlen(text), overlay->names[b].text);

	return d < 0 || (d == 0 && a < b);
}

static void sift(const struct haven_services *overlay, uint32_t *heap, uint32_t root,
		 uint32_t count)
{
	uint32_t child;

	while ((child = 2 * root + 1) < count) {
		uint32_t top = heap[root];

		if (child + 1 < count && comes_before(overlay, heap[child], heap[child + 1]))
			child++;
		if (!comes_before(overlay, top, heap[child]))
			return;
		heap[root] = heap[child];
		heap[child] = top;
		root = child;
	}
}

static void sort_names(struct haven_services *overlay)
{
	uint32_t *heap = overlay->order;

	for (uint32_t i = 0; i < overlay->name_count; i++)
		heap[i] = i;
	for (uint32_t i = overlay->name_count / 2; i-- > 0;)
		sift(overlay, heap, i, overlay->name_count);
	for (uint32_t end = overlay->name_count; end > 1; end--) {
		uint32_t last = heap[end - 1];

		heap[end - 1] = heap[0];
		heap[0] = last;
		sift(overlay, heap, 0, end - 1);
	}
}

/* --- memory ------------------------------------------------------------------------------ */

/* How many lines and words there can be, and a table that is at most half full of either. */
static void count(struct haven_services *overlay, const char *text, size_t size)
{
	uint32_t slots = 8;

	overlay->text_size = size + 1;
	overlay->row_space = overlay->name_space = 1;
	for (size_t i = 0; i < size; i++) {
		overlay->row_space += text[i] == '\n';
		overlay->name_space += text[i] == '\n' || is_blank(text[i]);
	}
	while (slots / 2 < overlay->name_space)
		slots *= 2;
	overlay->slot_mask = slots - 1;
}

static void *take(struct haven_services *overlay, size_t size)
{
	return overlay->env.alloc(overlay->env.user, size);
}

static void give(const struct haven_env *env, void *memory, size_t size)
{
	if (memory)
		env->free(env->user, memory, size);
}

static bool allocate(struct haven_services *overlay)
{
	size_t slots = (size_t)overlay->slot_mask + 1;

	overlay->text = take(overlay, overlay->text_size);
	overlay->rows = take(overlay, overlay->row_space * sizeof(*overlay->rows));
	overlay->names = take(overlay, overlay->name_space * sizeof(*overlay->names));
	overlay->order = take(overlay, overlay->name_space * sizeof(*overlay->order));
	overlay->name_slots = take(overlay, slots * sizeof(*overlay->name_slots));
	overlay->port_slots = take(overlay, slots * sizeof(*overlay->port_slots));
	if (!overlay->text || !overlay->rows || !overlay->names || !overlay->order ||
	    !overlay->name_slots || !overlay->port_slots)
		return false;
	memset(overlay->name_slots, 0, slots * sizeof(*overlay->name_slots));
	memset(overlay->port_slots, 0, slots * sizeof(*overlay->port_slots));
	return true;
}

int haven_services_parse(const struct haven_env *env, const char *text, size_t size,
			 struct haven_services **out, unsigned *skipped)
{
	struct haven_services *overlay;
	unsigned bad = 0;
	char *line, *end;

	if (size > TEXT_LIMIT)
		return -EINVAL;
	overlay = env->alloc(env->user, sizeof(*overlay));
	if (!overlay)
		return -ENOMEM;
	memset(overlay, 0, sizeof(*overlay));
	overlay->env = *env;
	count(overlay, text, size);
	if (!allocate(overlay)) {
		haven_services_destroy(overlay);
		return -ENOMEM;
	}
	if (size > 0)
		memcpy(overlay->text, text, size);
	overlay->text[size] = '\0';
	for (line = overlay->text; line < overlay->text + size; line = end + 1) {
		end = memchr(line, '\n', (size_t)(overlay->text + size - line));
		if (!end)
			end = overlay->text + size;
		*end = '\0';
		bad += !read_line(overlay, line);
	}
	for (uint32_t i = 0; i < overlay->row_count; i++)
		overlay->rows[i].twin = find_twin(overlay, i);
	sort_names(overlay);
	if (skipped)
		*skipped = bad;
	*out = overlay;
	return 0;
}

void haven_services_destroy(struct haven_services *overlay)
{
	struct haven_env env;
	size_t slots;

	if (!overlay)
		return;
	env = overlay->env;
	slots = (size_t)overlay->slot_mask + 1;
	give(&env, overlay->port_slots, slots * sizeof(*overlay->port_slots));
	give(&env, overlay->name_slots, slots * sizeof(*overlay->name_slots));
	give(&env, overlay->order, overlay->name_space * sizeof(*overlay->order));
	give(&env, overlay->names, overlay->name_space * sizeof(*overlay->names));
	give(&env, overlay->rows, overlay->row_space * sizeof(*overlay->rows));
	give(&env, overlay->text, overlay->text_size);
	env.free(env.user, overlay, sizeof(*overlay));
}
