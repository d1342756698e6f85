#!/usr/bin/env python3
"""Print a CSV file without blank and repeated rows, headers in snake case."""

import csv
import re
import sys
from pathlib import Path


def main(path: str) -> None:
    with Path(path).open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    writer = csv.writer(sys.stdout)
    writer.writerow(re.sub(r"\W+", "_", name.strip().lower()) for name in header)
    seen = set()
    for row in rows:
        if any(row) and tuple(row) not in seen:
            seen.add(tuple(row))
            writer.writerow(row)


if __name__ == "__main__":
    main(sys.argv[1])
