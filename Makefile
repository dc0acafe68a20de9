# A thin front for Meson and the scripts in tools/. doc/hacking.md says what each does.
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 20
SEEDS ?= 1-1000000

.NOTPARALLEL:
.PHONY: all demo check services browser install bench fuzz simulate packetdrill format lint deps clean

all:
	@tools/build plain

deps:
	@tools/install-deps build test lint system services-check bench demo fuzz

demo:
	@tools/install-deps build demo
	@tools/build plain
	@HAVEN=$(CURDIR)/build/plain/haven tools/demo

check:
	@tools/install-deps build test system services-check fuzz
	@tools/run-tests

# Real servers and clients of every service, or those that WORDS name: tests/services/run --help
services:
	@tools/install-deps build system services-check
	@tools/install-deps --each services
	@tools/build plain
	@HAVEN=$(CURDIR)/build/plain/haven tests/services/run $(WORDS)

# A real browser, curl and openssl at a port with TLS, before and after they trust the local authority
browser:
	@tools/install-deps build system browser
	@tools/build plain
	@HAVEN=$(CURDIR)/build/plain/haven tests/system/run tls.trust

install:
	@tools/build plain --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build/plain --no-rebuild --quiet

bench:
	@tools/install-deps build bench
	@tools/build plain
	@status=0; export HAVEN=$(CURDIR)/build/plain/haven; \
	for part in run policy tls; do bench/$$part || status=1; done; exit $$status

fuzz:
	@tools/install-deps build fuzz
	@tools/fuzz --seconds $(FUZZ_SECONDS)

# packetdrill's own program and a folder of its scripts: doc/tcp.md
packetdrill:
	@tools/build plain -Dtests=enabled
	@tests/packetdrill/run $(PACKETDRILL) $(SCRIPTS)

simulate:
	@tools/install-deps build test
	@tools/simulate $(SEEDS)

format:
	@tools/install-deps lint
	@tools/c-files | xargs clang-format-14 -i

lint:
	@tools/install-deps build test lint
	@tools/lint

clean:
	@rm -rf build
