"""Registers tests, runs each as the identities and over the links it names, and counts."""

import re
import signal
import sys
import time
import traceback

COUNTS_LINE = "{} passed, {} failed"
CASE_SECONDS_MAX = 400  # what takes longer will never end


class Skip(Exception):
    """Raised by a test that this machine cannot run; says why."""


class Case:
    def __init__(self, function, identities, links, smoke):
        self.function = function
        self.identities = identities
        self.links = links
        self.smoke = smoke


CASES = []


def test(identities=("root", "user"), links=("tap", "veth"), smoke=False):
    """Decorator: the function gets a Haven (see haven.py) for each identity and link."""

    def register(function):
        CASES.append(Case(function, identities, links, smoke))
        return function

    return register


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, expected {wanted!r}")


def expect_in(part, whole, what):
    if part not in whole:
        raise AssertionError(f"{what}: {part!r} is not in {whole[-2000:]!r}")


def expect_match(pattern, text, what):
    found = re.search(pattern, text)
    if not found:
        raise AssertionError(f"{what}: no match of {pattern!r} in {text[-2000:]!r}")
    return found


def run_all(make_haven, words, smoke):
    """Runs what matches one of the words (all without words); returns (passed, failed)."""
    passed = failed = skipped = 0
    for case in CASES:
        if smoke and not case.smoke:
            continue
        for identity in case.identities:
            for link in case.links:
                place = case.function.__module__.replace("test_", "")
                name = f"{place}: {case.function.__name__} [{identity}, {link}]"
                if words and not any(word in name for word in words):
                    continue
                started = time.monotonic()
                verdict = run_one(case, make_haven(identity, link))
                seconds = time.monotonic() - started
                if verdict is None:
                    passed += 1
                    print(f"ok      {name} {seconds:.1f} s")
                elif isinstance(verdict, Skip):
                    skipped += 1
                    print(f"skipped {name}: {verdict}")
                else:
                    failed += 1
                    print(f"FAILED  {name} {seconds:.1f} s\n{verdict}")
                sys.stdout.flush()
    if skipped:
        print(f"{skipped} skipped")
    return passed, failed


def too_long(_signal, _frame):
    raise TimeoutError(f"no end after {CASE_SECONDS_MAX} s")


def run_one(case, haven):
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(CASE_SECONDS_MAX)
    try:
        case.function(haven)
    except Skip as reason:
        return reason
    except Exception:
        return "        " + traceback.format_exc(limit=-3).replace("\n", "\n        ")
    finally:
        signal.alarm(0)
        haven.end()
    return None
