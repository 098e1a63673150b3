#!/usr/bin/env bash
# 500 swaps of one app, half of them in each way of swapping, with 20 upgrades of the proxy and 20 kill -9 of the app's
# container among them, while visitors keep asking in every way there is: kept connections and new ones, uploads, slow and
# streamed answers, WebSockets. Only what was under way at a killed container may fail: who comes after that waits for the
# container, which the engine starts again. It measures loss, not speed, so others may use the machine meanwhile.
# Last the control that must fail: the old worker is killed at the take-over, instead of being let go.
# ONCE_BENCH_SWAPS sets another number of swaps; upgrades and kills are a 25th of it each.
. "$(dirname "$0")/lib.sh"
swaps=${ONCE_BENCH_SWAPS:-500}
images=("$(image 1)" "$(image 2)")
bad=0

# upgrade N: by a binary that differs from all others in its last bytes, which nothing reads.
upgrade() {
    local newer="$SCRATCH/newer-$1" said
    cp "$ONCE_BINARY" "$newer"
    printf 'upgrade %s' "$1" >>"$newer"
    said=$("$newer" proxy upgrade 2>&1) || { echo "upgrade $1 failed: $said"; bad=1; }
    rm -f "$newer"
}

# kill_app: SIGKILL to the serving container's process; the engine starts it again, or we do where its process is out of
# reach. When, when it was dead, when it was back, and whom goes to $SCRATCH/kills.
kill_app() {
    local container pid start dead
    container=$(docker ps -q --filter "label=once.namespace=$ONCE_NAMESPACE" --filter label=once.role=web | head -n 1)
    pid=$(docker inspect --format '{{.State.Pid}}' "$container")
    start=$(now_ms)
    if kill -9 "$pid" 2>/dev/null; then
        while kill -0 "$pid" 2>/dev/null; do :; done
        dead=$(now_ms)
    else
        docker kill -s KILL "$container" >/dev/null
        dead=$(now_ms)
        docker start "$container" >/dev/null
    fi
    until [ "$(docker inspect --format '{{.State.Running}} {{.State.Pid}}' "$container")" != "true $pid" ] &&
        curl -fsm 15 -o /dev/null -H 'Host: app.localhost' "http://127.0.0.1:$ONCE_HTTP_PORT/version"; do sleep 0.02; done
    echo "$start $dead $(now_ms) $(docker inspect --format '{{index .Config.Labels "once.release"}}' "$container")" >>"$SCRATCH/kills"
}

# account WHAT: each failed request of $SCRATCH/report began before a container was dead and ended after it was killed, so
# that it was inside of it; or it should not have failed.
account() {
    awk -v what="$1" -v kills="$SCRATCH/kills" '
        BEGIN {
            while ((getline line < kills) > 0) {
                split(line, k, " "); from[++n] = k[1]; dead[n] = k[2]; back[n] = k[3]; release[n] = k[4]
            }
        }
        /^failed / {
            hit = 0
            for (i = 1; i <= n; i++) if ($2 <= dead[i] && $3 >= from[i]) hit = i
            if (hit) { by[hit]++; inside++; next }
            for (i = 1; i <= n; i++) if ($2 <= back[i] && $3 >= from[i]) hit = i
            if (hit) after++; else none++
            print what ": " (hit ? "came to a dead container" : "at no kill") ": " $0
        }
        END {
            for (i = 1; i <= n; i++)
                printf "%s: kill %d, of release %s: dead after %d ms, back after %d ms, %d failed\n", \
                    what, i, release[i], dead[i] - from[i], back[i] - from[i], by[i]
            printf "%s: %d failed inside of a killed container, %d that came to a dead one, %d at no kill\n", what, inside, after, none
            exit none + after > 0
        }' "$SCRATCH/report"
}

load() {
    rm -f "$SCRATCH/enough"
    : >"$SCRATCH/kills"
    once_beside demo-load --address "127.0.0.1:$ONCE_HTTP_PORT" --host app.localhost --connections 24 --seconds 6000 \
        --each-failure --until-file "$SCRATCH/enough" >"$SCRATCH/report" &
    load=$!
}

enough() {
    touch "$SCRATCH/enough"
    wait "$load" || true
}

for swap in overlap handover; do
    once deploy "${images[0]}" --name app --host app.localhost --swap "$swap" --drain-timeout 2 >/dev/null 2>&1
    load
    : >"$SCRATCH/times"
    for n in $(seq $((swaps / 2))); do
        timed once deploy "${images[$((n % 2))]}" --name app >>"$SCRATCH/times" || { echo "swap $n failed"; bad=1; }
        if ((n % 25 == 8)); then upgrade "$swap-$n"; fi
        if ((n % 25 == 16)); then kill_app; fi
    done
    enough
    echo "$swap: $((swaps / 2)) swaps, $(wc -l <"$SCRATCH/kills") kills, $(median <"$SCRATCH/times")"
    echo "$swap: $(head -n 1 "$SCRATCH/report")"
    ((swaps < 50)) || [ "$(wc -l <"$SCRATCH/kills")" -ge $((swaps / 2 / 25)) ] || { echo "$swap: too few kills"; bad=1; }
    account "$swap" || bad=1
    once remove app --data --yes >/dev/null 2>&1
done

once deploy "${images[0]}" --name app --host app.localhost >/dev/null 2>&1
load
supervisor=$(docker inspect --format '{{.State.Pid}}' "$ONCE_NAMESPACE-proxy")
for n in $(seq 10); do
    old=$(pgrep -nP "$supervisor")
    upgrade "control-$n"
    # In the middle of its lame-duck phase. It runs as a user of its own, so this takes root.
    kill -9 "$old" 2>/dev/null || true
done
enough
failed=$(grep -c '^failed ' "$SCRATCH/report" || true)
echo "control, the old worker killed instead of let go: 10 upgrades, $failed failed"
[ "$failed" -gt 0 ] || [ "$(id -u)" != 0 ] || { echo "the control noticed nothing"; bad=1; }
exit "$bad"
