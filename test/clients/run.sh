#!/usr/bin/env bash
# Unmodified Trino clients against Tutti, in both ways to run it: `tutti server`
# (one process, TPC-H generated) and a coordinator with two workers that share
# a lake of Parquet files with TPC-H.
#
#   test/clients/run.sh [--record] [CLIENT...]
#
# Builds bin/tutti, starts the processes on loopback, runs against.sh with each
# client on each deployment and prints a table; --record writes it into
# docs/clients.md too. The exit code is 0 only if every check passed. Everything
# has a time limit, and what was started is ended at the end.
#
# TUTTI_CLIENT_PORT     the first of six free ports   (default 19100)
# TUTTI_CLIENT_SECONDS  limit for one client          (default 600)
source "$(dirname "$0")/lib.sh"
ROOT=$(cd "$HERE/../.." && pwd)
PORT=${TUTTI_CLIENT_PORT:-19100}
export TUTTI_CLIENT_SECONDS=${TUTTI_CLIENT_SECONDS:-600}
RUN=$(mktemp -d "${TMPDIR:-/tmp}/tutti-clients.XXXXXX")
PIDS=()

RECORD=0
if [ "${1:-}" = --record ]; then RECORD=1; shift; fi
[ $# -gt 0 ] || set -- jdbc-476 jdbc-484 cli python go node

stop() {
    local code=$? pid
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
    done
    if [ $code = 0 ]; then rm -rf "$RUN"; else echo "logs are in $RUN" >&2; fi
}
trap stop EXIT
trap 'exit 130' INT TERM

# run NAME ARGUMENT...: starts bin/tutti in the background.
run() {
    local name=$1; shift
    "$ROOT/bin/tutti" "$@" --data-dir "$RUN/$name" >"$RUN/$name.log" 2>&1 </dev/null &
    PIDS+=($!)
}

# ready URL: waits until the server takes statements.
ready() {
    for _ in $(seq 150); do
        curl -fsS -m 2 -o /dev/null "$1/readyz" 2>/dev/null && return
        sleep 0.2
    done
    tail -5 "$RUN"/*.log >&2
    die "no server is ready at $1"
}

# workers URL COUNT: waits until so many workers have joined.
workers() {
    for _ in $(seq 150); do
        [ "$(curl -fsS -m 2 "$1/v1/cluster" | grep -o '"activeWorkers":[0-9]*')" = "\"activeWorkers\":$2" ] && return
        sleep 0.2
    done
    die "the workers do not join"
}

one_process() {
    run server server --http-listen "127.0.0.1:$PORT" --catalog-dir "$RUN/catalogs"
    ready "http://127.0.0.1:$PORT"
}

cluster() {
    local grpc=127.0.0.1:$((PORT + 2)) url=http://127.0.0.1:$((PORT + 1))
    run coordinator coordinator --http-listen "${url#http://}" --grpc-listen "$grpc" --catalog-dir "$RUN/catalogs"
    ready "$url"
    run worker-1 worker --join "$grpc" --grpc-listen "127.0.0.1:$((PORT + 3))"
    run worker-2 worker --join "$grpc" --grpc-listen "127.0.0.1:$((PORT + 4))"
    workers "$url" 2
}

# against CLIENT DEPLOYMENT ARGUMENT...: runs the checks of one client and
# prints "CLIENT DEPLOYMENT PASSED FAILED SECONDS" into the results.
against() {
    local client=$1 deployment=$2 from=$SECONDS last; shift 2
    echo "== $client, $deployment"
    "$HERE/against.sh" "$@" "$client" 2>&1 | tee "$RUN/out" | grep -v '^ok ' || true
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$RUN/out" || echo "0 passed, 1 failed")
    read -r passed _ failed _ <<<"$last"
    echo "$client $deployment $passed $failed $((SECONDS - from))" >>"$RUN/results"
}

# cell CLIENT DEPLOYMENT: what happened, for the table.
cell() {
    awk -v c="$1" -v d="$2" '$1 == c && $2 == d {
        printf $4 == 0 ? "%d of %d" : "**%d of %d**", $3, $3 + $4 }' "$RUN/results"
}

table() {
    echo "| client | one process | coordinator and two workers |"
    echo "| --- | --- | --- |"
    local client
    for client in "$@"; do echo "| $(title "$client") | $(cell "$client" server) | $(cell "$client" cluster) |"; done
}

# title CLIENT: its name and version.
title() {
    case $1 in
    jdbc-*) echo "Trino JDBC driver ${1#jdbc-}" ;;
    cli) echo "Trino CLI 476" ;;
    python) echo "trino (Python) 0.340.0 with SQLAlchemy 2.1.9" ;;
    go) echo "trino-go-client $(awk '$1 == "github.com/trinodb/trino-go-client" || $2 == "github.com/trinodb/trino-go-client" {print $NF}' "$HERE/go/go.mod" | head -1)" ;;
    node) echo "trino-client (Node) $(sed -n 's/.*"trino-client": "\([^"]*\)".*/\1/p' "$HERE/node/package.json")" ;;
    esac
}

need curl curl
make -s -C "$ROOT" build
mkdir -p "$RUN/catalogs" "$RUN/lake"
printf 'connector: tpch\ncolumn-naming: standard\ndouble-type-mapping: decimal\n' >"$RUN/catalogs/tpchstd.yaml"
printf 'connector: lake\nwarehouse: %s\n' "$RUN/lake" >"$RUN/catalogs/lake.yaml"
(cd "$ROOT" && go run ./bench/datagen --sf 0.01 --warehouse "$RUN/lake" --schema tiny >"$RUN/datagen.log") || die "no data: see $RUN/datagen.log"
one_process
cluster
for client in "$@"; do
    against "$client" server "http://127.0.0.1:$PORT"
    against "$client" cluster "http://127.0.0.1:$((PORT + 1))" --read-only --tpch lake
done
table "$@" | tee "$RUN/table"
[ $RECORD = 0 ] || record "$ROOT/docs/clients.md" "$RUN/table" table
awk '{passed += $3; failed += $4; s += $5} END {printf "%d passed, %d failed in %d s\n", passed, failed, s; exit failed != 0}' "$RUN/results"
