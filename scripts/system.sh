# Programs that come from the system: PostgreSQL with PostGIS, Python, Node.js, Pango and fonts for printed sheets; a
# browser, QGIS, curl and jq for the tests.
# Sourced by setup.sh. What is there already is left alone; apt-get runs only when something is missing.

postgis_there() {
    local control
    for control in /usr/share/postgresql/*/extension/postgis.control; do
        [ -f "$control" ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && return 0
    done
    have initdb && have pg_config && [ -f "$(pg_config --sharedir)/extension/postgis.control" ]
}

# The Python the environment is made from: $PYTHON, or the first of 3.11 or later that can make environments.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
        [ -n "$candidate" ] && have "$candidate" || continue
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            # of an activated environment, the Python it was made from
            "$candidate" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))'
            return 0
        fi
    done
    return 1
}

node_there() {
    have node && have npm && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null
}

browser_there() {
    have chromium || have chromium-browser || have google-chrome || have google-chrome-stable
}

# Its modules are those of the system's Python.
qgis_there() { /usr/bin/python3 -c 'import qgis.core' >/dev/null 2>&1; }

# DejaVu has all letters of Vietnamese.
fonts_there() { ls /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf >/dev/null 2>&1; }

# What WeasyPrint sets text with.
pango_there() {
    local library libraries
    libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null) || return 0
    for library in libpango-1.0.so.0 libpangoft2-1.0.so.0 libharfbuzz-subset.so.0; do
        case $libraries in *"$library"*) ;; *) return 1 ;; esac
    done
}

missing_parts() {
    postgis_there || echo postgis
    find_python >/dev/null || echo python
    node_there || echo node
    pango_there || echo pango
    fonts_there || echo fonts
    if [ "${1:-}" = test ]; then
        browser_there || echo browser
        qgis_there || echo qgis
        have curl || echo curl
        have jq || echo jq
    fi
}

# Newest PostGIS the distribution offers, with the PostgreSQL it is built for.
postgis_packages() {
    local newest
    newest=$(apt-cache pkgnames postgresql- | grep -E '^postgresql-[0-9]+-postgis-3$' | sort -V | tail -n 1)
    [ -n "$newest" ] || die "this distribution offers no PostGIS for PostgreSQL; install one, or use environment.yml"
    printf '%s\n' "${newest%-postgis-3}" "$newest"
}

packages_for() {
    local part
    for part in "$@"; do
        case $part in
            postgis) postgis_packages ;;
            python) printf '%s\n' python3 python3-venv ;;
            node) printf '%s\n' nodejs npm ;;
            browser) echo chromium ;;
            pango) printf '%s\n' libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 ;;
            fonts) echo fonts-dejavu-core ;;
            qgis) echo python3-qgis ;;
            curl) echo curl ;;
            jq) echo jq ;;
        esac
    done
}

# Debian makes and starts a cluster of its own when PostgreSQL is first installed; diaba runs a private one instead.
# The drop-in is there only while apt-get runs, and only where PostgreSQL was not installed before.
no_default_cluster=/etc/postgresql-common/createcluster.d/diaba-setup.conf

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -q -y \
        -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

apt_install() {
    local packages status=0
    attempt 3 apt_get update
    mapfile -t packages < <(packages_for "$@")
    if [ ! -e /usr/share/postgresql-common ]; then
        as_root mkdir -p "$(dirname "$no_default_cluster")"
        echo 'create_main_cluster = false' | as_root tee "$no_default_cluster" >/dev/null
    fi
    attempt 2 apt_get install --no-install-recommends "${packages[@]}" || status=$?
    as_root rm -f "$no_default_cluster"
    return "$status"
}

install_system_packages() {
    local missing names
    mapfile -t missing < <(missing_parts "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    names=$(IFS=,; printf '%s' "${missing[*]}" | sed 's/,/, /g')
    have apt-get || die "missing: $names. This system has no apt-get; install PostgreSQL with PostGIS 3, Python 3.11 or \
later and Node.js 18 or later, or take them from environment.yml (conda env create -f environment.yml)"
    [ "$(id -u)" -eq 0 ] || have sudo || die "missing: $names. Ask an administrator to run, once: \
apt-get install $(packages_for "${missing[@]}" | tr '\n' ' ')"
    if [ "$(id -u)" -ne 0 ] && [ -t 0 ]; then
        sudo -v
    fi
    step "System packages for $names, by apt-get" apt_install "${missing[@]}"
    mapfile -t missing < <(missing_parts "$@")
    [ "${#missing[@]}" -eq 0 ] || die "still missing after apt-get: ${missing[*]}"
}
