#!/usr/bin/env bash
# Builds the images of the named services, or of all: deploy/images/build.sh [service…]
#   BUILDER     docker, podman or buildah; default: the first that works here
#   BASE_IMAGE  your mirror of the base image; default: the one named in the Dockerfile
#   RUST_IMAGE  your mirror of the image with Rust that compiles the native front; default: the one named in the Dockerfile
#   REGISTRY    goes before each name, with its slash; default: none
#   TAG         default: the version in pyproject.toml, which the manifests name too
#   BUILD_FLAGS more for the builder, such as "--isolation chroot" for buildah in a container
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly known=(decision enricher sms trainer)

works() {
  # A docker client without a daemon is of no use here.
  command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1
}

choose_builder() {
  local name
  for name in docker podman buildah; do
    if works "$name"; then
      echo "$name"
      return
    fi
  done
  echo "build.sh: neither docker, podman nor buildah works here: install one, or start its daemon." >&2
  return 1
}

is_known() {
  local name
  for name in "${known[@]}"; do
    [[ "$name" == "$1" ]] && return
  done
  echo "build.sh: there is no service '$1', only: ${known[*]}" >&2
  return 1
}

services=("$@")
[[ $# -gt 0 ]] || services=("${known[@]}")
for service in "${services[@]}"; do is_known "$service"; done

builder="${BUILDER:-$(choose_builder)}"
revision="$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
arguments=(--file deploy/images/Dockerfile)
arguments+=(--label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.revision=$revision")
[[ -z "${BASE_IMAGE:-}" ]] || arguments+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
[[ -z "${RUST_IMAGE:-}" ]] || arguments+=(--build-arg "RUST_IMAGE=$RUST_IMAGE")
# shellcheck disable=SC2206  # flags are words
arguments+=(${BUILD_FLAGS:-})
# Docker keeps layers by itself; these two have to be told, or every image would install everything again.
[[ "$builder" == docker ]] || arguments+=(--layers)

for service in "${services[@]}"; do
  image="${REGISTRY:-}interlude-$service:${TAG:-$version}"
  echo "building $image with $builder"
  "$builder" build "${arguments[@]}" --target "$service" --tag "$image" .
done
