#!/bin/sh
# assemble.sh MODULE JAVA_HOME: lays the distribution out in MODULE/target/longshore, from what Maven put beside it:
# target/natives (unpacked native libraries), and each program's target/classpath.
set -eu
module=$1
jdk=$2
top=$module/..
target=$module/target
out=$target/longshore.new

rm -rf "$out"
mkdir -p "$out"
cp -R "$module/src/main/dist/." "$out/"
mkdir -p "$out/lib/native" "$out/lib/aot" "$out/share"
chmod 755 "$out"/bin/* "$out/lib/containerd-shim-runc-v2"
printf '%s\n' "$jdk" >"$out/lib/jdk"

machine=$(uname -m)
natives=$target/natives

# All jars are in one folder; each program lists its own.
class_path() { # PROGRAM MODULE
  own=
  for jar in "$top/$2"/target/longshore-"$2"-*.jar; do
    case $jar in *-tests.jar | *-sources.jar) ;; *) own=$jar ;; esac
  done
  [ -f "$own" ] || { echo "assemble: no jar of $2: build it first (mvn package)" >&2; exit 1; }
  list=${own##*/}
  cp -l "$own" "$out/lib/" 2>/dev/null || cp "$own" "$out/lib/"
  IFS= read -r paths <"$top/$2/target/classpath" || [ -n "$paths" ]
  fields=$IFS
  IFS=:
  for path in $paths; do
    jar=${path##*/}
    case $jar in
      # Not jars; jars with nothing but annotations; jars with nothing but a library that is unpacked below.
      *.pom | annotations-* | animal-sniffer-* | error_prone_annotations-* | j2objc-annotations-* | jspecify-* | jsr305-* | listenablefuture-*)
        continue
        ;;
      netty-transport-native-epoll-*-linux-*)
        [ ! -e "$natives/META-INF/native/libnetty_transport_native_epoll_$machine.so" ] || continue
        ;;
    esac
    list="$list $jar"
    [ -e "$out/lib/$jar" ] || cp -p "$path" "$out/lib/"
  done
  IFS=$fields
  printf '%s\n' "$list" >"$out/lib/$1.classpath"
}
class_path longshored core-daemon
class_path longshore-snapshotter-overlay snapshotter-overlay
class_path longshore-snapshotter-stargz snapshotter-stargz
class_path longshore-content-ipfs content-ipfs
class_path containerd-shim-runc-v2 shim-runc-v2
class_path longshore cli
class_path longshore-stream-gzip stream-processors
class_path longshore-stream-zstd stream-processors
class_path ctd-decoder stream-processors

# What the daemon and its plugins have in common comes first in every class path, in one order: the classes in it are in one archive
# (see longshore-aot), whose memory all processes share. It costs a program nothing that it does not use some of these jars.
IFS= read -r daemon_jars <"$out/lib/longshored.classpath"
IFS= read -r plugin_jars <"$out/lib/longshore-snapshotter-overlay.classpath"
base=
for jar in $plugin_jars; do
  case " $daemon_jars " in *" $jar "*) base="$base${base:+ }$jar" ;; esac
done
printf '%s\n' "$base" >"$out/lib/base.classpath"
for program in longshored longshore-snapshotter-overlay longshore-snapshotter-stargz longshore-content-ipfs containerd-shim-runc-v2 longshore; do
  IFS= read -r jars <"$out/lib/$program.classpath"
  list=$base
  for jar in $jars; do
    case " $base " in *" $jar "*) ;; *) list="$list $jar" ;; esac
  done
  printf '%s\n' "$list" >"$out/lib/$program.classpath"
done

# Native libraries of this machine's kind, so that no start unpacks them to a temporary folder.
case $machine in
  x86_64) jna=linux-x86-64 sqlite=x86_64 zstd=amd64 junix=amd64-Linux-clang ;;
  aarch64) jna=linux-aarch64 sqlite=aarch64 zstd=aarch64 junix=aarch64-Linux-clang ;;
  *) jna=none sqlite=none zstd=none junix=none ;;
esac
native_zstd= native_junixsocket=
for file in "$natives/com/sun/jna/$jna"/*.so "$natives/org/sqlite/native/Linux/$sqlite"/*.so "$natives/linux/$zstd"/*.so \
  "$natives/lib/$junix/jni"/*.so "$natives"/META-INF/native/*_"$machine".so; do
  [ -e "$file" ] || continue
  name=${file##*/}
  case $name in
    libzstd*) native_zstd=$name ;;
    *.nodeps.so) continue ;;
    libjunixsocket*) native_junixsocket=$name ;;
  esac
  cp "$file" "$out/lib/native/"
done
native_options=
[ ! -e "$out/lib/native/libjnidispatch.so" ] || native_options="-Djna.nounpack=true"
cat >"$out/lib/native.conf" <<END
# Written when the distribution was assembled, on $machine.
native=\$lib/native
native_zstd=$native_zstd
native_junixsocket=$native_junixsocket
native_options="$native_options"
END

launcher=$top/shim-runc-v2/target/containerd-shim-runc-v2
if [ -x "$launcher" ]; then
  cp "$launcher" "$out/bin/"
fi

cp "$module/busybox-image.sh" "$out/share/"
cp -R "$module/systemd" "$out/etc/systemd"

rm -rf "$target/longshore"
mv "$out" "$target/longshore"
