#!/usr/bin/env bash
# npm test: sets up what is missing on this machine, then runs everything: types, lint, units, contracts, real clients.
# Arguments go to vitest. With CI=true a machine that cannot run guests is a failure. The last line is `N passed, N failed`.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/set-up.sh"
cd "$root" || exit 1

ensure_dependencies
ensure_packages "${host_packages[@]}" "${test_packages[@]}"
export PATH=$root/node_modules/.bin:$PATH
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# Each check leaves its exit code where the count is made.
check() {
  local name=$1 limit=$2
  shift 2
  say "$name …"
  timeout --kill-after=30 "$limit" "$@"
  printf '%s' $? >"$results/$name.code"
}

if [[ ${CI:-} == true ]]; then check hypervisor 60 node scripts/can-run-guests.ts; fi
check typecheck 120 tsc --noEmit
check lint 60 biome check --error-on-warnings .
# One after the other: what runs in process is quick to judge time, and real guests take all that the machine has.
for project in fast e2e; do
  limit=540
  [[ $project == e2e ]] && limit=960
  check "$project" "$limit" vitest run --project "$project" --passWithNoTests \
    --reporter=default --reporter=json --outputFile.json="$results/$project.json" "$@"
done
node scripts/tally.ts "$results"
