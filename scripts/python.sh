# The Python environment .venv: exactly the versions and hashes of requirements.lock, and diaba itself, editable.
# Sourced by setup.sh.

python_key() { key_of requirements.lock scripts/python.sh; printf '%s\n' "$1"; }
project_key() { printf '%s\n' "$1"; key_of pyproject.toml; }

install_python() {
    local python key
    python=$(find_python) || die "no Python 3.11 or later with venv"
    key=$(python_key "$python")
    if [ ! -x .venv/bin/python ] || ! stamped python "$key"; then
        step "Python packages of requirements.lock ($(grep -c '^[a-z0-9].*==' requirements.lock)), into .venv" \
            install_locked "$python"
        stamp python "$key"
    fi
    key=$(project_key "$key")
    if ! stamped project "$key" || [ ! -x .venv/bin/diaba ]; then
        step "diaba itself, editable" install_project
        stamp project "$key"
    fi
}

# One package of the lock with its hashes, as pip takes it.
lock_entry() { awk -v name="$1" 'index($0, name "==") == 1 { on = 1; print; next } on && /^ +--hash/ { print; next } { on = 0 }' requirements.lock; }

install_locked() {
    local entry
    "$1" -m venv --clear .venv
    entry=$(mktemp)
    lock_entry uv >"$entry"
    [ -s "$entry" ] || die "requirements.lock does not name uv"
    attempt 3 .venv/bin/python -m pip install --quiet --no-deps --require-hashes -r "$entry"
    rm -f "$entry"
    # Compiled now: else each process compiles all it imports where the environment forbids it to keep byte code.
    attempt 3 .venv/bin/uv pip sync --quiet --require-hashes --compile-bytecode --python .venv/bin/python \
        requirements.lock ||
        attempt 2 .venv/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
}

# Offline: what builds it is in the lock too.
install_project() {
    .venv/bin/uv pip install --quiet --offline --no-deps --no-build-isolation --python .venv/bin/python --editable .
}

# Once for an environment: a build in a fresh checkout would compile for minutes in each of its processes. What changes
# afterwards is compiled when it is called.
compile_loops() {
    local key
    key=$(key_of requirements.lock scripts/loops/loops.txt)
    stamped loops "$key" && return
    step "Compiled loops ($(wc -l <scripts/loops/loops.txt)), on all processors" .venv/bin/python -m scripts.loops
    stamp loops "$key"
}
