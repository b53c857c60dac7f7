#!/usr/bin/env bash
# Runs the acceptance checks of unmodified Trino clients against a server.
#
#   test/clients/against.sh URL [--read-only] [--tpch CATALOG] [CLIENT...]
#
# URL is that of a server with the catalogs tpch, tpchstd (standard column
# names and decimals) and, unless --read-only is given, memory. The TPC-H
# queries read schema tiny of tpchstd, or of the catalog named. The clients are
# jdbc-476 jdbc-484 cli python go node; without names all run. What they need is
# installed into a cache folder (see test/ref/lib.sh); a tool that is missing
# and cannot be installed is a failure. One line a check goes to standard
# output, "N passed, N failed" at the end; the exit code is 0 only if all passed
# and no client ended early. A client that takes longer than
# TUTTI_CLIENT_SECONDS (default 600) is ended with all that it started.
source "$(dirname "$0")/lib.sh"
TPCH=$HERE/../tpch

URL=${1:?usage: against.sh URL [--read-only] [--tpch CATALOG] [CLIENT...]}
shift
WRITES=1 DATA=tpchstd
if [ "${1:-}" = --read-only ]; then WRITES=0; shift; fi
if [ "${1:-}" = --tpch ]; then DATA=${2:?the catalog of --tpch}; shift 2; fi
[ $# -gt 0 ] || set -- jdbc-476 jdbc-484 cli python go node

run_one() { # CLIENT
    local against=("$URL" "$TPCH" "$WRITES" "$DATA")
    case $1 in
    jdbc-*) setup_jdbc "${1#jdbc-}"; run_jdbc "${1#jdbc-}" JdbcChecks "$1" "${against[@]}" ;;
    cli) setup_cli; "$HERE/cli.sh" "$CACHE/jars/trino-cli-476.jar" "$URL" "$TPCH" "$DATA" ;;
    python) setup_python; run_python "$HERE/python/checks.py" "${against[@]}" ;;
    go) setup_go; run_go "${against[@]}" ;;
    node) setup_node; run_node checks.mjs "${against[@]}" ;;
    *) die "unknown client $1" ;;
    esac
}

if [ "${TUTTI_ONE_CLIENT:-}" ]; then # called by itself, below
    run_one "$TUTTI_ONE_CLIENT"
    exit
fi

need curl curl
curl -fsS -m 10 -o /dev/null "$URL/v1/info" || die "no server answers at $URL"

passed=0 failed=0
for client in "$@"; do
    log=$(mktemp)
    again=("$URL")
    [ $WRITES = 1 ] || again+=(--read-only)
    again+=(--tpch "$DATA")
    # A process of its own, so that a client that hangs can be ended with all it started.
    TUTTI_ONE_CLIENT=$client timeout -k 10 "${TUTTI_CLIENT_SECONDS:-600}" "$0" "${again[@]}" 2>"$log.errors" | tee "$log" | grep -v '^done ' || true
    passed=$((passed + $(grep -c '^ok ' "$log" || true)))
    failed=$((failed + $(grep -c '^FAIL ' "$log" || true)))
    if ! grep -q "^done $client\$" "$log"; then
        failed=$((failed + 1))
        echo "FAIL $client: it ended early: $(tail -5 "$log.errors" | tr '\n' ' ')"
    fi
    rm -f "$log" "$log.errors"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
