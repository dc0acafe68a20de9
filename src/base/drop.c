/* Texts of drop reasons, from the one list in drop.h. */
#include "base/drop.h"

#include <haven/stack.h>

static const char *const drop_texts[] = {
#define X(symbol, text) [HV_DROP_##symbol] = text,
	HV_DROP_MAP(X)
#undef X
};
_Static_assert(sizeof(drop_texts) / sizeof(drop_texts[0]) == HV_DROP_COUNT,
	       "every drop reason has a text");

const char *hv_drop_text(enum hv_drop reason)
{
	return (unsigned)reason < HV_DROP_COUNT ? drop_texts[reason] : "unknown";
}

unsigned haven_drop_reasons(void)
{
	return HV_DROP_COUNT;
}

const char *haven_drop_name(unsigned reason)
{
	return hv_drop_text((enum hv_drop)reason);
}
