#!/usr/bin/env bash
# Routing testing: the inventory's route tests against the routes; with --check-channels every
# channel is asked whether it would take a message. Options go to `abops alerts routes check`.
# Exit 0 only when every test passed and every channel answered.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/abops alerts routes check "$@"
