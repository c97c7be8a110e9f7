"""What texts hold by accident: HTML, UTF-8 that was read as something else, lost characters."""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Oddity(NamedTuple):
    """What a text may hold.

    Attributes:
        begins: the characters that it can begin with; few texts hold one, which saves time.
        pattern: a regular expression.
    """

    begins: str
    pattern: str


# Tags by the names that prose was cut out of; "<3" and "<name>" are none.
HTML = Oddity(
    "<&",
    r"(?i)</?(a|b|br|center|div|em|font|h[1-6]|hr|i|img|li|ol|p|script|span|strong|table|td|tr|ul)"
    r"(\s+[\w-]+\s*=[^<>]*)?\s*/?>|&(amp|lt|gt|quot|apos|nbsp|#39|#x27|#34);",
)
# Accents, signs and quotes of western European texts, three Cyrillic letters in a row: each as
# latin-1 and cp1252 show the two or three bytes that UTF-8 has for it. What could be the end of a
# word in capitals, before a quotation mark, is left out.
_SECOND = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
MISREAD = Oddity(
    "ÃÂâÐÑ",
    "Ã[¡-ª¬-º¼-¿]|Â[\xa0£§©®°±´·]|â€[™œ“”¦˜\x93\x94\x98\x99\x9c\x9d]"
    f"|â\x80[\x93\x94\x98\x99\x9c\x9d\xa6]|([ÐÑ][{_SECOND}]){{3}}",
)
LOST = Oddity("\ufffd", "\ufffd")


def holding(texts, oddity):
    """`(N,)` bool: a text holds an oddity.

    Args:
        texts: list of N strings.
        oddity: an Oddity.
    """
    near = pc.match_substring_regex(pa.array(texts, pa.string()), f"[{oddity.begins}]")
    mask = np.array(near.to_numpy(zero_copy_only=False), bool)
    search = re.compile(oddity.pattern).search
    for row in np.flatnonzero(mask):
        mask[row] = search(texts[row]) is not None
    return mask


def example(text, oddity):
    """The first match in a text."""
    return re.search(oddity.pattern, text)[0]


def reread(found):
    """Text that was decoded wrongly → what it was, or None if it is no UTF-8.

    Example:
        >>> reread("Ã©"), reread("â€™")
        ('é', '’')
    """
    for encoding in ("cp1252", "latin-1"):
        try:
            return found.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return None
