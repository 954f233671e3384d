# Sourced by run_all.sh and tests/run.sh: makes .venv from requirements.txt, once.
# PYTHON=/path/to/python chooses the interpreter.

set -eu

fail() {
    printf 'Error: %s\n' "$1" >&2
    exit 2
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

set_up() {
    local python log wanted have
    wanted=$(cat requirements.txt)
    have=$(cat .venv/requirements-installed.txt 2>/dev/null || true)
    [ -x .venv/bin/python ] && [ "$wanted" = "$have" ] && return

    python=$(find_python)
    [ -n "$python" ] || fail "no Python 3.11 or newer found. Install it, or set PYTHON to its path."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module. Install it (on Debian and Ubuntu: python3-venv)."
    echo "Setting up .venv with $("$python" --version); this takes a few minutes, once."
    "$python" -m venv .venv || fail "$python could not make .venv in $PWD: see the message above."
    log=.venv/pip.log
    if ! .venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt \
        >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        fail "the packages of requirements.txt could not be installed; is a package index within \
reach? All that pip said is in $PWD/$log. The same command tries again."
    fi
    cp requirements.txt .venv/requirements-installed.txt
}

set_up
