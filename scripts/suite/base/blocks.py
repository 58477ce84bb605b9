"""Which parts of a document are generated?"""

from __future__ import annotations

import re

BLOCK = re.compile(r"^<!-- generated: (?P<name>[^\n]*?) -->\n(?P<text>.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)
OPENING = "<!-- generated:"
