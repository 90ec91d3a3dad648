# Sourced by run.sh: images that are pulled lazily. Longshore's snapshotter and containerd-stargz-grpc (LONGSHORE_STARGZ_GRPC names the
# program; without it its cells say so) by turns under Debian's containerd, with the same client, ctr-remote, and the same image, which
# ctr-remote has converted; and containerd with a full pull of the plain image. Each turn has a new containerd, a new snapshotter and empty
# folders, on a disk: the kernel does not mount EROFS from tmpfs.

lazy=
lazy_ns=
lazy_enter=()
lazy_sides=

lazy_cleanup() {
  [ -n "$lazy" ] || return 0
  awk -v root="$lazy/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
  rm -rf "$lazy"
  [ -z "$lazy_ns" ] || ip netns del "$lazy_ns"
}

# Debian's Python with its library, 30,000 small files, and a file of 100 MB; the last two do not become smaller by compression.
lazy_image() { # DIR
  (
    cd "$1"
    mkdir -p python/tmp small big
    python=$(readlink -f /usr/bin/python3)
    copy() { tar -C / -cf - "${1#/}" | tar -C python -xf -; }
    copy "$python"
    copy /usr/bin/python3
    copy "/usr/lib/$(basename "$python")"
    ldd "$python" | grep -o '/[^ ]*' | while read -r library; do
      target=$(readlink -f "$library")
      copy "$target"
      [ -e "python$library" ] || { mkdir -p "python$(dirname "$library")"; ln -s "$target" "python$library"; }
    done
    /usr/bin/python3 - <<'PY'
import os, random
source = random.Random(1)
for folder in range(300):
    os.makedirs("small/small/%d" % folder)
    for name in range(100):
        with open("small/small/%d/%d" % (folder, name), "wb") as file:
            file.write(source.randbytes(source.randrange(200, 4000)))
os.makedirs("big/big")
with open("big/big/file", "wb") as file:
    for _ in range(100):
        file.write(source.randbytes(1000000))
PY
    umoci init --layout layout
    umoci new --image layout:1
    for part in python small big; do
      tar -C $part --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf $part.tar .
      umoci raw add-layer --image layout:1 $part.tar
      rm -rf $part $part.tar
    done
  ) >"$1/image.log" 2>&1 || { cat "$1/image.log" >&2; die "the image cannot be made"; }
}

lazy_registry=
lazy_registry_pid=
lazy_registry_up() { # DIR
  local port=$((20000 + RANDOM % 10000)) tries=500
  lazy_registry=127.0.0.1:$port
  cat >"$1/registry.yml" <<CONFIG
version: 0.1
log: { accesslog: { disabled: false }, level: info }
storage: { filesystem: { rootdirectory: "$1/registry" } }
http: { addr: "$lazy_registry" }
CONFIG
  (exec "${lazy_enter[@]}" docker-registry serve "$1/registry.yml") >"$1/registry.log" 2>&1 &
  lazy_registry_pid=$!
  registry_pid=$!
  until "${lazy_enter[@]}" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || die "the registry does not start: $(cat "$1/registry.log")"
    pause 0.02
  done
}
# Bytes of blobs that it has sent so far, and how many requests for them there were.
lazy_sent() { # DIR
  awk '/response completed/ && /method=GET/ && /\/blobs\// { match($0, /response\.written=[0-9]+/); sum += substr($0, RSTART + 17, RLENGTH - 17); n++ }
    END { printf "%d %d\n", sum, n }' "$1/registry.log"
}

lazy_dir=
lazy_daemon=
lazy_plugin=
lazy_ctr() { # SIDE ARGUMENTS...
  local side=$1
  shift
  (become "${side/g/c}" "${lazy_enter[@]}" ctr-remote --address "$lazy_dir/run.sock" --namespace "${namespace[c]}" "$@")
}
lazy_up() { # SIDE CONFIG-OF-THE-SNAPSHOTTER
  local tries=1500
  lazy_dir=$lazy/$1-$RANDOM
  mkdir -p "$lazy_dir"
  printf '%s\n' "$2" >"$lazy_dir/stargz.toml"
  cat >"$lazy_dir/config.toml" <<CONFIG
version = 2
root = "$lazy_dir/root"
state = "$lazy_dir/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$lazy_dir/run.sock"
[proxy_plugins.stargz]
  type = "snapshot"
  address = "$lazy_dir/stargz.sock"
CONFIG
  case $1 in
    g) become c "${lazy_enter[@]}" "$LONGSHORE_STARGZ_GRPC" --address "$lazy_dir/stargz.sock" --root "$lazy_dir/stargz" --config "$lazy_dir/stargz.toml" --log-level warn >"$lazy_dir/plugin.log" 2>&1 & ;;
    l) become l "${lazy_enter[@]}" "$home/bin/longshore-snapshotter-stargz" --address "$lazy_dir/stargz.sock" --root "$lazy_dir/stargz" --config "$lazy_dir/stargz.toml" >"$lazy_dir/plugin.log" 2>&1 & ;;
  esac
  lazy_plugin=$!
  if [ "$1" != c ]; then
    until [ -S "$lazy_dir/stargz.sock" ]; do
      tries=$((tries - 1))
      [ $tries -gt 0 ] || die "the snapshotter does not start: $(cat "$lazy_dir/plugin.log")"
      pause 0.01
    done
  fi
  become "${1/g/c}" "${lazy_enter[@]}" containerd --config "$lazy_dir/config.toml" >"$lazy_dir/log" 2>&1 &
  lazy_daemon=$!
  until lazy_ctr "$1" version >/dev/null 2>&1 && { [ "$1" = c ] || lazy_ctr "$1" snapshots --snapshotter stargz ls >/dev/null 2>&1; }; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || die "containerd does not answer: $(tail -n 3 "$lazy_dir/log")"
    pause 0.01
  done
}
lazy_down() { # SIDE
  kill "$lazy_daemon"
  wait "$lazy_daemon" 2>/dev/null || true
  if [ "$1" != c ]; then
    kill -9 "$lazy_plugin" 2>/dev/null || true
    wait "$lazy_plugin" 2>/dev/null || true
  fi
  awk -v root="$lazy_dir/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
  rm -rf "$lazy_dir" 2>/dev/null || true
}
# The image for a lazy pull: as it was converted, or optimized.
lazy_tag=esgz
lazy_pull() { # SIDE
  case $1 in
    c) lazy_ctr c images pull --plain-http "$lazy_registry/lazy:plain" ;;
    *) lazy_ctr "$1" images rpull --plain-http "$lazy_registry/lazy:$lazy_tag" ;;
  esac >"$lazy_dir/pull.log" 2>&1 || { tail -n 5 "$lazy_dir/pull.log" "$lazy_dir/plugin.log" >&2; die "a pull failed"; }
}
lazy_python() { # SIDE SCRIPT
  case $1 in
    c) lazy_ctr c run --rm "$lazy_registry/lazy:plain" "lazy-$SRANDOM" /usr/bin/python3 -c "$2" ;;
    *) lazy_ctr "$1" run --rm --snapshotter=stargz "$lazy_registry/lazy:$lazy_tag" "lazy-$SRANDOM" /usr/bin/python3 -c "$2" ;;
  esac
}
# Microseconds: of a walk over all small files, of opening and reading 3,000 of them, and of two reads of the big one, the kernel's own copy
# being dropped before each.
lazy_reads='
import os, time
def took(what):
    begin = time.monotonic()
    what()
    print(int((time.monotonic() - begin) * 1e6), end=" ")
def walk(folder="/small"):
    with os.scandir(folder) as names:
        for entry in names:
            entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                walk(entry.path)
def small():
    for folder in range(0, 300, 10):
        for name in range(100):
            with open("/small/%d/%d" % (folder, name), "rb", 0) as file:
                file.read()
def big():
    with open("/big/file", "rb", 0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(131072):
            pass
took(walk)
took(small)
took(big)
took(big)
print()
'
lazy_note_reads() { # SIDE PREFIX
  local output walk small first again
  # Not from a pipe: the client still removes the container when it has printed this.
  output=$(lazy_python "$1" "$lazy_reads")
  read -r walk small first again <<<"$output"
  note "$2-walk-$1" "$walk"
  note "$2-small-$1" "$small"
  note "$2-big-$1" "$first"
  note "$2-again-$1" "$again"
}
lazy_start() { # SIDE NAME [SCRIPT]: a pull, and a program's first output
  local from to before requests after
  read -r before requests < <(lazy_sent "$lazy")
  now from
  lazy_pull "$1"
  lazy_python "$1" "${3:-print(1)}" >/dev/null
  now to
  pause 0.2
  note "$2-$1" $((to - from))
  read -r after _ < <(lazy_sent "$lazy")
  note "$2-bytes-$1" $((after - before))
  read -r _ after < <(lazy_sent "$lazy")
  note "$2-requests-$1" $((after - requests))
}
lazy_quiet='no_background_fetch = true'
# A program that uses some of its library.
lazy_program='import json, http.client, email.message; print(1)'
lazy_go_host() { printf '[[resolver.host."%s".mirrors]]\nhost = "%s"\ninsecure = true\n' "$lazy_registry" "$lazy_registry"; }
lazy_config() { # SIDE QUIET
  printf '%s\n' "$2"
  [ "$1" != g ] || lazy_go_host
}

lazy_run() {
  local round side tries from to
  lazy=$(mktemp -d /var/tmp/longshore-bench.XXXXXX)
  lazy_sides='c l'
  if [ -n "${LONGSHORE_STARGZ_GRPC:-}" ]; then lazy_sides='c g l'; fi
  lazy_image "$lazy"
  lazy_ns=bench-$$
  ip netns add $lazy_ns
  nsenter --net=/run/netns/$lazy_ns ip link set lo up
  lazy_registry_up "$lazy"
  TMPDIR=$lazy skopeo copy -q --dest-tls-verify=false "oci:$lazy/layout:1" "docker://$lazy_registry/lazy:plain"
  lazy_convert
  for ((round = 1; round <= (rounds + 2) / 3; round++)); do
    for side in $([ $((round % 2)) = 1 ] && echo "$lazy_sides" || echo "$lazy_sides" | rev); do
      lazy_up "$side" "$(lazy_config "$side" "$lazy_quiet")"
      lazy_start "$side" lazy-first
      lazy_down "$side"
      lazy_up "$side" "$(lazy_config "$side" "$lazy_quiet")"
      pause 4
      lazy_start "$side" lazy-start
      lazy_note_reads "$side" lazy
      [ "$side" = c ] || note "lazy-rss-$side" "$(awk '/^VmRSS:/ { print $2 }' "/proc/$lazy_plugin/status")"
      [ "$side" = c ] || note "lazy-pss-$side" "$(awk '/^Pss:/ { print $2 }' "/proc/$lazy_plugin/smaps_rollup")"
      lazy_down "$side"
      echo "lazy, $side: start $(spread "lazy-start-$side"), walk $(spread "lazy-walk-$side"), small $(spread "lazy-small-$side"), big $(spread "lazy-big-$side"), again $(spread "lazy-again-$side")" >&2
    done
  done
  for ((round = 1; round <= (rounds + 4) / 5; round++)); do
    for side in ${lazy_sides#c }; do
      for lazy_tag in esgz fast; do
        lazy_up "$side" "$(lazy_config "$side" "$lazy_quiet")"
        pause 4
        lazy_start "$side" "lazy-program-$lazy_tag" "$lazy_program"
        lazy_down "$side"
        echo "lazy, $side, program, $lazy_tag: $(spread "lazy-program-$lazy_tag-$side"), requests $(spread "lazy-program-$lazy_tag-requests-$side")" >&2
      done
    done
  done
  lazy_tag=esgz
  for side in ${lazy_sides#c }; do
    lazy_up "$side" "$(lazy_config "$side" '')"
    lazy_pull "$side"
    tries=600
    case $side in
      l) until [ "$(find "$lazy_dir/stargz/layers" -name image -o -name data | grep -c image)" = 3 ]; do tries=$((tries - 1)) && [ $tries -gt 0 ] || break && pause 0.2; done ;;
      g) until [ "$(lazy_sent "$lazy" | cut -d' ' -f1)" = "$(pause 3 && lazy_sent "$lazy" | cut -d' ' -f1)" ]; do tries=$((tries - 15)) && [ $tries -gt 0 ] || break; done ;;
    esac
    for ((round = 1; round <= (rounds + 2) / 3; round++)); do lazy_note_reads "$side" lazy-complete; done
    note "lazy-complete-rss-$side" "$(awk '/^VmRSS:/ { print $2 }' "/proc/$lazy_plugin/status")"
    echo "lazy, $side, complete: walk $(spread "lazy-complete-walk-$side"), small $(spread "lazy-complete-small-$side"), big $(spread "lazy-complete-again-$side")" >&2
    lazy_down "$side"
  done
  kill $lazy_registry_pid
  wait $lazy_registry_pid || true
  # The same over a link of 100 Mbit/s.
  nsenter --net=/run/netns/$lazy_ns tc qdisc add dev lo root tbf rate 100mbit burst 256kb latency 100ms
  lazy_enter=(nsenter "--net=/run/netns/$lazy_ns")
  lazy_registry_up "$lazy"
  for ((round = 1; round <= (rounds + 4) / 5; round++)); do
    for side in $lazy_sides; do
      lazy_up "$side" "$(lazy_config "$side" '')"
      pause 4
      lazy_start "$side" lazy-slow
      lazy_down "$side"
      echo "lazy, 100 Mbit/s, $side: $(spread "lazy-slow-$side")" >&2
    done
  done
  kill $lazy_registry_pid
  wait $lazy_registry_pid || true
  registry_pid=
  lazy_enter=()
}

# CPU time of a conversion: client and daemon.
lazy_convert() {
  local from to name=$lazy_registry/lazy
  lazy_up c ''
  lazy_ctr c images pull --plain-http "$name:plain" >/dev/null 2>&1
  cpu c from
  lazy_ctr c images convert --estargz --oci "$name:plain" "$name:esgz" >"$lazy_dir/convert.log" 2>&1 || { cat "$lazy_dir/convert.log" >&2; die "ctr-remote cannot convert"; }
  cpu c to
  note lazy-convert-c $((to - from))
  lazy_ctr c images push --plain-http "$name:esgz" >/dev/null 2>&1
  lazy_down c
  as l "$home/bin/longshore" --address "${address[l]}" --namespace "${namespace[l]}" pull --plain-http "$name:plain" >"$work/pull.log" 2>&1
  cpu l from
  as l "$home/bin/longshore" --address "${address[l]}" --namespace "${namespace[l]}" image convert --estargz "$name:plain" "$name:ours" >"$work/convert.log" 2>&1 || { cat "$work/convert.log" >&2; die "longshore cannot convert"; }
  cpu l to
  note lazy-convert-l $((to - from))
  as l "$home/bin/longshore" --address "${address[l]}" --namespace "${namespace[l]}" image optimize "$name:plain" "$name:fast" -- /usr/bin/python3 -c "$lazy_program" >"$work/optimize.log" 2>&1 || { cat "$work/optimize.log" >&2; die "longshore cannot optimize"; }
  as l "$home/bin/longshore" --address "${address[l]}" --namespace "${namespace[l]}" push --plain-http "$name:fast" >"$work/push.log" 2>&1 || { cat "$work/push.log" >&2; die "longshore cannot push"; }
  client l images rm --sync "$name:plain" "$name:ours" "$name:fast" >/dev/null
  echo "lazy, conversion, CPU: ctr-remote $(spread lazy-convert-c), longshore $(spread lazy-convert-l)" >&2
}

# --- the table

# A cell for who may be missing.
lazy_cell() { # LIST
  if [ -n "${values[$1]:-}" ]; then cell "$1"; else echo missing; fi
}
lazy_middle() { # LIST DIVISOR UNIT
  if [ -n "${values[$1]:-}" ]; then awk -v v="$(median "$1")" -v d="$2" 'BEGIN { printf "%.1f", v / d }'; else echo missing; fi
}
# A row of times: Longshore by the Go program must be at most so much.
lazy_row() { # TITLE LIST LIMIT [OTHER]
  local verdict=- ratio=- other=${4:-g}
  if [ -n "${values[$2-$other]:-}" ]; then
    ratio=$(ratio "$2-l" "$2-$other")
    [ "$3" = - ] || judge "$1" "$ratio" "$3"
  fi
  echo "| $1 | $(lazy_cell "$2-c") | $(lazy_cell "$2-g") | $(lazy_cell "$2-l") | $ratio | $verdict |"
}
lazy_amount() { # TITLE LIST DIVISOR LIMIT
  local verdict=- ratio=-
  if [ -n "${values[$2-g]:-}" ]; then
    ratio=$(ratio "$2-l" "$2-g")
    [ "$4" = - ] || judge "$1" "$ratio" "$4"
  fi
  echo "| $1 | $(lazy_middle "$2-c" "$3") | $(lazy_middle "$2-g" "$3") | $(lazy_middle "$2-l" "$3") | $ratio | $verdict |"
}
lazy_table() {
  local verdict ratio
  echo
  echo "| lazy pulls | containerd, full pull | containerd-stargz-grpc | Longshore | ratio to containerd-stargz-grpc | target |"
  echo "| --- | --- | --- | --- | --- | --- |"
  lazy_row 'pull and `python3 -c "print(1)"`, ms' lazy-start 0.6
  lazy_row 'the same right after the start of daemon and snapshotter, ms' lazy-first -
  lazy_amount 'bytes from the registry for the one and the other, MB' lazy-start-bytes 1000000 1.0
  lazy_amount 'requests for that' lazy-start-requests 1 -
  lazy_row 'the same over 100 Mbit/s, ms' lazy-slow -
  verdict=-
  ratio=$(ratio lazy-slow-l lazy-slow-c)
  judge 'a lazy pull over 100 Mbit/s, by a full one' "$ratio" 0.1
  echo "| the same, Longshore by the full pull | - | - | - | $ratio | $verdict |"
  lazy_row 'pull and a program that uses some of its library, converted, ms' lazy-program-esgz -
  lazy_amount 'requests for that' lazy-program-esgz-requests 1 -
  lazy_amount 'bytes for that, MB' lazy-program-esgz-bytes 1000000 -
  lazy_row 'the same of what `longshore image optimize` has made, ms' lazy-program-fast -
  lazy_amount 'requests for that' lazy-program-fast-requests 1 -
  lazy_amount 'bytes for that, MB' lazy-program-fast-bytes 1000000 -
  lazy_row 'walk of 30,000 entries, cold, ms' lazy-walk 0.2
  lazy_row 'open and read of 3,000 small files, cold, ms' lazy-small 0.2
  lazy_row '100 MB in a row from the registry, ms' lazy-big 0.2
  lazy_row '100 MB in a row from what is kept on the disk, ms' lazy-again 0.5
  lazy_row 'the same of a complete layer, ms' lazy-complete-again -
  # Turns of another time: only the medians can be compared.
  verdict=-
  ratio=$(awk -v a="$(median lazy-complete-again-l)" -v b="$(median lazy-again-c)" 'BEGIN { printf "%.2f", a / b }')
  judge '100 MB of a complete layer, by overlayfs' "$ratio" 1.11
  echo "| the same, Longshore by overlayfs | - | - | - | $ratio | $verdict |"
  lazy_amount 'memory of the snapshotter after these reads, RSS, MiB' lazy-rss 1024 1.0
  lazy_amount 'the same, PSS' lazy-pss 1024 -
  lazy_amount 'memory with all layers complete, RSS, MiB' lazy-complete-rss 1024 1.0
  verdict=-
  ratio=$(ratio lazy-convert-l lazy-convert-c)
  judge 'CPU time of a conversion to eStargz' "$ratio" 0.5
  echo "| CPU time of a conversion to eStargz, ms: \`ctr-remote images convert --estargz\`, \`longshore image convert\` | - | $(cell lazy-convert-c) | $(cell lazy-convert-l) | $ratio | $verdict |"
}
