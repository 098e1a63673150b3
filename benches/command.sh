#!/usr/bin/env bash
# How quick the command is, and what it weighs.
. "$(dirname "$0")/lib.sh"
images=("$(image 1)" "$(image 2)")
echo "binary: $(stat -c %s "$ONCE_BINARY") bytes, $(ldd "$ONCE_BINARY" 2>&1 | grep -q 'statically linked\|not a dynamic' && echo static || echo dynamic)"
echo "first deploy on an empty host, proxy included: $(timed once deploy "${images[0]}" --name app --host app.localhost) ms"
for _ in $(seq 20); do timed once deploy "${images[0]}" --name app; done | median | sed 's/^/deploy that changes nothing: /'
for _ in $(seq 20); do timed docker version; done | median | sed 's/^/  for comparison, docker version: /'
for n in $(seq 10); do
    once deploy "${images[$((n % 2))]}" --name app --json 2>/dev/null >"$SCRATCH/events"
    # What is the engine's (start) and the app's (until healthy) is told apart from what is ours.
    awk '
        function field(name,  m) { return match($0, "\"" name "\":[0-9]+") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : 0 }
        /"event":"step-finished"/ { ms = field("took_ms"); all += ms
            if (/"step":"start"/) start = ms; else if (/"step":"healthy"/) boot = ms; else if (/"step":"retire"/) retire = ms }
        END { print all, start, boot, retire, all - start - boot - retire }' "$SCRATCH/events"
done >"$SCRATCH/swaps"
column() { awk -v c="$1" '{ print $c }' "$SCRATCH/swaps" | median; }
echo "swap, all steps: $(column 1)"
echo "  of which the engine starts the container: $(column 2)"
echo "  of which the app boots: $(column 3)"
echo "  of which the engine stops the old one, after the switch: $(column 4)"
echo "  left, which is ours: $(column 5)"
for _ in $(seq 10); do timed once rollback app; done | median | sed 's/^/rollback, its container kept: /'
worker=$(docker top "$ONCE_NAMESPACE-proxy" -o pid,args | awk '/proxy worker/ { print $1; exit }')
awk '/^VmRSS/ { printf "proxy worker: %.1f MB resident\n", $2 / 1024 }' "/proc/$worker/status"
