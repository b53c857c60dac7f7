#!/usr/bin/env bash
# Runs the reference server, single node, loopback only, with the catalogs tpch
# (Trino's naming, doubles), tpchstd (standard naming, decimals) and memory.
#
#   trino.sh start    starts it if it does not run, waits until it answers, prints its URL
#   trino.sh stop     ends it
source "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
ETC=$REF/trino-etc
PID_FILE=$REF/trino.pid

running() { [ -f "$PID_FILE" ] && kill -0 "$(cat "$PID_FILE")" 2>/dev/null; }

write_config() {
    mkdir -p "$ETC/catalog" "$REF/trino-data"
    cat >"$ETC/config.properties" <<-EOF
	coordinator=true
	node-scheduler.include-coordinator=true
	http-server.http.port=$REF_PORT
	discovery.uri=$REF_URL
	query.max-memory=1000MB
	query.max-memory-per-node=1000MB
	memory.heap-headroom-per-node=500MB
	catalog.management=static
	EOF
    cat >"$ETC/node.properties" <<-EOF
	node.environment=test
	node.bind-ip=127.0.0.1
	node.internal-address=127.0.0.1
	node.data-dir=$REF/trino-data
	EOF
    echo "io.trino=WARN" >"$ETC/log.properties"
    echo "connector.name=memory" >"$ETC/catalog/memory.properties"
    printf 'connector.name=tpch\ntpch.splits-per-node=2\n' >"$ETC/catalog/tpch.properties"
    printf 'connector.name=tpch\ntpch.splits-per-node=2\ntpch.column-naming=STANDARD\ntpch.double-type-mapping=DECIMAL\n' \
        >"$ETC/catalog/tpchstd.properties"
}

answers() {
    "$REF/venv/bin/python" - "$REF_URL" <<-'EOF' 2>/dev/null
	import sys, trino, urllib.parse
	u = urllib.parse.urlparse(sys.argv[1])
	c = trino.dbapi.connect(host=u.hostname, port=u.port, user="wait", request_timeout=5, max_attempts=1)
	c = c.cursor(); c.execute("select count(*) from tpch.tiny.nation"); sys.exit(c.fetchone() != [25])
	EOF
}

start() {
    running && answers && { echo "$REF_URL"; return; }
    "$HERE/install.sh"
    write_config
    cd "$REF/trino-data"
    nohup "$(ref_java)" -Xmx2048M -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError \
        -XX:ReservedCodeCacheSize=256M -XX:-OmitStackTraceInFastThrow \
        -XX:PerMethodRecompilationCutoff=10000 -XX:PerBytecodeRecompilationCutoff=10000 \
        -Djdk.attach.allowAttachSelf=true -XX:+EnableDynamicAgentLoading -Dfile.encoding=UTF-8 \
        -Duser.timezone=UTC --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
        "-Dnode.environment=test" "-Dnode.bind-ip=127.0.0.1" "-Dnode.internal-address=127.0.0.1" \
        "-Dnode.data-dir=$REF/trino-data" "-Dlog.levels-file=$ETC/log.properties" \
        "-Dconfig=$ETC/config.properties" "-Dcatalog.config-dir=$ETC/catalog" \
        "-Dplugin.dir=$REF/trino/plugin" \
        -cp "$REF/trino/lib/*" io.trino.server.TrinoServer >"$REF/trino.log" 2>&1 &
    echo $! >"$PID_FILE"
    for _ in $(seq 120); do
        answers && { echo "$REF_URL"; return; }
        running || die "the reference server ended: see $REF/trino.log"
        sleep 1
    done
    die "the reference server does not answer: see $REF/trino.log"
}

stop() {
    running || return 0
    local pid; pid=$(cat "$PID_FILE")
    kill "$pid"
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$PID_FILE"
}

case ${1:-} in
start) start ;;
stop) stop ;;
*) die "usage: $0 start|stop" ;;
esac
