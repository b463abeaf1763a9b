#!/usr/bin/env bash
# control-plane.sh up | down FOLDER SERVERS IMAGES: one node of Kubernetes on this machine, in a network namespace of its own.
#
# FOLDER holds its certificates, state and logs; SERVERS what build.sh built; IMAGES a tar of docker save with the pods' images.
# `down` puts back what `up` changed: namespace, mounts, cgroups, sysctls. Wants Debian's containerd, runc, etcd, iptables and
# CNI plugins, root, and cgroup v1 (this Kubernetes knows no other well).
set -euo pipefail
command=$1 folder=$2 servers=${3:-} images=${4:-}
namespace=tapewatch-cluster
node=10.123.0.1
sysctls=(vm.overcommit_memory kernel.panic kernel.panic_on_oops)

inside() { nsenter --net="/run/netns/$namespace" "$@"; } # not `ip netns exec`: it hides the cgroups
kubectl_() { inside "${KUBECTL:-kubectl}" --kubeconfig "$folder/admin.conf" "$@"; }
containers() { ctr --address "$folder/containerd.sock" --namespace k8s.io "$@"; }

start() { # start NAME COMMAND…: in the background, log and pid in FOLDER
  local name=$1
  shift
  setsid nsenter --net="/run/netns/$namespace" "$@" >"$folder/$name.log" 2>&1 </dev/null &
  echo $! >"$folder/$name.pid"
}

stop() {
  local name pid
  for name in "$@"; do
    [ -f "$folder/$name.pid" ] || continue
    pid=$(cat "$folder/$name.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
  done
}

await() { # await SECONDS COMMAND…
  local left=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((left--)) -gt 0 ] || { echo "Not within its time: $*" >&2; return 1; }
    sleep 0.2
  done
}

network() {
  ip netns add "$namespace"
  inside ip link set lo up
  inside ip link add node0 type bridge
  inside ip addr add "$node/24" dev node0
  inside ip link set node0 up
  inside ip route add default via "$node" dev node0
  inside sysctl -qw net.ipv4.ip_forward=1
}

authority() { openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout "$1.key" -out "$1.crt" -subj "/CN=$1" 2>/dev/null; }

certificate() { # certificate NAME AUTHORITY SUBJECT EXTENSIONS
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$3" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 30 -out "$1.crt" -extfile <(echo "$4") 2>/dev/null
}

certificates() (
  mkdir -p "$folder/pki"
  cd "$folder/pki"
  authority ca
  authority front-proxy-ca
  openssl genrsa -out accounts.key 2048 2>/dev/null
  openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
  local names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:10.96.0.1,IP:127.0.0.1
  certificate apiserver ca /CN=kube-apiserver "subjectAltName=$names,IP:$node"
  certificate node ca /CN=node1 "subjectAltName=DNS:node1,IP:$node"
  certificate admin ca /O=system:masters/CN=admin extendedKeyUsage=clientAuth
  certificate front-proxy front-proxy-ca /CN=front-proxy extendedKeyUsage=clientAuth
)

configuration() {
  local pki=$folder/pki
  cat >"$folder/admin.conf" <<END
apiVersion: v1
kind: Config
current-context: admin
contexts: [{ name: admin, context: { cluster: node, user: admin } }]
clusters: [{ name: node, cluster: { server: "https://$node:6443", certificate-authority: $pki/ca.crt } }]
users: [{ name: admin, user: { client-certificate: $pki/admin.crt, client-key: $pki/admin.key } }]
END
  mkdir -p "$folder/cni"
  cat >"$folder/cni/10-bridge.conflist" <<END
{ "cniVersion": "0.4.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "$folder/ipam", "ranges": [[{ "subnet": "10.244.0.0/24" }]],
              "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } }] }
END
  cat >"$folder/containerd.toml" <<END
version = 2
root = "$folder/containers"
state = "$folder/containers-state"
[grpc]
  address = "$folder/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$folder/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
END
  cat >"$folder/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node
cgroupDriver: cgroupfs
failSwapOn: false
clusterDomain: cluster.local
authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: $pki/ca.crt } }
authorization: { mode: Webhook }
tlsCertFile: $pki/node.crt
tlsPrivateKeyFile: $pki/node.key
nodeStatusUpdateFrequency: 5s
evictionHard: { memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1% }
imageGCHighThresholdPercent: 100
END
}

apiserver() {
  local pki=$folder/pki
  start kube-apiserver "$servers/kube-apiserver" \
    --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range=10.96.0.0/24 --bind-address=0.0.0.0 \
    --advertise-address="$node" --allow-privileged --authorization-mode=Node,RBAC --client-ca-file="$pki/ca.crt" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/accounts.pub" \
    --service-account-signing-key-file="$pki/accounts.key" --kubelet-client-certificate="$pki/admin.crt" \
    --kubelet-client-key="$pki/admin.key" --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --proxy-client-cert-file="$pki/front-proxy.crt" \
    --proxy-client-key-file="$pki/front-proxy.key" --enable-aggregator-routing=true
}

up() {
  local pki=$folder/pki config
  config=$folder/admin.conf
  mkdir -p "$folder"
  for name in "${sysctls[@]}"; do echo "$name = $(sysctl -n "$name")"; done >"$folder/sysctl.saved"
  ip netns list >"$folder/namespaces.saved"
  [ -e /var/log/pods ] || touch "$folder/pod-logs-are-ours" # the kubelet knows no other place for them
  network
  certificates
  configuration
  start containerd containerd --config "$folder/containerd.toml"
  start etcd etcd --data-dir "$folder/etcd" --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
  apiserver
  await 30 containers version
  containers images import "$images" >/dev/null
  await 120 kubectl_ get --raw /readyz
  local access=(--kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config" --leader-elect=false)
  # Quicker than a real cluster's 15 s and 5 minutes, so that a test does not wait for clocks; the chart's own windows stand beside.
  start kube-controller-manager "$servers/kube-controller-manager" "${access[@]}" \
    --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt" \
    --horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-downscale-stabilization=20s \
    --horizontal-pod-autoscaler-cpu-initialization-period=20s --horizontal-pod-autoscaler-initial-readiness-delay=5s
  start kube-scheduler "$servers/kube-scheduler" "${access[@]}"
  start kubelet "$servers/kubelet" --config="$folder/kubelet.yaml" --kubeconfig="$config" --container-runtime=remote \
    --container-runtime-endpoint="unix://$folder/containerd.sock" --node-ip="$node" --hostname-override=node1 \
    --root-dir="$folder/kubelet"
  start kube-proxy "$servers/kube-proxy" --kubeconfig="$config" --hostname-override=node1 --cluster-cidr=10.244.0.0/24 \
    --proxy-mode=iptables --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
  await 120 node_ready
}

node_ready() { kubectl_ get node node1 | grep -q ' Ready'; }

down() {
  [ -d "$folder" ] || return 0
  kubectl_ delete hpa,statefulset,deployment,job,pod --all --all-namespaces --wait=false --grace-period=1 >/dev/null 2>&1 || true
  for _ in $(seq 20); do
    [ -n "$(containers tasks ls -q 2>/dev/null)" ] || break
    sleep 0.5
  done
  stop kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd
  for task in $(containers tasks ls -q 2>/dev/null); do containers tasks kill -s KILL "$task" 2>/dev/null || true; done
  await 10 no_tasks || true
  stop containerd
  [ ! -f "$folder/sysctl.saved" ] || sysctl -qp "$folder/sysctl.saved"
  awk -v under="$folder/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n1 umount -l
  find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null || true
  # The pods' own, of those that did not end in time.
  for name in $(ip netns list | awk '/^cni-/ { print $1 }'); do
    grep -q "^$name" "$folder/namespaces.saved" || ip netns del "$name"
  done
  if [ -e "/run/netns/$namespace" ]; then
    # What a test that was ended left in it.
    ip netns pids "$namespace" | xargs -r kill -KILL 2>/dev/null || true
    ip netns del "$namespace"
  fi
  [ ! -f "$folder/pod-logs-are-ours" ] || rm -rf /var/log/pods /var/log/containers
  rm -rf "$folder"
}

no_tasks() { [ -z "$(containers tasks ls -q)" ]; }

"$command"
