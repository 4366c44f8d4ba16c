#!/usr/bin/env bash
# A backup in each destination now; options go to `abops backup run`. --test goes the whole way on a
# database and two regions that are thrown away, and touches nothing real.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/abops backup run "$@"
