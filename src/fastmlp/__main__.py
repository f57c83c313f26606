"""`python -m fastmlp`: the demo on the command line."""

import sys

from fastmlp._demo.demo import main

if __name__ == "__main__":
    sys.exit(main())
