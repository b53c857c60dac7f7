# Shared by the scripts of this folder: unmodified clients, installed into the
# cache (see test/ref/lib.sh), and the programs that drive them, built. After
# setup_X the command of client X is run_X ARGUMENT...
source "$(dirname "${BASH_SOURCE[0]}")/../ref/lib.sh"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=$CACHE/clients
PY_PACKAGES="trino==0.340.0 sqlalchemy==2.1.9"
mkdir -p "$WORK"

setup_jdbc() { # VERSION
    need javac openjdk-17-jdk-headless
    maven_get "io.trino:trino-jdbc:$1" "trino-jdbc-$1.jar"
    mkdir -p "$WORK/java"
    javac -d "$WORK/java" "$HERE"/java/*.java
}

run_jdbc() { # VERSION CLASS ARGUMENT...
    local version=$1; shift
    java -Xmx512M -cp "$WORK/java:$CACHE/jars/trino-jdbc-$version.jar" "$@"
}

setup_cli() {
    need java openjdk-17-jre-headless
    maven_get io.trino:trino-cli:476:jar:executable trino-cli-476.jar
}

setup_python() {
    local venv=$WORK/python
    [ -f "$venv/.packages" ] && [ "$(cat "$venv/.packages")" = "$PY_PACKAGES" ] && return
    need python3 python3 python3-venv
    python3 -m venv "$venv"
    # shellcheck disable=SC2086
    "$venv/bin/pip" install -q --cache-dir "$CACHE/pip" $PY_PACKAGES >&2
    echo "$PY_PACKAGES" >"$venv/.packages"
}

run_python() { "$WORK/python/bin/python" "$@"; } # FILE ARGUMENT...

setup_go() {
    command -v go >/dev/null || die "go is missing"
    (cd "$HERE/go" && go build -o "$WORK/go-checks" .)
}

run_go() { "$WORK/go-checks" "$@"; }

setup_node() {
    need node nodejs npm
    need npm npm
    mkdir -p "$WORK/node"
    cp "$HERE"/node/*.json "$HERE"/node/*.mjs "$WORK/node/"
    (cd "$WORK/node" && npm ci --silent --ignore-scripts --no-audit --no-fund --cache "$CACHE/npm" >&2)
}

run_node() { # FILE ARGUMENT...
    local file=$1; shift
    node "$WORK/node/$file" "$@"
}

# record FILE TABLE MARK: puts a table between <!-- MARK --> and <!-- end -->.
record() {
    local text
    text=$(awk -v table="$(cat "$2")" -v mark="<!-- $3 -->" '
        $0 == mark {print; print table; inside = 1; next}
        /<!-- end -->/ {inside = 0}
        !inside {print}' "$1")
    printf '%s\n' "$text" >"$1"
}
