#!/usr/bin/env bash
# JupyterLab on the notebooks, over the cities of this checkout; what is given goes on to `jupyter lab`.
#   scripts/notebooks.sh --port=8889
set -euo pipefail
cd "$(dirname "$0")/.."

# The notebooks start a store that sleeps; this says at once when there is none.
if [[ "${DIABA_CITY:-}" != *://* ]]; then
    .venv/bin/diaba db start >/dev/null
    compgen -G "${DIABA_HOME:-.diaba}/cities/*/city.toml" >/dev/null || [ -n "${DIABA_DATABASE_URL:-}" ] ||
        echo "There is no city yet: run make demo first." >&2
fi

options=(--ServerApp.root_dir=notebooks)
[ "$(id -u)" -ne 0 ] || options+=(--allow-root)
if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    options+=(--no-browser)
fi
exec .venv/bin/jupyter lab "${options[@]}" "$@"
