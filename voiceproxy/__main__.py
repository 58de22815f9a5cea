"""``python -m voiceproxy``."""

import sys

from voiceproxy.cli import main

sys.exit(main())
