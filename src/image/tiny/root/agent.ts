/**
 * The guest's own scripts: an agent that answers QEMU's guest agent protocol as far as a cloud asks for it: the root password, file
 * systems at rest for a snapshot, and a clean end. A request is a line of JSON, and so is its answer.
 *
 * @see https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
 */

/** `/etc/tiny/agent PORT`: started by `watch` where the host has such a port. A password passes through memory and pipes alone. */
export const agentScript = String.raw`#!/bin/sh
. /etc/tiny/lib
umask 077
exec 3<> "$1"
state=thawed
answer() { echo "{\"return\": $1}" >&3; }
refuse() { echo "{\"error\": {\"class\": \"$1\", \"desc\": \"$2\"}}" >&3; }

set_password() {
  user=$(echo "$request" | field - arguments.username)
  [ "$(echo "$request" | field - arguments.crypted)" != true ] || { refuse GenericError 'plain passwords alone'; return; }
  grep -q "^$user:" /etc/passwd || { refuse GenericError 'no such user'; return; }
  word=$(echo "$request" | field - arguments.password | base64 -d)
  if printf '%s\n%s\n' "$word" "$word" | passwd "$user" > /dev/null 2>&1; then
    answer '{}'
    say "agent: password of $user changed"
  else refuse GenericError 'the password was not taken'; fi
}

# To freeze /data or not to: how many file systems that were.
rest() {
  if grep -q ' /data ' /proc/mounts && fsfreeze "--$1" /data 2>/dev/null; then answer 1; else answer 0; fi
}

while :; do
  # A port whose other end nobody holds is at its end at once.
  read -r line <&3 || { sleep 1; continue; }
  request=$(echo "$line" | tr -d '\377' | flatten)
  id=$(echo "$request" | field - arguments.id)
  case "$(echo "$request" | field - execute)" in
    guest-sync) answer "$id" ;;
    guest-sync-delimited) printf '\377' >&3; answer "$id" ;;
    guest-ping) answer '{}' ;;
    guest-info) answer '{"version": "tiny", "supported_commands": []}' ;;
    guest-set-user-password) set_password ;;
    guest-fsfreeze-status) answer "\"$state\"" ;;
    guest-fsfreeze-freeze) state=frozen; sync; rest freeze; say 'agent: file systems at rest' ;;
    guest-fsfreeze-thaw) state=thawed; rest unfreeze; say 'agent: file systems go on' ;;
    guest-shutdown)
      case "$(echo "$request" | field - arguments.mode)" in reboot) /etc/tiny/stop reboot & ;; *) /etc/tiny/stop poweroff & ;; esac ;;
    '') ;;
    *) refuse CommandNotFound 'not known here' ;;
  esac
done
`
