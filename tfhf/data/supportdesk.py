"""The quickstart's data: messages to a support desk, made from patterns and a seed.

`python -m tfhf.data.supportdesk FOLDER` writes `train.csv`, `validation.csv` and `test.csv`
with the columns `text` and `intent`. The sentences are in `supportdesk.yaml`; this module fills
them in and types them the way people do: typos, no capitals or only capitals, punctuation left
out. Test messages come from patterns that the other splits never use.
"""

import csv
import random
import re
import sys
from pathlib import Path

import yaml

ROWS = {"train": 200, "validation": 24, "test": 40}  # per intent
WORDS = range(4, 36)
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def patterns():
    """Reads the patterns of every intent.

    Returns:
        `supportdesk.yaml` as it is: `slots`, `greetings`, `remarks`, `signoffs`, and `intents`,
        where `intents[name]["train"]` and `intents[name]["test"]` are lists of patterns.
    """
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


def messages(seed=7):
    """Makes every row of every split.

    Args:
        seed: int; the rows are a pure function of it.

    Returns:
        `{"train": rows, "validation": rows, "test": rows}`, each a shuffled list of
        `(text, intent)` with as many rows for one intent as for another. No text occurs twice,
        not even with other capitals.
    """
    rng = random.Random(seed)
    source = patterns()
    seen, splits = set(), {}
    for split, count in ROWS.items():
        splits[split] = rows = []
        for intent, sentences in source["intents"].items():
            choices = sentences["test" if split == "test" else "train"]
            for i in range(count):
                text = _new_message(choices[i % len(choices)], source, seen, rng)
                rows.append((text, intent))
        rng.shuffle(rows)
    return splits


def write(folder, seed=7):
    """Writes the three splits as CSV files.

    Args:
        folder: where to; made if absent, files of these names are replaced.
        seed: int; the same seed writes the same bytes.

    Returns:
        `{"train": Path, "validation": Path, "test": Path}`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for split, rows in messages(seed).items():
        paths[split] = folder / f"{split}.csv"
        with paths[split].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["text", "intent"])
            writer.writerows(rows)
    return paths


def _new_message(pattern, source, seen, rng):
    """One message of a usual length that was not made before."""
    while True:
        text = _type(_compose(pattern, source, rng), rng)
        if len(text.split()) in WORDS and text.lower() not in seen:
            seen.add(text.lower())
            return text


def _compose(pattern, source, rng):
    """The pattern, perhaps with a greeting, a remark and a sign-off, all filled in."""
    parts = [pattern]
    if rng.random() < 0.25:
        parts.insert(rng.randrange(2), rng.choice(source["remarks"]))
    if rng.random() < 0.45:
        parts.insert(0, rng.choice(source["greetings"]))
    if rng.random() < 0.35:
        parts.append(rng.choice(source["signoffs"]))
    words = {slot: rng.choice(values) for slot, values in source["slots"].items()}
    text = re.sub(r"\(([^()]*)\)", lambda match: rng.choice(match[1].split("|")), " ".join(parts))
    text = re.sub(r"\{(\w+)\}", lambda match: words[match[1]], text)
    text = re.sub("#", lambda match: str(rng.randrange(10)), text)
    return re.sub(r" +(?=[ .,?!)]|$)", "", text)  # blanks left by an empty choice


def _type(text, rng):
    """The text as somebody in a hurry types it."""
    if rng.random() < 0.45:
        words = text.split(" ")
        for _ in range(rng.randint(1, 1 + len(words) // 8)):
            i = rng.randrange(len(words))
            words[i] = _mistype(words[i], rng)
        text = " ".join(words)
    if rng.random() < 0.25:
        text = re.sub(r"[.,!?'](?!\d)", "", text)
    habit = rng.random()
    return text.lower() if habit < 0.35 else text.upper() if habit < 0.40 else text


def _mistype(word, rng):
    """The word with one slip: a letter dropped, doubled, swapped with the next, or a key beside."""
    if len(word) < 4 or not word.isalpha():
        return word
    i = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:i], word[i], word[i + 1 :]
    slip = rng.randrange(4)
    if slip == 0:
        return before + after
    if slip == 1:
        return before + letter * 2 + after
    if slip == 2:
        return before + after[0] + letter + after[1:]
    row = next((keys for keys in KEYBOARD if letter in keys), letter)
    at = row.index(letter)
    return before + rng.choice(row[max(0, at - 1) : at] + row[at + 1 : at + 2] or letter) + after


if __name__ == "__main__":
    write(sys.argv[1])
