# FLOps. `make help` lists what there is; README.md says which two commands to start with.

PYTHON ?= python3
HOME_DIR := $(or $(FLOPS_HOME),.flops)
UV := $(HOME_DIR)/bootstrap/bin/uv
CLI := $(HOME_DIR)/envs/cli
DEV := .venv
SHARED := contracts runtime flight grid ml-repo
SERVICES := $(notdir $(patsubst %/,%,$(dir $(wildcard services/*/pyproject.toml))))
SOURCES := $(wildcard shared/*/src services/*/src)
OWN_PACKAGES := $(addprefix flops-,contracts runtime flight grid utils $(SERVICES))
space := $(subst ,, )
comma := ,
PLATFORM_OPTIONS = $(addprefix --platform ,$(PLATFORM)) $(addprefix --build-arg ,$(BUILD_ARG))
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# A wheel's bytecode is written once, at installation, whatever the machine says.
unexport PYTHONDONTWRITEBYTECODE
# Where pip finds wheels, uv does as well: PyTorch's CPU build may lie there.
ifneq ($(PIP_FIND_LINKS),)
export UV_FIND_LINKS ?= $(subst $(space),$(comma),$(PIP_FIND_LINKS))
endif

# Not by its name: make would run such a line even when it shall only print it.
SUBMAKE := $(MAKE) --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help demo demo-containers bases up install test coverage test-browser test-docs docs-site screenshots conformance dist release pin test-flavors test-chaos test-slow test-containers bench-checkpoints bench-hierarchy bench-training images env bench-data check lint format lock docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(CLI)/.installed ## Run the main job on this machine: data, training, served model (KEEP=1 keeps it up, MODE=hierarchical)
	@$(CLI)/bin/python -m flops_cli local demo $(if $(KEEP),--keep) $(if $(MODE),--mode $(MODE))

up: $(CLI)/.installed ## Start the embedded suite and leave it running until Ctrl-C
	@$(CLI)/bin/python -m flops_cli local up

install: $(CLI)/.installed ## Install every service's environment
	@$(CLI)/bin/python -m flops_cli local install

test: $(DEV)/.installed install ## Lint, type-check and run every test (WHAT=path narrows it down, WORKERS=3)
ifeq ($(WHAT),)
	@# Beside the tests, which leave cores idle now and then.
	@$(SUBMAKE) lint > $(HOME_DIR)/lint.log 2>&1 & lint=$$!; code=0; \
	  $(DEV)/bin/python -m pytest -n $(or $(WORKERS),auto) || code=$$?; \
	  wait $$lint || { code=$$?; cat $(HOME_DIR)/lint.log; echo "make lint failed; see above."; }; \
	  exit $$code
else
	@$(MAKE) --no-print-directory lint
	@$(DEV)/bin/python -m pytest -n $(or $(WORKERS),0) $(WHAT)
endif

coverage: $(DEV)/.installed install ## Run every test and tell which lines no process executed (WHAT=path narrows it down)
	@$(DEV)/bin/python tests/measure_coverage.py -n $(or $(WORKERS),auto) $(WHAT)

test-flavors: $(DEV)/.installed install ## Train and serve with PyTorch, Keras and TensorFlow (FLAVOR=pytorch runs one)
	@$(DEV)/bin/python -m pytest tests/flavors $(if $(FLAVOR),-k $(FLAVOR))

test-browser: $(DEV)/.installed install ## Test the web pages in a real Chromium (Debian's, or FLOPS_CHROMIUM=...)
	@$(DEV)/bin/python -m pytest tests/browser $(if $(WHAT),-k $(WHAT))

test-docs: $(DEV)/.installed install ## Follow the commands of README and docs/ in a running suite (WHAT=first-project)
	@$(DEV)/bin/python -m pytest tests/docs $(if $(WHAT),-k $(WHAT))

docs-site: $(DEV)/.installed ## Build the documentation as a site in .flops/site, with every link checked
	@NO_MKDOCS_2_WARNING=1 $(DEV)/bin/mkdocs build --strict --quiet
	@echo "The site is in .flops/site; open .flops/site/index.html."

screenshots: $(DEV)/.installed install ## Take the pictures of docs/pages.md from a real run
	@cd tests && $(abspath $(DEV))/bin/python -m browser.screenshots $(abspath docs/pictures)

conformance: $(DEV)/.installed ## Check any root: ROOT_URL=http://host:10000 ROOT_USER=.. ROOT_PASSWORD=.. [ROOT_IMAGE=..]
	@$(DEV)/bin/python -m pytest tests/conformance

check: $(DEV)/.installed lint ## What to run before a commit: lint, types, layers, unit, contract and architecture tests
	@$(DEV)/bin/python -m pytest tests/unit tests/contract tests/architecture

test-chaos: $(DEV)/.installed install ## Kill random processes of a running suite, and expect projects to complete (SEED=7 RUNS=3 PROJECTS=50)
	@SEED=$(SEED) RUNS=$(RUNS) PROJECTS=$(PROJECTS) $(DEV)/bin/python -m pytest -s tests/chaos

test-slow: $(DEV)/.installed ## Train with 1 GB of parameters, and 100 MB with 64 learners; needs 10 GB of memory
	@$(DEV)/bin/python -m pytest --timeout 1200 tests/slow

test-containers: $(DEV)/.installed ## Build all images, run the base case in containers; needs root on Debian 12
	@FLOPS_TEST_CONTAINERS=1 $(DEV)/bin/python -m pytest -s --timeout 2400 tests/containers \
	  tests/integration/local_oakestra/test_local_oakestra_containers.py \
	  tests/integration/local_oakestra/test_local_oakestra_runtimes.py

bench-checkpoints: $(DEV)/.installed ## Time rounds of a small and a 100 MB model with and without checkpoints
	@cd tests && PYTHONPATH=. $(abspath $(DEV))/bin/python -m bench.checkpoints

bench-hierarchy: $(DEV)/.installed ## Time a cycle over 1, 2 and 4 clusters beside classic mode; prints JSON
	@$(DEV)/bin/python tests/bench/hierarchy.py

bench-training: $(DEV)/.installed ## Time rounds of a small and a 100 MB model beside Flower's start_server and bare gRPC (WHAT="--learners 8")
	@cd tests && $(abspath $(DEV))/bin/python -m bench.training $(WHAT)

images: ## Build every service's image and print the sizes (WHAT="manager learner", PLATFORM=linux/arm64, BUILD_ARG=..)
	@$(PYTHON) compose/images.py $(PLATFORM_OPTIONS) $(WHAT)

pin: ## Pin the images of others to the digests that their tags have now (needs docker's buildx)
	@$(PYTHON) compose/pin.py

dist: $(UV) ## Build the wheels of all packages into dist/; `pip install --find-links dist flops-cli` installs from there
	@rm -rf dist
	@printf '%s\n' $(dir $(wildcard shared/*/pyproject.toml services/*/pyproject.toml)) \
	  | xargs -P 4 -I{} $(UV) build --quiet --wheel --out-dir dist {}
	@ls dist/*.whl

release: $(DEV)/.installed ## Write version and changelog, commit and tag (VERSION=1.2.3); nothing is pushed
	@$(DEV)/bin/python .ci/release.py "$(VERSION)"

env: ## Write compose/.env: random passwords and addresses (ADDRESS=...; LOCAL=1 for compose/local.yml)
	@$(PYTHON) compose/make_env.py $(if $(LOCAL),--local) $(if $(ADDRESS),--address $(ADDRESS))

bases: ## Put the base images of actors into the registry of compose/local.yml (PLATFORM="linux/amd64 linux/arm64")
	@$(PYTHON) compose/bases.py $(PLATFORM_OPTIONS)

demo-containers: $(CLI)/.installed bases ## Run the main job in the containers of compose/local.yml, which have to be up
	@$(CLI)/bin/python compose/demo.py

bench-data: $(DEV)/.installed ## Measure uploads beside bare Flight, and loading (WHAT="--samples vectors --senders 1")
	@cd tests && $(abspath $(DEV))/bin/python -m bench.data_plane $(WHAT)

lint: $(DEV)/.installed ## Check format, style, types and layers
	@$(DEV)/bin/ruff format --check .
	@$(DEV)/bin/ruff check .
	@MYPYPATH=$(subst $(space),:,$(SOURCES)) $(DEV)/bin/mypy $(SOURCES)
	@$(DEV)/bin/lint-imports

format: $(DEV)/.installed ## Format the code and fix what can be fixed
	@$(DEV)/bin/ruff format .
	@$(DEV)/bin/ruff check --fix .

docs: $(DEV)/.installed ## Write the generated pages of docs/, and the version into the compose files
	@$(DEV)/bin/python docs/generate.py

lock: $(UV) ## Lock every service's dependencies again (UPGRADE=1 takes newer versions)
	@for service in $(SERVICES); do \
	  echo "services/$$service/requirements.lock"; \
	  (cd services/$$service && $(LOCK) pyproject.toml -o requirements.lock) || exit 1; \
	done
	@cd services/cli && $(LOCK) --group embedded -o embedded.lock
	@cd services/tracking-server && $(LOCK) pyproject.toml --extra stores -c requirements.lock -o stores.lock
	@$(LOCK) pyproject.toml --group dev -o requirements.lock
	@printf 'uv>=0.13\n' | $(LOCK) - -o bootstrap.lock
	@# A client that the tests drive, without the 240 MB of ansible that it has no use for here.
	@printf 'oak-cli==0.5.5\n' | $(LOCK) --no-emit-package ansible - -o tests/clients/oak-cli.lock
	@# What generates a client from /openapi.json, and what compares the API with it.
	@printf 'openapi-python-client\nruff\nschemathesis\n' | $(LOCK) - -o tests/clients/openapi.lock

LOCK = $(abspath $(UV)) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
  $(addprefix --no-emit-package ,$(OWN_PACKAGES))

clean: ## Remove everything that was installed or produced
	rm -rf $(HOME_DIR) $(DEV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find shared services compose docs tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What is below makes the three environments that the targets above need. Two makes in one checkout
# take turns: the second finds what the first has made. `flops local install` holds the same lock.

INSTALL_LOCK := $(HOME_DIR)/install.lock
FLOCK := $(shell command -v flock)

$(UV): bootstrap.lock
$(CLI)/.installed: $(UV) services/cli/requirements.lock
$(DEV)/.installed: $(UV) requirements.lock

ifndef MY_TURN
$(UV) $(CLI)/.installed $(DEV)/.installed:
	@mkdir -p $(HOME_DIR)
ifneq ($(FLOCK),)
	@$(FLOCK) -n $(INSTALL_LOCK) true || echo "Waiting for another installation in this checkout ..."
endif
	@$(if $(FLOCK),$(FLOCK) -w 3600 $(INSTALL_LOCK)) $(MAKE) -s MY_TURN=1 $@
else
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "FLOps needs Python 3.11 or newer; set PYTHON=...")'
	@echo "Preparing uv ..."
	@$(PYTHON) -m venv --clear $(HOME_DIR)/bootstrap
	@$(HOME_DIR)/bootstrap/bin/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	@touch $@

$(CLI)/.installed:
	@echo "Preparing the flops command ..."
	@$(UV) venv --quiet --clear --python $(PYTHON) $(CLI)
	@$(UV) pip sync --quiet --require-hashes --python $(CLI) services/cli/requirements.lock
	@for site in $(CLI)/lib/python3*/site-packages; do \
	  printf '%s\n' $(abspath $(wildcard shared/*/src) services/cli/src) > $$site/flops.pth; done
	@printf '%s\n' '#!$(abspath $(CLI))/bin/python' 'import sys' 'from flops_cli.__main__ import main' \
	  'sys.exit(main())' > $(CLI)/bin/flops && chmod +x $(CLI)/bin/flops
	@touch $@

$(DEV)/.installed:
	@echo "Preparing the developers' environment ..."
	@$(UV) venv --quiet --clear --python $(PYTHON) $(DEV)
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(DEV) requirements.lock
	@for site in $(DEV)/lib/python3*/site-packages; do \
	  printf '%s\n' $(abspath $(SOURCES)) > $$site/flops.pth; done
	@touch $@
endif
