#!/bin/sh
# test.sh [MAVEN ARGUMENTS]: installs what the tests need on a Debian 12 or 13 machine, as root, and runs all of them. The skipped ones
# are listed at the end, each with its reason.
set -eu
top=$(cd -P "$(dirname "$0")/.." && pwd)
. "$top/deploy/prepare.sh"
need_debian_root

say "Looking for what is needed"
need_jdk
# containerd and Docker are there for their programs; their services are not started. Debian 13 has Docker's client in a package of its
# own, and not every release has runsc, criu and ctr-remote (in stargz-snapshotter).
find_known_packages docker-cli runsc criu stargz-snapshotter
# shellcheck disable=SC2086
install_packages runc gcc libc6-dev busybox-static containerd docker.io crun skopeo umoci zstd sqlite3 docker-registry apache2-utils openssl gpg gpg-agent python3 erofs-utils attr util-linux bsdutils procps iproute2 curl xz-utils $known
# No test is skipped for one of these: what was to install it is broken then.
export LONGSHORE_REQUIRED_PROGRAMS="runc busybox ctr containerd crun script docker dockerd"
need_maven

say "Building and testing"
started=$(date +%s)
rc=0
# A failed test does not keep the modules behind it from being tested; the report below tells of it. One on real programs is run once
# more, and what passes then is reported as flaky: a mistake to be found, in the test or behind it, not a reason to know nothing else.
(cd "$top" && maven verify -Dmaven.test.failure.ignore=true -Dfailsafe.rerunFailingTestsCount=1 "$@") || rc=$?
took=$(($(date +%s) - started))

say "Tests"
"$JAVA_HOME/bin/java" "$top/deploy/src/main/sh/TestReport.java" "$top" || rc=1
echo "mvn verify took $((took / 60)) min $((took % 60)) s"
[ "$rc" = 0 ] || die "FAILED (see above)"
echo "No failure."
