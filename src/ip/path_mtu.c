/* The path MTU cache: a bounded table by destination. See path_mtu.h. */
#include "ip/ip_state.h"

void hv_path_mtu_init(struct hv_ip *ip)
{
	hv_hash_init(&ip->path_mtus.hash, ip->core);
	hv_list_init(&ip->path_mtus.age);
}

static bool entry_equal(const struct hv_hash_node *node, const void *key)
{
	return hv_addr_equal(&hv_container(node, struct hv_path_mtu, node)->dst, key);
}

static uint32_t hash_of(const struct hv_ip *ip, const struct hv_addr *dst)
{
	return (uint32_t)hv_siphash(&ip->core->hash_key, dst, sizeof(*dst));
}

static void remove_entry(struct hv_ip *ip, struct hv_path_mtu *entry)
{
	hv_hash_remove(&ip->path_mtus.hash, &entry->node);
	hv_list_remove(&entry->age);
	ip->path_mtus.count--;
	hv_free(ip->core, entry, sizeof(*entry));
}

void hv_path_mtu_finish(struct hv_ip *ip)
{
	struct hv_path_mtu_table *table = &ip->path_mtus;

	while (!hv_list_is_empty(&table->age))
		remove_entry(ip, hv_container(table->age.next, struct hv_path_mtu, age));
	hv_hash_finish(&table->hash);
}

static struct hv_path_mtu *find(struct hv_ip *ip, const struct hv_addr *dst)
{
	struct hv_hash_node *node;

	if (ip->path_mtus.count == 0)
		return NULL;
	node = hv_hash_find(&ip->path_mtus.hash, hash_of(ip, dst), entry_equal, dst);
	return node ? hv_container(node, struct hv_path_mtu, node) : NULL;
}

uint32_t hv_path_mtu_find(struct hv_ip *ip, const struct hv_addr *dst, uint64_t *until_ns)
{
	struct hv_path_mtu *entry = find(ip, dst);

	if (!entry)
		return 0;
	if (ip->core->now_ns >= entry->until_ns) {
		remove_entry(ip, entry);
		return 0;
	}
	*until_ns = entry->until_ns;
	return entry->mtu;
}

/* RFC 1191 section 7.1: MTUs that links have, for routers that do not say theirs. */
static uint32_t plateau_below(uint32_t size)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};

	for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < size)
			return plateaus[i];
	return HV_PATH_MTU_MIN_V4;
}

static struct hv_path_mtu *add_entry(struct hv_ip *ip, const struct hv_addr *dst)
{
	struct hv_path_mtu_table *table = &ip->path_mtus;
	struct hv_path_mtu *entry;

	if (table->count >= HV_PATH_MTU_ENTRIES)
		remove_entry(ip, hv_container(table->age.next, struct hv_path_mtu, age));
	entry = hv_zalloc(ip->core, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->dst = *dst;
	if (hv_hash_insert(&table->hash, &entry->node, hash_of(ip, dst)) < 0) {
		hv_free(ip->core, entry, sizeof(*entry));
		return NULL;
	}
	hv_list_append(&table->age, &entry->age);
	table->count++;
	return entry;
}

uint32_t hv_path_mtu_claimed(const struct hv_addr *dst, uint32_t mtu, uint32_t size)
{
	if (hv_addr_is_v4(dst)) {
		if (mtu == 0)
			mtu = plateau_below(size);
		if (mtu < HV_PATH_MTU_MIN_V4)
			mtu = HV_PATH_MTU_MIN_V4;
	} else if (mtu < HV_PATH_MTU_MIN_V6) {
		return 0; /* RFC 8201 section 4: must be discarded */
	}
	return mtu;
}

uint32_t hv_path_mtu_update(struct hv_ip *ip, const struct hv_addr *dst, uint32_t mtu,
			    uint32_t size)
{
	uint32_t now_mtu = hv_ip_mtu(ip, dst);
	struct hv_path_mtu *entry;

	mtu = hv_path_mtu_claimed(dst, mtu, size);
	if (!mtu)
		return 0;
	/* Never up (RFC 1191 section 3); no route, no path. */
	if (mtu >= now_mtu)
		return now_mtu;
	entry = find(ip, dst);
	if (!entry)
		entry = add_entry(ip, dst);
	if (!entry)
		return 0;
	entry->mtu = mtu;
	entry->until_ns = ip->core->now_ns + HV_PATH_MTU_LIFETIME_NS;
	hv_list_remove(&entry->age);
	hv_list_append(&ip->path_mtus.age, &entry->age);
	hv_ip_paths_changed(ip);
	return mtu;
}

void hv_ip_mtu_note(struct hv_ip *ip, const struct hv_addr *dst, uint32_t mtu)
{
	hv_path_mtu_update(ip, dst, mtu, 0);
}
