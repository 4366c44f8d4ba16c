#!/usr/bin/env bash
# Backup verification: objects, log without holes, copies that agree. --validate also plants damage
# in a copy and demands that each kind is found. Options go to `abops backup verify`.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/abops backup verify "$@"
