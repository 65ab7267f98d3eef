# The viewer's libraries and the tests' browser driver, exactly the versions and hashes of package-lock.json; and the
# viewer, bundled.
# Sourced by setup.sh.

install_node() {
    local key
    key=$(key_of package.json package-lock.json)
    if [ ! -d node_modules ] || ! stamped node "$key"; then
        step "Browser packages of package-lock.json, into node_modules" \
            attempt 3 npm ci --no-audit --no-fund --loglevel=error
        stamp node "$key"
    fi
    if ! node scripts/bundle.mjs --check; then
        step "The viewer's bundle, into api/viewer/built" node scripts/bundle.mjs
    fi
}
