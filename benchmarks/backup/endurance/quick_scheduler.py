"""The scheduler as it is, looking at its timetable every second: HOME.

In the benchmark a second stands for a minute; the pauses between attempts come from the site.
"""

import sys

from abops.backup.service.scheduling import scheduler
from abops.entry.cli.main import main

TICK_S = 1.0

if __name__ == "__main__":
    scheduler.TICK_S = TICK_S  # type: ignore[misc] # a constant elsewhere
    main(["backup", "schedule", "--metrics-port", "0", "--home", sys.argv[1]])
