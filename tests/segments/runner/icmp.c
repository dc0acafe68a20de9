/*
 * ICMP errors: their names, and how they are written in a script:
 *
 *	< icmp host-unreachable seq 1
 *	< icmp too-big mtu 1280 seq 1
 */
#include "icmp.h"

#include <string.h>

#include "cursor.h"

static const struct seg_icmp_kind kinds[] = {
	{"net-unreachable", 3, 0, 1, 0, false},	     {"host-unreachable", 3, 1, 1, 3, false},
	{"protocol-unreachable", 3, 2, 4, 1, false}, /* v6: unrecognised next header */
	{"port-unreachable", 3, 3, 1, 4, false},     {"too-big", 3, 4, 2, 0, true},
	{"source-route-failed", 3, 5, 1, 5, false},  {"prohibited", 3, 13, 1, 1, false},
	{"source-quench", 4, 0, 100, 0, false}, /* v6: a private type, as there is none */
	{"time-exceeded", 11, 0, 3, 0, false},	     {"parameter-problem", 12, 0, 4, 0, false},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const struct seg_icmp_kind *seg_icmp_kind_at(unsigned index)
{
	return &kinds[index];
}

int seg_icmp_kind_find(bool v6, uint8_t type, uint8_t code)
{
	for (int i = 0; i < KINDS; i++)
		if (v6 ? kinds[i].type6 == type && kinds[i].code6 == code
		       : kinds[i].type4 == type && kinds[i].code4 == code)
			return i;
	return -1;
}

bool seg_read_icmp(struct seg_cursor *c, struct seg_icmp *icmp, bool in)
{
	char name[SEG_NAME] = "";

	seg_word(c, name, sizeof(name));
	while (icmp->kind < KINDS && strcmp(kinds[icmp->kind].name, name) != 0)
		icmp->kind++;
	if (icmp->kind == KINDS)
		return seg_bad(c, "no kind of ICMP error is called '%s'", name);
	while (!seg_at_end(c)) {
		bool good;

		if (seg_take_word(c, "mtu"))
			good = seg_value(c, &icmp->mtu);
		else if (seg_take_word(c, "seq"))
			good = seg_value(c, &icmp->seq);
		else if (in && seg_take_word(c, "quote"))
			good = seg_value(c, &icmp->quote);
		else if (in && seg_take_word(c, "bad-checksum"))
			good = icmp->bad_checksum = true;
		else
			good = seg_bad(c, "mtu N, seq N, quote N or bad-checksum was expected");
		if (!good)
			return false;
	}
	if (in && !icmp->seq.given)
		return seg_bad(c, "an ICMP error says which segment it is about: seq N");
	return true;
}
