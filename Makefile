# cotan from a clone: `make demo` and `make test` need Python >= 3.10 with its
# headers, a C++20 compiler and make. Everything else comes from the Python
# package index into .venv. Both use one developer build, which writes the
# package in place (python/cotan), so nothing is compiled twice.
#
#   make demo      train on handwritten digits, from Python and C++
#   make test      the whole test suite        (PYTEST="-k name" narrows it)
#   make dev       build only; run it again after touching a file
#   make bench     cotan beside NumPy and JAX
#   make accuracy  the math functions over all floats; writes docs/accuracy.md
#   make format    reformat the sources        make check  lint and size report
#   make wheel     dist/cotan-*.whl            make clean  remove what was made
.DEFAULT_GOAL := dev
.DELETE_ON_ERROR:

PYTHON ?= python3
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
PYTEST ?=
BUILD  ?= build

VENV := .venv
BIN  := $(VENV)/bin
PY   := $(BIN)/python
PIP  := $(PY) -m pip install --disable-pip-version-check --progress-bar off -q
# Tools of .venv first: CMake finds this Python, pip's ninja, and so on.
export PATH := $(abspath $(BIN)):$(PATH)
say  := @printf '\033[1m== %s\033[0m\n'

.PHONY: demo test dev bench accuracy format check wheel clean
SHELL := /bin/bash

$(VENV)/created:
	$(say) "Creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "cotan needs Python >= 3.10; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# $(VENV)/X.installed: the requirements named X in pyproject.toml.
$(VENV)/%.installed: $(VENV)/created pyproject.toml tools/requirements.py
	$(say) "Installing the packages for: $*"
	@$(PIP) -r <($(PY) tools/requirements.py $*)
	@touch $@

# The clone's package on .venv's path.
$(VENV)/package.pth: $(VENV)/created
	@echo "$(abspath python)" > \
	  "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/cotan.pth"
	@touch $@

# Plugins ask for packages that they run without.
$(VENV)/plugins.installed: $(VENV)/created pyproject.toml tools/requirements.py
	$(say) "Installing PJRT plugins for the tests"
	@$(PIP) --no-deps -r <($(PY) tools/requirements.py plugins)
	@touch $@

$(BUILD)/build.ninja: $(VENV)/build.installed
	$(say) "Configuring $(BUILD)"
	@cmake -S . -B $(BUILD) -G Ninja -DPython_EXECUTABLE=$(abspath $(PY)) \
	  --log-level=WARNING
	@touch $@

dev: $(BUILD)/build.ninja $(VENV)/run.installed $(VENV)/package.pth
	$(say) "Building with $(JOBS) jobs"
	@ninja -C $(BUILD) -j $(JOBS)

demo: dev $(VENV)/demo.installed
	@$(PY) examples/digits.py $(DEMO)
	$(say) "The same library from C++, without Python"
	@cmake -S examples/cpp -B $(BUILD)/examples -G Ninja --log-level=WARNING \
	  -DCMAKE_BUILD_TYPE=Release \
	  -DCMAKE_PREFIX_PATH=$$($(PY) -m cotan.config --prefix) >/dev/null
	@cmake --build $(BUILD)/examples >/dev/null
	@$(BUILD)/examples/logistic

test: dev $(VENV)/test.installed $(VENV)/dev.installed \
      $(VENV)/plugins.installed
	$(say) "Testing"
	@$(PY) -m pytest $(PYTEST)

bench: dev $(VENV)/bench.installed
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PY) -m bench $(BENCH)

accuracy: dev
	$(say) "Comparing the math functions with wide references"
	@ninja -C $(BUILD) -j $(JOBS) cotan_accuracy
	@$(BUILD)/tools/cotan_accuracy --markdown=docs/accuracy.md $(ACCURACY)
	@$(PY) tools/special_accuracy.py

CPP := git ls-files 'csrc/*.h' 'csrc/*.cpp' 'tests/cpp/*' 'examples/*.cpp' | grep -E '\.(h|cpp)$$'

format: $(VENV)/dev.installed
	@clang-format -i $$($(CPP))
	@ruff format -q . && ruff check -q --fix .

check: $(VENV)/dev.installed
	@clang-format --dry-run -Werror $$($(CPP))
	@ruff format --check . && ruff check .
	@$(PY) tools/sizes.py

wheel: $(VENV)/created
	@$(PY) -m pip wheel . --no-deps -w dist
	@ls -l dist/*.whl

clean:
	rm -rf $(BUILD) build-* dist out python/cotan/*.so python/cotan/lib \
	  python/cotan/include
