#!/usr/bin/env bash
# Load of the unmodified Trino CLI for failover.sh, which describes what is read
# and printed: one process of the CLI a query.
#
#   failover-cli.sh CLI-JAR URL FOLDER
set -uo pipefail
JAR=$1 URL=$2 FOLDER=$3
declare -A want

trino() { # SQL
    java -Xmx256M -XX:TieredStopAtLevel=1 -Xshare:auto -Dorg.jline.terminal.dumb=true -jar "$JAR" \
        --server "$URL" --user cli --catalog lake --schema sf1 --output-format TSV --execute "$1" 2>"$FOLDER/errors"
}

digest() { # ORDERED SQL
    if [ "$1" = 1 ]; then trino "$2"; else trino "$2" | LC_ALL=C sort; fi | sha256sum
}

now() { date +%s%3N; }

each() { # COMMAND: calls it with the fields of each query.
    local name ordered sql
    while IFS=$'\t' read -r -u 3 name ordered sql; do "$1" "$name" "$ordered" "$sql"; done 3<"$FOLDER/queries.tsv"
}

learn() {
    want[$1]=$(digest "$2" "$3") || { cat "$FOLDER/errors" >&2; exit 1; }
}

ask() {
    [ ! -e "$FOLDER/stop" ] || { echo done; exit 0; }
    local from got outcome=ok detail=""
    from=$(now)
    if ! got=$(digest "$2" "$3"); then
        # The server's errors are those of a query that has an id.
        outcome=cut
        ! grep -q '^Query [0-9_a-z]* failed' "$FOLDER/errors" || outcome=error
        detail=$(tr '\t\n' '  ' <"$FOLDER/errors")
    elif [ "$got" != "${want[$1]}" ]; then
        outcome=wrong
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$from" "$(now)" "$outcome" "${detail:0:500}"
}

each learn
echo ready
while :; do each ask; done
