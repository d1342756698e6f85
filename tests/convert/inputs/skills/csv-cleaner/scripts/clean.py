"""Copy a CSV file without its empty rows."""

import csv
import sys

csv.writer(sys.stdout).writerows(row for row in csv.reader(sys.stdin) if any(row))
