/* The words that describe a bad network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <haven/link.h>

static struct haven_fault in, out;

static void good(const char *text)
{
	const char *bad = "untouched";

	if (haven_fault_parse(text, &in, &out, &bad) != 0)
		fail_msg("refused: %s", text);
	assert_string_equal(bad, "untouched");
}

/* Refused, and the word that is wrong begins at `at`. */
static void wrong(const char *text, size_t at)
{
	const char *bad = NULL;

	if (haven_fault_parse(text, &in, &out, &bad) != -EINVAL)
		fail_msg("taken: %s", text);
	assert_ptr_equal(bad, text + at);
	assert_int_equal(haven_fault_parse(text, &in, &out, NULL), -EINVAL);
}

static void every_key(void **state)
{
	(void)state;
	good("loss=2% reorder=5% delay=10ms jitter=1ms rate=10mbit queue=64k duplicate=1% "
	     "corrupt=0.1% burst=0.5% burst-length=20 mark=3%");
	assert_int_equal(in.burst_ppm, 5000);
	assert_int_equal(in.burst_packets, 20);
	assert_int_equal(in.mark_ppm, 30000);
	assert_int_equal(in.loss_ppm, 20000);
	assert_int_equal(in.reorder_ppm, 50000);
	assert_int_equal(in.delay_ns, 10000000);
	assert_int_equal(in.jitter_ns, 1000000);
	assert_int_equal(in.rate_bits_per_second, 10000000);
	assert_int_equal(in.queue_bytes, 65536);
	assert_int_equal(in.duplicate_ppm, 10000);
	assert_int_equal(in.corrupt_ppm, 1000);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void nothing_is_perfect(void **state)
{
	static const struct haven_fault perfect;

	(void)state;
	good("");
	assert_memory_equal(&in, &perfect, sizeof(in));
	good(" ,\t\n ");
	assert_memory_equal(&in, &perfect, sizeof(in));
}

static void directions(void **state)
{
	(void)state;
	good("in.loss=1%,out.rate=1gbit,OUT.Delay=3s");
	assert_int_equal(in.loss_ppm, 10000);
	assert_int_equal(out.loss_ppm, 0);
	assert_int_equal(in.rate_bits_per_second, 0);
	assert_int_equal(out.rate_bits_per_second, 1000000000);
	assert_int_equal(out.delay_ns, 3000000000);
	good("loss=3 out.loss=50ppm");
	assert_int_equal(in.loss_ppm, 30000);
	assert_int_equal(out.loss_ppm, 50);
}

static void units(void **state)
{
	(void)state;
	good("delay=1.5us");
	assert_int_equal(in.delay_ns, 1500);
	good("delay=20 jitter=7ns");
	assert_int_equal(in.delay_ns, 20000000);
	assert_int_equal(in.jitter_ns, 7);
	good("rate=1000 queue=1000");
	assert_int_equal(in.rate_bits_per_second, 1000);
	assert_int_equal(in.queue_bytes, 1000);
	good("rate=2.5kbit queue=1mib");
	assert_int_equal(in.rate_bits_per_second, 2500);
	assert_int_equal(in.queue_bytes, 1 << 20);
	good("loss=100% duplicate=.5% corrupt=5.%");
	assert_int_equal(in.loss_ppm, 1000000);
	assert_int_equal(in.duplicate_ppm, 5000);
	assert_int_equal(in.corrupt_ppm, 50000);
	good("loss=0.29%"); /* exact, although no binary fraction */
	assert_int_equal(in.loss_ppm, 2900);
}

static void errors_say_where(void **state)
{
	(void)state;
	wrong("loss", 0);
	wrong("loss=", 0);
	wrong("=1%", 0);
	wrong("lost=1%", 0);
	wrong("loss=1% delay=2x", 8);
	wrong("loss=1%, delay=2ms, rate=10mb", 20);
	wrong("loss=101%", 0);
	wrong("loss=-1%", 0);
	wrong("loss=1.2.3%", 0);
	wrong("loss=.%", 0);
	wrong("loss=1 %", 7);
	wrong("loss=99999999999999999999", 0);
	wrong("delay=3601s", 0);
	wrong("delay=1%", 0);
	wrong("queue=2000m", 0);
	wrong("in.=1%", 0);
	wrong("inn.loss=1%", 0);
	wrong("in.out.loss=1%", 0);
	wrong("loss==1%", 0);
	wrong("delay=10ms loss=\xff", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key),	    cmocka_unit_test(nothing_is_perfect),
		cmocka_unit_test(directions),	    cmocka_unit_test(units),
		cmocka_unit_test(errors_say_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
