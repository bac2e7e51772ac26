"""`python -m tests.reference LOG --promise FILE [--as-of TIME]`: one JSON document on standard output."""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path

from . import replay


def main() -> None:
    """Read the arguments, replay, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--promise", type=Path, required=True)
    parser.add_argument("--as-of", type=datetime.fromisoformat, default=None)
    given = parser.parse_args()
    json.dump(replay(given.log, given.promise, given.as_of), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
