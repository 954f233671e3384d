#!/usr/bin/env bash
# Sets up .venv where needed and runs the linters and the tests; options go to pytest.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ./set_up.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
exec .venv/bin/python -m pytest "$@"
