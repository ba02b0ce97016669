# The one entry: people and CI call only these. Every target installs what it needs and is missing.
LISTEN ?= 127.0.0.1:8080
DATA ?= ./data
# Anything but nothing: https, with a certificate that is made for this machine.
TLS ?=
FUZZ_SECONDS ?= 60
SEEDS ?= 1-1000
SEED ?= 1

SAY = @echo "==>"
# Whatever a program has started ends with it, however it ends itself. Needs root, without which there is no chaos.
ALL_DIE_WITH = $(if $(filter 0,$(shell id -u)),unshare --pid --fork --kill-child --mount-proc)
CARGO_DENY = 0.20.2
BIN = $(or $(CARGO_TARGET_DIR),target)/release/headwater
WEB_SOURCES = $(wildcard web/*.html web/*.ts web/*.json web/public/*) $(shell find web/src -type f 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test check bench simulate chaos fuzz obs geo web clean
.PHONY: format types lints rules licences toolchain packages-to-run packages-to-test

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: toolchain packages-to-run web ## build and start everything on this machine (LISTEN=127.0.0.1:8080 DATA=./data TLS=1)
	$(SAY) "Building headwater (about 5 minutes on 2 cores the first time)"
	@cargo build --release --locked -p headwater
	$(SAY) "Starting headwater on $(LISTEN), with its data in $(DATA); Ctrl-C stops it"
	@$(BIN) up --data "$(DATA)" --listen "$(LISTEN)" $(if $(TLS),--tls-self-signed)

test: toolchain packages-to-test web .tools/venv/requirements.txt .tools/bin/s3s-fs tests/browser/node_modules/.package-lock.json ## every test: unit, property, conformance, end to end (15 minutes the first time)
	$(SAY) "Testing the web pages (seconds)"
	@npm --prefix web run --silent test
	$(SAY) "Building everything for tests (about 5 minutes on 2 cores the first time)"
	@cargo build --workspace --locked
	$(SAY) "Testing everything: unit, property, conformance with SQLite and Redis, end to end with the real programs (minutes)"
	@scripts/in-memory cargo test --workspace --locked

check: toolchain packages-to-run web format types lints rules licences ## format, types, lints, house rules, licences (8 minutes the first time)

simulate: toolchain ## publishers, recorders and every fault in simulated time (SEEDS=1-1000 WITHOUT=fsync|idempotency|safe-rule|put-back|grace)
	$(SAY) "Building the simulation (about 5 minutes on 2 cores the first time)"
	@cargo build --release --locked -p headwater-simulation
	$(SAY) "Simulating seeds $(SEEDS) (about 6 minutes for a thousand on 2 cores)"
	@$(or $(CARGO_TARGET_DIR),target)/release/headwater-simulation --seeds "$(SEEDS)" $(if $(WITHOUT),--without $(WITHOUT))

chaos: toolchain web .tools/bin/s3s-fs ## break a real fleet behind a bad link in every way, as root (SCENARIO=metro SEED=1 SHORT=1; half an hour for all)
	@scripts/install-packages chaos
	$(SAY) "Building headwater and the chaos (about 8 minutes on 2 cores the first time)"
	@cargo build --release --locked --workspace --bin headwater --bin headwater-chaos
	@scripts/in-memory $(ALL_DIE_WITH) $(or $(CARGO_TARGET_DIR),target)/release/headwater-chaos --seed "$(SEED)" $(SCENARIO:%=--scenario %) $(if $(SHORT),--short)

fuzz: toolchain ## run each fuzz target for FUZZ_SECONDS (60)
	@scripts/install-packages fuzz
	@FUZZ_SECONDS="$(FUZZ_SECONDS)" scripts/fuzz

bench: toolchain web .tools/bin/s3s-fs tests/browser/node_modules/.package-lock.json ## measure ingest and playlists beside nginx, cold vod, Redis, the first frame in a browser; as root also catching up after an outage (20 minutes the first time)
	@scripts/install-packages bench
	@scripts/bench

obs: toolchain web ## run the real OBS Studio against it, also through a relay that is without network for a minute, and without its recorder (as root; 6 minutes)
	@scripts/install-packages obs
	@cargo build --locked -p headwater
	@python3 scripts/obs.py "$(or $(CARGO_TARGET_DIR),target)/debug/headwater"
	@python3 scripts/obs.py "$(or $(CARGO_TARGET_DIR),target)/debug/headwater" --relay

geo: ## fetch DB-IP's database of where addresses are into DATA/geo (135 MB), so that publishers are sent to near recorders
	$(SAY) "Fetching DB-IP City Lite (64 MB, about a minute)"
	@scripts/geo "$(DATA)"

web: toolchain web/dist/index.html ## build the web pages into web/dist

clean: ## remove what was built and the tools; keeps data
	$(SAY) "Removing target, .tools, web/dist and node_modules"
	@rm -rf target .tools web/dist web/node_modules tests/browser/node_modules */fuzz/target lib/*/fuzz/target

format:
	$(SAY) "Checking the format (seconds)"
	@cargo fmt --all --check

types:
	$(SAY) "Checking the types and lints of the web pages (seconds)"
	@npm --prefix web run --silent check

lints:
	$(SAY) "Linting the Rust code (about 3 minutes the first time)"
	@cargo clippy --workspace --all-targets --locked -- -D warnings

rules:
	$(SAY) "Checking the rules of the house (about a minute the first time)"
	@cargo test --locked --quiet -p headwater-tests --test tidy

licences: .tools/bin/cargo-deny
	$(SAY) "Checking the licences and sources of the dependencies (seconds)"
	@.tools/bin/cargo-deny --locked --log-level error check bans licenses sources

toolchain:
	@scripts/check-toolchain

packages-to-run:
	@scripts/install-packages run

packages-to-test:
	@scripts/install-packages test

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	$(SAY) "Building the web pages (seconds)"
	@npm --prefix web run --silent build -- --logLevel warn
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json
	$(SAY) "Installing what the web pages are built with (about 20 seconds)"
	@npm ci --prefix web --loglevel error
	@touch $@

tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json
	$(SAY) "Installing the tests' browser tools (about 10 seconds)"
	@npm ci --prefix tests/browser --loglevel error
	@touch $@

# Without optimisation it is built in half the time, and still answers in a second.
.tools/bin/cargo-deny:
	$(SAY) "Installing cargo-deny $(CARGO_DENY) (about 2 minutes)"
	@cargo install --quiet --locked --debug --root .tools cargo-deny@$(CARGO_DENY)

# 0.14.1 is the last one that this toolchain builds.
.tools/bin/s3s-fs:
	$(SAY) "Installing the tests' S3 server (about 2 minutes)"
	@cargo install --quiet --locked --debug --root .tools --features binary s3s-fs@0.14.1

.tools/venv/requirements.txt: scripts/requirements.txt
	$(SAY) "Installing the tests' Python tools, 200 MB with Shaka Packager (about a minute)"
	@python3 -m venv --clear .tools/venv
	@.tools/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@cp $< $@
