#!/usr/bin/env bash
# Sets up .venv where needed, then:
#   tests/run.sh                    linters, documentation, all tests but the slow ones, coverage
#   tests/run.sh tests/oof -k rows  these tests alone; any option of pytest
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ./set_up.sh
export PATH="$PWD/.venv/bin:$PATH"
[ $# -gt 0 ] && exec python -m pytest "$@"
ruff check .
ruff format --check .
mypy
lint-imports
NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet --site-dir cache/site
# A worker a core, so one thread a worker.
export OMP_NUM_THREADS=1
exec python -m pytest -m "not slow and not faults_long" -n auto --dist worksteal --cov --cov-fail-under=90
