"""Scripts of texts, by counting letters. No language is guessed: Unicode knows scripts alone."""

import unicodedata
from collections import Counter
from functools import cache

import numpy as np

LEAST = 20  # letters; what has fewer under one name is no script but a sign, such as MICRO SIGN
CALLED = {"CJK": "Han"}
HAN = range(0x20000, 0x40000)  # the planes that hold nothing else
# First words of the names of letters that tell a form or a use, not a script.
NO_SCRIPT = ("MODIFIER", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT")
FORMS = ("FULLWIDTH ", "HALFWIDTH ")


def count_scripts(texts):
    """Counts letters by script.

    Args:
        texts: list of strings.

    Returns:
        Counter: script (`Latin`, `Cyrillic`, `Han`) → letters. Digits, signs and emoji are none.

    Example:
        >>> count_scripts(["Zürich, 2 км"])
        Counter({'Latin': 6, 'Cyrillic': 2})
    """
    names, table = _table()
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    far = codes[codes >= len(table)]
    near = table[codes[codes < len(table)]] if len(far) else table[codes]
    counts = np.bincount(near, minlength=len(names))
    found = Counter({name: int(n) for name, n in zip(names, counts, strict=True) if n})
    del found[""]
    han = int(((far >= HAN.start) & (far < HAN.stop)).sum())
    return found + Counter({"Han": han})


@cache
def _table():
    """Names of scripts, and `(65536,)` uint8: each character's number among them; 0 is none."""
    words = [_word(chr(code)) for code in range(0x10000)]
    letters = Counter(words)
    names = ["", *sorted(word for word, n in letters.items() if word and n >= LEAST)]
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.array([numbers.get(word, 0) for word in words], np.uint8)


def _word(character):
    """The script in a letter's name; "" for what is no letter."""
    if not unicodedata.category(character).startswith("L"):
        return ""
    name = unicodedata.name(character, "")
    for form in FORMS:
        name = name.removeprefix(form)
    word = name.partition(" ")[0]
    return "" if word in NO_SCRIPT else CALLED.get(word, word.title())
