#!/usr/bin/env bash
# Backup and recovery testing: what the other scripts call (--test, --once, --test-restore,
# --validate), a bundle there and back, the disasters of the playbook; all on databases and regions
# that are thrown away. Takes the options of `abops recovery test`. Exit 0 only when every check
# is met; what could not be run here is not.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/abops recovery test "$@"
