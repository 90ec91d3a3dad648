#!/bin/sh
# test.sh [MAVEN ARGUMENTS]: installs what the tests need on a Debian 12 or 13 machine, as root, and runs all of them. The skipped ones
# are listed at the end, each with its reason.
set -eu
top=$(cd -P "$(dirname "$0")/.." && pwd)
. "$top/deploy/prepare.sh"
need_debian_root

say "Looking for what is needed"
need_jdk
# containerd is there for its client and its shim; its service is not started.
install_packages runc gcc libc6-dev busybox-static containerd crun skopeo umoci zstd sqlite3 docker-registry apache2-utils openssl attr util-linux procps iproute2 curl xz-utils
need_maven

say "Building and testing"
started=$(date +%s)
rc=0
(cd "$top" && maven verify "$@") || rc=$?
took=$(($(date +%s) - started))

say "Tests"
"$JAVA_HOME/bin/java" "$top/deploy/src/main/sh/TestReport.java" "$top" || rc=1
echo "mvn verify took $((took / 60)) min $((took % 60)) s"
[ "$rc" = 0 ] || die "FAILED (see above)"
echo "No failure."
