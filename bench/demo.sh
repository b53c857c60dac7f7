#!/usr/bin/env bash
# The demo cluster: an S3 store, a coordinator and three workers on loopback,
# TPC-H as Parquet in a bucket, the 22 queries. `start` leaves it up, `stop`
# ends it by the process ids that `start` wrote down. Called by make.
set -euo pipefail
: "${DEMO:?folder for data and logs}" "${SF:=1}"
HTTP=${HTTP:-127.0.0.1:8080} GRPC=${GRPC:-127.0.0.1:8081} S3=${S3:-127.0.0.1:7070}
ROOT=$(cd "$(dirname "$0")/.." && pwd)
GATEWAY=github.com/versity/versitygw/cmd/versitygw@v1.8.0
export AWS_ACCESS_KEY_ID=tutti AWS_SECRET_ACCESS_KEY=tutti-demo-secret

stop() {
  local pid file
  for file in "$DEMO"/pids/*; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    # A pid may have been given to another program since: look before.
    if [ -e "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "$DEMO\|$ROOT/bin/tutti"; then
      kill "$pid" 2>/dev/null || true
    fi
    rm -f "$file"
  done
}

# run NAME COMMAND… starts a process and writes down its id.
run() {
  local name=$1
  shift
  "$@" >"$DEMO/logs/$name.log" 2>&1 </dev/null &
  echo $! >"$DEMO/pids/$name"
}

# await HOST:PORT waits until something listens there.
await() {
  for _ in $(seq 200); do
    (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null && return
    sleep 0.05
  done
  echo "nothing listens on $1; logs are in $DEMO/logs" >&2
  exit 1
}

start() {
  mkdir -p "$DEMO"/{pids,logs,bin,catalogs,store/meta,store/buckets/demo}
  stop
  if [ ! -x "$DEMO/bin/versitygw" ]; then
    echo "Building the S3 store ($GATEWAY) …"
    GOBIN=$DEMO/bin CGO_ENABLED=0 go install -ldflags='-s -w' "$GATEWAY"
  fi
  ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
    run versitygw "$DEMO/bin/versitygw" --port "$S3" --quiet --health /healthz --keep-alive \
    posix --sidecar "$DEMO/store/meta" "$DEMO/store/buckets"
  await "$S3"
  (cd "$ROOT" && go build -o "$DEMO/bin/datagen" ./bench/datagen)
  "$DEMO/bin/datagen" --sf "$SF" --warehouse s3://demo --endpoint "http://$S3" --schema "sf$SF"
  cat >"$DEMO/catalogs/lake.yaml" <<EOF
connector: lake
warehouse: s3://demo
s3:
  endpoint: http://$S3
  region: us-east-1
  path-style: true
  access-key: \${ENV:AWS_ACCESS_KEY_ID}
  secret-key: \${ENV:AWS_SECRET_ACCESS_KEY}
EOF
  run coordinator "$ROOT/bin/tutti" coordinator --http-listen "$HTTP" --grpc-listen "$GRPC" \
    --data-dir "$DEMO/coordinator" --catalog-dir "$DEMO/catalogs" --node-id coordinator
  await "$HTTP"
  for i in 1 2 3; do
    run "worker-$i" "$ROOT/bin/tutti" worker --join "$GRPC" --grpc-listen "${GRPC%:*}:$((${GRPC#*:} + i))" \
      --data-dir "$DEMO/worker-$i" --node-id "worker-$i" --memory-limit 3GB
  done
  sleep 1
  queries
  cat <<EOF

The cluster is up: a coordinator, three workers, an S3 store; logs in $DEMO/logs
  web page   http://$HTTP/ui/
  shell      bin/tutti sql --server http://$HTTP --catalog lake --schema sf$SF
  Trino CLI  trino --server http://$HTTP --catalog lake --schema sf$SF
  JDBC       jdbc:trino://$HTTP/lake/sf$SF   (any user, no password)
  stop       make demo-stop
EOF
}

# queries runs the 22 queries and prints rows and time of each.
queries() {
  local q out from ms total=0 rows
  printf '\n%-7s %8s %10s\n' query rows ms
  for q in "$ROOT"/test/tpch/q*.sql; do
    from=$(date +%s%N)
    if ! out=$("$ROOT/bin/tutti" sql --server "http://$HTTP" --catalog lake --schema "sf$SF" --format tsv -f "$q" 2>&1); then
      printf '%s\n%s\n' "$(basename "$q" .sql) failed:" "$out" >&2
      exit 1
    fi
    ms=$((($(date +%s%N) - from) / 1000000))
    rows=$(($(wc -l <<<"$out") - 1))
    total=$((total + ms))
    printf '%-7s %8d %10d\n' "$(basename "$q" .sql)" "$rows" "$ms"
  done
  printf '%-7s %8s %10d\n' total '' "$total"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
*) echo "usage: $0 start|stop" >&2 && exit 2 ;;
esac
