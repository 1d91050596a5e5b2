/**
 * The guest's own scripts, part one: from the kernel's hand to the login prompts. Plain sh for busybox 1.35.
 *
 * The rule for these texts: shell variables are written `$name`, never in braces, so that nothing is taken for a TypeScript placeholder;
 * a text with a backslash in it is `String.raw`.
 */

/** `/init`: mounts, drivers, terminals, then busybox `init` with a table made for the terminals that there are. */
export const initScript = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/tiny
modprobe -a virtio_pci virtio_mmio button evdev 2>/dev/null
. /etc/tiny/lib
load_drivers
modprobe -a pvpanic-mmio 2>/dev/null

# The terminals to speak on: the screen, and what the kernel speaks on; a serial line even if the kernel was told of none.
terminals=
for tty in tty1 $(cat /sys/class/tty/console/active) ttyS0 ttyAMA0; do
  [ "$tty" = tty0 ] && continue
  case " $terminals " in *" $tty "*) continue ;; esac
  [ -c "/dev/$tty" ] && (: > "/dev/$tty") 2>/dev/null || continue
  terminals="$terminals $tty"
done
echo "$terminals" > /run/tiny/terminals

{
  echo '::sysinit:/etc/tiny/boot'
  echo '::respawn:/etc/tiny/watch'
  for tty in $terminals; do
    case "$tty" in
      tty1) echo 'tty1::respawn:/bin/getty 38400 tty1 linux' ;;
      *) echo "$tty::respawn:/bin/getty -L 115200 $tty vt100" ;;
    esac
  done
  echo '::ctrlaltdel:/etc/tiny/stop reboot'
  echo '::shutdown:/bin/sync'
  echo '::shutdown:/bin/umount -a -r'
} > /etc/inittab
exec init
`

/** `/etc/tiny/lib`: what the other scripts share. */
export const libScript = String.raw`
export PATH=/bin
metadata_url=http://169.254.169.254

say() {
  for tty in $(cat /run/tiny/terminals 2>/dev/null); do
    echo "tiny: $*" > "/dev/$tty"
  done 2>/dev/null
  echo "tiny: $*" >> /run/tiny/log
}

# The resolvers of one interface, from standard input, join those of the others. Interfaces come up side by side: each looks again after it has written,
# so that whoever writes last has seen all.
resolvers_of() {
  cat > "/run/tiny/.resolv.$1"
  mv "/run/tiny/.resolv.$1" "/run/tiny/resolv.$1"
  for attempt in 1 2 3 4 5 6 7 8; do
    cat /run/tiny/resolv.* > "/etc/.resolv.conf.$1"
    mv "/etc/.resolv.conf.$1" /etc/resolv.conf
    [ "$(cat /run/tiny/resolv.*)" = "$(cat /etc/resolv.conf)" ] && break
  done
}

# Every virtio device names the driver that it wants. SCSI is told to look for its disks at once, not in the background.
load_drivers() {
  for modalias in /sys/bus/virtio/devices/*/modalias; do
    [ -e "$modalias" ] || continue
    [ -e "$(dirname "$modalias")/driver" ] && continue
    read -r alias < "$modalias"
    case "$alias" in virtio:d00000008*) modprobe scsi_mod scan=sync; modprobe -a sd_mod sr_mod ;; esac 2>/dev/null
    modprobe -q "$alias" 2>/dev/null
  done
}

# Where the host has a port for an agent.
start_agent() {
  [ -e /run/tiny/agent ] || for name in /sys/class/virtio-ports/*/name; do
    [ -e "$name" ] && [ "$(cat "$name")" = org.qemu.guest_agent.0 ] || continue
    : > /run/tiny/agent
    /etc/tiny/agent "/dev/$(basename "$(dirname "$name")")" &
  done
}

# JSON on standard input -> lines "path<TAB>value", path like public_keys.mine or networks.0.type
flatten() { awk -f /etc/tiny/flatten.awk; }

# field FILE PATH: one value of a flattened file
field() { awk -F '\t' -v want="$2" '$1 == want { print substr($0, length($1) + 2); exit }' "$1" 2>/dev/null; }
`

/** `/etc/tiny/flatten.awk`: JSON to lines. A token at a time; text that is not JSON ends it early. */
export const flattenAwk = String.raw`
function text(token) {
  if (substr(token, 1, 1) != "\"") return token
  token = substr(token, 2, length(token) - 2)
  gsub(/\\[nrt]/, " ", token)
  gsub(/\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]/, "?", token)
  gsub(/\\"/, "\"", token)
  gsub(/\\\//, "/", token)
  gsub(/\\\\/, "\\", token)
  return token
}
{ rest = rest $0 " " }
END {
  depth = 0
  while (match(rest, /^[ \t\r]*("([^"\\]|\\.)*"|[-+0-9.eE]+|true|false|null|[][{}:,])/)) {
    token = substr(rest, 1, RLENGTH)
    rest = substr(rest, RLENGTH + 1)
    sub(/^[ \t\r]+/, "", token)
    first = substr(token, 1, 1)
    if (first == "{") { depth++; kind[depth] = "object"; naming[depth] = 1 }
    else if (first == "[") { depth++; kind[depth] = "array"; key[depth] = 0 }
    else if (first == "}" || first == "]") { if (--depth < 1) exit }
    else if (first == ",") { if (kind[depth] == "array") key[depth]++; else naming[depth] = 1 }
    else if (first == ":") naming[depth] = 0
    else if (kind[depth] == "object" && naming[depth]) key[depth] = text(token)
    else {
      path = key[1]
      for (i = 2; i <= depth; i++) path = path "." key[i]
      print path "\t" text(token)
    }
  }
}
`

/** `/etc/tiny/boot`: in order: power button, config drive, network, data partition, ssh, metadata, user data. The prompts come after it. */
export const bootScript = `#!/bin/sh
. /etc/tiny/lib
hostname tiny
ip link set lo up
acpid -l /dev/null
echo "tiny: kernel $(uname -r)" > /run/tiny/log

/etc/tiny/config-drive
for nic in /sys/class/net/*; do
  nic=$(basename "$nic")
  [ "$nic" = lo ] || /etc/tiny/nic "$nic" &
done

# While DHCP is under way. The image's own disk carries the signature TINY; its second partition keeps what must outlive a restart.
for disk in /sys/block/vd* /sys/block/sd*; do
  name=$(basename "$disk")
  [ -e "$disk/$name"2 ] || continue
  [ "$(dd if="/dev/$name" bs=1 skip=440 count=4 2>/dev/null)" = TINY ] || continue
  part=/dev/$name"2"
  [ "$(dd if="$part" bs=1 skip=1080 count=2 2>/dev/null | hexdump -e '"%04x"')" = ef53 ] || mke2fs -L tiny-data "$part" > /dev/null 2>&1
  mount -t ext4 -o noatime "$part" /data 2>/dev/null && break
done
instance=$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)
if [ -z "$instance" ] || [ "$(cat /data/.tiny/instance 2>/dev/null)" != "$instance" ]; then
  rm -rf /data/.tiny
  mkdir -p -m 700 /data/.tiny
  echo "$instance" > /data/.tiny/instance
fi

key=/data/.tiny/host-key
[ -s "$key" ] || dropbearkey -t ed25519 -f "$key" > /dev/null 2>&1
[ -s "$key" ] && dropbear -s -r "$key" 2>/dev/null
wait

/etc/tiny/cloud first
start_agent
read -r up idle < /proc/uptime
say "ready in $up s"
`

/** `/etc/tiny/watch`: once a second, what came and went: network interfaces, disks, a disk's new size, an agent's port; and metadata that was late. */
export const watchScript = `#!/bin/sh
. /etc/tiny/lib
[ -e /run/tiny/sizes ] || for disk in /sys/block/vd* /sys/block/sd*; do
  [ -e "$disk/size" ] || continue
  read -r sectors < "$disk/size"
  echo "$sectors" > "/run/tiny/disk.$(basename "$disk")"
done
: > /run/tiny/sizes
tick=0
while :; do
  sleep 1
  tick=$((tick + 1))
  for device in /sys/bus/virtio/devices/*; do
    [ -e "$device/modalias" ] && [ ! -e "$device/driver" ] && [ ! -e "/run/tiny/tried.$(basename "$device")" ] || continue
    : > "/run/tiny/tried.$(basename "$device")"
    load_drivers
  done
  start_agent
  for path in /sys/class/net/*; do
    nic=$(basename "$path")
    [ "$nic" = lo ] || [ -e "/run/tiny/nic.$nic" ] || { say "nic $nic added"; /etc/tiny/nic "$nic" & }
  done
  for path in /run/tiny/nic.*; do
    nic=$(basename "$path")
    nic=$(echo "$nic" | cut -c5-)
    [ -e "$path" ] && [ ! -e "/sys/class/net/$nic" ] || continue
    kill "$(cat "/run/tiny/udhcpc.$nic" 2>/dev/null)" 2>/dev/null
    rm -f "$path" "/run/tiny/udhcpc.$nic" "/run/tiny/lease.$nic"
    resolvers_of "$nic" < /dev/null
    say "nic $nic removed"
  done
  for path in /sys/block/vd* /sys/block/sd*; do
    [ -e "$path/size" ] || continue
    disk=$(basename "$path")
    read -r sectors < "$path/size"
    known=
    [ -e "/run/tiny/disk.$disk" ] && read -r known < "/run/tiny/disk.$disk"
    [ "$known" = "$sectors" ] && continue
    echo "$sectors" > "/run/tiny/disk.$disk"
    if [ -z "$known" ]; then say "disk $disk added ($((sectors / 2048)) MiB)"; else say "disk $disk resized ($((sectors / 2048)) MiB)"; fi
  done
  for path in /run/tiny/disk.*; do
    disk=$(basename "$path" | cut -c6-)
    [ -e "$path" ] && [ ! -e "/sys/block/$disk" ] || continue
    rm -f "$path"
    say "disk $disk removed"
  done
  [ $((tick % 10)) = 0 ] && [ ! -e /run/tiny/source ] && [ $tick -lt 600 ] && /etc/tiny/cloud late
done
`

/** `/etc/tiny/stop poweroff|reboot`: quick and clean; busybox's own way sleeps two seconds. */
export const stopScript = `#!/bin/sh
. /etc/tiny/lib
trap '' TERM HUP
case "$1" in reboot) say 'reboot' ;; *) say 'power off' ;; esac
kill -TERM -1
sleep 0.3
sync
umount /data 2>/dev/null || mount -o remount,ro /data 2>/dev/null
case "$1" in reboot) reboot -f ;; *) poweroff -f ;; esac
`
