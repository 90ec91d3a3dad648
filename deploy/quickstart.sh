#!/bin/sh
# quickstart.sh [--keep] [--root DIR]: from a clean clone on a Debian 12 or 13 machine, as root, to a running container.
# It installs what is missing (a JDK, Maven, runc, ...), builds, brings the suite up, imports a small image that it makes on the
# spot, runs a container, shows the processes that it went through, and brings everything down; --keep leaves it up.
set -eu
top=$(cd -P "$(dirname "$0")/.." && pwd)
. "$top/deploy/prepare.sh"

keep=
root=/var/lib/longshore-quickstart
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=1 ;;
    --root) root=${2:?--root needs a folder} && shift ;;
    *) sed -n '2,4s/^# //p' "$0" && exit 2 ;;
  esac
  shift
done
need_debian_root

say "Looking for what is needed"
need_jdk
install_packages runc gcc libc6-dev busybox-static openssl
need_maven

say "Building"
(cd "$top" && maven -q -Dmaven.test.skip=true package)
home=$top/deploy/target/longshore
echo "The distribution is $home"

say "Bringing the suite up under $root"
"$home/bin/longshore-aot" --if-missing
"$home/bin/longshore-suite" up --root "$root"
address=$root/run/longshore.sock

finish() {
  rc=$?
  if [ "$rc" != 0 ]; then
    for file in "$root"/log/*.log; do
      echo "--- the end of $file" >&2
      tail -n 20 "$file" >&2
    done
  fi
  if [ -z "$keep" ] || [ "$rc" != 0 ]; then
    say "Bringing the suite down"
    "$home/bin/longshore-suite" down --root "$root" || rc=1
    [ -z "$keep" ] && [ "$rc" = 0 ] && rm -rf "$root"
  fi
  exit "$rc"
}
trap finish EXIT

longshore() {
  "$home/bin/longshore" --address "$address" "$@"
}

say "Importing an image made of Debian's busybox"
image=docker.io/library/quickstart:1
archive=$(mktemp)
"$top/deploy/busybox-image.sh" "$archive" $image
longshore image import "$archive"
rm -f "$archive"
longshore image ls

say "Running a container"
longshore run --rm --name quickstart-hello --env GREETING="Hello from a container" $image \
  sh -c 'echo "$GREETING on $(uname -sr), as process $$ of its own namespace"; echo "its root file system:"; grep " / " /proc/mounts'

say "The processes that it went through"
longshore run -d --name quickstart-sleeper $image sleep 1000
longshore plugins
echo
ps_table() {
  printf '%-9s %-9s %s\n' PID PARENT PROGRAM
  for name in longshored.pid longshore-snapshotter-overlay.pid; do
    read -r pid <"$root/run/$name"
    printf '%-9s %-9s %s\n' "$pid" "$(awk '/^PPid:/{print $2}' "/proc/$pid/status")" "${name%.pid}"
  done
  task=$(longshore --json ps | sed -n 's/.*"pid" *: *\([0-9][0-9]*\).*/\1/p' | head -n 1)
  shim=$(awk '/^PPid:/{print $2}' "/proc/$task/status")
  printf '%-9s %-9s %s\n' "$shim" "$(awk '/^PPid:/{print $2}' "/proc/$shim/status")" "containerd-shim-runc-v2"
  printf '%-9s %-9s %s\n' "$task" "$shim" "$(tr '\0' ' ' <"/proc/$task/cmdline")(in the container)"
}
ps_table
echo
longshore exec quickstart-sleeper echo "executed in the running container"

if [ -n "$keep" ]; then
  say "Left up (--keep). Try:"
  cat <<END
  $home/bin/longshore --address $address run --rm -it $image
  $home/bin/longshore --address $address ps
  $home/bin/longshore --address $address logs -f quickstart-sleeper
  ctr --address $address images ls          # apt-get install containerd, for its client
  ctr --address $address run --rm -t $image c1 sh
  $home/bin/longshore-suite down --root $root
END
else
  longshore stop quickstart-sleeper
  longshore rm quickstart-sleeper
fi
say "It works."
