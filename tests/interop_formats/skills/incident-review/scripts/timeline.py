#!/usr/bin/env python3
"""Merge log files whose lines begin with an ISO time into one timeline."""

import heapq
import sys
from pathlib import Path

logs = [Path(name).read_text(encoding="utf-8").splitlines() for name in sys.argv[1:]]
sys.stdout.writelines(f"{line}\n" for line in heapq.merge(*logs))
