"""``python -m voiceproxy``."""

import sys

from voiceproxy.cli import main

status = main()
try:
    sys.stderr.flush()
except OSError:  # the log's disk is full: the interpreter would exit with 120 for it
    sys.stderr = None
sys.exit(status)
