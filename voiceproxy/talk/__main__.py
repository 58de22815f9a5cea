"""``python -m voiceproxy.talk``, the same as ``python -m voiceproxy talk``."""

import sys

from voiceproxy.talk import main

if __name__ == "__main__":
    sys.exit(main())
