#!/bin/bash
# big-image.sh DIR NAME: makes an image of four layers from packages of Debian, about 0.5 GB and tens of thousands of files:
# headers and sources in small files, and a few big libraries. Writes DIR/gzip.tar and DIR/zstd.tar, OCI archives of the
# same files, and DIR/about, one line that says how big they are. Nothing is installed; the packages are only unpacked.
set -euo pipefail
dir=${1:?usage: big-image.sh DIR NAME}
name=${2:?usage: big-image.sh DIR NAME}
mkdir -p "$dir/work"
cd "$dir/work"

# The newest package whose name matches; names carry versions that differ between releases of Debian.
newest() {
  apt-cache pkgnames "$1" | grep -E "$2" | sort -V | tail -n 1
}
layers=(
  "$(newest golang-1 '^golang-1\.[0-9]+-src$') $(newest linux-headers '^linux-headers-.*-common$')"
  "$(newest libboost1 '^libboost1\.[0-9]+-dev$')"
  "$(newest libllvm '^libllvm[0-9]+$') $(newest libicu '^libicu[0-9]+$') git"
  "$(newest openjdk- '^openjdk-[0-9]+-jre-headless$') $(newest perl-modules '^perl-modules-')"
)
case $(uname -m) in x86_64) architecture=amd64 ;; aarch64) architecture=arm64 ;; *) architecture=$(uname -m) ;; esac

# One layer: the packages' files, one order, one owner, so that only what is in the packages decides its bytes.
layer() { # NUMBER PACKAGES...
  local n=$1 deb
  shift
  mkdir -p "debs$n" "root$n"
  # apt runs its fetcher as a user that cannot write here; it says so and fetches as root.
  (cd "debs$n" && apt-get -q download "$@" >/dev/null 2>"../apt$n.log") || { cat "apt$n.log" >&2; exit 1; }
  for deb in "debs$n"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "root$n"
  done
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "root$n" -cf "layer$n.tar" .
  find "root$n" | wc -l >"entries$n"
  rm -rf "debs$n" "root$n"
  sha256sum <"layer$n.tar" | cut -d' ' -f1 >"diffid$n"
  wc -c <"layer$n.tar" >"bytes$n"
  zstd -q -3 "layer$n.tar" -o "layer$n.zstd"
  gzip -n <"layer$n.tar" >"layer$n.gzip"
  rm "layer$n.tar"
}
jobs=()
for n in "${!layers[@]}"; do
  # shellcheck disable=SC2086
  layer "$n" ${layers[$n]} &
  jobs+=($!)
done
for job in "${jobs[@]}"; do
  wait "$job"
done

# Moves a file to its place among an archive's blobs; sets digest and size.
blob() { # IMAGE FILE
  digest=$(sha256sum <"$2")
  digest=${digest%% *}
  size=$(wc -c <"$2")
  mv "$2" "$1/blobs/sha256/$digest"
}

sizes=
for compression in gzip zstd; do
  image=image-$compression
  mkdir -p "$image/blobs/sha256"
  descriptors=
  diff_ids=
  for n in "${!layers[@]}"; do
    blob "$image" "layer$n.$compression"
    descriptors="$descriptors${descriptors:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+$compression\",\"digest\":\"sha256:$digest\",\"size\":$size}"
    diff_ids="$diff_ids${diff_ids:+,}\"sha256:$(cat "diffid$n")\""
  done
  printf '{"architecture":"%s","os":"linux","config":{"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$architecture" "$diff_ids" >config
  blob "$image" config
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[%s]}' \
    "$digest" "$size" "$descriptors" >manifest
  blob "$image" manifest
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"%s","os":"linux"},"annotations":{"io.containerd.image.name":"%s-%s","org.opencontainers.image.ref.name":"%s"}}]}' \
    "$digest" "$size" "$architecture" "$name" "$compression" "$compression" >"$image/index.json"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$image/oci-layout"
  tar -C "$image" -cf "$dir/$compression.tar" oci-layout index.json blobs
  sizes="$sizes${sizes:+, }$(($(wc -c <"$dir/$compression.tar") / 1000000)) MB with $compression"
done
# shellcheck disable=SC2046
entries=$(($(printf '%s+' $(cat entries*))0))
# shellcheck disable=SC2046
bytes=$(($(printf '%s+' $(cat bytes*))0))
echo "${#layers[@]} layers, $sizes, $((bytes / 1000000)) MB and $entries entries unpacked (${layers[*]})" >"$dir/about"
cd "$dir"
rm -rf work
