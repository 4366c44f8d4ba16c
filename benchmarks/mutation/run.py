"""How many small mistakes in the rules their cases notice, and how long it takes to know.

`abops observability mutate` as a claim with a goal: every mutant of every rule is killed or excused
with a reason, within three minutes on two cores.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

GOAL_S = 180
ABOPS = Path(sys.executable).parent / "abops"
SMALL = ["--alert", "ApiHighErrorRatio", "--alert", "PostgresConnections"]


def main() -> int:
    """Print the figures, or one JSON document; 1 when a mutant lives or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="two alerts only")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    argv = [ABOPS, "observability", "mutate", "--output", "json"]
    argv += SMALL if arguments.small else []
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    if not done.stdout:
        return 1  # it has said why
    found = json.loads(done.stdout)
    if arguments.output == "json":
        print(json.dumps(found | {"goal_s": GOAL_S}, indent=2))
    else:
        print(
            "{killed} of {mutants} mutants of {rules} rules killed, {justified} justified,"
            " {survived} survived".format_map(found)
        )
        print(f"{found['seconds']:.0f} s, the goal is {GOAL_S} s")
    return int(done.returncode != 0 or found["seconds"] > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
