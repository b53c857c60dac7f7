#!/usr/bin/env bash
# Unmodified Trino clients while coordinators die, hand over and are replaced:
# three coordinators and three workers as processes, one TCP address before the
# coordinators that leads each connection to any that is up, and all clients at
# once with queries from milliseconds to seconds and results of 100,000 rows.
# Each answer is compared with the undisturbed one, row by row.
#
#   test/clients/failover.sh [--record] [--kills N] [--moves N] [--upgrades N] [CLIENT...]
#   test/clients/failover.sh --cost RUNS [--record]
#   test/clients/failover.sh --pauses N
#
# The leader is killed (-9) every eight seconds, 20 times, then the leadership is
# handed over every five seconds, then each coordinator is ended and started
# again. Printed, and with --record written into docs/clients.md: what each
# client got, and how long answers took to come. The exit code is 0 only if no
# answer was wrong, no query failed, and no client said that its connection was
# cut when nothing had been done to it. --cost compares the time of SELECT 1 with
# that on one coordinator instead.
#
# Clients are jdbc-476 cli python go node (all of them unless named).
#
# TUTTI_CLIENT_PORT  the first of twenty free ports  (default 20800)
source "$(dirname "$0")/lib.sh"
ROOT=$(cd "$HERE/../.." && pwd)
LAKE=$CACHE/failover
RUN=$(mktemp -d "${TMPDIR:-/tmp}/tutti-failover.XXXXXX")

RECORD=0 MARK=failover ARGUMENTS=()
while [ $# -gt 0 ]; do
    case $1 in
    --record) RECORD=1; shift ;;
    --cost) MARK=cost ARGUMENTS+=("$1" "${2:?how many runs}"); shift 2 ;;
    --kills | --moves | --upgrades | --pauses) ARGUMENTS+=("$1" "${2:?how many}"); shift 2 ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || set -- jdbc-476 cli python go node

if [ "${TUTTI_BINARY:-}" = "" ]; then
    make -s -C "$ROOT" build
    TUTTI_BINARY=$ROOT/bin/tutti
fi
cp "$TUTTI_BINARY" "$RUN/tutti" # so that nobody builds another one meanwhile
(cd "$ROOT" && go build -o "$RUN/failover" ./test/clients/failover &&
    go run ./bench/datagen --sf 1 --warehouse "$LAKE" --schema sf1 >"$RUN/datagen.log") || die "see $RUN"

# The command of each client; what they share of the machine comes after coordinators.
setup_go
LOADS=(--client "probe=exec $WORK/go-checks failover")
for client in "$@"; do
    case $client in
    jdbc-*) setup_jdbc "${client#jdbc-}"
        command="java -Xmx512M -cp $WORK/java:$CACHE/jars/trino-$client.jar Failover" ;;
    cli) setup_cli; command="$HERE/failover-cli.sh $CACHE/jars/trino-cli-476.jar" ;;
    python) setup_python; command="$WORK/python/bin/python $HERE/python/failover.py" ;;
    go) command="$WORK/go-checks failover" ;;
    node) setup_node; command="node $WORK/node/failover.mjs" ;;
    *) die "unknown client $client" ;;
    esac
    LOADS+=(--client "$client=exec nice -n 5 $command")
done

code=0
"$RUN/failover" --binary "$RUN/tutti" --dir "$RUN" --lake "$LAKE" --tpch "$ROOT/test/tpch" --port "${TUTTI_CLIENT_PORT:-20800}" \
    --table "$RUN/table" "${LOADS[@]}" "${ARGUMENTS[@]}" || code=$?
[ $RECORD = 0 ] || record "$ROOT/docs/clients.md" "$RUN/table" "$MARK"
if [ $code = 0 ]; then rm -rf "$RUN"; else echo "logs are in $RUN" >&2; fi
exit $code
