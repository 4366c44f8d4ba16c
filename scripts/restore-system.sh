#!/usr/bin/env bash
# Restores the database into a folder; options go to `abops backup restore`. --test-restore restores
# on a throw-away server instead, compares, measures, and throws it away.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --test-restore ]; then
  shift
  exec .venv/bin/abops recovery drill "$@"
fi
exec .venv/bin/abops backup restore "$@"
