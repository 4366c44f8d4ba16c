#!/usr/bin/env python3
"""Make, verify, rehearse and save by the timetable: `abops backup schedule` with its options."""

import os
import sys
from pathlib import Path

ABOPS = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "abops"
os.execv(ABOPS, [str(ABOPS), "backup", "schedule", *sys.argv[1:]])  # noqa: S606 - no shell is meant
