"""Run the command line as ``python -m neurosim``."""

import sys

from .cli.main import main

if __name__ == "__main__":
    # main returns the exit code and leaves the process alone, so that tests can call it.
    sys.exit(main())
