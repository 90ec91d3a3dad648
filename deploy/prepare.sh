# Sourced by quickstart.sh and test.sh with top set to the checkout: what both need of a Debian machine.

say() {
  printf '\n== %s\n' "$*"
}

die() {
  echo "$*" >&2
  exit 1
}

need_debian_root() {
  [ "$(id -u)" = 0 ] || die "Run this as root: it installs packages, mounts overlayfs and runs containers."
  command -v apt-get >/dev/null || die "This needs Debian (apt-get). Elsewhere: install JDK 25, Maven, runc and cc, then run mvn package."
}

# Installs those of the named packages that are not installed.
install_packages() {
  wanted=
  for package in "$@"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || wanted="$wanted $package"
  done
  if [ -z "$wanted" ]; then
    return 0
  fi
  say "Installing$wanted"
  export DEBIAN_FRONTEND=noninteractive
  if [ -z "${apt_updated:-}" ]; then
    apt-get update -q
    apt_updated=1
  fi
  # A package that starts a service when it is installed must not start it here: we want its programs only.
  policy=/usr/sbin/policy-rc.d
  made_policy=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    made_policy=1
  fi
  # shellcheck disable=SC2086
  apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 $wanted || {
    [ -z "$made_policy" ] || rm -f $policy
    die "apt-get could not install:$wanted"
  }
  [ -z "$made_policy" ] || rm -f $policy
}

# Sets known to those of the named packages that this release of Debian has.
find_known_packages() {
  if [ -z "${apt_updated:-}" ] && ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    apt-get update -q
    apt_updated=1
  fi
  known=
  for package in "$@"; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      known="$known $package"
    fi
  done
}

# Temurin 25.0.4+7; checksums as Adoptium publishes them.
temurin_release=jdk-25.0.4%2B7
temurin_file=25.0.4_7

install_temurin() {
  case $(uname -m) in
    x86_64)
      temurin_machine=x64
      temurin_sha256=e58fcdcd637b25c03ca84cbbcefc70d11efb8f4b4cbd05decc9f661769d77f94
      ;;
    aarch64)
      temurin_machine=aarch64
      temurin_sha256=621f7196f0b682fb557da58bec89bd7dfe5419811fe1c0ba75c9cc8432f084c7
      ;;
    *) die "No JDK 25 found, and none to download for $(uname -m): install one and set JAVA_HOME." ;;
  esac
  install_packages curl ca-certificates
  temurin_url=https://github.com/adoptium/temurin25-binaries/releases/download/$temurin_release/OpenJDK25U-jdk_${temurin_machine}_linux_hotspot_$temurin_file.tar.gz
  say "Downloading a JDK: $temurin_url"
  archive=$(mktemp)
  curl -fsSL --retry 3 -o "$archive" "$temurin_url" \
    || die "The download failed. Install a JDK 25 by hand (https://adoptium.net/temurin) and set JAVA_HOME."
  echo "$temurin_sha256  $archive" | sha256sum -c - >/dev/null || die "The downloaded JDK does not have the pinned checksum $temurin_sha256: not used."
  mkdir -p /usr/lib/jvm/temurin-25
  tar -xzf "$archive" -C /usr/lib/jvm/temurin-25 --strip-components 1 --no-same-owner
  rm -f "$archive"
}

# Exports JAVA_HOME: a JDK of 25 or newer, installed if there is none.
need_jdk() {
  . "$top/deploy/src/main/dist/lib/find-jdk.sh"
  if ! find_jdk "" javac; then
    if [ -z "${apt_updated:-}" ]; then
      apt-get update -q
      apt_updated=1
    fi
    if apt-cache show openjdk-25-jdk-headless >/dev/null 2>&1; then
      install_packages openjdk-25-jdk-headless
    else
      install_temurin
    fi
    find_jdk "" javac || die "A JDK 25 was installed, but is not in /usr/lib/jvm: set JAVA_HOME to it."
  fi
  export JAVA_HOME="$jdk"
  echo "JDK $jdk_version: $JAVA_HOME"
}

# Maven as Debian has it, on our JDK and with the machine's own certificate authorities.
need_maven() {
  command -v mvn >/dev/null || install_packages maven
  export MAVEN_OPTS="--sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED ${MAVEN_OPTS:-}"
  if [ -s /etc/ssl/certs/java/cacerts ]; then
    MAVEN_OPTS="$MAVEN_OPTS -Djavax.net.ssl.trustStore=/etc/ssl/certs/java/cacerts"
  fi
}

maven() {
  mvn -B -ntp "$@"
}
