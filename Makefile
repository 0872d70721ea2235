# make demo and make test do all their own set-up in .venv; nothing else needs to be installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# cargo links its tests to the library of the interpreter that the wheel is tested with.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
LIBPYTHON = $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
# Not --release: maturin builds there with other link settings, and each would rebuild the other's.
CARGO_TEST = LD_LIBRARY_PATH="$(LIBPYTHON):$$LD_LIBRARY_PATH" cargo test --quiet
# What the benchmarks compare with; ninja builds DeepSpeed's optimizer at its first use.
PEERS := numba jax optax torch ninja deepspeed stable-baselines3
# Whose numbers make test-peers compares with, beside those of the environment and torch.
FAMILY := optax timm schedulefree pytorch_optimizer prodigyopt torch-optimi torch_optimizer \
	adabelief-pytorch bitsandbytes
# The fuzzers' time: of the Python ones each, and of every Rust target.
MINUTES ?= 1
FUZZ_TARGETS := step plan reductions memory
# A nightly compiler's own: the sanitizer needs a target of its own, or build scripts had it too.
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
SANITIZED := $(CURDIR)/target/sanitized
# What touches memory: the rest of the suite starts processes and builds things.
SANITIZED_TESTS := $(addprefix tests/test_,bits.py random.py bad_input.py bad_moments.py clip.py \
	state_dict.py state_dict_copies.py fuzz.py checkpoint.py checkpoint_schedulers.py)
RUST := $(shell find src -name '*.rs' -o -name '*.cu') Cargo.toml Cargo.lock

.PHONY: help demo storage test test-long test-peers test-torch test-gpu test-pythons fuzz miri sanitize lint format wheel bench \
	bench-peers bench-gpu

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(VENV)/built ## train on real data with every optimizer, and draw three pictures
	$(BIN)/python -m ferrostep demo

storage: $(VENV)/built ## train in every storage kind; write docs/storage.md
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m ferrostep demo --storage docs/storage.md

# Data races and reads of foreign memory in the step, on plain vectors: what crosses into Python it
# cannot run. Addresses are numbers in headers, hence the permission; the tests compare sines.
miri: export MIRIFLAGS := -Zmiri-permissive-provenance -Zmiri-disable-isolation -Zmiri-deterministic-floats
miri: $(VENV)/installed ## the step's Rust tests under Miri (a nightly compiler with the component miri)
	LD_LIBRARY_PATH="$(LIBPYTHON):$$LD_LIBRARY_PATH" cargo +nightly miri test --quiet \
		--target-dir $(CURDIR)/target/miri --test step

lint: $(VENV)/built ## formats, lints and types
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p ferrostep -p benchmarks
	$(BIN)/stubtest --mypy-config-file pyproject.toml ferrostep._native

test: lint ## lint, then all tests but the long ones
	$(CARGO_TEST)
	$(BIN)/pytest -q -n 2 -m "not long"

test-long: $(VENV)/built ## the tests that take longer, the rest of the largest products among them
	$(CARGO_TEST) -- --ignored
	$(BIN)/pytest -q -m long || test $$? -eq 5  # 5: there are none

test-torch: $(VENV)/torch ## the classes in torch's place beside torch itself, which is installed (about 5 GB)
	$(BIN)/pytest -q -n 2 tests/with_torch

test-peers: $(VENV)/peers ## other libraries beside ours: their tests with ours in place, their numbers (about 6 GB)
	cd tests && ../$(BIN)/python -m peers
	$(BIN)/pytest -q tests/test_readme.py

test-pythons: $(VENV)/installed ## the wheel on every CPython found, with the oldest and the newest NumPy
	$(BIN)/python tests/pythons.py

fuzz: $(VENV)/built $(VENV)/cargo/bin/cargo-fuzz ## all fuzzers, MINUTES=n for each (a nightly compiler)
	cd tests && ../$(BIN)/python -m fuzzing --minutes $(MINUTES) --processes 2
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target; \
		PATH="$(CURDIR)/$(VENV)/cargo/bin:$$PATH" LD_LIBRARY_PATH="$(LIBPYTHON):$$LD_LIBRARY_PATH" \
		ASAN_OPTIONS=detect_leaks=0 cargo +nightly fuzz run $$target -- \
			-max_total_time=$$((60 * $(MINUTES))) -max_len=4096 -print_final_stats=1 || exit 1; \
	done

# The interpreter is not instrumented and frees little at its exit, so leaks are not looked for.
sanitize: export ASAN_OPTIONS := detect_leaks=0
sanitize: export RUSTFLAGS := -Zsanitizer=address
sanitize: $(VENV)/installed ## Rust tests and the core of the suite with AddressSanitizer (a nightly compiler)
	LD_LIBRARY_PATH="$(LIBPYTHON):$$LD_LIBRARY_PATH" cargo +nightly test --quiet \
		--target $(HOST) --target-dir $(SANITIZED)
	PYO3_BUILD_EXTENSION_MODULE=1 cargo +nightly build --quiet --lib --profile test \
		--target $(HOST) --target-dir $(SANITIZED)/extension
	rm -rf $(SANITIZED)/python && mkdir -p $(SANITIZED)/python && cp -r python/ferrostep $(SANITIZED)/python/
	cp $(SANITIZED)/extension/$(HOST)/debug/libferrostep.so $(SANITIZED)/python/ferrostep/_native.abi3.so
	PYTHONPATH=$(SANITIZED)/python $(BIN)/python tests/sanitized.py $(SANITIZED_TESTS)

# The packages of $(BIN)/python, or of another: make test-gpu GPU_PYTHON=python3
GPU_PYTHON ?= $(BIN)/python
GPU_RUN = $(GPU_PYTHON) tests/gpu/run $$(ls -t dist/ferrostep-*.whl | head -n 1)

test-gpu: wheel ## CuPy's arrays on a real device, at most five minutes; installs nothing
	$(GPU_RUN) --parts device cases faults

bench-gpu: wheel ## on a real device: beside its copy bandwidth, CuPy and torch; installs nothing
	$(GPU_RUN) --parts device benchmark

format: $(VENV)/installed ## format Rust and Python
	cargo fmt --all
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

wheel: $(VENV)/installed ## build the wheel into dist/
	$(BIN)/maturin build --release --quiet --out dist

bench: $(VENV)/floor ## measure beside the floor and the peers found; write docs/benchmarks.md
	$(BIN)/python -m benchmarks --json docs/benchmarks.json
	$(BIN)/python -m benchmarks.document docs/benchmarks.json --readme README.md

bench-peers: $(VENV)/installed ## install the libraries that the benchmark compares with (about 6 GB)
	@for peer in $(PEERS); do \
		echo "$$peer ..."; \
		$(BIN)/pip install --quiet $$peer || echo "$$peer cannot be installed: it will be listed as absent"; \
	done
	-@$(BIN)/python -m benchmarks.peers.deepspeed_cpu  # compiles its optimizer

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *(d for name, extra in p["optional-dependencies"].items() if not name.startswith(("cuda", "torch")) for d in extra), sep="\n")' > $(VENV)/requirements.txt
	$(BIN)/pip install --quiet -r $(VENV)/requirements.txt
	touch $@

# expecttest is what torch's own tables of tests need; Stable-Baselines3 trains with ours.
$(VENV)/torch: $(VENV)/built
	$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["optional-dependencies"]["torch"], sep="\n")' > $(VENV)/torch-requirements.txt
	$(BIN)/pip install --quiet -r $(VENV)/torch-requirements.txt expecttest stable-baselines3
	touch $@

# The smaller peers are in the environment; the first one is for a page alone.
$(VENV)/peers: $(VENV)/torch
	$(BIN)/pip install --quiet pennylane $(FAMILY)
	touch $@

$(VENV)/cargo/bin/cargo-fuzz: | $(VENV)/installed
	cargo install --quiet --locked --root $(VENV)/cargo cargo-fuzz

$(VENV)/built: $(VENV)/installed $(RUST)
	$(BIN)/maturin develop --release --quiet
	touch $@

$(VENV)/floor: $(VENV)/built $(wildcard benchmarks/floor/*.toml benchmarks/floor/src/*.rs)
	$(BIN)/maturin develop --release --quiet -m benchmarks/floor/Cargo.toml
	touch $@
