# Sourced by the programs in bin/ with self and program set: finds a JDK, the program's jars and its AOT cache, and
# becomes the program. Every start pays for what is here, so it forks as little as it can.
#
# Environment, all optional:
#   LONGSHORE_JAVA_HOME    the JDK to use
#   LONGSHORE_JAVA_OPTS    more flags for the JVM, separated by spaces
#   LONGSHORE_AOT          off: without a cache; require: fail if the cache cannot be used; key: print the name of the cache and
#                          end; list, base, record: see longshore-aot
#   LONGSHORE_AOT_DIR      where caches are, if not in lib/aot
#   LONGSHORE_AOT_BASE     for base and record: the archive of the classes that programs have in common

home=$(cd -P "${self%/*}/.." && pwd)
lib=$home/lib

jdk=
[ ! -r "$lib/jdk" ] || IFS= read -r jdk <"$lib/jdk"
jdk=${LONGSHORE_JAVA_HOME:-$jdk}
if [ -z "$jdk" ] || [ ! -x "$jdk/bin/java" ]; then
  . "$lib/find-jdk.sh"
  if ! find_jdk "$jdk"; then
    echo "$program: no JDK 25 or newer in LONGSHORE_JAVA_HOME, JAVA_HOME, PATH or /usr/lib/jvm." >&2
    echo "$program: Debian 13: apt-get install openjdk-25-jdk-headless; elsewhere: https://adoptium.net/temurin" >&2
    exit 127
  fi
fi

# What every JVM of the suite is started with. The archive is not relocated, so that processes share its pages. Warnings of the JVM go to
# standard error: standard output belongs to the program.
common="-XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0 -XX:-UsePerfData -Xss512k"
common="$common -XX:+ExitOnOutOfMemoryError --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow"
# A node runs many of these: give memory back that a burst of work needed, keep no large buffer for each thread, and let all event loops
# of a process (two or three) share one pool, of pieces of 512 KiB.
common="$common -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=25 -XX:TrimNativeHeapInterval=10000 -Djdk.nio.maxCachedBufferSize=65536"
common="$common -Dio.netty.allocator.numDirectArenas=1 -Dio.netty.allocator.maxOrder=6 -Dio.netty.leakDetection.level=disabled"
common="$common -Xlog:disable -Xlog:all=warning:stderr"
# main: its class. options: flags of the JVM, separated by spaces. rehearse: what it is told besides when it is to load all classes that
# it may need, for an archive of them.
rehearse=
. "$lib/$program.conf"
IFS= read -r jars <"$lib/$program.classpath"
. "$lib/native.conf"
options="$options $native_options ${LONGSHORE_JAVA_OPTS:-}"
class_path=
for jar in $jars; do
  class_path=$class_path${class_path:+:}$lib/$jar
done

# A cache that was made from other jars is not noticed by the JVM, which then runs the old code. So a cache is named by all that it
# was made from: the identity of each jar (path, inode, size, times; ctime cannot be set back), of the JDK, and the flags.
cache_dir=${LONGSHORE_AOT_DIR:-$lib/aot}
if [ "${LONGSHORE_AOT:-}" != off ]; then
  key=$(
    {
      cd "$lib" && stat -L -c '%n %i %s %y %z' $jars "$jdk/lib/modules"
      printf '%s\n' "$lib" "$jdk" "$options"
    } | sha256sum
  )
  cache=$cache_dir/$program-${key%% *}.jsa
  # Training: the JVM warns about each class that an archive cannot hold.
  quiet="-Xlog:disable -Xlog:all=error:stderr"
  case ${LONGSHORE_AOT:-} in
    list) set -- $quiet "-XX:DumpLoadedClassList=$cache_dir/$program.classes" -cp "$class_path" "$main" $rehearse "$@" ;;
    base)
      IFS= read -r base_jars <"$lib/base.classpath"
      class_path=
      for jar in $base_jars; do
        class_path=$class_path${class_path:+:}$lib/$jar
      done
      options=$common
      set -- $quiet -Xshare:dump -XX:+AOTClassLinking "-XX:SharedClassListFile=$cache_dir/base.classes" \
        "-XX:SharedArchiveFile=$LONGSHORE_AOT_BASE" -cp "$class_path"
      ;;
    record)
      set -- $quiet "-XX:ArchiveClassesAtExit=$cache.new" -cp "$class_path" "$main" $rehearse "$@"
      # Programs that are to start with as little as possible have a class path of their own, and the JDK's archive below.
      base_jars=
      [ -z "${LONGSHORE_AOT_BASE:-}" ] || IFS= read -r base_jars <"$lib/base.classpath"
      case "$jars " in "${base_jars:-no base} "*) set -- "-XX:SharedArchiveFile=$LONGSHORE_AOT_BASE" "$@" ;; esac
      ;;
    require) set -- -Xshare:on "-XX:SharedArchiveFile=$cache" -cp "$class_path" "$main" "$@" ;;
    key)
      printf '%s\n' "$cache"
      exit 0
      ;;
    *)
      if [ -f "$cache" ]; then
        set -- "-XX:SharedArchiveFile=$cache" -cp "$class_path" "$main" "$@"
      else
        set -- -cp "$class_path" "$main" "$@"
      fi
      ;;
  esac
else
  set -- -cp "$class_path" "$main" "$@"
fi

export MALLOC_ARENA_MAX=1
# The paths of the native libraries may hold spaces, so they are not among the options.
set -- "-Djava.library.path=$native" "-Djna.boot.library.path=$native" "-Dorg.sqlite.lib.path=$native" "-Dlongshore.home=$home" "$@"
[ -z "$native_zstd" ] || set -- "-DZstdNativePath=$native/$native_zstd" "$@"
[ -z "$native_junixsocket" ] || set -- "-Dorg.newsclub.net.unix.library.override=$native/$native_junixsocket" "$@"
exec "$jdk/bin/java" $options "$@"
