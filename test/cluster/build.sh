#!/usr/bin/env bash
# build.sh FOLDER MIRROR: the servers of Kubernetes 1.20.2 from Debian's source, and metrics-server, into FOLDER.
#
# Debian's source package of bookworm is the last that holds the whole of Kubernetes (later ones hold kubectl alone), and wants
# the Go of its day. Nothing is installed: an apt of its own fetches into FOLDER/work, which goes in the end. About 15 minutes
# of CPU time and 5 GB of disk on the way; what is there already is not built again.
set -euo pipefail
folder=$1 mirror=$2
servers=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
metrics_server=sigs.k8s.io/metrics-server/cmd/metrics-server@v0.9.0
work=$folder/work
mkdir -p "$work"

fetch() { # apt-get of our own: fetch SUITE COMMAND…
  local lists=$work/apt/$1 suite=$1
  shift
  mkdir -p "$lists/partial" "$work/apt/cache/archives/partial"
  local options=(-qq -o "Dir::State::Lists=$lists" -o "Dir::Etc::SourceList=$lists.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  if [ ! -f "$lists.list" ]; then
    local signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    printf '%s\n' "deb $signed $mirror $suite main" "deb-src $signed $mirror $suite main" >"$lists.list"
    apt-get "${options[@]}" update
  fi
  apt-get "${options[@]}" "$@"
}

unpack_go() { # unpack_go SUITE VERSION: a Go under $work/go-VERSION
  [ -d "$work/go-$2" ] && return
  (cd "$work" && fetch "$1" download "golang-$2-go" "golang-$2-src")
  for package in "$work/golang-$2"-*.deb; do dpkg -x "$package" "$work/go-$2"; done
}

build_kubernetes() {
  unpack_go bookworm 1.19
  if [ ! -d "$work/source" ]; then
    (cd "$work" && fetch bookworm source --download-only kubernetes && dpkg-source --no-check -x kubernetes_*.dsc source)
  fi
  # Its Makefile copies by `rsync -pc FROM TO`, and asks git for a version.
  mkdir -p "$work/bin"
  # shellcheck disable=SC2016 # for the shell that runs it
  printf '#!/bin/sh\nexec cp -p "$2" "$3"\n' >"$work/bin/rsync"
  chmod +x "$work/bin/rsync"
  cat >"$work/version" <<END
KUBE_GIT_COMMIT='debian'
KUBE_GIT_TREE_STATE='clean'
KUBE_GIT_VERSION='v1.20.2'
KUBE_GIT_MAJOR='1'
KUBE_GIT_MINOR='20'
END
  # What a build that was ended left half done; its compiled packages stay.
  rm -rf "$work"/source/{.make,_output/bin,_output/local/bin,_output/local/go/bin}
  local go=$work/go-1.19/usr/lib/go-1.19
  env PATH="$work/bin:$go/bin:$PATH" GOROOT="$go" HOME="$work" CGO_ENABLED=0 GOPROXY=off \
    GOTOOLCHAIN=local KUBE_GIT_VERSION_FILE="$work/version" make -C "$work/source" WHAT="${servers[*]/#/cmd/}"
  for server in "${servers[@]}"; do install "$work/source/_output/bin/$server" "$folder/$server"; done
}

build_metrics_server() {
  local path=$PATH:/usr/local/go/bin
  if ! PATH=$path command -v go >/dev/null; then
    unpack_go trixie 1.24
    path=$work/go-1.24/usr/lib/go-1.24/bin:$PATH
  fi
  env PATH="$path" GOPATH="$work/gopath" GOCACHE="$work/gocache-metrics" GOFLAGS=-modcacherw GOBIN="$folder" CGO_ENABLED=0 \
    GOTOOLCHAIN=auto go install "$metrics_server"
}

for server in "${servers[@]}"; do
  if [ ! -x "$folder/$server" ]; then
    build_kubernetes
    break
  fi
done
[ -x "$folder/metrics-server" ] || build_metrics_server
rm -rf "$work"
