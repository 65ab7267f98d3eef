#!/usr/bin/env bash
# Lock names, versions and hashes of everything pyproject.toml and package.json ask for; no download addresses.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/uv pip compile pyproject.toml --all-extras --generate-hashes --universal --python-version 3.11 \
    --no-header --quiet --output-file requirements.lock "$@"
if [ "${1:-}" = --upgrade ]; then
    npm update --package-lock-only --ignore-scripts
else
    npm install --package-lock-only --ignore-scripts
fi
