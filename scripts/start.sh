#!/usr/bin/env bash
# npm start: sets up what is missing on this machine, then serves. Arguments go to `minicloud serve`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/set-up.sh"

ensure_dependencies
case " $* " in
  *' --driver fake '* | *' --driver=fake '*) ;; # pretended guests need nothing from the host
  *)
    ensure_packages "${host_packages[@]}"
    ensure_libvirtd
    ;;
esac
exec "$root/node_modules/.bin/node" "$root/src/main.ts" serve "$@"
