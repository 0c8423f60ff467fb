# Everything from a fresh checkout: make demo, make test. Only Python 3.11 or newer (with venv) and make are needed.

PYTHON ?= python3
ENV := .venv
SPYNNAKER := .venv-spynnaker
NEST_MPI := .venv-nest-mpi
# The models that backends/pynn/distributed/nest_models.py names; all of NEST's take twice as long.
NEST_MODELS := iaf_psc_exp;iaf_psc_alpha;iaf_psc_delta;iaf_cond_exp;iaf_cond_alpha;aeif_cond_exp;hh_cond_exp_traub;izhikevich;parrot_neuron;spike_generator;poisson_generator;step_current_generator;dc_generator;multimeter;spike_recorder;static_synapse;stdp_synapse;tsodyks2_synapse
BIN := $(ENV)/bin
# Files of tests are shared out between WORKERS processes, the longest first (tests/conftest.py).
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
DESCRIBED := setup.cfg pyproject.toml constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help demo lint shape nest-mpi test test-fast test-nest-mpi test-slow bench docs docs-figures clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(ENV)/installed ## install and run the prediction reservoir: pictures and results in out/prediction-reservoir
	$(BIN)/neurosim run prediction-reservoir --seed 0 --out out/prediction-reservoir

lint: $(ENV)/installed-for-lint ## rules and format of the code (ruff), and its types (pyright)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

shape: $(ENV)/installed-for-lint ## figures of the code beside their aims: length of lines, docstrings, circles, types
	$(BIN)/python -m benchmarks.shape

test: $(ENV)/installed-for-tests $(SPYNNAKER)/installed ## install and run the tests (about thirteen minutes on two idle cores)
	NEUROSIM_SPYNNAKER_PYTHON=$(CURDIR)/$(SPYNNAKER)/bin/python $(PYTEST) -m "not slow"

test-fast: $(ENV)/installed-for-tests ## the tests that need no other simulator, published experiment, process or compiled kernel (six minutes)
	$(PYTEST) --without-kernels --ignore tests/backends/brian --ignore tests/backends/pynn \
	  -m "not slow and not simulator and not experiment and not process"

test-slow: $(ENV)/installed-for-tests $(SPYNNAKER)/installed ## the tests that make test leaves out
	NEUROSIM_SPYNNAKER_PYTHON=$(CURDIR)/$(SPYNNAKER)/bin/python $(BIN)/python -m pytest -m slow

nest-mpi: $(NEST_MPI)/installed ## build NEST with MPI from its sources into .venv-nest-mpi (an hour on one quiet core; docs/other_simulators.md has what it needs)

test-nest-mpi: $(ENV)/installed-for-tests $(NEST_MPI)/installed ## the same numbers on one and two ranks of NEST
	NEUROSIM_NEST_MPI_PYTHON=$(CURDIR)/$(NEST_MPI)/bin/python \
	OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
	$(BIN)/python -m pytest tests/backends/pynn/test_nest_ranks.py

bench: $(ENV)/installed-for-benchmarks ## measure speed beside Brian 2 and NEST: tables, and JSON in benchmarks/results (three hours, and a quiet machine)
	for measured in cpu engine startup cost memory recording threads trials polychronous summary; do $(BIN)/python -m benchmarks.$$measured || exit; done

docs: $(ENV)/installed-for-docs ## build the documentation site into docs/_build/html; warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html

docs-figures: $(ENV)/installed ## draw the pictures of the documentation again
	cd docs && ../$(BIN)/neurosim run examples/balance.py
	$(BIN)/python -m neurosim.models.firing_patterns docs/firing_patterns.png

# Types of the backends are checked against the simulators, which the tests bring.
$(ENV)/installed-for-lint: $(DESCRIBED) | $(ENV)/bin/python
	@echo "installing neurosim and what checks its code into $(ENV)"
	@$(INSTALL) ".[lint,test]"
	@touch $@ $(ENV)/installed $(ENV)/installed-for-tests

$(ENV)/installed-for-docs: $(DESCRIBED) | $(ENV)/bin/python
	@echo "installing neurosim and what its documentation needs into $(ENV)"
	@$(INSTALL) ".[docs]"
	@touch $@ $(ENV)/installed

$(ENV)/installed-for-benchmarks: $(DESCRIBED) | $(ENV)/bin/python
	@echo "installing neurosim and what its benchmarks need into $(ENV)"
	@$(INSTALL) ".[bench,test]"
	@touch $@ $(ENV)/installed $(ENV)/installed-for-tests

# SpiNNaker's tools pin versions of their own.
$(SPYNNAKER)/installed:
	@echo "installing sPyNNaker, which maps networks onto a virtual board, into $(SPYNNAKER)"
	@$(PYTHON) -m venv $(SPYNNAKER)
	@$(SPYNNAKER)/bin/python -m pip install --quiet --disable-pip-version-check 'sPyNNaker==1!7.4.1' 'numpy<2.4'
	@touch $@

# Open MPI, GSL and libltdl with their headers, a C++ compiler and cmake are the system's.
$(NEST_MPI)/installed:
	@mpicc --version >/dev/null || { echo "no mpicc: apt-get install g++ cmake libopenmpi-dev openmpi-bin libgsl-dev libltdl-dev"; exit 1; }
	@echo "building NEST with MPI into $(NEST_MPI)"
	@$(PYTHON) -m venv $(NEST_MPI)
	@$(NEST_MPI)/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt --no-binary nest-simulator nest-simulator \
	  -C cmake.define.with-mpi=ON -C cmake.define.with-boost=OFF -C 'cmake.define.with-models=$(NEST_MODELS)'
	@touch $@

clean: ## remove the environment and all that was built, but not the results in out
	rm -rf $(ENV) $(SPYNNAKER) $(NEST_MPI) build dist docs/_build docs/gallery *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(ENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"neurosim needs Python 3.11 or newer, found {sys.version.split()[0]}. Choose another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(ENV)

$(ENV)/installed: $(DESCRIBED) | $(ENV)/bin/python
	@echo "installing neurosim into $(ENV)"
	@$(INSTALL) .
	@touch $@

$(ENV)/installed-for-tests: $(DESCRIBED) | $(ENV)/bin/python
	@echo "installing neurosim and what its tests need into $(ENV)"
	@$(INSTALL) ".[test]"
	@touch $@ $(ENV)/installed
