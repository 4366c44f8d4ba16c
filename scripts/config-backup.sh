#!/usr/bin/env bash
# Configuration and secrets, sealed: save, list, show, diff, restore. Without words: save.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$#" -gt 0 ] || set -- save
exec .venv/bin/abops backup config "$@"
