"""Where `haven run` cannot be: no user namespaces, no /dev/net/tun, no capability.

    hvt-host, without what namespaces take: haven connect - HOST:PORT == veth == hvt-out
"""

from support.runner import expect_equal, expect_in, test
from support.topology import OUT4

from .support.client import run


def nowhere(haven, *words, data=b""):
    """As nobody, with a /dev that has next to nothing in it, in a user namespace in which no other can be made."""
    place = ["unshare", "--mount", "sh", "-c",
             "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && "
             "exec setpriv --reuid=nobody --regid=nogroup --clear-groups --bounding-set=-all --no-new-privs "
             "unshare --user --map-root-user sh -c '"
             "echo 0 >/proc/sys/user/max_user_namespaces && "
             "exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"' sh \"$@\"", "sh"]
    return run(haven, [*place, *words], data)


@test(identities=("root",), links=("veth",))
def without_namespaces_and_devices(haven):
    result = nowhere(haven, haven.binary, "run", "true")
    expect_equal(result.status, 125, "haven run says no")
    expect_in("max_user_namespaces", result.err, "and why")
    result = nowhere(haven, haven.binary, "connect", "-", f"{OUT4}:7", data=b"all the same")
    expect_equal((result.status, result.out, result.err), (0, b"all the same", ""), "haven connect")
    result = nowhere(haven, haven.binary, "connect", "-", "http://out.test/bytes/100000")
    expect_equal((result.status, len(result.out)), (0, 100_000), result.err)
