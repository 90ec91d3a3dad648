#!/bin/sh
# busybox-image.sh FILE [NAME]: writes an OCI image archive to FILE, with Debian's static busybox as its one layer, using
# nothing but tar, gzip and sha256sum. NAME is the image's name, docker.io/library/busybox:latest if not given.
# BUSYBOX names the program to take, else busybox of the package busybox-static. COMPRESSION is gzip, zstd or none.
set -eu
file=${1:?usage: busybox-image.sh FILE [NAME]}
name=${2:-docker.io/library/busybox:latest}
busybox=${BUSYBOX:-$(command -v busybox || true)}
if [ -z "$busybox" ]; then
  echo "busybox-image: no busybox: apt-get install busybox-static" >&2
  exit 1
fi
case $(uname -m) in
  x86_64) architecture=amd64 ;;
  aarch64) architecture=arm64 ;;
  *) architecture=$(uname -m) ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/bin" "$root/etc" "$root/home" "$root/tmp" "$root/var/run"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
chmod 755 "$root/bin/busybox"
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"

blobs=$work/image/blobs/sha256
mkdir -p "$blobs"
# The same bytes from the same busybox.
layer_tar=$work/layer.tar
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$root" -cf "$layer_tar" .

# Moves a file to its place among the blobs; sets digest and size.
blob() {
  digest=$(sha256sum <"$1")
  digest=${digest%% *}
  size=$(wc -c <"$1")
  mv "$1" "$blobs/$digest"
}

diff_id=$(sha256sum <"$layer_tar")
diff_id=${diff_id%% *}
case ${COMPRESSION:-gzip} in
  gzip) gzip -n "$layer_tar" && layer_file=$layer_tar.gz suffix=+gzip ;;
  zstd) zstd -q --rm "$layer_tar" -o "$layer_tar.zst" && layer_file=$layer_tar.zst suffix=+zstd ;;
  none) layer_file=$layer_tar suffix= ;;
esac
blob "$layer_file"
layer='{"mediaType":"application/vnd.oci.image.layer.v1.tar'$suffix'","digest":"sha256:'$digest'","size":'$size'}'

cat >"$work/config" <<END
{"architecture":"$architecture","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["/bin/sh"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:$diff_id"]}}
END
blob "$work/config"
cat >"$work/manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:$digest","size":$size},"layers":[$layer]}
END
blob "$work/manifest"
# containerd's clients read the whole name from its own annotation; the tag alone is what the specification has.
cat >"$work/image/index.json" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:$digest","size":$size,"platform":{"architecture":"$architecture","os":"linux"},"annotations":{"io.containerd.image.name":"$name","org.opencontainers.image.ref.name":"${name##*:}"}}]}
END
printf '{"imageLayoutVersion":"1.0.0"}' >"$work/image/oci-layout"
tar -C "$work/image" -cf "$file" oci-layout index.json blobs
