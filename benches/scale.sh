#!/usr/bin/env bash
# Whether many apps and a long history cost more than few and none: engine calls and time of `once list` and
# `once status`, for one app and for ONCE_BENCH_APPS (200); then, with a thousand releases of one of them, of a deploy that
# changes nothing, one that does, `releases` and `list`.
. "$(dirname "$0")/lib.sh"
apps=${ONCE_BENCH_APPS:-200}
# First deploys at the same time: each is mostly the engine's time.
at_once=${ONCE_BENCH_AT_ONCE:-4}
# Seconds one may take, and the proxy after it was started with its long history. It ends in any case.
patience=120

# until_seen WHAT COMMAND…: looks until it succeeds, within bounds.
until_seen() {
    local what=$1 limit=$((SECONDS + patience))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$limit" ] || { echo "$what was not seen within $patience s" >&2; exit 1; }
        read -rt 0.1 <> <(:) || true
    done
}
image=$(image 1)

# calls COMMAND…: how many requests it sends to the engine.
calls() {
    local relay
    rm -f "$SCRATCH/engine.sock"
    socat -v "UNIX-LISTEN:$SCRATCH/engine.sock,fork" UNIX-CONNECT:/var/run/docker.sock 2>"$SCRATCH/traffic" &
    relay=$!
    until_seen "the relay's socket" test -S "$SCRATCH/engine.sock"
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
begun=$(now_ms)
seq 2 "$apps" | xargs -P "$at_once" -I N timeout "$patience" "$ONCE_BINARY" deploy "$image" --name appN --host appN.localhost \
    >/dev/null 2>"$SCRATCH/deploys" || { tail -n 20 "$SCRATCH/deploys" >&2; exit 1; }
printf '%s first deploys, %s at once: %s s\n' "$((apps - 1))" "$at_once" "$((($(now_ms) - begun) / 1000))"
tell "$(once list --json | wc -l)"

# The proxy's volume as it is after a thousand deploys of app1: the last twenty in its record, the others in its history.
proxy=$ONCE_NAMESPACE-proxy
state=/state
id=$(once show app1 --json | jq -r .id)
mkdir -p "$SCRATCH/state/apps" "$SCRATCH/state/history"
docker stop -t 5 "$proxy" >/dev/null
docker cp "$proxy:$state/apps/$id.json" - | tar -xO >"$SCRATCH/record.json"
jq -c '.releases[0] as $r | range(1; 981) | {schema: 1, release: ($r + {number: ., container_kept: false,
    status: {status: "replaced", at: $r.created_at}})}' "$SCRATCH/record.json" >"$SCRATCH/state/history/$id.jsonl"
jq '.releases[0] as $r | .releases = [range(981; 1000) | $r + {number: ., container_kept: false,
    status: {status: "replaced", at: $r.created_at}}] + [$r + {number: 1000}] | .serving = 1000 | .next_release = 1001' \
    "$SCRATCH/record.json" >"$SCRATCH/state/apps/$id.json"
tar -c -C "$SCRATCH/state" --owner=65532 --group=65532 --mode=u=rwX,go= apps history | docker cp - "$proxy:$state"
docker start "$proxy" >/dev/null
is_long() { [ "$(once releases app1 -n 2000 --json 2>/dev/null | wc -l)" = 1000 ]; }
until_seen "the long history" is_long

measure() {
    local what=$1
    shift
    printf "%s apps, 1000 releases: once %s: %s\n" "$(once list --json | wc -l)" "$what" \
        "$(for _ in $(seq 10); do timed once "$@"; done | median)"
}
measure 'deploy, unchanged' deploy "$image" --name app1
measure 'deploy --force' deploy --name app1 --force
measure 'rollback, its container kept' rollback app1
measure releases releases app1 -n 2000
measure 'show --release 500' show app1 --release 500
measure list list
measure doctor doctor
