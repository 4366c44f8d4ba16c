#!/usr/bin/env python3
"""Group alerts into incidents: `abops alerts correlate` with the same options."""

import os
import sys
from pathlib import Path

ABOPS = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "abops"
os.execv(ABOPS, [str(ABOPS), "alerts", "correlate", *sys.argv[1:]])  # noqa: S606 - no shell is meant
