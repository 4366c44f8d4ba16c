#!/usr/bin/env bash
# Restores the database into a folder; options go to `abops backup restore`. --test-restore restores
# on a throw-away server instead, compares, measures, and throws it away; the log is sent at once,
# so that this takes seconds: what would be lost is measured by the nightly drill, which waits.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --test-restore ]; then
  shift
  exec .venv/bin/abops recovery drill --hurry "$@"
fi
exec .venv/bin/abops backup restore "$@"
