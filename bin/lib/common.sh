# Sourced by the scripts in bin/. Says what is done, finds Docker, builds the release binary.
# shellcheck shell=bash

set -euo pipefail
SELF=$(cd "$(dirname "$0")" && pwd)/${0##*/}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"

# Debian keeps what only root needs (dockerd, ip, iptables, nginx) where other users do not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$'\e[1m' RESET=$'\e[0m'
else
    BOLD='' RESET=''
fi

say() { printf '%s\n' "${BOLD}==> $*${RESET}" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
    printf '%s\n' "${0##*/}: $*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Whether an engine answers, wherever DOCKER_HOST or the Docker context point.
docker_answers() { has docker && timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A user who was put into the group `docker` a moment ago gets it with the next login only. `sg` gives it at once:
# start the script again through it. No-op where Docker answers.
with_docker_group() {
    docker_answers && return
    if [ -z "${ONCE_REGROUPED:-}" ] && has sg && [[ " $(id -nG "$(id -un)") " == *" docker "* ]]; then
        export ONCE_REGROUPED=1
        exec sg docker -c "$(printf '%q ' "$SELF" "$@")"
    fi
    die "Docker does not answer this user; log out and in again, then run $SELF once more"
}

# Builds the release binary and prints its path; cargo names it, so any target folder will do.
release_binary() {
    local path
    path=$(cargo "$@" build --release --locked --bin once --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -x "$path" ] || die "cargo did not say where it put the release binary"
    printf '%s\n' "$path"
}

# The same, in a target folder of its own and with flags for the compiler beside those of .cargo/config.toml.
binary_with() {
    local target=$1 host flags
    shift
    host=$(rustc --print host-tuple)
    printf -v flags "'%s'," "$@"
    CARGO_TARGET_DIR=$target release_binary --config "target.$host.rustflags=[$flags]"
}

# Whether nothing listens on a TCP port of this host.
port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
