/* A port table on a counted environment, and short ways to write addresses and binds. */
#ifndef PORT_FIXTURE_H
#define PORT_FIXTURE_H

#include <netinet/in.h>

#include "port/port.h"
#include "support/test.h"

struct port_fixture {
	struct test_env env;
	struct hv_core core;
	struct hv_port_table table;
};

static inline void port_setup(struct port_fixture *f, uint64_t seed,
			      const struct hv_port_config *config)
{
	struct haven_env env;

	test_env_init(&f->env, seed);
	env = test_env_haven(&f->env);
	assert_int_equal(hv_core_init(&f->core, &env), 0);
	assert_int_equal(hv_port_table_init(&f->table, &f->core, config), 0);
}

static inline void port_teardown(struct port_fixture *f)
{
	hv_port_table_finish(&f->table);
	hv_core_finish(&f->core);
	assert_int_equal(f->core.memory_bytes, 0);
	test_env_finish(&f->env);
}

/* "10.0.0.N", or fd00::N. N 0: any. */
static inline struct hv_addr v4(uint8_t n)
{
	return hv_addr_v4(n ? (const uint8_t[4]){10, 0, 0, n} : (const uint8_t[4]){0});
}
static inline struct hv_addr v6(uint8_t n)
{
	return hv_addr_v6(n ? (const uint8_t[16]){0xfd, [15] = n} : (const uint8_t[16]){0});
}

#endif
