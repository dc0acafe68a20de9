"""haven run --learn writes the policy that a program needs; with it, and nothing else, the program works.

    guest: curl, git, pip, npm -- haven --learn FILE, then --policy FILE -- hvt-host == hvt-out == hvt-web
"""

import os
import shutil

from support.runner import Skip, expect, expect_equal, expect_in, test
from support.topology import OUT4

from .support.guest import Guest, PYTHON, Try, by_status, curl, dial


def round_trip(haven, words, names, others):
    """The command under --learn, then under what was learnt, which has these names; and not what else there is."""
    place = f"{haven.topology.directory}/learn-{haven.identity}-{os.urandom(4).hex()}"
    os.mkdir(place)
    os.chmod(place, 0o777)
    path = f"{place}/policy"
    attempt = Try(" ".join(words)[:80], words, by_status({}))

    def fresh():
        shutil.rmtree(f"{place}/new", ignore_errors=True)
        return ["sh", "-c", f'mkdir -p {place}/new && cd {place}/new && HOME={place}/new exec "$@"', "-"]

    table = [(Try(attempt.title, fresh() + words, attempt.judge), "served")]
    with Guest(haven, "--learn", path) as guest:
        guest.tries(table, "while it is learnt")
    with open(path, encoding="utf-8") as file:
        learnt = file.read()
    expect_equal(haven.call(haven.binary, "policy", "--check", path).status, 0, f"a policy: {learnt}")
    for name in names:
        expect_in(name, learnt, "what was learnt")
    expect("10.82." not in learnt, f"names, not addresses: {learnt}")
    table = [(Try(attempt.title, fresh() + words, attempt.judge), "served")]
    with Guest(haven, "--policy", path) as guest:
        guest.tries(table + others, f"under what was learnt:\n{learnt}")


OTHERS = [(curl("https://evil.test/"), "reset"), (dial("tcp", OUT4, 7), "refused")]


@test(links=("tap",), smoke=True)
def curl_learns(haven):
    round_trip(haven, ["curl", "-sSf", "https://good.test/", "https://www.wild.test/"],
               ("good.test", "www.wild.test"), OTHERS)


@test(identities=("user",), links=("tap",))
def git_learns(haven):
    if not shutil.which("git"):
        raise Skip("git is not here")
    round_trip(haven, ["git", "clone", "-q", "https://git.test/git/demo.git"], ("git.test",), OTHERS)


@test(identities=("user",), links=("tap",))
def pip_learns(haven):
    """The index and its files are at two names."""
    has_pip = haven.call(PYTHON, "-m", "pip", "--version").status == 0
    if not has_pip:
        raise Skip("pip is not here")
    round_trip(haven, [PYTHON, "-m", "pip", "download", "-q", "--disable-pip-version-check",
                       "--no-cache-dir", "--no-deps", "--index-url", "https://pypi.test/simple/",
                       "haven-demo"], ("pypi.test", "files.test"), OTHERS)


@test(identities=("user",), links=("tap",))
def npm_learns(haven):
    if not shutil.which("npm") or haven.call("npm", "--version").status != 0:
        raise Skip("npm is not here, or not for this user")
    round_trip(haven, ["npm", "pack", "--silent", "--registry", "https://npm.test/npm/",
                       "haven-demo"], ("npm.test", "files.test"), OTHERS)


@test(identities=("user",), links=("tap",))
def other_protocols_are_learnt(haven):
    python = f"{os.path.dirname(os.path.abspath(__file__))}/support/dial.py"
    script = f"{PYTHON} {python} tcp {OUT4} 7 && {PYTHON} {python} udp peers.test 84"
    round_trip(haven, ["sh", "-c", script], (OUT4, "peers.test"),
               [(dial("tcp", OUT4, 84), "refused"), (dial("udp", OUT4, 7), "refused")])
