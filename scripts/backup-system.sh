#!/usr/bin/env bash
# A backup in each destination now; options go to `abops backup run`.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/abops backup run "$@"
