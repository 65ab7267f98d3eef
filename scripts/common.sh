# What the set-up steps share. Sourced by bash, from the checkout's root.

export LC_ALL=C.UTF-8

# A home that can be written to: $HOME, else the one the system knows, else one inside the checkout, for tools that
# insist on having one.
ensure_home() {
    local folder
    for folder in "${HOME:-}" "$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)" "$PWD/.diaba/home"; do
        if [ "$folder" = "$PWD/.diaba/home" ]; then
            mkdir -p "$folder"
        fi
        if [ -n "$folder" ] && [ "$folder" != / ] && [ -d "$folder" ] && [ -w "$folder" ]; then
            export HOME="$folder"
            return 0
        fi
    done
}

# Where downloads that several checkouts share are kept. lidar/pdal.py looks in the same places.
cache_folder() {
    ensure_home
    printf '%s\n' "${DIABA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/diaba}"
}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "diaba set-up: $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# step "What it does" command…: one line when it is done, with its time; its whole output when it fails.
step() {
    local title=$1 log started status
    shift
    log=$(mktemp)
    started=$(date +%s.%N)
    status=0
    ("$@") >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        say "  $title: failed"
        tail -n 60 "$log" | sed 's/^/    /' >&2
        rm -f "$log"
        exit "$status"
    fi
    rm -f "$log"
    say "  $title ($(awk -v a="$started" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f s", b - a }'))"
}

# A step is done when its stamp holds the key it was made with; the key says everything the result depends on.
stamps=.venv/.diaba
stamped() { [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]; }
stamp() {
    mkdir -p "$stamps"
    printf '%s\n' "$2" >"$stamps/.$1.$$"
    mv "$stamps/.$1.$$" "$stamps/$1"
}
key_of() { { printf '%s\n' "$PWD" "$@"; for file in "$@"; do cat "$file"; done; } | sha256sum | cut -d' ' -f1; }

# attempt N command…: again after a pause, for networks that stumble.
attempt() {
    local left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        say "trying again in 5 s: $*"
        sleep 5
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# with_lock FILE command…: one at a time on this machine, where flock exists.
with_lock() {
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    if have flock; then
        (
            flock 9
            "$@"
        ) 9>"$file"
    else
        "$@"
    fi
}
