# Two commands: `make run` and `make test`. Both set up what they need.
#
#   make run                     the daemon with a simulated sensor, live in the terminal
#   make run SCENARIO=asystole   asystole, vt, leadoff, unplug, none: an edited recording
#   make run JSON=1              events as JSON lines
#   make run SOURCE=h10          an emulated chest strap over Bluetooth: h10, movesense, strap
#   make test                    the default test suite
#   make lint                    ruff, mypy, import contracts
#   make bench                   speed and memory, beside peers in the same run
#   make report-alarms           docs/alarms.md measured anew (archives; some minutes)
#   make fuzz                    a million made-up frames for each parser (atheris; an hour and more)
#   make test-slow               what takes minutes: full archives, long fuzzing, Python 3.13
#   make deb                     the Debian package: SUITE=bookworm|trixie ARCHITECTURE=amd64|arm64
#   make test-deb                as root: install, upgrade, purge it in clean bookworm and trixie
#   make test-container          as root: the container file, built and run by podman
#   make test-powercut           as root: a computer in QEMU loses its power 250 times
#   make test-service            as root: the package's service in a computer that boots
#   make test-arm                the arm64 package on emulated aarch64
#   make sbom                    dist/: what is shipped, as CycloneDX, and everybody's licence
#   make lint-page               types of the page's JavaScript (needs node)
#   make report-font             as root: the Chinese characters that printed reports embed
#   make browser                 as root: the chromium that the page is tested in
#
# make run also serves the page; PAGE=8137 is its port on loopback.
#
# PYTHON=python3.13 takes another interpreter; ECG_DATA_DIR names the folder of ECG archives.

PYTHON ?= python3
PYTHON313 ?= python3.13
SCENARIO ?= tour
JSON ?=
SOURCE ?= sensor
PAGE ?= 8137
SUITE ?= bookworm
ARCHITECTURE ?= amd64

DEVICE_EXTRAS := litert serial web lan mqtt webhooks phone gpio ble site-rules flash update demo
comma := ,
empty :=
space := $(empty) $(empty)

RUN := .venv
SHIPPED := .venv-shipped
DEV := .venv-dev
TFLITE := .venv-tflite
PIP_QUIET := --quiet --disable-pip-version-check

.PHONY: run test fuzz soak report-alarms test-slow test-powercut test-service test-bluez test-arm test-313 lint bench lock clean browser lint-page sbom report-font deb test-deb test-container

run: $(RUN)/ready $(if $(filter sensor,$(SOURCE)),,$(RUN)/ready-ble)
	@$(RUN)/bin/edge-runtime demo --device $(SOURCE) --scenario $(SCENARIO) --page $(PAGE) $(if $(JSON),--json)

test: $(DEV)/ready $(TFLITE)/ready
	$(DEV)/bin/python -m pytest -n 2 $(PYTEST_ARGS)

test-slow: $(DEV)/ready $(TFLITE)/ready test-313
	$(DEV)/bin/python -m pytest -m slow $(PYTEST_ARGS)

deb: $(DEV)/ready
	$(DEV)/bin/python deploy/debian/build_package.py --suite $(SUITE) --architecture $(ARCHITECTURE)

test-deb: $(DEV)/ready
	PYTHON=$(DEV)/bin/python tests/debian/run.sh

# podman, buildah, runc, mmdebstrap; no registry of images. Two minutes.
test-container: $(DEV)/ready
	PYTHON=$(DEV)/bin/python tests/container/run.sh

test-arm: $(DEV)/ready
	PYTHON=$(DEV)/bin/python tests/arm/run.sh

# The default suite on the newest supported Python.
test-313:
	$(MAKE) DEV=.venv-313 PYTHON=$(PYTHON313) test

lint: $(DEV)/ready
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

# What a device gets, in an environment of its own without pip; then its packages, models, licences.
sbom: $(DEV)/ready
	@rm -rf $(SHIPPED) && $(PYTHON) -m venv --without-pip $(SHIPPED)
	$(DEV)/bin/python -m pip --python $(SHIPPED)/bin/python install $(PIP_QUIET) '.[$(subst $(space),$(comma),$(DEVICE_EXTRAS))]'
	@mkdir -p dist
	$(DEV)/bin/cyclonedx-py environment $(SHIPPED)/bin/python --pyproject pyproject.toml \
	    --output-reproducible --of JSON -o dist/sbom.cdx.json
	$(DEV)/bin/python deploy/sbom.py dist/sbom.cdx.json edge_runtime/bundles/default dist/LICENCES.md

# The page's modules, by the types in their comments. Needs node; nothing of it is shipped.
lint-page:
	npx --yes -p typescript@5.6 tsc --noEmit --allowJs --checkJs --strict --target es2022 \
	    --module es2022 --moduleResolution bundler --lib es2022,dom,dom.iterable \
	    edge_runtime/web/static/app.js

bench: $(DEV)/ready
	$(DEV)/bin/python -m tests.benchmarks

# A whole computer in QEMU whose power is cut, 50 times each while it records, recovers, migrates
# and changes its models; some 25 minutes. Root, and mmdebstrap qemu-system-x86 qemu-utils e2fsprogs.
test-powercut: $(DEV)/ready
	$(DEV)/bin/python -m tests.guest.powercut

# The package's service in such a computer: started by its systemd, a sensor on its serial port, hung,
# stopped, purged. Some ten minutes; needs the same.
test-service: $(DEV)/ready
	$(DEV)/bin/python -m tests.guest.service

# A daemon reads seven emulated sensors on serial ports and on the air; 1,000 faults; a quarter of an
# hour. Needs dbus-daemon.
soak: $(DEV)/ready
	$(DEV)/bin/python -m tests.soak

# A strap behind a real bluetoothd and a real kernel's Bluetooth, in such a computer; some five minutes.
test-bluez: $(DEV)/ready
	$(DEV)/bin/python -m tests.guest.bluez

fuzz: $(DEV)/ready
	$(DEV)/bin/python -m pip install $(PIP_QUIET) -e '.[fuzz]'
	$(DEV)/bin/python -m tests.fuzz

report-alarms: $(DEV)/ready
	$(DEV)/bin/model-build alarms

# What the page's own tests (part of test-slow) drive; they skip without it.
browser:
	apt-get install -y chromium fonts-noto-cjk

report-font: $(DEV)/ready
	apt-get install -y fonts-droid-fallback
	$(DEV)/bin/python -m deploy.report_font /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf

# Hashes of everything that CI installs, for Python 3.11 on x86-64 Linux; then of what the Debian
# packages bring, in the same versions, for each suite's Python (the same on every architecture).
lock: $(DEV)/ready
	$(DEV)/bin/uv pip compile --quiet --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	    --no-header --extra all --no-emit-package ecg-edge \
	    --output-file .ci/requirements.lock pyproject.toml
	sed -nE 's/^([A-Za-z0-9._-]+==[^ ]+) .*/\1/p' .ci/requirements.lock | grep -v '^ai-edge-litert' > build-constraints.txt
	for python in 3.11 3.13; do \
	    $(DEV)/bin/uv pip compile --quiet --generate-hashes --no-header --no-annotate \
	        --python-version $$python --python-platform aarch64-manylinux_2_28 \
	        --only-binary :all: --no-binary crcmod --constraint build-constraints.txt \
	        $(addprefix --extra ,$(DEVICE_EXTRAS)) --no-emit-package ecg-edge \
	        --output-file deploy/debian/python$$python.lock pyproject.toml || exit 1; \
	done; rm -f build-constraints.txt

$(RUN)/ready: pyproject.toml
	@deploy/preflight.sh $(PYTHON)
	@echo "setting up $(RUN) (once) ..."
	@$(PYTHON) -m venv $(RUN)
	@$(RUN)/bin/python -m pip install $(PIP_QUIET) -e '.[litert,serial,web,demo]'
	@touch $@

$(RUN)/ready-ble: $(RUN)/ready
	@$(RUN)/bin/python -m pip install $(PIP_QUIET) -e '.[ble,emulate]'
	@touch $@

# CI installs exactly the locked files; everybody else what pyproject.toml allows.
$(DEV)/ready: pyproject.toml $(if $(filter true,$(CI)),.ci/requirements.lock)
	@deploy/preflight.sh $(PYTHON)
	@echo "setting up $(DEV) (once; TensorFlow is 1.3 GB) ..."
	@$(PYTHON) -m venv $(DEV)
	@if [ "$(CI)" = true ]; then \
	    $(DEV)/bin/python -m pip install $(PIP_QUIET) --require-hashes -r .ci/requirements.lock \
	    && $(DEV)/bin/python -m pip install $(PIP_QUIET) --no-deps -e .; \
	else \
	    $(DEV)/bin/python -m pip install $(PIP_QUIET) -e '.[all]'; \
	fi
	@touch $@

# tflite-runtime has no wheels above Python 3.11 and needs numpy 1: an environment of its own.
# Where there is no Python 3.11 its tests skip and say so.
$(TFLITE)/ready: pyproject.toml
	@py=$$(command -v python3.11 || command -v $(PYTHON)); \
	if $$py -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
	    $$py -m venv $(TFLITE) && \
	    $(TFLITE)/bin/python -m pip install $(PIP_QUIET) -e '.[tflite]'; \
	else mkdir -p $(TFLITE); fi
	@touch $@

clean:
	rm -rf $(RUN) $(SHIPPED) $(DEV) $(TFLITE) .venv-313 build dist var
