"""``python -m voiceproxy``."""

import os
import sys

from voiceproxy.cli import main


def fill_standard_streams() -> None:
    """Open those of standard input, output and error that are closed.

    A socket would get the number: what somebody prints would go to its peer, and libuv aborts.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


fill_standard_streams()
status = main()
for name in ("stdout", "stderr"):
    try:
        getattr(sys, name).flush()
    except OSError:  # the disk is full: the interpreter would exit with 120 for it
        setattr(sys, name, None)
sys.exit(status)
