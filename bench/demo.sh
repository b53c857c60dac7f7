#!/usr/bin/env bash
# The demo cluster: an S3 store, a coordinator and three workers on loopback,
# TPC-H as Parquet in a bucket, the 22 queries. `start` leaves it up, `stop`
# ends it by the process ids that `start` wrote down. Called by make; every
# address can be set: HTTP=, GRPC= (workers use the three ports after it), S3=.
set -euo pipefail
: "${DEMO:?folder for data and logs}" "${SF:=1}"
HTTP=${HTTP:-127.0.0.1:8080} GRPC=${GRPC:-127.0.0.1:8081} S3=${S3:-127.0.0.1:7070}
ROOT=$(cd "$(dirname "$0")/.." && pwd)
GATEWAY_VERSION=v1.8.0
GATEWAY=$DEMO/bin/versitygw-$GATEWAY_VERSION
SCHEMA=sf${SF//./_}
export AWS_ACCESS_KEY_ID=tutti AWS_SECRET_ACCESS_KEY=tutti-demo-secret

die() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

# ours PID: is it alive and still ours? A pid may have gone to another program.
ours() { ps -p "$1" -o args= 2>/dev/null | grep -qF -e "$DEMO" -e "$ROOT/bin/tutti"; }

# stop asks all processes to end, waits, and kills what has not after 10 s.
stop() {
  local file pid pids=()
  for file in "$DEMO"/pids/*; do
    [ -e "$file" ] || continue
    pid=$(<"$file")
    rm -f "$file"
    ours "$pid" || continue
    pids+=("$pid")
    kill "$pid" 2>/dev/null || true
  done
  for _ in $(seq 100); do
    for pid in ${pids[@]+"${pids[@]}"}; do
      ours "$pid" && sleep 0.1 && continue 2
    done
    break
  done
  for pid in ${pids[@]+"${pids[@]}"}; do
    if ours "$pid"; then kill -9 "$pid" 2>/dev/null || true; fi
  done
  STOPPED=${#pids[@]}
}

# run NAME COMMAND… starts a process that outlives the terminal, and writes
# down its id.
run() {
  local name=$1
  shift
  nohup "$@" >"$DEMO/logs/$name.log" 2>&1 </dev/null &
  echo $! >"$DEMO/pids/$name"
}

listens() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }

# await NAME HOST:PORT waits until the process listens.
await() {
  for _ in $(seq 300); do
    listens "$2" && return
    ours "$(<"$DEMO/pids/$1")" || break
    sleep 0.1
  done
  tail -n 5 "$DEMO/logs/$1.log" >&2
  die "$1 does not listen on $2; its log is $DEMO/logs/$1.log"
}

# busy TEXT COMMAND… runs something slow and quiet, counting the seconds on a
# terminal; what it printed is shown only if it fails.
busy() {
  local text=$1 log=$DEMO/logs/build.log from=$SECONDS pid
  shift
  "$@" >"$log" 2>&1 </dev/null &
  pid=$! BUSY=$!
  if [ -t 2 ]; then
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r%s … %d s ' "$text" $((SECONDS - from)) >&2
      sleep 0.2
    done
    printf '\r' >&2
  else
    printf '%s …\n' "$text" >&2
  fi
  wait "$pid" || { tail -n 20 "$log" >&2; die "$text: failed; see $log"; }
  BUSY=
  printf '%s: %d s     \n' "$text" $((SECONDS - from)) >&2
}

# checks says what would make the demo fail later, in a line each.
checks() {
  local address name need free
  [[ $SF =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "SF=$SF is no scale factor: a number such as 0.1, 1 or 10"
  command -v go >/dev/null || die "Go is missing: see https://go.dev/dl/"
  for name in "HTTP $HTTP" "GRPC $GRPC" "S3 $S3" "GRPC $(worker 1)" "GRPC $(worker 2)" "GRPC $(worker 3)"; do
    address=${name#* }
    [[ $address =~ ^[^:]+:[0-9]+$ ]] || die "${name% *}=$address is not HOST:PORT"
    if listens "$address"; then
      die "port ${address#*:} is in use; end what listens there or choose another: make demo ${name% *}=${address%:*}:PORT"
    fi
  done
  # Files take about 0.4 GB at scale factor 1; tools and their sources 2 GB.
  need=$(awk -v sf="$SF" 'BEGIN { printf "%d", (0.4 * sf + 0.2) * 1048576 }')
  if [ -e "$DEMO/store/buckets/demo/$SCHEMA/_done" ]; then need=102400; fi
  if [ ! -x "$GATEWAY" ]; then need=$((need + 2 * 1048576)); fi
  free=$(df -Pk "$DEMO" | awk 'NR == 2 { print $4 }')
  if ((free < need)); then
    die "$DEMO has $((free / 1024)) MB free and the demo needs about $((need / 1024)) MB; make room, use a smaller SF=, or another folder: make demo DEMO=/path"
  fi
}

# worker N is the address of the Nth worker.
worker() { echo "${GRPC%:*}:$((${GRPC#*:} + $1))"; }

# memory is each worker's limit: 3 GB, or a fifth of the machine if that is less.
memory() {
  local kb=15728640
  if [ -r /proc/meminfo ]; then kb=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo); fi
  awk -v kb="$kb" 'BEGIN { mb = kb / 1024 / 5; if (mb > 3072) mb = 3072; if (mb < 512) mb = 512; printf "%dMB", mb }'
}

sql() { "$ROOT/bin/tutti" sql --server "http://$HTTP" --catalog lake --schema "$SCHEMA" --format tsv "$@"; }

# joined waits until the coordinator has all three workers.
joined() {
  local n=0
  for _ in $(seq 150); do
    n=$(sql -e "select count(*) from system.runtime.nodes where not coordinator and state = 'active'" 2>/dev/null | tail -n 1) || n=0
    [ "$n" = 3 ] && return
    sleep 0.1
  done
  die "of three workers $n joined; logs are in $DEMO/logs"
}

start() {
  local began=$SECONDS i
  mkdir -p "$DEMO"/{pids,logs,bin,catalogs,store/meta,store/buckets/demo}
  stop
  checks
  # What fails or is interrupted leaves nothing behind; jobs ignore Ctrl-C.
  trap 'code=$?; trap - EXIT; [ -z "${BUSY:-}" ] || kill "$BUSY" 2>/dev/null; stop; exit $code' EXIT
  trap 'exit 130' INT TERM
  busy "Building bin/tutti" env CGO_ENABLED=0 go build -C "$ROOT" -ldflags='-s -w' -o bin/tutti ./cmd/tutti
  # Without cgo too, so that nearly all packages are compiled already.
  busy "Building the data generator" env CGO_ENABLED=0 go build -C "$ROOT" -o "$DEMO/bin/datagen" ./bench/datagen
  if [ ! -x "$GATEWAY" ]; then
    busy "Building the S3 store (versitygw $GATEWAY_VERSION, once)" \
      env GOBIN="$DEMO/bin" CGO_ENABLED=0 go install -ldflags='-s -w' "github.com/versity/versitygw/cmd/versitygw@$GATEWAY_VERSION"
    mv "$DEMO/bin/versitygw" "$GATEWAY"
  fi
  ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
    run versitygw "$GATEWAY" --port "$S3" --quiet --health /healthz --keep-alive \
    posix --sidecar "$DEMO/store/meta" "$DEMO/store/buckets"
  await versitygw "$S3"
  "$DEMO/bin/datagen" --sf "$SF" --warehouse s3://demo --endpoint "http://$S3" --schema "$SCHEMA"
  cluster
  queries
  trap - EXIT INT TERM
  cat <<EOT

The cluster is up after $((SECONDS - began)) s: a coordinator, three workers, an S3 store; logs in $DEMO/logs
  web page   http://$HTTP/ui/
  shell      bin/tutti sql --server http://$HTTP --catalog lake --schema $SCHEMA
  Trino CLI  trino --server http://$HTTP --catalog lake --schema $SCHEMA
  JDBC       jdbc:trino://$HTTP/lake/$SCHEMA   (any user, no password)
  stop       make demo-stop
EOT
}

# cluster starts the coordinator and the workers. Only the coordinator is
# given the catalog; keys come from the environment.
cluster() {
  local i
  cat >"$DEMO/catalogs/lake.yaml" <<EOT
connector: lake
warehouse: s3://demo
s3:
  endpoint: http://$S3
  region: us-east-1
  path-style: true
  access-key: \${ENV:AWS_ACCESS_KEY_ID}
  secret-key: \${ENV:AWS_SECRET_ACCESS_KEY}
EOT
  run coordinator "$ROOT/bin/tutti" coordinator --http-listen "$HTTP" --grpc-listen "$GRPC" \
    --data-dir "$DEMO/coordinator" --catalog-dir "$DEMO/catalogs" --node-id coordinator
  await coordinator "$HTTP"
  for i in 1 2 3; do
    run "worker-$i" "$ROOT/bin/tutti" worker --join "$GRPC" --grpc-listen "$(worker $i)" \
      --data-dir "$DEMO/worker-$i" --node-id "worker-$i" --memory-limit "$(memory)"
  done
  joined
}

# queries runs the 22 queries and prints rows and time of each, as a client
# sees them: from the start of the shell to the last row.
queries() {
  local q out from ms total=0 rows
  printf '\n%-7s %8s %10s\n' query rows ms
  for q in "$ROOT"/test/tpch/q*.sql; do
    from=$(date +%s%N)
    if ! out=$(sql -f "$q" 2>&1); then
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
stop)
  stop
  echo "Stopped $STOPPED processes; the data stays in $DEMO"
  ;;
*) echo "usage: $0 start|stop" >&2 && exit 2 ;;
esac
