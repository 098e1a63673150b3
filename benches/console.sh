#!/usr/bin/env bash
# What the console costs whoever leaves it open: time to the first frame, then a minute without a key.
. "$(dirname "$0")/lib.sh"
once deploy "$(image 1)" --name app --host app.localhost >/dev/null 2>&1

# A keyboard nobody types on: open for writing too, so that it never ends.
mkfifo "$SCRATCH/keys"
exec 7<>"$SCRATCH/keys"

# Runs it on a terminal of 120 × 36; what it writes goes to a file.
open_console() {
    rm -f "$SCRATCH/screen"
    : >"$SCRATCH/screen"
    start=$(date +%s%N)
    TERM=xterm-256color script -qfc "stty cols 120 rows 36; exec '$ONCE_BINARY'" "$SCRATCH/screen" <&7 >/dev/null 2>&1 &
    session=$!
}
# The first frame's marker: what begins a synchronized update.
for _ in 1 2 3 4 5; do
    open_console
    while ! grep -aq $'\e\[?2026h' "$SCRATCH/screen"; do :; done
    awk -v t=$(($(date +%s%N) - start)) 'BEGIN { printf "%.1f\n", t / 1e6 }'
    pkill -TERM -P "$session" || true
    wait "$session" 2>/dev/null || true
done | median | sed 's/^/first frame, from the start of the process: /'

open_console
read -rt 5 <> <(:) || true
console=$(pgrep -nx once)
ticks() { awk '{ print $14 + $15 }' "/proc/$console/stat"; }
bytes=$(stat -c %s "$SCRATCH/screen") cpu=$(ticks)
read -rt 60 <> <(:) || true
echo "a minute without a key or a request: $(($(stat -c %s "$SCRATCH/screen") - bytes)) bytes written, $(awk -v t=$(($(ticks) - cpu)) -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", t / hz / 60 * 100 }') % of a core"
awk '/^VmRSS/ { printf "console: %.1f MB resident\n", $2 / 1024 }' "/proc/$console/status"
kill -TERM "$console"
wait "$session" 2>/dev/null || true
