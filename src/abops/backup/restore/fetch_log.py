"""The program by which a restored server asks for its log.

PostgreSQL takes any exit code from 1 to 125 as "the log ends here" and promotes. The engine ends
with such a code when a destination is dead, and an hour of work would be lost without a word. So
a script of our own stands between: 1 only when every place was asked and none has the segment.
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

FILE_NAME: Final = "abops-restore-command"
RESTORE_COMMAND: Final = f'./{FILE_NAME} %f "%p"'
"""Relative: PostgreSQL runs it in its data folder, which may be renamed meanwhile."""

_SCRIPT: Final = """\
#!/bin/sh
# Brings one file of the log from the first place that has it: 0. Nobody has it, the log ends: 1.
# Somebody could not be asked, and nobody else has it: 126, which stops the server; start it again
# when the place answers.
name=$1 path=$2 broken=0
owed() {{
  if [ -f "$1/$name" ]; then
    cp -- "$1/$name" "$path" && exit 0
    broken=1
  fi
}}
stored() {{
  timeout "${{ABOPS_LOG_DEADLINE:-30}}" {engine} --config="$1" --stanza={stanza} \\
    --pg1-path="$PWD"{options} --io-timeout=5 --log-level-console=off --log-level-stderr=error \\
    archive-get "$name" "$path"
  case $? in
    0) exit 0 ;;
    1) ;;
    *) broken=1 ;;
  esac
}}
{calls}
[ "$broken" = 0 ] && exit 1
exit 126
"""


def log_script(
    engine: Path,
    stanza: str,
    configs: Sequence[Path],
    owed: Iterable[Path] = (),
    options: Iterable[str] = (),
) -> str:
    """Return the script: folders of owed segments first, they are on this machine.

    `options` are the engine's own for every call.
    """
    calls = [f"owed {shlex.quote(str(folder))}" for folder in owed]
    calls += [f"stored {shlex.quote(str(config))}" for config in configs]
    return _SCRIPT.format(
        engine=shlex.quote(str(engine)),
        stanza=shlex.quote(stanza),
        options="".join(f" {shlex.quote(option)}" for option in options),
        calls="\n".join(calls),
    )
