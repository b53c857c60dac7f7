#!/usr/bin/env bash
# Acceptance of the unmodified Trino CLI.
#
#   cli.sh CLI-JAR URL TPCH-FOLDER TPCH-CATALOG
set -uo pipefail
JAR=$1 URL=$2 TPCH=$3 DATA=$4
failed=0

# The property stops a warning about the missing terminal.
cli() { java -XX:TieredStopAtLevel=1 -Dorg.jline.terminal.dumb=true -jar "$JAR" --server "$URL" --user cli "$@"; }
trino() { cli --catalog tpch --schema tiny "$@"; }

# check NAME WANT GOT
check() {
    if [ "$2" = "$3" ]; then
        echo "ok   cli: $1"
    else
        failed=1
        echo "FAIL cli: $1: got $(printf %q "${3:0:300}"), want $(printf %q "${2:0:300}")"
    fi
}

query="SELECT nationkey AS key, name, CAST(NULL AS bigint) AS nothing FROM nation WHERE nationkey < 2 ORDER BY nationkey"
check "format CSV" $'"0","ALGERIA",""\n"1","ARGENTINA",""' "$(trino --execute "$query" 2>&1)"
check "format CSV_HEADER_UNQUOTED" $'key,name,nothing\n0,ALGERIA,\n1,ARGENTINA,' "$(trino --output-format CSV_HEADER_UNQUOTED --execute "$query" 2>&1)"
check "format TSV_HEADER" $'key\tname\tnothing\n0\tALGERIA\t\n1\tARGENTINA\t' "$(trino --output-format TSV_HEADER --execute "$query" 2>&1)"
check "format JSON" $'{"key":0,"name":"ALGERIA","nothing":null}\n{"key":1,"name":"ARGENTINA","nothing":null}' "$(trino --output-format JSON --execute "$query" 2>&1)"
check "format ALIGNED" $' key |   name    | nothing \n-----+-----------+---------\n   0 | ALGERIA   |    NULL \n   1 | ARGENTINA |    NULL \n(2 rows)' \
    "$(trino --output-format ALIGNED --execute "$query" 2>/dev/null | sed '/^$/d')"
check "format NULL" "" "$(trino --output-format NULL --execute "$query" 2>&1)"

check "several statements: USE, SHOW, PREPARE, EXECUTE, SET SESSION" $'USE\nregion\nPREPARE\nCHINA\nSET SESSION\n7m' \
    "$(trino --output-format TSV --execute "USE tpch.sf1; SHOW TABLES LIKE 're%'; PREPARE p FROM SELECT name FROM nation WHERE nationkey = ?; EXECUTE p USING 18; SET SESSION query_max_run_time = '7m'; SHOW SESSION LIKE 'query_max_run_time'" 2>&1 | cut -f1-2 | sed 's/^query_max_run_time\t//')"
check "show catalogs" $'tpch\ntpchstd' "$(trino --output-format TSV --execute "SHOW CATALOGS LIKE 'tpch%'" 2>&1)"
check "show schemas" "tiny" "$(trino --output-format TSV --execute "SHOW SCHEMAS FROM tpch LIKE 'tiny'" 2>&1)"
check "describe" $'regionkey\tbigint\t\t\nname\tvarchar(25)\t\t\ncomment\tvarchar(152)\t\t' "$(trino --output-format TSV --execute "DESCRIBE region" 2>&1)"
check "all types" $'true\t-5\t9223372036854775807\t1.5\tNaN\t123.450\té\ta  \t2024-02-29\t2024-02-29 12:34:56.123456\t2024-02-29 12:00:00 Europe/Rome\t[1, NULL]\t{a=1}\t{a=1, b=x}\t3 00:00:00.000' \
    "$(trino --output-format TSV --execute "SELECT true, TINYINT '-5', BIGINT '9223372036854775807', 1.5E0, nan(), DECIMAL '123.450', 'é', CAST('a' AS char(3)), DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.123456', TIMESTAMP '2024-02-29 12:00:00 Europe/Rome', ARRAY[1, NULL], MAP(ARRAY['a'], ARRAY[1]), CAST(ROW(1, 'x') AS row(a bigint, b varchar)), INTERVAL '3' DAY" 2>&1)"
check "time zone and session of the command line" $'Asia/Tokyo' \
    "$(trino --timezone Asia/Tokyo --session query_max_run_time=5m --client-tags a,b --client-info x --source check --output-format TSV --execute "SELECT current_timezone()" 2>&1)"
check "60,175 rows" 60175 "$(trino --output-format TSV --execute "SELECT * FROM lineitem" 2>&1 | wc -l)"

trino --execute "SELECT nosuch FROM nation" >/dev/null 2>&1
check "an error's exit code" 1 $?
check "an error's text" "Query failed: line 1:8: Column 'nosuch' cannot be resolved" \
    "$(trino --execute "SELECT nosuch FROM nation" 2>&1 | sed -n 's/^Query [0-9a-z_]* failed/Query failed/p')"
check "a syntax error's text" "line 1:1:" "$(trino --execute "SELEC 1" 2>&1 | grep -o 'line 1:1:')"
check "progress and summary" "FINISHED" "$(trino --progress --execute "SELECT count(*) FROM lineitem" 2>&1 >/dev/null | grep -o FINISHED | head -1)"
check "debug stage tree" "FINISHED" "$(trino --debug --progress --execute "SELECT count(*) FROM lineitem" 2>&1 >/dev/null | grep -o FINISHED | head -1)"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for i in $(seq -w 1 22); do
    { cat "$TPCH/q$i.sql"; echo ";"; echo "SELECT 'end of q$i';"; } >>"$scratch/all.sql"
    { tail -n +2 "$TPCH/answers/tiny/q$i.csv" | tr '|' '\t' | sed 's/\bNULL\b//g'; echo "end of q$i"; } >>"$scratch/want"
done
cli --schema tiny --catalog "$DATA" --output-format TSV --file "$scratch/all.sql" >"$scratch/got" 2>"$scratch/errors"
for i in $(seq -w 1 22); do
    part() { awk -v n="$i" '$0 == "end of q" n {exit} /^end of q/ {buf=""; next} {buf = buf $0 "\n"} END {printf "%s", buf}' "$1"; }
    check "tpch q$i" "$(part "$scratch/want")" "$(grep -q "end of q$i" "$scratch/got" && part "$scratch/got" || head -3 "$scratch/errors")"
done

echo "done cli"
exit $failed
