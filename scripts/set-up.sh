# What start.sh and test.sh have in common: dependencies, system packages, libvirt's daemons. Sourced, with `root` set.
# Every step says what it does before it does it, has a limit in time, and costs next to nothing where nothing is missing.

say() { printf 'minicloud: %s\n' "$*" >&2; }

machine=$(uname -m)

# Host tools that a real cloud needs.
host_packages=(
  qemu-utils libvirt-daemon libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients
  dnsmasq-base nftables iproute2 conntrack xorriso procps iputils-ping kmod
  busybox-static dropbear-bin mtools cpio zstd e2fsprogs dosfstools
)
case $machine in
  aarch64) host_packages+=(qemu-system-arm qemu-efi-aarch64) ;;
  *) host_packages+=(qemu-system-x86 ovmf syslinux) ;;
esac

# Clients and a browser that the tests drive, and Nova's own models.
test_packages=(
  python3-openstackclient python3-openstacksdk python3-novaclient python3-nova
  chromium fonts-dejavu-core genisoimage sqlite3 socat uidmap passt
)

# The npm packages, Node.js 26 among them. A registry that lacks packages of other platforms makes `npm ci` refuse: then
# `npm install` takes the same versions.
ensure_dependencies() {
  local stamp=$root/node_modules/.minicloud-lock.json
  local quiet=(--no-audit --no-fund --ignore-scripts --loglevel=error)
  if [[ -x $root/node_modules/.bin/node ]] && { [[ ! -e $stamp ]] || cmp -s "$stamp" "$root/package-lock.json"; }; then return; fi
  say 'installing the npm packages (npm ci) …'
  if ! (cd "$root" && { timeout 600 npm ci "${quiet[@]}" || timeout 600 npm install --no-save "${quiet[@]}"; } >&2); then
    say 'the npm packages could not be installed'
    exit 1
  fi
  "$root/node_modules/.bin/node" --version >/dev/null 2>&1 || ensure_packages libatomic1 libstdc++6
  cp "$root/package-lock.json" "$stamp"
}

# Of the named Debian packages those that are not installed.
missing_packages() {
  local -A installed=()
  local name
  while read -r name; do installed[$name]=1; done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
  for name in "$@"; do [[ ${installed[$name]:-} ]] || printf '%s\n' "$name"; done
}

# Installs them, or says which are missing and goes on.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is no Debian: real guests need what its packages hold: $*"
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    say "not installed: ${missing[*]}"
    say "as root: apt-get install --no-install-recommends ${missing[*]}"
    return
  fi
  say "installing with apt: ${missing[*]}"
  local apt=(timeout 900 env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
  if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"${TMPDIR:-/tmp}/minicloud-apt.$$.log" 2>&1; then
    tail -n 5 "${TMPDIR:-/tmp}/minicloud-apt.$$.log" >&2
    say "apt failed (${TMPDIR:-/tmp}/minicloud-apt.$$.log); going on with what can run"
    return
  fi
  rm -f "${TMPDIR:-/tmp}/minicloud-apt.$$.log"
}

# Whether the daemon of this name lives, by the pid file that it keeps.
is_running() {
  local pid
  pid=$(cat "/run/$1.pid" 2>/dev/null) # it ends without a line break, at which `read` would fail
  [[ $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]]
}

# Where no systemd does it, virtlogd and libvirtd are started here; they go on when minicloud ends, as guests do.
ensure_libvirtd() {
  local name
  if ((EUID != 0)) || [[ -d /run/systemd/system ]] || [[ ! -x /usr/sbin/libvirtd ]]; then return; fi
  for name in virtlogd libvirtd; do
    is_running "$name" && continue
    say "starting $name, as there is no systemd (it keeps its pid in /run/$name.pid)"
    timeout 30 "/usr/sbin/$name" --daemon --pid-file "/run/$name.pid" >&2 || say "$name did not start"
  done
}
