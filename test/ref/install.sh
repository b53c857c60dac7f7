#!/usr/bin/env bash
# Installs the reference engines into $REF: DuckDB, tpchgen-cli and a Java 25
# runtime from PyPI, the Trino server from Maven Central. Does nothing when all
# is there. See lib.sh for the variables and versions.
source "$(dirname "$0")/lib.sh"

# The server's archive stores plugins as hard links into one another, so all of
# it is unpacked and what is not used is removed again. TUTTI_REF_PLUGINS names
# plugins wanted besides tpch and memory.
PLUGINS="tpch memory ${TUTTI_REF_PLUGINS:-}"

unpacked() {
    [ -f "$REF/trino/.version" ] && [ "$(cat "$REF/trino/.version")" = "$TRINO_VERSION" ] || return 1
    for plugin in $PLUGINS; do [ -d "$REF/trino/plugin/$plugin" ] || return 1; done
}

unpack_trino() {
    unpacked && return
    local archive=trino-server-$TRINO_VERSION.tar.gz
    maven_get "io.trino:trino-server:$TRINO_VERSION:tar.gz" "$archive"
    rm -rf "$CACHE/m2/io/trino/trino-server" # a second copy of 800 MB
    rm -rf "$REF/trino" "$REF/trino.tmp"
    mkdir -p "$REF/trino.tmp/keep"
    tar -xzf "$CACHE/jars/$archive" -C "$REF/trino.tmp" --strip-components=1
    for plugin in $PLUGINS; do mv "$REF/trino.tmp/plugin/$plugin" "$REF/trino.tmp/keep/"; done
    rm -rf "$REF/trino.tmp/plugin" && mv "$REF/trino.tmp/keep" "$REF/trino.tmp/plugin"
    echo "$TRINO_VERSION" >"$REF/trino.tmp/.version"
    mv "$REF/trino.tmp" "$REF/trino"
}

ref_venv
unpack_trino
