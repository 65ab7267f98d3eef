#!/usr/bin/env bash
# PDAL for machines whose distribution has none: Debian 11's, with its libraries, unpacked into a private prefix.
#   scripts/pdal.sh           install it unless there is one, and print the program's path
#   scripts/pdal.sh --check   print the program's path if there is one; exit 1 if not
# Nothing is installed into the system: dpkg unpacks the packages beside each other in a folder that all checkouts of
# a user share, and a launcher there starts PDAL with that folder's libraries and PROJ and GDAL data.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

release=bullseye
cache=$(cache_folder)
prefix="$cache/pdal-$release-$(uname -m)"
program="$prefix/bin/pdal"

# The C and C++ run-time libraries are the machine's own: newer ones run what was built for older ones.
machines_own='^(libc6|libc-bin|libgcc-s1|libstdc\+\+6|libcrypt1|gcc-[0-9]+-base)$'

find_program() {
    if [ -n "${DIABA_PDAL:-}" ]; then
        printf '%s\n' "$DIABA_PDAL"
    elif have pdal; then
        command -v pdal
    elif [ -x "$program" ]; then
        printf '%s\n' "$program"
    else
        return 1
    fi
}

# The Debian mirrors this machine is set up with, as apt itself understands its sources.
mirrors() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk '$3 == "main" && $2 !~ /-security$|-updates$|-backports$/ && !seen[$1]++ { print $1 }'
}

# A private apt: own sources, own state, an empty machine. It resolves and fetches; it can install nothing.
private_apt() {
    apt-get -q -y -c "$work/apt.conf" "$@"
}

write_private_apt() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f "$keyring" ] || die "$keyring is missing: install the package debian-archive-keyring"
    mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial "$work"/etc
    : >"$work/status"
    printf 'deb [signed-by=%s check-valid-until=no] %s %s main\n' "$keyring" "$1" "$release" >"$work/etc/sources.list"
    cat >"$work/apt.conf" <<CONF
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
APT::Architecture "$(dpkg --print-architecture)";
APT::Install-Recommends "false";
APT::Default-Release "";
Acquire::Retries "3";
Acquire::Languages "none";
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
CONF
}

fetch() {
    local mirror
    while read -r mirror; do
        write_private_apt "$mirror"
        if private_apt update && private_apt install --download-only pdal; then
            return 0
        fi
    done < <(mirrors)
    die "no mirror of this machine's apt sources has Debian's $release with PDAL. $advice"
}

advice='Put PDAL 2.2 or later on the PATH (conda install -c conda-forge pdal) or name it in DIABA_PDAL'

unpack() {
    local package name
    mkdir -p "$work/prefix/bin"
    for package in "$work"/cache/archives/*.deb; do
        name=$(dpkg-deb --field "$package" Package)
        printf '%s' "$name" | grep -Eq "$machines_own" || dpkg-deb --extract "$package" "$work/prefix"
    done
    cat >"$work/prefix/bin/pdal" <<'LAUNCHER'
#!/bin/sh
# Starts this folder's PDAL with this folder's libraries and data.
prefix=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
for libraries in "$prefix"/usr/lib/*-linux-gnu; do break; done
LD_LIBRARY_PATH=$prefix/usr/lib:$libraries:$libraries/blas:$libraries/lapack:$prefix/lib/${libraries##*/}
PROJ_LIB=$prefix/usr/share/proj
GDAL_DATA=$prefix/usr/share/gdal
export LD_LIBRARY_PATH PROJ_LIB GDAL_DATA
unset PROJ_DATA GDAL_DRIVER_PATH PDAL_DRIVER_PATH
exec "$prefix/usr/bin/pdal" "$@"
LAUNCHER
    chmod +x "$work/prefix/bin/pdal"
    rm -rf "$work"/prefix/usr/share/{doc,man,locale,lintian,bash-completion}
    "$work/prefix/bin/pdal" --version >/dev/null
}

install_program() {
    ! find_program >/dev/null || return 0
    [ "$(uname -s)" = Linux ] && have apt-get && have dpkg-deb || die "PDAL is missing. $advice"
    work=$(mktemp -d "$cache/.pdal.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    fetch
    unpack
    mv -T "$work/prefix" "$prefix"
}

if [ "${1:-}" = --check ]; then
    find_program
    exit
fi
find_program >/dev/null || with_lock "$cache/pdal.lock" install_program >&2
find_program
