"""Text from outside the program."""

from __future__ import annotations

import re

UNWRITABLE = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that JSON can hold, but files and terminals must not get: control characters and lone surrogates."""
