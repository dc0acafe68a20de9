/* cmocka, with the headers that it wants before it, and the fixture of tests that need a core. */
#ifndef TEST_TEST_H
#define TEST_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "support/env.h"

#define TEST_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
