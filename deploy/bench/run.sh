#!/bin/bash
# run.sh [flags]: measures this suite against Debian's own containerd, side by side in one run, and writes the table to
# docs/performance.md, between its markers. As root on Debian 12 or 13; it installs the packages that it needs (containerd's daemon
# is not started by that), and leaves nothing else behind.
#
#   --rounds N      rounds of `ctr run` and of daemon starts (15); imports and pulls take a third of it, memory two
#   --only LIST     some of: run,parallel,import,pull,processors,snapshots,ipfs,lazy,memory,start (all)
#   --output FILE   the document whose table is replaced (docs/performance.md); - prints it only
#   --home DIR      the distribution to measure (deploy/target/longshore, built if it is not there)
#
# Both sides have their own root and state on one tmpfs, the same runc, the same ctr, and a cgroup in which everything of that side is
# started, so that CPU time (user and system, of client, daemon, plugins, shims and runc) can be read off it. The containers
# themselves are in cgroups of runc. The sides take turns; each figure is taken once before it counts. Pulls are also measured against
# a newer containerd where LONGSHORE_CONTAINERD2 names the folder with its programs, and lazy pulls against containerd-stargz-grpc where
# LONGSHORE_STARGZ_GRPC names that program.
set -euo pipefail
here=$(cd -P "$(dirname "$0")" && pwd)
top=$(cd -P "$here/../.." && pwd)
. "$top/deploy/prepare.sh"
. "$here/lazy.sh"

rounds=15
only=run,parallel,import,pull,processors,snapshots,ipfs,lazy,memory,start
output=$top/docs/performance.md
home=
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=${2:?--rounds needs a number} && shift ;;
    --only) only=${2:?--only needs a list} && shift ;;
    --output) output=${2:?--output needs a file} && shift ;;
    --home) home=${2:?--home needs a folder} && shift ;;
    *) sed -n '2,/^# LONGSHORE_STARGZ/s/^# \{0,1\}//p' "$0" && exit 2 ;;
  esac
  shift
done
case $rounds in '' | *[!0-9]*) die "--rounds wants a number, not \"$rounds\"" ;; esac
wants() { case ,$only, in *",$1,"*) ;; *) return 1 ;; esac }

need_debian_root
install_packages containerd runc busybox-static gzip zstd docker-registry skopeo openssl
if wants lazy; then install_packages stargz-snapshotter umoci python3 iproute2; fi
if [ -z "$home" ]; then
  home=$top/deploy/target/longshore
  if [ ! -x "$home/bin/longshored" ]; then
    need_jdk
    install_packages gcc libc6-dev
    need_maven
    (cd "$top" && maven -q -Dmaven.test.skip=true package)
  fi
fi
home=$(cd -P "$home" && pwd)
"$home/bin/longshore-aot" --if-missing

work=$(mktemp -d /tmp/longshore-bench.XXXXXX)
mount -t tmpfs -o size=10g,mode=700 longshore-bench "$work"
if [ -d /sys/fs/cgroup/cpuacct ]; then
  groups=/sys/fs/cgroup/cpuacct
else
  groups=/sys/fs/cgroup
fi
group=$groups/${work##*/}
declare -A namespace=([c]=bench-$$-c [l]=bench-$$-l [n]=bench-$$-n)
declare -A address=([c]=$work/c/run.sock [l]=$work/l/run/longshore.sock [n]=$work/n/run.sock)
declare -A ctr=([c]=ctr [l]=ctr [n]=${LONGSHORE_CONTAINERD2:-}/ctr)
mkdir -p "$work/c" "$work/n" "$group/c" "$group/l" "$group/n"
mkfifo "$work/pause"
exec {pause_fd}<>"$work/pause"

# Waits without a process of its own: a fork would disturb what is measured.
pause() { read -rt "$1" -u $pause_fd || true; }
# Microseconds of a clock that is good for differences.
now() { printf -v "$1" '%s' "${EPOCHREALTIME/[.,]/}"; }

# --- the sides: c is containerd, l is Longshore, n is a newer containerd, for pulls only

# Becomes a command as part of a side; as runs one.
become() { # SIDE COMMAND...
  echo $BASHPID >"$group/$1/cgroup.procs"
  shift
  exec "$@"
}
as() { (become "$@"); }
client() { # SIDE ARGUMENTS...
  local side=$1
  shift
  as "$side" "${ctr[$side]}" --address "${address[$side]}" --namespace "${namespace[$side]}" "$@"
}
answers() { # SIDE: waits until it does
  local tries=15000
  until [ -S "${address[$1]}" ] && client "$1" version >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || die "the daemon at ${address[$1]} does not answer: see $work"
    pause 0.002
  done
}
for side in c n; do
  cat >"$work/$side/config.toml" <<END
version = 2
root = "$work/$side/root"
state = "$work/$side/state"
# Longshore has no CRI service yet; without it containerd is smaller and starts faster.
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/$side/run.sock"
END
done
containerd_pid=
newer_pid=
start_daemon() { # SIDE
  case $1 in
    c)
      become c containerd --config "$work/c/config.toml" >>"$work/c/log" 2>&1 &
      containerd_pid=$!
      ;;
    n)
      PATH="$LONGSHORE_CONTAINERD2:$PATH" become n containerd --config "$work/n/config.toml" >>"$work/n/log" 2>&1 &
      newer_pid=$!
      ;;
    l)
      PATH="$home/bin:$PATH" become l "$home/bin/longshored" --config "$work/l/config.toml" </dev/null >>"$work/l/log/longshored.log" 2>&1 &
      echo $! >"$work/l/run/longshored.pid"
      ;;
  esac
}
daemon_pid() { # SIDE
  case $1 in c) echo "$containerd_pid" ;; n) echo "$newer_pid" ;; l) cat "$work/l/run/longshored.pid" ;; esac
}
stop_daemon() { # SIDE
  local pid
  pid=$(daemon_pid "$1")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do pause 0.01; done
  rm -f "${address[$1]}"
}
suite_up() {
  as l "$home/bin/longshore-suite" up --root "$work/l" >"$work/l.up" 2>&1 || { cat "$work/l.up" >&2; die "the suite does not start"; }
}
suite_down() { "$home/bin/longshore-suite" down --root "$work/l" "$@" >/dev/null 2>&1 || true; }

# Removes all that a side runs in its namespace.
remove_containers() { # SIDE
  local ids
  ids=$(client "$1" tasks ls -q)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || echo $ids | xargs -n 1 ctr --address "${address[$1]}" --namespace "${namespace[$1]}" tasks rm --force >/dev/null 2>&1 || true
  ids=$(client "$1" containers ls -q)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || client "$1" containers rm $ids >/dev/null
}

registry_pid=
cleanup() {
  local rc=$? side id pid
  trap - EXIT INT TERM
  set +e
  [ "$rc" = 0 ] || tail -n 5 "$work/c/log" "$work"/l/log/*.log >&2
  suite_down --kill-containers --timeout 10
  [ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null
  for side in c l n; do
    for id in "/run/containerd/runc/${namespace[$side]}"/*/ "$work/l/state/runc/${namespace[$side]}"/*/; do
      [ ! -e "$id/state.json" ] || runc --root "$(dirname "$id")" delete --force "$(basename "$id")"
    done
    # What is left in a side's own group: daemons, shims.
    for signal in TERM KILL; do
      while read -r pid; do kill -$signal "$pid" 2>/dev/null; done <"$group/$side/cgroup.procs"
      for _ in 1 2 3 4 5 6 7 8 9 10; do [ -z "$(cat "$group/$side/cgroup.procs")" ] || pause 0.2; done
    done
    rmdir "$group/$side"
    rm -rf "/run/containerd/runc/${namespace[$side]}"
    find /sys/fs/cgroup -depth -type d -path "*/${namespace[$side]}*" -exec rmdir {} + 2>/dev/null
  done
  rmdir "$group"
  lazy_cleanup
  awk -v root="$work/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
  umount -l "$work"
  rmdir "$work"
  exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- readings

declare -A values
# Adds a reading to a list.
note() { values[$1]="${values[$1]:-} $2"; }
# CPU time of a side so far, in microseconds.
cpu() { # SIDE VARIABLE
  local value rest
  if [ -e "$group/$1/cpuacct.usage" ]; then
    read -r value <"$group/$1/cpuacct.usage"
    value=$((value / 1000))
  else
    read -r rest value <"$group/$1/cpu.stat"
  fi
  printf -v "$2" '%s' "$value"
}
# Memory of all processes of a side, in KiB: "PSS ALONE". PSS is the kernel's own (a page that n processes map counts 1/n for
# each). It is too low where others on the machine map the same files, a JDK say; ALONE counts what the side's processes share as once.
memory() { # SIDE
  local pid files=()
  while read -r pid; do
    if [ -r "/proc/$pid/smaps" ]; then files+=("/proc/$pid/smaps"); fi
  done <"$group/$1/cgroup.procs"
  awk '
    /^[0-9a-f]+-[0-9a-f]+ / { mapping = $5 == 0 ? "anonymous" FILENAME $1 : $4 $5 $3 }
    /^Pss:/ { pss += $2 }
    /^Private_(Clean|Dirty):/ { alone += $2 }
    /^Shared_Clean:/ { shared = $2 }
    /^Shared_Dirty:/ { shared += $2 }
    /^Referenced:/ { if (shared > most[mapping]) most[mapping] = shared; shared = 0 }
    END { for (m in most) alone += most[m]; print pss, alone }' "${files[@]}" 2>/dev/null
}
processes() { wc -l <"$group/$1/cgroup.procs"; }
others() { # JVMs on this machine that are not ours
  local count=0 exe
  for exe in /proc/[0-9]*/exe; do
    exe=$(readlink "$exe" 2>/dev/null) || continue
    case $exe in */bin/java) count=$((count + 1)) ;; esac
  done
  echo $count
}

# --- what is measured

busybox=docker.io/library/bench:1
number=0
run_one() { # SIDE
  number=$((number + 1))
  client "$1" run --rm $busybox "run-$number" true
}
run_four() { # SIDE
  local first=$number pids=() pid
  number=$((number + 4))
  for _ in 1 2 3 4; do
    first=$((first + 1))
    client "$1" run --rm $busybox "run-$first" true &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
}
import() { # SIDE COMPRESSION
  client "$1" images import --snapshotter overlayfs "$work/big/$2.tar" >/dev/null
}
forget() { # SIDE: what was imported, its blobs and its files
  local images tries=600
  images=$(client "$1" images ls -q | grep big) || true
  # shellcheck disable=SC2086
  [ -z "$images" ] || client "$1" images rm --sync $images >/dev/null
  # The files of a layer are removed in the background by both.
  while [ "$(du -sm "$work/$1" | cut -f1)" -gt 100 ] && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    pause 0.1
  done
  [ $tries -gt 0 ] || die "$work/$1 still holds the image after it was removed"
}
# A registry of its own, in no side's group.
registry=
registry_up() {
  local port=$((20000 + RANDOM % 10000)) tries=500
  registry=127.0.0.1:$port
  cat >"$work/registry.yml" <<END
version: 0.1
log: { accesslog: { disabled: true }, level: error }
storage: { filesystem: { rootdirectory: "$work/registry" } }
http: { addr: "$registry" }
END
  docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  registry_pid=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] && kill -0 $registry_pid || die "the registry does not start: $(cat "$work/registry.log")"
    pause 0.02
  done
}
pull() { # SIDE COMPRESSION
  local image=$registry/big:$2
  case $1 in
    l) as l "$home/bin/longshore" --address "${address[l]}" --namespace "${namespace[l]}" pull --plain-http "$image" >"$work/pull.log" 2>&1 || { cat "$work/pull.log" >&2; return 1; } ;;
    *) client "$1" images pull --plain-http --snapshotter overlayfs "$image" >"$work/pull.log" 2>&1 || { cat "$work/pull.log" >&2; return 1; } ;;
  esac
}
# The most memory that a daemon has taken since it was last asked to count anew, in KiB.
count_peak_anew() { echo 5 >"/proc/$(daemon_pid "$1")/clear_refs"; }
peak() { awk '/^VmHWM:/ { print $2 }' "/proc/$(daemon_pid "$1")/status"; }
before_pull() { # SIDE
  forget "$1"
  count_peak_anew "$1"
}
pull_and_note_peak() { # SIDE COMPRESSION
  pull "$@"
  note "peak-$2-$1" "$(peak "$1")"
}
restart() { # SIDE: from the start of its program to the first answer
  start_daemon "$1"
  answers "$1"
}

# Stream processors without a daemon, by turns with the programs that do the same: a layer that says nothing, for the start, and the image's
# biggest one. Each runs in the cgroup of its side.
processors() {
  local dir=$work/processors big round side from to from_cpu to_cpu name
  mkdir -p "$dir/keys" "$dir/layout/blobs/sha256"
  tar -C "$dir" -xf "$work/big/zstd.tar"
  big=$(ls -S "$dir/blobs/sha256" | head -n 1)
  mv "$dir/blobs/sha256/$big" "$dir/big.zstd"
  zstd -q -dc "$dir/big.zstd" | gzip -n -1 >"$dir/big.gzip"
  : | tar -cf "$dir/small.tar" -T -
  zstd -q "$dir/small.tar" -o "$dir/small.zstd"
  gzip -n <"$dir/small.tar" >"$dir/small.gzip"
  openssl genrsa -out "$dir/keys/key.pem" 2048 2>/dev/null
  openssl rsa -in "$dir/keys/key.pem" -pubout -out "$dir/public.pem" 2>/dev/null
  for name in small big; do encrypted_layer "$dir" $name; done
  layer_bytes=$(wc -c <"$dir/big.zstd")
  encrypted_bytes=$(wc -c <"$dir/big.encrypted")
  for name in small big; do
    for kind in zstd gzip ctd; do
      for ((round = 0; round <= (rounds + 1) / 2; round++)); do
        for side in c l; do
          cpu $side from_cpu
          now from
          (echo $BASHPID >"$group/$side/cgroup.procs" && process $side $kind "$dir" $name) >/dev/null 2>"$work/process.log" || { cat "$work/process.log" >&2; die "$kind, $name: a processor failed"; }
          now to
          cpu $side to_cpu
          # The first of each is not counted.
          [ $round = 0 ] || { note "process-$kind-$name-$side" $((to - from)); note "process-$kind-$name-cpu-$side" $((to_cpu - from_cpu)); }
        done
      done
      echo "$kind, $name layer: other program $(spread "process-$kind-$name-c"), Longshore $(spread "process-$kind-$name-l")" >&2
    done
  done
  rm -rf "$dir"
}
process() { # SIDE KIND DIR NAME, in a process of its own
  case $1-$2 in
    c-zstd) exec zstd -q -dcf <"$3/$4.zstd" ;;
    l-zstd) exec "$home/bin/longshore-stream-zstd" <"$3/$4.zstd" ;;
    c-gzip) exec gzip -dcf <"$3/$4.gzip" ;;
    l-gzip) exec "$home/bin/longshore-stream-gzip" <"$3/$4.gzip" ;;
    c-ctd) rm -rf "$3/out" && exec skopeo copy -q --decryption-key "$3/keys/key.pem" "oci:$3/$4-layout:1" "dir:$3/out" ;;
    l-ctd) exec "$home/bin/ctd-decoder" --decryption-keys-path "$3/keys" <"$3/$4.encrypted" 3<"$3/$4.payload" ;;
  esac
}
# Makes NAME-layout, which skopeo has encrypted, with NAME.gzip as its only layer; NAME.encrypted, that layer; NAME.payload, what a daemon
# gives a decoder on descriptor 3: an Any (two fields of protobuf) with JSON.
encrypted_layer() { # DIR NAME
  local plain=$1/$2-plain layer config manifest descriptor type=io.containerd.ocicrypt.v1.Payload length
  mkdir -p "$plain/blobs/sha256"
  layer=$(put "$plain" "application/vnd.oci.image.layer.v1.tar+gzip" <"$1/$2.gzip")
  config=$(printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(gzip -dc "$1/$2.gzip" | sha256sum | cut -d' ' -f1)" \
    | put "$plain" application/vnd.oci.image.config.v1+json)
  manifest=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' "$config" "$layer" \
    | put "$plain" application/vnd.oci.image.manifest.v1+json)
  printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}' "${manifest%\}}" >"$plain/index.json"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$plain/oci-layout"
  skopeo copy -q --encryption-key "jwe:$1/public.pem" "oci:$plain:1" "oci:$1/$2-layout:1"
  manifest=$(grep -o 'sha256:[0-9a-f]*' "$1/$2-layout/index.json" | head -n 1)
  descriptor=$(sed 's/.*"layers":\[\(.*\)\].*/\1/' "$1/$2-layout/blobs/sha256/${manifest#sha256:}")
  layer=${descriptor#*\"digest\":\"sha256:}
  cp "$1/$2-layout/blobs/sha256/${layer%%\"*}" "$1/$2.encrypted"
  printf '{"DecryptConfig":{"Parameters":{}},"Descriptor":%s}' "$descriptor" >"$1/payload"
  length=$(wc -c <"$1/payload")
  { printf '\x0a'; byte ${#type}; printf '%s\x12' $type; byte $((length % 128 + 128)); byte $((length / 128)); cat "$1/payload"; } >"$1/$2.payload"
}
byte() { printf "\\x$(printf %x "$1")"; }
# Puts standard input among the blobs of a layout, and prints its descriptor.
put() { # LAYOUT MEDIATYPE
  local digest
  cat >"$1/new"
  digest=$(sha256sum <"$1/new" | cut -d' ' -f1)
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" "$digest" "$(wc -c <"$1/new")"
  mv "$1/new" "$1/blobs/sha256/$digest"
}

# Snapshots over sockets; the third side, d, is the snapshotter without the daemon. It is a second process of the same program on a root of
# its own, since the daemon takes what it has not made for garbage.
snapshot_seconds=75
snapshots() {
  local jars='' jar jdk plugin=$work/d.sock plugin_pid callers round side operation count rate p50 p99
  mkdir "$work/d"
  become l "$home/bin/longshore-snapshotter-overlay" --address "$plugin" --root "$work/d" </dev/null >>"$work/l/log/direct.log" 2>&1 &
  plugin_pid=$!
  until [ -S "$plugin" ]; do
    kill -0 "$plugin_pid" || die "the snapshotter does not start: see $work/l/log/direct.log"
    pause 0.01
  done
  for jar in $(cat "$home/lib/longshore.classpath"); do jars=$jars${jars:+:}$home/lib/$jar; done
  read -r jdk <"$home/lib/jdk"
  timeout 90 "$jdk/bin/java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m --enable-native-access=ALL-UNNAMED \
    --sun-misc-unsafe-memory-access=allow -Dorg.slf4j.simpleLogger.defaultLogLevel=error "-Djava.library.path=$home/lib/native" -cp "$jars" "$here/SnapshotBench.java" \
    $snapshot_seconds "$rounds" "c=daemon:${address[c]}" "l=daemon:${address[l]}" "d=plugin:$plugin" >"$work/snapshots" \
    || die "snapshots could not be measured, or took more than 90 s"
  kill "$plugin_pid"
  wait "$plugin_pid" || true
  while read -r callers round side operation count rate p50 p99; do
    note "snap-$callers-$operation-rate-$side" "$rate"
    note "snap-$callers-$operation-p50-$side" "$p50"
    note "snap-$callers-$operation-p99-$side" "$p99"
  done <"$work/snapshots"
  for callers in 1 8 64; do
    echo "snapshots, $callers callers, calls/s: containerd $(median "snap-$callers-all-rate-c"), Longshore $(median "snap-$callers-all-rate-l")" >&2
  done
}

# content-ipfs against the daemon's own store, without a socket between: see ContentBench. One of them is c here, the other l.
measure_ipfs() {
  local jars='' jar jdk side operation value count=$((rounds < 5 ? rounds : 5))
  for jar in $(cat "$home/lib/longshored.classpath" "$home/lib/longshore-content-ipfs.classpath"); do jars=$jars${jars:+:}$home/lib/$jar; done
  read -r jdk <"$home/lib/jdk"
  mkdir "$work/ipfs"
  timeout 300 "$jdk/bin/java" -XX:+UseSerialGC -Xmx1g --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=error "-Djava.library.path=$home/lib/native" -cp "$jars" "$here/ContentBench.java" \
    "$work/ipfs" $count >"$work/ipfs.out" || die "content-ipfs could not be measured, or took more than 300 s"
  while read -r side operation value; do
    note "ipfs-$operation-$side" "$value"
  done <"$work/ipfs.out"
}

# Measures an action by turns: A B A B, then B A B A, so that neither always follows the other. \$sides says whose.
sides='c l'
turns() { # NAME COUNT BEFORE ACTION ARGUMENTS...
  local name=$1 count=$2 before=$3 round side from to from_cpu to_cpu
  shift 3
  for ((round = 1; round <= count; round++)); do
    for side in $([ $((round % 2)) = 1 ] && echo "$sides" || echo "$sides" | rev); do
      [ "$before" = none ] || $before "$side"
      cpu "$side" from_cpu
      now from
      "$1" "$side" "${@:2}"
      now to
      cpu "$side" to_cpu
      note "$name-$side" $((to - from))
      note "$name-cpu-$side" $((to_cpu - from_cpu))
    done
  done
  echo "$name: containerd $(spread "$name-c"), Longshore $(spread "$name-l")" >&2
}
spread() { # LIST: "min median max" in ms
  # shellcheck disable=SC2086
  printf '%s\n' ${values[$1]} | sort -n | awk '{ v[NR] = $1 } END { printf "%.0f %.0f %.0f\n", v[1] / 1000, (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2000, v[NR] / 1000 }'
}
median() {
  # shellcheck disable=SC2086
  printf '%s\n' ${values[$1]} | sort -n | awk '{ v[NR] = $1 } END { printf "%.3f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
# The median of the ratios of pairs.
ratio() { # LIST-OF-LONGSHORE LIST-OF-CONTAINERD
  # shellcheck disable=SC2086
  paste <(printf '%s\n' ${values[$1]}) <(printf '%s\n' ${values[$2]}) | awk '{ printf "%.4f\n", $1 / $2 }' | sort -n \
    | awk '{ v[NR] = $1 } END { printf "%.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# --- the run

say "Bringing both up"
suite_up
start_daemon c
answers c
sh "$top/deploy/busybox-image.sh" "$work/busybox.tar" $busybox
for side in c l; do client "$side" images import --snapshotter overlayfs "$work/busybox.tar" >/dev/null; done

load_before=$(cut -d' ' -f1-3 /proc/loadavg)
if wants run; then
  say "ctr run --rm ... true, one after another"
  for ((n = 0; n < 20; n++)); do run_one c && run_one l; done
  turns run "$rounds" none run_one
fi
if wants parallel; then
  say "ctr run --rm ... true, four at once"
  for ((n = 0; n < 5; n++)); do run_four c && run_four l; done
  turns parallel "$rounds" none run_four
fi
if wants import || wants pull || wants processors; then
  say "Making the image to import and to pull"
  "$here/big-image.sh" "$work/big" docker.io/library/big:1
  read -r image_about <"$work/big/about"
fi
if wants import; then
  for compression in gzip zstd; do
    say "Import and unpack, $compression"
    forget c && forget l
    turns "first-$compression" 1 forget import $compression
    turns "import-$compression" $(((rounds + 2) / 3)) forget import $compression
  done
  forget c && forget l
fi
if wants pull; then
  registry_up
  if [ -n "${LONGSHORE_CONTAINERD2:-}" ]; then
    sides='c l n'
    start_daemon n
    answers n
  fi
  for compression in gzip zstd; do
    TMPDIR=$work skopeo copy -q --dest-tls-verify=false "oci-archive:$work/big/$compression.tar:$compression" "docker://$registry/big:$compression"
    say "Pull and unpack, $compression"
    turns "first-pull-$compression" 1 before_pull pull $compression
    turns "pull-$compression" $(((rounds + 2) / 3)) before_pull pull_and_note_peak $compression
  done
  for side in $sides; do forget "$side"; done
  [ "$sides" = 'c l' ] || stop_daemon n
  sides='c l'
  kill "$registry_pid"
  wait "$registry_pid" || true
  registry_pid=
fi
rm -rf "$work/registry"
if wants processors; then
  say "Stream processors"
  processors
fi
rm -rf "$work/big"
if wants ipfs; then
  say "Content in IPFS"
  measure_ipfs
fi
if wants snapshots; then
  say "Snapshots: Prepare, Mounts, Commit, Remove"
  snapshots
fi
if wants memory; then
  say "Memory"
  for round in 1 2; do
    for side in c l; do
      # A daemon that has just imported images is no measure: each round begins with a new one.
      case $side in
        c) stop_daemon c && start_daemon c ;;
        l) suite_down && suite_up ;;
      esac
      answers "$side"
      for count in 1 50; do
        for ((n = $([ $count = 1 ] && echo 1 || echo 2); n <= count; n++)); do
          client "$side" run -d $busybox "memory-$round-$n" sleep 100000 >/dev/null
        done
        # What was busy a moment ago may still give memory back.
        pause 5
        read -r pss alone < <(memory "$side")
        note "memory-$count-$side" "$pss"
        note "alone-$count-$side" "$alone"
        note "processes-$count-$side" "$(processes "$side")"
        echo "$side, $count containers: PSS $pss KiB, alone $alone KiB, $(processes "$side") processes; $(others) JVMs on the machine" >&2
      done
      remove_containers "$side"
    done
  done
fi
if wants start; then
  say "Start of the daemon, to its first answer"
  restart_before() { stop_daemon "$1"; }
  turns start "$rounds" restart_before restart
  say "Start of everything"
  for ((round = 1; round <= (rounds + 2) / 3; round++)); do
    suite_down
    now from
    suite_up
    answers l
    now to
    note suite-l $((to - from))
  done
fi
if wants lazy; then
  say "Lazy pulls"
  lazy_run
fi
load_after=$(cut -d' ' -f1-3 /proc/loadavg)

# --- the table

declare -a missed=()
# Sets verdict, and remembers what was missed.
judge() { # WHAT RATIO LIMIT
  if awk -v r="$2" -v l="$3" 'BEGIN { exit !(r <= l) }'; then
    verdict="at most $3: reached"
  else
    verdict="at most $3: **missed**"
    missed+=("$1: $(awk -v r="$2" -v l="$3" 'BEGIN { printf "%.0f", (r / l - 1) * 100 }') % above its target")
  fi
}
cell() { # LIST: min / median / max
  local min middle max
  read -r min middle max < <(spread "$1")
  echo "$min / **$middle** / $max"
}
# Sets verdict, and remembers what was missed, where more is better.
judge_least() { # WHAT RATIO LIMIT
  if awk -v r="$2" -v l="$3" 'BEGIN { exit !(r >= l) }'; then
    verdict="at least $3: reached"
  else
    verdict="at least $3: **missed**"
    missed+=("$1: $(awk -v r="$2" -v l="$3" 'BEGIN { printf "%.0f", (1 - r / l) * 100 }') % below its target")
  fi
}
# The median of the differences of pairs, in ms of microseconds.
difference() { # LIST LIST
  # shellcheck disable=SC2086
  paste <(printf '%s\n' ${values[$1]}) <(printf '%s\n' ${values[$2]}) | awk '{ printf "%.1f\n", $1 - $2 }' | sort -n \
    | awk '{ v[NR] = $1 } END { printf "%.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2000 }'
}
snapshot_tables() {
  local callers operation who rate p50 p99 cells verdict
  echo
  echo "| snapshots | calls/s: containerd / Longshore | ratio | p50, ms | ratio | p99, ms | ratio | target |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
  for callers in 1 8 64; do
    who="$callers callers"
    [ $callers != 1 ] || who="1 caller"
    for operation in all prepare mounts commit remove; do
      local name=snap-$callers-$operation
      rate=$(ratio "$name-rate-l" "$name-rate-c")
      p99=$(ratio "$name-p99-l" "$name-p99-c")
      verdict=-
      if [ $operation = all ]; then
        judge_least "calls a second, $who" "$rate" 1.0
        cells="$(median "$name-rate-c" | cut -d. -f1) / $(median "$name-rate-l" | cut -d. -f1) | $rate"
      else
        [ $callers != 8 ] || judge "p99 of $operation, $who" "$p99" 1.0
        cells="- | -"
      fi
      p50=$(ratio "$name-p50-l" "$name-p50-c")
      echo "| $who, $operation | $cells | $(milliseconds "$name-p50-c") / $(milliseconds "$name-p50-l") | $p50 | $(milliseconds "$name-p99-c") / $(milliseconds "$name-p99-l") | $p99 | $verdict |"
    done
  done
  echo
  echo "| the same through the daemon and without it, ms | p50: direct / through | p99: direct / through | p99, difference | target |"
  echo "| --- | --- | --- | --- | --- |"
  for callers in 1 8; do
    who="$callers callers"
    [ $callers != 1 ] || who="1 caller"
    for operation in prepare mounts commit; do
      local name=snap-$callers-$operation added
      added=$(difference "$name-p99-l" "$name-p99-d")
      verdict=-
      if [ $callers-$operation = 1-mounts ]; then
        if awk -v d="$added" 'BEGIN { exit !(d <= 0.3) }'; then
          verdict="at most 0.3: reached"
        else
          verdict="at most 0.3: **missed**"
          missed+=("what the hop adds to the p99 of mounts: $added ms, of 0.3 ms")
        fi
      fi
      echo "| $who, $operation | $(milliseconds "$name-p50-d") / $(milliseconds "$name-p50-l") | $(milliseconds "$name-p99-d") / $(milliseconds "$name-p99-l") | $added | $verdict |"
    done
  done
}
milliseconds() { awk -v us="$(median "$1")" 'BEGIN { printf "%.2f", us / 1000 }'; }
row() { # TITLE NAME LIMIT [OTHER SIDE]
  local wall cpu_ratio verdict=- other=${4:-c}
  wall=$(ratio "$2-l" "$2-$other")
  cpu_ratio=$(ratio "$2-cpu-l" "$2-cpu-$other")
  [ "$3" = - ] || judge "$1" "$wall" "$3"
  echo "| $1 | $(cell "$2-$other") | $(cell "$2-l") | $wall | $(awk -v a="$(median "$2-cpu-$other")" -v b="$(median "$2-cpu-l")" 'BEGIN { printf "%.0f / %.0f", a / 1000, b / 1000 }') | $cpu_ratio | $verdict |"
}
pull_tables() {
  local compression other verdict cells
  echo
  echo "| pull and unpack, ms | containerd: min / median / max | Longshore: min / median / max | ratio | CPU: containerd / Longshore | ratio | target |"
  echo "| --- | --- | --- | --- | --- | --- | --- |"
  for compression in gzip zstd; do
    row "$compression" "pull-$compression" 0.5
    judge "CPU time of a pull, $compression" "$(ratio "pull-$compression-cpu-l" "pull-$compression-cpu-c")" 0.8
    if [ -n "${values[pull-$compression-n]:-}" ]; then
      row "$compression, $("$LONGSHORE_CONTAINERD2/containerd" --version | awk '{ print "containerd " $3 }') in the place of the other" "pull-$compression" 0.6 n
    fi
  done
  echo
  echo "| memory of the daemon at most, MiB | containerd | Longshore | target |"
  echo "| --- | --- | --- | --- |"
  for compression in gzip zstd; do
    verdict='at most 256: reached'
    cells=$(most "peak-$compression-l")
    if [ "$cells" -gt 256 ]; then
      verdict='at most 256: **missed**'
      missed+=("memory of the daemon while it pulls, $compression: $cells MiB of 256")
    fi
    echo "| while it pulls, $compression | $(most "peak-$compression-c") | $cells | $verdict |"
  done
}
ipfs_table() {
  local operation what ratio verdict share
  echo
  echo "| content store, ms | the daemon's own: min / median / max | content-ipfs: min / median / max | ratio | target |"
  echo "| --- | --- | --- | --- | --- |"
  for operation in small read-small big read-big; do
    case $operation in
      small) what='10,000 blobs of 1 to 8 KiB, written by four' ;;
      read-small) what='10,000 blobs of 1 to 8 KiB, read by four' ;;
      big) what='150 MB, written' ;;
      read-big) what='150 MB, read' ;;
    esac
    ratio=$(ratio "ipfs-$operation-l" "ipfs-$operation-c")
    judge "content-ipfs: $what" "$ratio" 1.5
    echo "| $what | $(cell "ipfs-$operation-c") | $(cell "ipfs-$operation-l") | $ratio | $verdict |"
  done
  ratio=$(ratio ipfs-random-l ipfs-random-c)
  judge 'content-ipfs: 4 KiB at random' "$ratio" 2.0
  echo "| 4 KiB at random, median of 20,000, µs | $(milliseconds ipfs-random-c) | $(milliseconds ipfs-random-l) | $ratio | $verdict |"
  share=$(median ipfs-again-l | cut -d. -f1)
  verdict='at most 15 %: reached'
  if [ "$share" -gt 150 ]; then
    verdict='at most 15 %: **missed**'
    missed+=("content-ipfs: a layer with 90 % of another's chunks stores $((share / 10)) % more")
  fi
  echo "| bytes that a layer with 90 % of its chunks there takes | 100 % | $(awk -v p="$share" 'BEGIN { printf "%.1f %%", p / 10 }') | - | $verdict |"
}
processor_table() {
  local kind name bytes verdict what ratio
  echo
  echo "| stream processors | other program, ms: min / median / max | Longshore: min / median / max | throughput, ratio | CPU: other / Longshore | target |"
  echo "| --- | --- | --- | --- | --- | --- |"
  for name in small big; do
    for kind in zstd gzip ctd; do
      case $kind in
        zstd) what='`longshore-stream-zstd`, `zstd -dcf`' ;;
        gzip) what='`longshore-stream-gzip`, `gzip -dcf`' ;;
        ctd) what='`ctd-decoder`, `skopeo copy --decryption-key`' ;;
      esac
      verdict=- ratio=-
      if [ $name = big ]; then
        ratio=$(ratio "process-$kind-big-c" "process-$kind-big-l")
        [ $kind = gzip ] || judge_least "throughput of $what" "$ratio" 0.8
      fi
      echo "| $what, $([ $name = big ] && echo 'big layer' || echo 'empty layer: the start') | $(cell "process-$kind-$name-c") | $(cell "process-$kind-$name-l") | $ratio | $(milliseconds "process-$kind-$name-cpu-c") / $(milliseconds "process-$kind-$name-cpu-l") | $verdict |"
    done
  done
  echo
  echo "The big layer has $((layer_bytes / 1000000)) MB with zstd; with gzip, and encrypted, $((encrypted_bytes / 1000000)) MB."
}
# The greatest of a list of KiB, in MiB.
most() { # LIST
  # shellcheck disable=SC2086
  printf '%s\n' ${values[$1]} | sort -n | awk 'END { printf "%.0f", $1 / 1024 }'
}
table() {
  cat <<END
Taken on $(date -u +%Y-%m-%d) by \`deploy/bench/run.sh\`: $(nproc) processors ($(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)), Linux $(uname -r), $(. /etc/os-release && echo "$PRETTY_NAME"),
JDK $(sed -n 's/^JAVA_RUNTIME_VERSION="\(.*\)"/\1/p' "$(cat "$home/lib/jdk")/release"), $(containerd --version | awk '{ print "containerd " $3 }') without its CRI plugin, $(runc --version | head -n 1), revision $(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown).
Load average before and after: $load_before; $load_after.
END
  if wants run || wants parallel || wants import || wants start; then
    echo
    echo "| | containerd: min / median / max | Longshore: min / median / max | ratio | CPU: containerd / Longshore | ratio | target |"
    echo "| --- | --- | --- | --- | --- | --- | --- |"
  fi
  if wants run; then row '`ctr run --rm … true`, ms' run 1.0; fi
  if wants parallel; then row 'four of them at once, ms for all' parallel 1.0; fi
  if wants import; then
    row 'import and unpack, gzip, ms' import-gzip 0.5
    row 'the same, zstd, ms' import-zstd 0.5
  fi
  if wants start; then
    row 'daemon start to first answer, ms' start -
    echo "| start of the whole suite, \`longshore-suite up\`, ms | - | $(cell suite-l) | - | - | - | - |"
  fi
  if wants pull; then pull_tables; fi
  if wants processors; then processor_table; fi
  if wants snapshots; then snapshot_tables; fi
  if wants ipfs; then ipfs_table; fi
  if wants lazy; then lazy_table; fi
  if wants memory; then
    echo
    echo "| memory, MiB | containerd: PSS (alone), processes | Longshore: PSS (alone), processes | ratio (alone) | target |"
    echo "| --- | --- | --- | --- | --- |"
    local count side cells
    for count in 1 50; do
      cells=
      for side in c l; do
        cells="$cells $(awk -v a="$(median "memory-$count-$side")" -v b="$(median "alone-$count-$side")" 'BEGIN { printf "%.0f (%.0f)", a / 1024, b / 1024 }'), $(median "processes-$count-$side" | cut -d. -f1) |"
      done
      local pss alone verdict=-
      pss=$(ratio "memory-$count-l" "memory-$count-c")
      alone=$(ratio "alone-$count-l" "alone-$count-c")
      [ $count = 1 ] || judge "memory with 50 containers" "$alone" 1.0
      echo "| with $count running |$cells $pss ($alone) | $verdict |"
    done
  fi
  if wants import || wants pull || wants processors; then
    echo
    echo "The image: $image_about."
  fi
  if wants import; then
    echo "The first import after a start of the daemon, when nothing is compiled or cached, took $(spread first-gzip-c | cut -d' ' -f1) ms in containerd and $(spread first-gzip-l | cut -d' ' -f1) ms in Longshore."
  fi
  if wants start; then
    local middle
    read -r _ middle _ < <(spread start-l)
    echo
    if [ "$middle" -le 800 ]; then
      echo "Daemon start: target 800 ms on a quiet machine, reached: $middle ms."
    else
      echo "Daemon start: target 800 ms on a quiet machine, **missed**: $middle ms."
      missed+=("daemon start: $((middle - 800)) ms above its target")
    fi
  fi
  echo
  if [ ${#missed[@]} = 0 ]; then
    echo "Every target that is a ratio was reached."
  else
    echo "What is left:"
    echo
    printf -- '- %s\n' "${missed[@]}"
  fi
}

table >"$work/table"
cat "$work/table"
if [ "$output" != - ]; then
  [ -e "$output" ] || die "$output is missing: it must have the lines <!-- bench:begin --> and <!-- bench:end -->"
  awk -v table="$work/table" '
    /<!-- bench:begin -->/ { print; while ((getline line < table) > 0) print line; skipping = 1; next }
    /<!-- bench:end -->/ { skipping = 0 }
    !skipping { print }' "$output" >"$work/document"
  cat "$work/document" >"$output"
fi
