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
source "$(dirname "$0")/../ref/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
TPCH=$HERE/../tpch
WORK=$CACHE/clients

URL=${1:?usage: against.sh URL [--read-only] [--tpch CATALOG] [CLIENT...]}
shift
WRITES=1 DATA=tpchstd
if [ "${1:-}" = --read-only ]; then WRITES=0; shift; fi
if [ "${1:-}" = --tpch ]; then DATA=${2:?the catalog of --tpch}; shift 2; fi
[ $# -gt 0 ] || set -- jdbc-476 jdbc-484 cli python go node

jdbc() { # VERSION
    need javac openjdk-17-jdk-headless
    maven_get "io.trino:trino-jdbc:$1" "trino-jdbc-$1.jar"
    mkdir -p "$WORK/java"
    javac -d "$WORK/java" "$HERE"/java/*.java
    java -Xmx512M -cp "$WORK/java:$CACHE/jars/trino-jdbc-$1.jar" JdbcChecks "jdbc-$1" "$URL" "$TPCH" "$WRITES" "$DATA"
}

cli() {
    need java openjdk-17-jre-headless
    maven_get io.trino:trino-cli:476:jar:executable trino-cli-476.jar
    "$HERE/cli.sh" "$CACHE/jars/trino-cli-476.jar" "$URL" "$TPCH" "$DATA"
}

python() {
    local packages="trino==0.340.0 sqlalchemy==2.1.9" venv=$WORK/python
    if [ ! -f "$venv/.packages" ] || [ "$(cat "$venv/.packages")" != "$packages" ]; then
        need python3 python3 python3-venv
        python3 -m venv "$venv"
        # shellcheck disable=SC2086
        "$venv/bin/pip" install -q --cache-dir "$CACHE/pip" $packages >&2
        echo "$packages" >"$venv/.packages"
    fi
    "$venv/bin/python" "$HERE/python/checks.py" "$URL" "$TPCH" "$WRITES" "$DATA"
}

go_client() {
    command -v go >/dev/null || die "go is missing"
    (cd "$HERE/go" && go build -o "$WORK/go-checks" .)
    "$WORK/go-checks" "$URL" "$TPCH" "$WRITES" "$DATA"
}

node_client() {
    need node nodejs npm
    need npm npm
    mkdir -p "$WORK/node"
    cp "$HERE"/node/package.json "$HERE"/node/package-lock.json "$HERE"/node/checks.mjs "$WORK/node/"
    (cd "$WORK/node" && npm ci --silent --ignore-scripts --no-audit --no-fund --cache "$CACHE/npm" >&2)
    node "$WORK/node/checks.mjs" "$URL" "$TPCH" "$WRITES" "$DATA"
}

run_one() { # CLIENT
    case $1 in
    jdbc-*) jdbc "${1#jdbc-}" ;;
    go | node) "${1}_client" ;;
    cli | python) "$1" ;;
    *) die "unknown client $1" ;;
    esac
}

mkdir -p "$WORK"
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
