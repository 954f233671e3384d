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

# What pip is doing, from its log and from what lies in .venv.
pip_state() {
    local log=$1 found wanted there newest
    wanted=$(sed -n 's/^Installing collected packages: //p' "$log" | tr ',' '\n' | wc -l)
    if [ "$wanted" -gt 0 ]; then
        there=$(find .venv/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' | wc -l)
        newest=$(ls -td .venv/lib/python*/site-packages/*.dist-info | head -n 1)
        newest=${newest##*/}
        printf 'installing: %d of %d packages, now %s' "$((there < wanted ? there : wanted))" \
            "$wanted" "${newest%.dist-info}"
    else
        found=$(grep -c '^Collecting ' "$log" || true)
        printf 'collecting: %d packages, last %s' "$found" \
            "$(sed -n 's/^Collecting \([A-Za-z0-9._-]*\).*/\1/p' "$log" | tail -n 1)"
    fi
}

# Install requirements.txt. On a terminal one line is kept up to date; elsewhere one is added
# every 20 seconds.
install() {
    local log=.venv/pip.log pid second=0
    : >"$log"
    .venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt \
        >"$log" 2>&1 &
    pid=$!
    trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        if [ -t 1 ]; then
            printf '\r\033[K%3d s  %s' "$second" "$(pip_state "$log")"
        elif [ $((second % 20)) -eq 0 ] && [ "$second" -gt 0 ]; then
            printf '%3d s  %s\n' "$second" "$(pip_state "$log")"
        fi
        sleep 1
        second=$((second + 1))
    done
    trap - INT TERM
    [ ! -t 1 ] || printf '\r\033[K'
    if ! wait "$pid"; then
        tail -n 5 "$log" >&2
        fail "the packages of requirements.txt could not be installed; is a package index within \
reach? All that pip said is in $PWD/$log. The same command tries again."
    fi
    printf 'Installed in %d s.\n' "$second"
}

set_up() {
    local python wanted have
    wanted=$(cat requirements.txt)
    have=$(cat .venv/requirements-installed.txt 2>/dev/null || true)
    [ -x .venv/bin/python ] && [ "$wanted" = "$have" ] && return

    python=$(find_python)
    [ -n "$python" ] || fail "no Python 3.11 or newer found. Install it, or set PYTHON to its path."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module. Install it (on Debian and Ubuntu: python3-venv)."
    echo "Setting up .venv with $("$python" --version); this takes a few minutes, once."
    # Other requirements leave nothing behind: xgboost beside xgboost-cpu would break both.
    "$python" -m venv ${have:+--clear} .venv ||
        fail "$python could not make .venv in $PWD: see the message above."
    install
    cp requirements.txt .venv/requirements-installed.txt
}

set_up
