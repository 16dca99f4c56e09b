#!/usr/bin/env bash
# Build the image from the Dockerfile where no image registry is reached: a base made by debootstrap from the
# package mirror that this machine uses, then buildah. Usage: build-image.sh CACHE_FOLDER; the image becomes
# localhost/prepaid-exporter in the storage CACHE_FOLDER/storage, and the base stays there for the next time.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
cache=$1
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
base=localhost/python-base:$suite
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

buildah() {
  command buildah --root "$cache/storage" --runroot "$cache/run" --storage-driver vfs "$@"
}

apt_says() {
  apt-get indextargets --format "$1" 'Created-By: Packages' "Codename: $suite" | sort -u
}

make_base() {
  local rootfs=$cache/rootfs
  rm -rf "$rootfs"
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
    --components="$(apt_says '$(COMPONENT)' | paste -s -d ,)" "$suite" "$rootfs" "$(apt_says '$(SITE)' | head -n 1)"
  rm -rf "$rootfs"/var/cache/apt/* "$rootfs"/var/lib/apt/lists/*
  # Certificates that this machine trusts beside Debian's, for a network that ends TLS itself.
  cp /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/ca-certificates.crt"
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$rootfs" /
  buildah commit --quiet --rm "$container" "$base"
  rm -rf "$rootfs"
}

pip_settings() {
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n'
  local index
  index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
  [ -z "$index" ] || printf 'index-url = %s\n' "$index"
}

buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
pip_settings >"$cache/pip.conf"
buildah build --isolation chroot --pull-never \
  --build-arg "PYTHON_IMAGE=$base" --secret "id=pip,src=$cache/pip.conf" \
  --tag localhost/prepaid-exporter "$here"
# The image that had the name before.
buildah rmi --prune >/dev/null
