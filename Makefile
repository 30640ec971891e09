# Everything from a fresh clone: `make demo`, `make test`. `make help` tells the rest.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
GENERATORS := build/generators
GENERATOR_PINS := tests/gateway/hub/clients
# The newest Python that all pinned wheels exist for; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
# Most of a test is waiting; ten fit two cores.
WORKERS ?= 10
# A test of a whole house waits for seconds, which ten workers on two busy cores can use up: what failed runs once more,
# alone. What fails then is a failure. A worker, because only there a test of a group has the name under which it failed.
ONCE_MORE := echo "What failed runs once more, alone:" && $(BIN)/python -m pytest -n 1 --dist loadgroup --last-failed \
	--last-failed-no-failures none --maxfail 1
# Hundreds of processes run the same source: it is compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo texts test test-image test-chromium addon test-homeassistant test-zigbee2mqtt test-matter test-vda5050 test-seam test-carconnectivity test-scale quick slow-files lint check docs sdk sdk-wheel sdk-typescript reference mutants soak bench bench-peers pictures debian wheels pins clean

help: ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-22s %s\n", $$1, $$2}'

$(VENV)/ready: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv was found. Install one (Debian: apt-get install python3 python3-venv) or give PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "$(PYTHON) is no Python 3.11, 3.12 or 3.13 that runs here. Give another one: make PYTHON=/path/to/python."; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON): once, about a minute ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@# Python compiles what a program imports at its first start; compiling all packages here takes half of the time.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/ready ## a house on the screen in which a parcel is let in
	@$(BIN)/perron demo --fast || [ $$? -eq 130 ] # Ctrl-C is how it ends

# A catalogue keeps no line numbers, so that it changes with its texts only; what the source no longer says goes.
texts: $(VENV)/ready ## bring the catalogues of gateway/locale up to date with the source, and compile them
	@mkdir -p build
	@$(BIN)/pybabel -q extract --mapping-file=babel.cfg --project=Perron --add-location=file --sort-by-file --omit-header \
		--output=build/perron.pot gateway
	@$(BIN)/pybabel -q update --domain=perron --input-file=build/perron.pot --output-dir=gateway/locale --width=120 \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile --domain=perron --directory=gateway/locale --statistics

debian: ## the Debian packages that tests need (root installs what is missing)
	@.ci/debian

# Generators and linters that read the hub's OpenAPI document as a retailer has them, apart from the house's own packages.
$(GENERATORS)/ready: $(GENERATOR_PINS)/package.json $(GENERATOR_PINS)/package-lock.json $(GENERATOR_PINS)/requirements.txt | debian
	@echo "Setting up $(GENERATORS): once, a quarter of a minute, about 250 MB ..."
	@mkdir -p $(GENERATORS)
	@cp $(GENERATOR_PINS)/package.json $(GENERATOR_PINS)/package-lock.json $(GENERATORS)/
	@npm ci --prefix $(GENERATORS) --silent --ignore-scripts --no-audit --no-fund
	@$(PYTHON) -m venv --clear $(GENERATORS)/venv
	@$(GENERATORS)/venv/bin/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $(GENERATOR_PINS)/requirements.txt
	@touch $@

test: $(VENV)/ready debian $(GENERATORS)/ready ## all tests: real broker, real video, every scenario
	@$(BIN)/python -m compileall -q -j 2 gateway devices
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup || { [ $$? -eq 1 ] && $(ONCE_MORE); }

quick: $(VENV)/ready ## the inner loop, under a minute on two cores
	@$(BIN)/python -m pytest -q -m "not slow" $(shell sed 's/^/--ignore=/' tests/slow_files.txt) -n 2 --dist loadgroup

slow-files: $(VENV)/ready ## measure which files `make quick` leaves out (minutes, on a quiet machine)
	@mkdir -p build
	@$(BIN)/python -m pytest -q -m "not slow" -n 2 --dist loadgroup --junitxml=build/quick.xml
	@$(BIN)/python -m tests.slow_files build/quick.xml > build/slow_files.txt
	@mv build/slow_files.txt tests/slow_files.txt

lint: $(VENV)/ready ## lint, format, types, import rules: what `make check` has that is no test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint ## lint, format, types, import rules, links, the house's own rules
	@$(BIN)/python -m pytest -q tests/test_house_rules.py tests/test_site.py

reference: $(VENV)/ready ## write the pages of the configuration files anew (docs/reference/*-yaml.md)
	@for name in home guard intercom matter hub; do $(BIN)/python -m gateway schema $$name --markdown > docs/reference/$$name-yaml.md; done

sdk: $(VENV)/ready $(GENERATORS)/ready ## generate parts of the SDKs for Python and TypeScript from the hub's OpenAPI document
	@$(BIN)/python -m tests.sdk_source
	@$(BIN)/python -m tests.typescript_sdk

sdk-typescript: $(GENERATORS)/ready ## make build/perron-sdk-*.tgz, the npm package for retailers
	@rm -rf build/typescript && cp -r gateway/hub/sdk/typescript build/typescript
	@ln -s ../generators/node_modules build/typescript/node_modules
	@cd build/typescript && PATH="$$PWD/node_modules/.bin:$$PATH" npm pack --silent --pack-destination ..

sdk-wheel: $(VENV)/ready ## make build/sdk/perron_sdk-*.whl, which retailers install
	@rm -rf build/sdk && mkdir -p build/sdk
	@$(BIN)/python -c 'from pathlib import Path; from tests.retailers_python import build_wheel; print(build_wheel(Path("build/sdk")))'

docs: $(VENV)/ready ## build the pages of docs/ into build/docs; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The last Home Assistant for Python 3.13, in a venv of its own; what it wants beside it fetches itself at its first start.
HASS_VERSION := 2026.2.3
HASS := build/homeassistant-$(HASS_VERSION)
PYTHON313 ?= $(shell for p in python3.13 /usr/bin/python3.13; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 13, 2) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

$(HASS)/ready:
	@test -n "$(PYTHON313)" || { echo "Home Assistant $(HASS_VERSION) needs Python 3.13.2 or a later 3.13 with venv: install it or give PYTHON313=/path/to/python."; exit 1; }
	@echo "Setting up $(HASS) with $(PYTHON313): once, a few minutes, about 800 MB ..."
	@$(PYTHON313) -m venv --clear $(HASS)
	@$(HASS)/bin/pip install --quiet --disable-pip-version-check homeassistant==$(HASS_VERSION)
	@touch $@

test-homeassistant: $(VENV)/ready debian $(HASS)/ready ## a real Home Assistant beside a whole house (heavy: not in `make test`)
	@HASS=$(HASS)/bin/hass $(BIN)/python -m pytest -q tests/real/with_home_assistant.py tests/real/with_home_assistant_closures.py tests/real/with_home_assistant_cover.py tests/real/with_home_assistant_speaker.py

# A real Zigbee2MQTT with a played radio; it asks for Node 22 and ran with 20 too.
Z2M_VERSION := 2.14.1
Z2M := build/zigbee2mqtt-$(Z2M_VERSION)

$(Z2M)/ready:
	@command -v npm >/dev/null || { echo "Zigbee2MQTT needs Node and npm: install them (Debian: apt-get install npm)."; exit 1; }
	@mkdir -p $(Z2M)
	@npm install --prefix $(Z2M) --silent --ignore-scripts --no-audit --no-fund zigbee2mqtt@$(Z2M_VERSION)
	@touch $@

test-zigbee2mqtt: $(VENV)/ready debian $(Z2M)/ready ## a real Zigbee2MQTT whose radio is played (not in `make test`)
	@Z2M=$(Z2M) $(BIN)/python -m pytest -q tests/real/with_zigbee2mqtt.py

# A real Matter server and a virtual Matter lock. The server links Debian's libnl and keeps some of its files in /data.
MATTER_SERVER_VERSION := 7.0.1
MATTER_JS_VERSION := 0.17.9
MATTER := build/matter-$(MATTER_SERVER_VERSION)-$(MATTER_JS_VERSION)

$(MATTER)/ready:
	@command -v npm >/dev/null || { echo "The virtual Matter lock needs Node 20 and npm: install them (Debian: apt-get install npm)."; exit 1; }
	@ldconfig -p | grep -q libnl-route-3 || { echo "The Matter server needs libnl: install it (Debian: apt-get install libnl-route-3-200)."; exit 1; }
	@{ mkdir -p /data && [ -w /data ]; } 2>/dev/null || { echo "The Matter server keeps some of its files in /data: make it, writable for you (sudo install -d -o $$USER /data)."; exit 1; }
	@mkdir -p $(MATTER)/node
	@npm install --prefix $(MATTER)/node --silent --ignore-scripts --no-audit --no-fund @matter/main@$(MATTER_JS_VERSION) @matter/nodejs@$(MATTER_JS_VERSION)
	@$(PYTHON) -m venv --clear $(MATTER)/venv
	@$(MATTER)/venv/bin/pip install --quiet --disable-pip-version-check python-matter-server[server]==$(MATTER_SERVER_VERSION)
	@touch $@

test-matter: $(VENV)/ready debian $(MATTER)/ready ## a real Matter server and a virtual Matter lock (three minutes; not in `make test`)
	@MATTER=$(MATTER) $(BIN)/python -m pytest -q tests/real/with_matter.py

# Seam's own fake of its API, and the description of its API that Seam publishes.
SEAM_VERSION := 1.86.0
SEAM_TYPES_VERSION := 1.977.0
SEAM := build/fake-seam-connect-$(SEAM_VERSION)-$(SEAM_TYPES_VERSION)

$(SEAM)/ready:
	@command -v npm >/dev/null || { echo "Seam's fake needs Node and npm: install them (Debian: apt-get install npm)."; exit 1; }
	@mkdir -p $(SEAM)
	@npm install --prefix $(SEAM) --silent --ignore-scripts --no-audit --no-fund @seamapi/fake-seam-connect@$(SEAM_VERSION) @seamapi/types@$(SEAM_TYPES_VERSION) zod@3.24.4
	@touch $@

test-seam: $(VENV)/ready $(SEAM)/ready ## Seam's own fake server proposes passes (seconds; not in `make test`)
	@SEAM=$(SEAM) $(BIN)/python -m pytest -q tests/real/with_seam.py

# A real CarConnectivity and its MQTT plugin, in a venv of its own; its maker's cloud is played.
CARCONNECTIVITY_VERSION := 0.11.11
CARCONNECTIVITY_MQTT_VERSION := 0.10.6
CARCONNECTIVITY := build/carconnectivity-$(CARCONNECTIVITY_VERSION)

$(CARCONNECTIVITY)/ready:
	@$(PYTHON) -m venv --clear $(CARCONNECTIVITY)
	@$(CARCONNECTIVITY)/bin/pip install --quiet --disable-pip-version-check carconnectivity==$(CARCONNECTIVITY_VERSION) carconnectivity-plugin-mqtt==$(CARCONNECTIVITY_MQTT_VERSION)
	@touch $@

test-carconnectivity: $(VENV)/ready debian $(CARCONNECTIVITY)/ready ## a real CarConnectivity whose maker is played (ten seconds; not in `make test`)
	@CARCONNECTIVITY=$(CARCONNECTIVITY) $(BIN)/python -m pytest -q tests/real/with_carconnectivity.py

# A robot on a VDA 5050 client that nobody here wrote. It speaks version 2; the robot's script says what 3 adds.
VDA5050_LIB_VERSION := 1.4.0
VDA5050 := build/vda5050-$(VDA5050_LIB_VERSION)

$(VDA5050)/ready:
	@command -v npm >/dev/null || { echo "vda-5050-lib needs Node and npm: install them (Debian: apt-get install npm)."; exit 1; }
	@mkdir -p $(VDA5050)
	@npm install --prefix $(VDA5050) --silent --ignore-scripts --no-audit --no-fund vda-5050-lib@$(VDA5050_LIB_VERSION)
	@touch $@

test-vda5050: $(VENV)/ready debian $(VDA5050)/ready ## a robot on vda-5050-lib is let in and out (not in `make test`)
	@VDA5050=$(VDA5050) $(BIN)/python -m pytest -q tests/real/with_vda5050.py

test-chromium: $(VENV)/ready debian ## the whole Chromium shows notifications (Debian package chromium; not in `make test`)
	@$(BIN)/python -m pytest -q tests/real/with_chromium.py

# HOMES=300 where the machine has other work: each connection costs some 50 ms of processor time.
HOMES ?= 1000

test-scale: $(VENV)/ready ## the hub on a RabbitMQ cluster, parts of it killed (root; packages: docs/operator/hub-cluster.md; not in `make test`)
	@$(BIN)/python -m pytest -q tests/scale/with_one_node.py tests/scale/with_accounts.py tests/scale/with_two_hubs.py tests/scale/with_another_authority.py tests/scale/with_two_nodes.py
	@$(BIN)/python -m tests.scale --homes $(HOMES)

# ONLY="visit guard" where those of two modules of tests/mutants are enough; a file or part of a name does too.
ONLY ?=

mutants: $(VENV)/ready ## plant faults one by one and name the test that catches each (ONLY=module: some)
	@$(BIN)/python -m tests.mutants $(ONLY)

soak: $(VENV)/ready debian ## repetition: many seeds, many kills (hours if you let it)
	@$(BIN)/python -m tests.soak

bench: $(VENV)/ready debian ## speed, as ratios measured in one run
	@$(BIN)/python -m tests.bench

# Node-RED wants Node 22, which npm has too. Home Assistant is that of test-homeassistant. What cannot be set up is told
# and left out. WRITE=--write puts the result on docs/contributor/bench.md; ONLY="node-red gateway" measures some.
NODE_RED_VERSION := 5.0.7
NODE_VERSION := 22.23.3
NODE_RED := build/node-red-$(NODE_RED_VERSION)
WRITE ?=

$(NODE_RED)/ready:
	@command -v npm >/dev/null || { echo "Node-RED needs Node and npm: install them (Debian: apt-get install npm)."; exit 1; }
	@echo "Setting up $(NODE_RED): once, a minute, about 300 MB ..."
	@mkdir -p $(NODE_RED)
	@npm install --prefix $(NODE_RED) --silent --no-audit --no-fund node-red@$(NODE_RED_VERSION) node@$(NODE_VERSION)
	@touch $@

bench-peers: $(VENV)/ready debian ## the gateway beside Node-RED and Home Assistant (sets both up, about 1 GB; ten minutes; not in `make test`)
	@$(MAKE) --no-print-directory $(NODE_RED)/ready || echo "Node-RED is left out."
	@$(MAKE) --no-print-directory $(HASS)/ready || echo "Home Assistant is left out."
	@NODE_RED=$(NODE_RED) HASS=$(HASS)/bin/hass $(BIN)/python -m tests.bench.peers $(ONLY:%=--only %) $(WRITE)

pictures: $(VENV)/ready debian ## photograph the pages into docs/
	@$(BIN)/python -m tests.pictures

# The Python of the image: that of its Debian.
IMAGE_PYTHON = 3.13

addon: $(VENV)/ready ## make build/addon/perron, a folder to copy to /addons of a Home Assistant
	@rm -rf build/addon && mkdir -p build/addon
	@cp -r config/homeassistant-addon build/addon/perron && cp requirements-run.txt build/addon/perron/
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir build/addon/perron .
	@echo "Copy build/addon/perron to the folder /addons of Home Assistant; docs/installer/homeassistant-addon.md says the rest."

test-image: $(VENV)/ready ## build and run the images of a box and of a hub, the add-on and the wheel (root; debootstrap, podman, podman-compose, catatonit, pipx; not in `make test`)
	@$(BIN)/python -m pytest -q tests/real/with_containers.py tests/real/hub_in_containers.py tests/real/with_pipx.py

wheels: $(VENV)/ready ## whether every pinned package has a wheel for both kinds of box (amd64 and arm64), http-ece excepted: it is pure Python; installs nothing
	@for kind in x86_64 aarch64; do \
		$(BIN)/pip install --quiet --disable-pip-version-check --dry-run --ignore-installed --target build/nowhere \
			$$(printf ' --platform manylinux%s_'$$kind 2014 _2_17 _2_28 _2_34) --python-version $(IMAGE_PYTHON) \
			--only-binary :all: --no-binary http-ece --no-deps \
			--require-hashes -r requirements.txt || exit 1; \
		echo "every pinned package has a wheel for $$kind"; \
	done

pins: ## pin requirements.txt, requirements-run.txt (only to run it), requirements-hub.txt (only a hub) and the generators anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras --quiet \
		--custom-compile-command "make pins" pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra box --extra messages \
		--extra hub --quiet --constraint requirements.txt --custom-compile-command "make pins" pyproject.toml -o requirements-run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra hub --quiet \
		--constraint requirements.txt --custom-compile-command "make pins" pyproject.toml -o requirements-hub.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
		--custom-compile-command "make pins" $(GENERATOR_PINS)/requirements.in -o $(GENERATOR_PINS)/requirements.txt

clean: ## remove what was built and run
	rm -rf $(VENV) var build *.egg-info
