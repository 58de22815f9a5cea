# Every target works in .venv, which the first of them makes.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
# These start processes and wait for them, so they run beside the others.
BESIDE := tests/integration $(addprefix tests/test_,cli.py serve.py talk_process.py workers.py)
NODE := tests/node
NODE_PACKAGES := $(NODE)/node_modules/.package-lock.json

.PHONY: run test deep fuzz mutants lint format docs clean

run: $(RUNS)  ## serve the openai backend with a simulated upstream; needs no key
	$(BIN)/python -m voiceproxy --plugin openai --plugin simulator

test: $(READY) $(NODE_PACKAGES)  ## every test but the long ones, with branch coverage
	$(BIN)/coverage erase
	@status=0; log=$(VENV)/beside.log; \
	$(BIN)/coverage run -m pytest -m "not deep" $(BESIDE) >$$log 2>&1 & beside=$$!; \
	$(BIN)/coverage run -m pytest -m "not deep" $(BESIDE:%=--ignore=%) || status=$$?; \
	wait $$beside || status=$$?; cat $$log; exit $$status
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

deep: $(READY) debian-packages  ## long property, load and packaging tests
	$(BIN)/python -m pytest -m deep

fuzz: fuzz-frames fuzz-events  ## a million mutated frames, then events in any order

.PHONY: fuzz-events
fuzz-events: $(READY)  ## events in any order, other ones each time: make fuzz-events EXAMPLES=20000
	VOICEPROXY_FUZZ=$(or $(EXAMPLES),1000) $(BIN)/python -m pytest -m deep tests/test_openai_stateful.py tests/test_openai_stateful_adversary.py

mutants: $(READY)  ## break rules of the contract one by one: make mutants SEED=1
	$(BIN)/python tests/contract_mutants.py --seed $(or $(SEED),0)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(RUNS): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[speed]'
	touch $@

$(READY): pyproject.toml $(RUNS)
	$(BIN)/python -m pip install --quiet --editable '.[speed,test,lint]'
	touch $@

# Where npm is missing, the tests that need it fail and say how to get it; the others run.
$(NODE_PACKAGES): $(NODE)/package-lock.json
	@if command -v npm >/dev/null; then npm ci --loglevel=error --prefix $(NODE) && touch $@; fi

# Where they are missing and cannot be installed, the tests that need them fail and say how.
.PHONY: debian-packages
debian-packages: export PATH := $(PATH):/usr/local/sbin:/usr/sbin
debian-packages:  ## Debian's HAProxy, nginx and valgrind, which the deep tests run
	@if ! { command -v haproxy && command -v nginx && command -v valgrind; } >/dev/null && [ "$$(id -u)" = 0 ] \
	&& command -v apt-get >/dev/null; then apt-get update --quiet=2 && \
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends \
	haproxy nginx valgrind || true; fi

.PHONY: bench
bench: PLUGINS ?= logging,redaction
bench: $(READY)  ## what the relay costs against a plain one: make bench QUICK=1 PLUGINS=logging
	cd tests && ../$(BIN)/python -m benchmarks $(if $(QUICK),--quick) --plugins $(PLUGINS)

.PHONY: fuzz-frames
fuzz-frames: $(READY)  ## mutated frames through sessions and sockets: make fuzz-frames COUNT=100000
	$(BIN)/python tests/frame_fuzz.py --count $(or $(COUNT),1000000)
	$(BIN)/python tests/relay_fuzz.py --count 20000

.PHONY: soak
soak: $(READY)  ## a hundred callers that come and go over bad lines: make soak MINUTES=5
	$(BIN)/python tests/soak.py --minutes $(or $(MINUTES),30)

docs: $(READY)  ## write the generated parts of docs/ anew
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) $(NODE)/node_modules build dist *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
