# Two commands do everything: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3
BIN := .venv/bin
DEMO := examples/channel_sentiment

.PHONY: demo demo-other test test-long check gpu-check docs protos clean .verdict

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evalkit needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv

# constraints.txt is the tested set; installation is repeated only when it or pyproject.toml changes
.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv/.installed ## prepare the example's real data and teacher, run the gate, print the verdict
	$(BIN)/python $(DEMO)/prepare.py
	$(BIN)/evalkit check $(DEMO)/gate.yaml || $(MAKE) --no-print-directory .verdict CODE=$$?
	$(BIN)/python $(DEMO)/compare.py

# 0 GO, 1 NO-GO and 3 INCONCLUSIVE are verdicts: the demo worked. Anything else is a failure.
.verdict:
	@test $(CODE) -eq 1 -o $(CODE) -eq 3 || exit $(CODE)

demo-other: .venv/.installed ## the second spec beside the first: another student, another verdict
	$(BIN)/python $(DEMO)/prepare.py
	$(BIN)/evalkit check $(DEMO)/gate_tiny.yaml || $(MAKE) --no-print-directory .verdict CODE=$$?

test: .venv/.installed-dev ## run the tests, without the longest (see test-long)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long and not alone" -n auto --maxprocesses=8
	$(BIN)/python -m pytest -m "alone and not long"

test-long: .venv/.installed-dev ## the longest simulations of error rates, two nodes of Ray, and the server's benchmark in short: five minutes
	$(BIN)/python -m pytest -m long

check: .venv/.installed-dev ## format, lint, types, architecture, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

gpu-check: .venv/.installed-dev ## on an NVIDIA GPU: the tests that need one, and its figures; elsewhere a message
	$(BIN)/python benchmarks/gpu.py
	$(BIN)/python -m pytest -m gpu tests/unit/serving tests/unit/benchmarks tests/unit/students tests/unit/packaging

docs: .venv/.installed-dev ## write the generated parts of the documentation
	$(BIN)/python docs/generate.py

protos: .venv/.installed-dev ## compile the messages of the gRPC calls
	$(BIN)/python -m grpc_tools.protoc -I serving/protos --descriptor_set_out=serving/protos/open_inference.binpb open_inference.proto

clean: ## remove what the demo made (downloads, teacher, runs)
	rm -rf $(DEMO)/build $(DEMO)/runs
