# For benches/*.sh: a namespace of its own with its images, cleaned up whatever happens, and small words for numbers.
# shellcheck shell=bash
set -euo pipefail

: "${ONCE_BINARY:?run it by bin/bench}"
export ONCE_NAMESPACE="b$$" NO_COLOR=1
ONCE_HTTP_PORT=$(free_port=18000; while ss -Hltn "sport = :$free_port" | grep -q .; do free_port=$((free_port + 1)); done; echo "$free_port")
export ONCE_HTTP_PORT
SCRATCH=$(mktemp -d)

once() { "$ONCE_BINARY" "$@"; }

# To be put behind an &, so that the job is the program itself and ends with a signal to it.
once_beside() { exec "$ONCE_BINARY" "$@"; }

# Ends what was started in the background, and takes the namespace down.
clean_up() {
    local pid
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
    once teardown --data --yes >/dev/null 2>&1 || true
    docker images --format '{{.Repository}}:{{.Tag}}' | grep "^$ONCE_NAMESPACE-" | xargs -r docker rmi -f >/dev/null 2>&1 || true
    rm -rf "$SCRATCH"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# image VERSION: an image of the demo app.
image() {
    once demo-image "$ONCE_NAMESPACE-demo:$1" --env "DEMO_VERSION=$1" >/dev/null
    echo "$ONCE_NAMESPACE-demo:$1"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# timed COMMAND…: its milliseconds, to the microsecond; its output goes nowhere.
timed() {
    local start end
    start=$(date +%s%N)
    "$@" >/dev/null 2>&1
    end=$(date +%s%N)
    awk -v t=$((end - start)) 'BEGIN { printf "%.1f\n", t / 1e6 }'
}

# median and extremes of the numbers on standard input.
median() {
    sort -n | awk '{ v[NR] = $1 } END { printf "median %s ms, least %s, most %s (%d runs)\n", v[int((NR + 1) / 2)], v[1], v[NR], NR }'
}
