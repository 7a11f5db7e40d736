# Everything is made in .venv and build/; nothing outside the checkout is touched.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
TREE := build/dev
EXAMPLE ?= examples/train_digits.py
BENCHMARK ?= benchmarks/run.py
PYTHON_SOURCES := $(wildcard python tests examples benchmarks cmake .ci)

export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell getconf _NPROCESSORS_ONLN)
# Lets checkouts in different folders share compiled files.
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
# The tools that CMake and Ninja come from.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: all build test test-metal fuzz demo bench lint format wheel wheel-macos sanitize clean
all: build

# A stamp for each group of requirements, so that each is installed once and again when pyproject.toml changes.
$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.stamp: pyproject.toml .ci/requirements.py | $(VENV)/pyvenv.cfg
	$(PY) .ci/requirements.py $* > $(VENV)/$*.txt
	$(PY) -m pip install --quiet -r $(VENV)/$*.txt
	touch $@

# One tree holds the module and the C++ tests. It is kept, so this recompiles only what has changed.
build: $(VENV)/build.stamp $(VENV)/dev.stamp $(VENV)/runtime.stamp
	$(PY) -m pip install --quiet --no-build-isolation --no-deps --editable . \
	    --config-settings=build-dir=$(TREE) --config-settings=cmake.define.MLX_BUILD_TESTS=ON

# The examples are tested too, so what they need is installed.
test: build $(VENV)/test.stamp $(VENV)/demo.stamp
	ctest --test-dir $(TREE) --output-on-failure
	$(PY) -m pytest tests/python

# The Metal backend and its kernels without a Mac: the emulator's own tests, then the suite on the emulated device.
EMULATOR := build/metal_emulator
CLANGXX ?= $(firstword $(foreach c,clang++-19 clang++-18 clang++-17 clang++-16 clang++,$(shell command -v $(c) 2>/dev/null)))
test-metal: build $(VENV)/test.stamp
	@test -n "$(CLANGXX)" || { echo "make test-metal needs clang 16 or later: set CLANGXX"; exit 1; }
	cmake -S tests/metal_emulator -B $(EMULATOR) -G Ninja -DCMAKE_CXX_COMPILER=$(CLANGXX)
	cmake --build $(EMULATOR)
	ctest --test-dir $(EMULATOR) --output-on-failure
	MLX_METAL_EMULATOR=$(CURDIR)/$(EMULATOR)/libmlx_metal_emulator.so $(PY) -m pytest tests/python --device mps

# Ten thousand damaged and forged files; `make test` tries a fifth of them.
fuzz: build $(VENV)/test.stamp
	MLX_MUTATIONS=10000 $(PY) -m pytest tests/python/test_damaged_files.py

demo: build $(VENV)/demo.stamp
	$(PY) $(EXAMPLE)

bench: build $(VENV)/bench.stamp
	$(PY) $(BENCHMARK)

lint: $(VENV)/lint.stamp
	$(PY) cmake/generate_stubs.py --out python/mlx cpp/ops/*.cpp
	$(PY) -m ruff check $(PYTHON_SOURCES)
	$(PY) -m ruff format --check $(PYTHON_SOURCES)
	find cpp tests/cpp -name '*.h' -o -name '*.cpp' | xargs $(VENV)/bin/clang-format --dry-run -Werror
	$(PY) -m mypy

format: $(VENV)/lint.stamp
	$(PY) -m ruff check --fix $(PYTHON_SOURCES)
	$(PY) -m ruff format $(PYTHON_SOURCES)
	find cpp tests/cpp -name '*.h' -o -name '*.cpp' | xargs $(VENV)/bin/clang-format -i

wheel: $(VENV)/build.stamp $(VENV)/dev.stamp
	$(PY) -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

# The wheel for macOS on arm64, built on any system (cmake/macos). What can be said of it without a Mac is tested.
wheel-macos: $(VENV)/build.stamp $(VENV)/dev.stamp $(VENV)/cross.stamp $(VENV)/test.stamp
	_PYTHON_HOST_PLATFORM=macosx-14.0-arm64 \
	    $(PY) -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist . \
	    --config-settings=build-dir=build/macos --config-settings=cmake.toolchain-file=cmake/macos/toolchain.cmake
	$(PY) -m pytest tests/macos

sanitize: $(VENV)/build.stamp $(VENV)/dev.stamp
	cmake -S . -B build/sanitize -G Ninja -DMLX_BUILD_TESTS=ON -DMLX_SANITIZE=ON \
	    -DPython_EXECUTABLE=$(CURDIR)/$(PY)
	cmake --build build/sanitize
	ctest --test-dir build/sanitize --output-on-failure

clean:
	rm -rf build dist $(VENV)
