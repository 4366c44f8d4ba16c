#!/usr/bin/env bash
# Monitoring stack testing: health of each part, collection of metrics, a trace sent and read back,
# the log path, the boards. Takes the options of `abops observability smoke`; GRAFANA_URL and
# GRAFANA_TOKEN are heeded. Exit 0 only when every check that applies here passed.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/abops observability smoke "$@"
