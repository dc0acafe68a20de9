/* See name.h. */
#include "filter/name.h"

int hv_name_canonical(const char *text, size_t size, char out[HAVEN_NAME_SIZE])
{
	char before = '.';

	out[0] = '\0';
	if (size > 0 && text[size - 1] == '.')
		size--;
	if (size == 0 || size > HAVEN_NAME_SIZE - 3)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		if (text[i] <= ' ' || text[i] > '~' || (text[i] == '.' && before == '.')) {
			out[0] = '\0';
			return -EINVAL;
		}
		before = text[i];
		out[i] = hv_name_lower(text[i]);
	}
	out[size] = '\0';
	if (before == '.') {
		out[0] = '\0';
		return -EINVAL;
	}
	return (int)size;
}
