# Sourced: finds a JDK of 25 or newer without starting one.

# Sets jdk_version to the major version of the JDK in folder $1; to 0 if there is none.
jdk_version_of() {
  jdk_version=0
  if [ ! -x "$1/bin/java" ] || [ ! -r "$1/release" ]; then
    return 0
  fi
  while IFS= read -r jdk_line; do
    case $jdk_line in
      JAVA_VERSION=*)
        jdk_line=${jdk_line#*\"}
        jdk_version=${jdk_line%%[!0-9]*}
        ;;
    esac
  done <"$1/release"
  [ -n "$jdk_version" ] || jdk_version=0
}

# Sets jdk to the folder of the first JDK of 25 or newer among $1, JAVA_HOME, the java of the PATH, and /usr/lib/jvm; fails if there
# is none. With a second argument only one that has this program in its bin counts.
find_jdk() {
  jdk_needs=${2:-java}
  for jdk in "$1" "${JAVA_HOME:-}" path /usr/lib/jvm/*; do
    if [ "$jdk" = path ]; then
      jdk=$(command -v java) && jdk=$(readlink -f "$jdk") && jdk=${jdk%/bin/java} || continue
    fi
    [ -n "$jdk" ] || continue
    jdk_version_of "$jdk"
    if [ "$jdk_version" -ge 25 ] && [ -x "$jdk/bin/$jdk_needs" ]; then
      return 0
    fi
  done
  return 1
}
