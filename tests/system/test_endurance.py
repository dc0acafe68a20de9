"""Many connections leave nothing behind.

    guest: clients -- haven -- hvt-host == veth == hvt-out: echo on port 7
"""

import time

from support.haven import descriptors, eventually, memory_kib
from support.runner import expect, expect_in, test
from support.topology import OUT4, SUPPORT


def measured(haven, *words, seconds):
    """Runs support/many.py twice in one guest; memory and descriptors before and after.

    The first, small, round warms what is kept for good (tables, pools). many.py waits on
    its standard input between the rounds.
    """
    process = haven.start("--", "python3", f"{SUPPORT}/many.py", OUT4, "7", *words,
                          stdin=-1)
    pid = haven.gateway(process)
    expect_in("ready", process.stdout.readline(), "warmed up")
    settle(pid, descriptors(pid))
    before = descriptors(pid), memory_kib(pid)
    process.stdin.write("go\n")
    process.stdin.flush()
    started = time.monotonic()
    line = process.stdout.readline()
    expect_in("all good", line, f"the load, after {time.monotonic() - started:.0f} s "
              f"of at most {seconds}")
    settle(pid, before[0])
    eventually(lambda: memory_kib(pid) <= before[1] + 2048,
               f"memory returns to {before[1]} KiB + 2 MiB, has {memory_kib(pid)}", 90)
    expect(descriptors(pid) <= before[0], "descriptors are back")


def settle(pid, wanted):
    eventually(lambda: descriptors(pid) <= wanted,
               f"{wanted} descriptors, has {descriptors(pid)}", 90)


@test(identities=("user",))
def twenty_thousand_one_after_the_other(haven):
    measured(haven, "--sequential", "20000", seconds=120)


@test(identities=("user",))
def five_thousand_at_a_time(haven):
    measured(haven, "--concurrent", "5000", seconds=60)


@test(identities=("root",), links=("tap",))
def both_as_root(haven):
    measured(haven, "--sequential", "20000", "--concurrent", "5000", seconds=120)
