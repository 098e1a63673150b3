#!/usr/bin/env bash
# 100 swaps of one app in each way of swapping, while visitors keep asking in every way there is: kept connections and
# new ones, uploads, slow and streamed answers, WebSockets. ONCE_BENCH_SWAPS sets another number.
. "$(dirname "$0")/lib.sh"
swaps=${ONCE_BENCH_SWAPS:-100}
images=("$(image 1)" "$(image 2)")
bad=0
for swap in overlap handover; do
    once deploy "${images[0]}" --name app --host app.localhost --swap "$swap" --drain-timeout 2 >/dev/null 2>&1
    rm -f "$SCRATCH/enough"
    once demo-load --address "127.0.0.1:$ONCE_HTTP_PORT" --host app.localhost --connections 24 --seconds 3000 \
        --until-file "$SCRATCH/enough" >"$SCRATCH/report" &
    load=$!
    : >"$SCRATCH/times"
    for n in $(seq "$swaps"); do
        timed once deploy "${images[$((n % 2))]}" --name app >>"$SCRATCH/times" || { echo "swap $n failed"; bad=1; }
    done
    touch "$SCRATCH/enough"
    wait "$load" || bad=1
    echo "$swap: $swaps swaps, $(median <"$SCRATCH/times")"
    sed "s/^/$swap: /" "$SCRATCH/report"
    once remove app --data --yes >/dev/null 2>&1
done
exit "$bad"
