#!/usr/bin/env bash
# Escalation testing: a critical alert that nobody takes must reach level 1 at once, level 2 after
# 15 and level 3 after 30 minutes; an acknowledgement must stop it. --simulate-critical runs it at
# sixty times the speed against a service and channels of its own; nobody is woken. Other options
# go to `abops alerts simulate escalation`. Exit 0 only when every step came in its time.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = "--simulate-critical" ]; then
  shift
fi
exec .venv/bin/abops alerts simulate escalation "$@"
