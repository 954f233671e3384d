#!/usr/bin/env bash
# Sets up .venv where needed and runs the main job: on demo ads, or with --data DIR on yours.
#   ./run_all.sh
#   ./run_all.sh --data DIR --profile NAME [any option of `python -m competition run`]
# Results go to this folder; a later --out names another.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
caller=$PWD
cd "$here" || exit 2
. ./set_up.sh
cd "$caller"
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$here/.venv/bin/python" -P -m competition run --out "$here" "$@"
