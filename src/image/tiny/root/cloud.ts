/** The guest's own scripts, part two: network, config drive, metadata, keys and user data. The rule of `init.ts` holds here too. */

/** `/etc/tiny/nic NAME`: one interface up, by the config drive's static address if it has one for this MAC, else by DHCP. */
export const nicScript = String.raw`#!/bin/sh
. /etc/tiny/lib
nic=$1
: > "/run/tiny/nic.$nic"
ip link set "$nic" up
mac=$(cat "/sys/class/net/$nic/address")
network=/run/tiny/network

if [ -s "$network" ]; then
  link=$(awk -F '\t' -v mac="$mac" '
    $1 ~ /^links\.[0-9]+\.id$/ { id[substr($1, 1, length($1) - 3)] = $2 }
    $1 ~ /\.ethernet_mac_address$/ && tolower($2) == mac { at = substr($1, 1, length($1) - 21) }
    END { if (at != "") print id[at] }' "$network")
  at=$(awk -F '\t' -v link="$link" '
    $1 ~ /^networks\.[0-9]+\.link$/ && $2 == link { of[substr($1, 1, length($1) - 5)] = 1 }
    $1 ~ /^networks\.[0-9]+\.type$/ && $2 == "ipv4" { static[substr($1, 1, length($1) - 5)] = 1 }
    END { if (link != "") for (one in of) if (one in static) { print one; exit } }' "$network")
  if [ -n "$at" ]; then
    address=$(field "$network" "$at.ip_address")
    mask=$(field "$network" "$at.netmask")
    prefix=$(ipcalc -p "$address" "$mask" | cut -d = -f 2)
    ip addr add "$address/$prefix" dev "$nic"
    gateway=
    i=0
    while [ $i -lt 32 ]; do
      to=$(field "$network" "$at.routes.$i.network")
      [ -n "$to" ] || break
      via=$(field "$network" "$at.routes.$i.gateway")
      bits=$(ipcalc -p "$to" "$(field "$network" "$at.routes.$i.netmask")" | cut -d = -f 2)
      ip route add "$to/$bits" via "$via" dev "$nic" 2>/dev/null
      [ "$to" = 0.0.0.0 ] && gateway=$via
      i=$((i + 1))
    done
    dns=$(field "$network" services.0.address)
    [ -z "$dns" ] || echo "nameserver $dns" | resolvers_of "$nic"
    say "static $nic $address/$prefix via $gateway"
    exit 0
  fi
fi

# In the foreground until the first lease or eight tries; then on in the background, for ever.
udhcpc -b -i "$nic" -p "/run/tiny/udhcpc.$nic" -s /etc/tiny/dhcp -O staticroutes -O mtu -O search -t 8 -T 1 -A 5 > /dev/null 2>&1
[ -e "/run/tiny/lease.$nic" ] || say "dhcp $nic no answer yet"
`

/** `/etc/tiny/dhcp EVENT`: what udhcpc calls. Where there are classless routes (option 121) the router option is not used, as RFC 3442 says. */
export const dhcpScript = `#!/bin/sh
. /etc/tiny/lib
case "$1" in
  deconfig)
    ip link set "$interface" up
    ip -4 addr flush dev "$interface"
    rm -f "/run/tiny/lease.$interface"
    ;;
  bound|renew)
    metric=$((100 + $(cat "/sys/class/net/$interface/ifindex")))
    now="$ip/$mask|$router|$staticroutes|$mtu|$dns"
    [ "$(cat "/run/tiny/lease.$interface" 2>/dev/null)" = "$now" ] && exit 0
    [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
    ip -4 addr flush dev "$interface"
    ip addr add "$ip/$mask" dev "$interface"
    via=
    if [ -n "$staticroutes" ]; then
      set -- $staticroutes
      while [ $# -ge 2 ]; do
        if [ "$1" = 0.0.0.0/0 ]; then via=$2; fi
        if [ "$2" = 0.0.0.0 ]; then
          ip route add "$1" dev "$interface" metric "$metric"
        else
          ip route add "$1" via "$2" dev "$interface" metric "$metric"
        fi
        shift 2
      done
    else
      for via in $router; do
        ip route add default via "$via" dev "$interface" metric "$metric"
        break
      done
    fi 2>/dev/null
    {
      [ -z "$search$domain" ] || echo "search $search $domain"
      for server in $dns; do echo "nameserver $server"; done
    } | resolvers_of "$interface"
    echo "$now" > "/run/tiny/lease.$interface"
    if [ -n "$via" ]; then say "dhcp $interface $ip/$mask via $via"; else say "dhcp $interface $ip/$mask"; fi
    ;;
esac
`

/** `/etc/tiny/config-drive`: a disk or CD labelled config-2 (iso9660 or vfat) is copied to /run/tiny. Labels are read by hand: no blkid here. */
export const configDriveScript = `#!/bin/sh
. /etc/tiny/lib
for path in /sys/block/vd* /sys/block/sr* /sys/block/sd*; do
  [ -e "$path" ] || continue
  device=/dev/$(basename "$path")
  iso=$(dd if="$device" bs=8 skip=4101 count=1 2>/dev/null)
  fat16=$(dd if="$device" bs=1 skip=43 count=8 2>/dev/null)
  fat32=$(dd if="$device" bs=1 skip=71 count=8 2>/dev/null)
  case "$iso" in config-2|CONFIG-2) type=iso9660 ;; *)
    case "$fat16|$fat32" in *config-2*|*CONFIG-2*) type=vfat ;; *) continue ;; esac ;;
  esac
  mkdir -p /run/tiny/drive
  mount -t "$type" -o ro "$device" /run/tiny/drive 2>/dev/null || continue
  latest=/run/tiny/drive/openstack/latest
  if [ -s "$latest/meta_data.json" ]; then
    flatten < "$latest/meta_data.json" > /run/tiny/meta
    [ -s "$latest/network_data.json" ] && flatten < "$latest/network_data.json" > /run/tiny/network
    [ -s "$latest/user_data" ] && cp "$latest/user_data" /run/tiny/user-data
    echo 'config drive' > /run/tiny/source
  fi
  umount /run/tiny/drive
  [ -e /run/tiny/source ] && exit 0
done
`

/** `/etc/tiny/cloud first|late`: metadata (unless a config drive gave it; asked for at most some 40 s), then host name, keys and user data. */
export const cloudScript = String.raw`#!/bin/sh
. /etc/tiny/lib
meta=/run/tiny/meta

# The -T of this busybox's wget crashes, hence the outer limit.
fetch() { timeout 6 wget -q -O "$2" "$metadata_url/$1" 2>/dev/null || { rm -f "$2"; return 1; }; }

from_openstack() {
  fetch openstack/latest/meta_data.json /run/tiny/meta.json || return 1
  flatten < /run/tiny/meta.json > "$meta"
  [ -n "$(field "$meta" uuid)" ] || return 1
  fetch openstack/latest/user_data /run/tiny/user-data
  return 0
}

from_ec2() {
  fetch latest/meta-data/instance-id /run/tiny/ec2 || return 1
  printf 'uuid\t%s\n' "$(cat /run/tiny/ec2)" > "$meta"
  fetch latest/meta-data/hostname /run/tiny/ec2 && printf 'hostname\t%s\n' "$(cat /run/tiny/ec2)" >> "$meta"
  i=0
  while [ $i -lt 16 ] && fetch "latest/meta-data/public-keys/$i/openssh-key" /run/tiny/ec2; do
    printf 'public_keys.%s\t%s\n' "$i" "$(cat /run/tiny/ec2)" >> "$meta"
    i=$((i + 1))
  done
  fetch latest/user-data /run/tiny/user-data
  return 0
}

if [ ! -e /run/tiny/source ]; then
  tries=1
  [ "$1" = first ] && tries=15
  # With no address there is nobody to ask: the watcher comes back when there is one.
  ls /run/tiny/lease.* > /dev/null 2>&1 || [ -s /run/tiny/network ] || tries=0
  try=0
  until=$(($(cut -d . -f 1 /proc/uptime) + 40))
  while [ $try -lt $tries ] && [ "$(cut -d . -f 1 /proc/uptime)" -lt $until ]; do
    try=$((try + 1))
    { from_openstack || from_ec2; } && { echo "$metadata_url" > /run/tiny/source; break; }
    [ $try = $tries ] || sleep 1
  done
fi
if [ ! -e /run/tiny/source ]; then
  [ "$1" = first ] && say 'no metadata'
  exit 0
fi
say "metadata from $(cat /run/tiny/source)"

name=$(field "$meta" hostname)
[ -n "$name" ] || name=$(field "$meta" name)
name=$(echo "$name" | cut -d . -f 1 | tr -cd 'A-Za-z0-9-' | cut -c 1-63)
if [ -n "$name" ]; then
  hostname "$name"
  printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" > /etc/hosts
  say "hostname $name"
fi

grep '^public_keys\.' "$meta" | cut -f 2- | sed 's/ *$//' > /run/tiny/keys
for home in /root /home/tiny; do
  mkdir -p -m 700 "$home/.ssh"
  cp /run/tiny/keys "$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
done
chown -R tiny:tiny /home/tiny
say "ssh key installed ($(grep -c . /run/tiny/keys))"

script=/run/tiny/user-data
[ -s "$script" ] || exit 0
if [ "$(dd if="$script" bs=1 count=2 2>/dev/null | hexdump -e '2/1 "%02x"')" = 1f8b ]; then
  gunzip -c < "$script" > "$script.plain" && mv "$script.plain" "$script"
fi
if [ "$(dd if="$script" bs=1 count=2 2>/dev/null)" != '#!' ]; then
  say 'user-data is not a script, left alone'
  exit 0
fi
if [ -e /data/.tiny/user-data-done ]; then
  say 'user-data already ran for this instance'
  exit 0
fi
: > /data/.tiny/user-data-done
sync
chmod 700 "$script"
serial=$(tr ' ' '\n' < /run/tiny/terminals | grep -v tty1 | tail -n 1)
[ -n "$serial" ] || serial=null
(
  { cd /; HOME=/root "$script" 2>&1; echo $? > /run/tiny/user-data-exit; } | tee /run/tiny/user-data-output > "/dev/$serial"
  say "user-data exit $(cat /run/tiny/user-data-exit)"
) < /dev/null &
# A script that takes long goes on behind the prompt.
waited=0
while kill -0 $! 2>/dev/null && [ $waited -lt 200 ]; do
  sleep 0.1
  waited=$((waited + 1))
done
[ $waited -lt 200 ] || say 'user-data still running'
`
