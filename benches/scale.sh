#!/usr/bin/env bash
# Whether many apps cost more than few: engine calls and time of `once list` and `once status`, for one app and for
# ONCE_BENCH_APPS (100).
. "$(dirname "$0")/lib.sh"
apps=${ONCE_BENCH_APPS:-100}
image=$(image 1)

# calls COMMAND…: how many requests it sends to the engine.
calls() {
    local relay
    rm -f "$SCRATCH/engine.sock"
    socat -v "UNIX-LISTEN:$SCRATCH/engine.sock,fork" UNIX-CONNECT:/var/run/docker.sock 2>"$SCRATCH/traffic" &
    relay=$!
    while [ ! -S "$SCRATCH/engine.sock" ]; do read -rt 0.01 <> <(:) || true; done
    DOCKER_HOST="unix://$SCRATCH/engine.sock" once "$@" >/dev/null 2>&1 || true
    kill "$relay"
    wait "$relay" 2>/dev/null || true
    grep -acE '^(GET|HEAD|POST|PUT|DELETE) /' "$SCRATCH/traffic"
}

tell() {
    for question in list status; do
        printf '%s apps: once %s: %s engine calls, %s\n' "$1" "$question" "$(calls "$question")" \
            "$(for _ in $(seq 10); do timed once "$question"; done | median)"
    done
}

once deploy "$image" --name app1 --host app1.localhost >/dev/null 2>&1
tell 1
for n in $(seq 2 "$apps"); do once deploy "$image" --name "app$n" --host "app$n.localhost" >/dev/null 2>&1; done
tell "$(once list --json | wc -l)"
