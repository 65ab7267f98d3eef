#!/usr/bin/env bash
# Install what diaba needs, once; again it looks and leaves in a second, without a network.
#   scripts/setup.sh         what `make demo` and `make serve` need
#   scripts/setup.sh test    and what the tests need besides (a browser and QGIS)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
ensure_home

set_up() {
    . scripts/system.sh
    . scripts/python.sh
    . scripts/node.sh
    install_system_packages "$@"
    install_python
    # It needs no network, what follows does little else.
    compile_loops &
    local loops=$!
    install_node
    step_pdal
    # Nothing needs it: what was not compiled now is when it is called.
    wait "$loops" || true
}

# Installed by a user of conda: PDAL comes with the environment. Otherwise scripts/pdal.sh unpacks one.
step_pdal() {
    local line
    if line=$(scripts/pdal.sh --check 2>/dev/null); then
        [ -z "$line" ] || mkdir -p "$stamps"
    else
        step "PDAL, into its private prefix" scripts/pdal.sh
    fi
}

with_lock "$PWD/.diaba/setup.lock" set_up "$@"
