#!/usr/bin/env bash
# Alert testing: a critical test alert goes all the way to every channel on its route, timed, and is
# resolved again. --fire-test-alert is `--test`; other options go to `abops alerts fire`. Starts the
# local stack when nothing answers. Exit 0 only when every channel was told in time.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/abops stack status >/dev/null 2>&1 || .venv/bin/abops stack up
[ "$#" -gt 0 ] || set -- --test
exec .venv/bin/abops alerts fire "$@"
