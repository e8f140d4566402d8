# Each target does its own set-up; the environments are kept in .venvs/ until their requirements change.

HOST ?= 127.0.0.1
PORT ?= 8000
export TRAFFIC ?= 1

.PHONY: help run test matrix django-suite bench screenshots messages lock

help:
	@echo 'make run      the shop and the dashboard (HOST=$(HOST) PORT=$(PORT); TRAFFIC=0: no demo traffic)'
	@echo 'make test     static checks, all tests, and the wheel in a project of its own'
	@echo 'make matrix   the tests on every Python and Django whose interpreter is present'
	@echo 'make django-suite  all tests of Django itself and of REST framework, with capture and without'
	@echo 'make bench    the figures of the README, measured here (BENCHMARKS=sending: some of them)'
	@echo 'make screenshots  the pictures of the README'
	@echo 'make messages  the catalogues of translations, with what the code says now'
	@echo 'make lock     new locked requirements'

run:
	@venv=$$(.ci/venv project project/requirements.txt) && \
	exec "$$venv/bin/python" project/manage.py demo --host $(HOST) --port $(PORT)

# In their own order: long files come first.
test:
	@.ci/system redis-server chromium
	@venv=$$(.ci/venv tests tests/requirements.txt) && PATH=$$venv/bin:$$PATH && set -x && \
	ruff check . && \
	ruff format --check . && \
	mypy && \
	lint-imports && \
	python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

matrix:
	@.ci/system redis-server chromium
	@python=$$(.ci/python) && "$$python" .ci/matrix.py

# dj-database-url: what the other project's tests import beside what ours need.
django-suite:
	@venv=$$(.ci/venv suites tests/requirements.txt tests/suites/dj-database-url.txt) && \
	exec "$$venv/bin/python" -m tests.suites django rest_framework

bench:
	@.ci/system redis-server chromium
	@venv=$$(.ci/venv bench tests/requirements.txt tests/benchmarks/rivals.txt) && \
	exec "$$venv/bin/python" -m tests.benchmarks $(BENCHMARKS)

screenshots:
	@.ci/system chromium
	@venv=$$(.ci/venv tests tests/requirements.txt) && exec $$venv/bin/python -m tests.screenshots

messages:
	@venv=$$(.ci/venv tests tests/requirements.txt) && exec $$venv/bin/python -m tests.messages

# No index address gets into the locked files; one lock serves every supported Python.
lock:
	@venv=$$(.ci/venv tests tests/requirements.txt) && \
	lock() { "$$venv/bin/uv" pip compile --quiet --no-config --no-header --no-emit-index-url --universal \
		--generate-hashes --upgrade "$$@"; } && \
	lock --python-version 3.11 pyproject.toml project/requirements.in -o project/requirements.txt && \
	lock --python-version 3.11 pyproject.toml project/requirements.in tests/requirements.in \
		-c project/requirements.txt -o tests/requirements.txt && \
	lock --python-version 3.11 --no-deps --no-annotate tests/benchmarks/rivals.in \
		-c tests/requirements.txt -o tests/benchmarks/rivals.txt && \
	for django in 5.2 6.0 6.1; do \
		echo "Django==$$django.*" | lock --python-version 3.12 --no-deps --no-annotate - -o tests/django-$$django.txt || exit; \
	done
