"""Seeded mutations: valid recipes and data files, spoilt as people and disks spoil them."""

import copy
import gzip
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import yaml

# === Recipes ===

ODD = [
    None, True, False, 0, -1, 1, 3.5, 1e308, -1e-308, float("nan"), float("inf"), 10**30, -(2**63),
    "", " ", "x", "a\nb", "\u202eabc", "\U0001f600", "é" * 300, "../..", "~", "/dev/null", "*",
    "[", "{}", "1e-3", "on", "null", "\0", "hf_" + "a" * 30, "train.csv", "minilm", "utf-16",
    "\ufeff", [], [[]], [None], ["a", 1], [1, "1"], {}, {"a": {}}, {"": 1}, {"text": "label"},
    {1: 2}, {None: 1}, {True: 1}, list(range(100)), {"train": 1},
]  # fmt: skip
LINES = [
    "&a [1]", "*a", "<<: {a: 1}", "\tx: 1", "? [a]\n: 1", "!!python/object:os.system {}", "!x y",
    "task: a", "on: 1", "no: 2", "1: 2", "null: 3", "2020-01-01: 1", "d: 2020-01-01",
    "t: 12:30:45", "d: 2020-99-99", "n: .nan", "n: .inf", "n: 0x_", "n: 0b", "n: 1_000", "n: 0o7",
    "b: !!binary =x", "s: !!set {a, b}", "x: [", "x: {", "x: 'a", 'x: "\\xZZ"', "- a", "---\na: 1",
    "...", "%YAML 9", "x: |\n y", "x: >-\n", "[a, b]: c", "{a: b}: c", "? ", ": ", "\u2028",
    "\ufeff", "a: b: c", "train: {epochs: 1, epochs: 2}", "data: {train: [train.csv], train: x}",
    "o: !!omap [a: 1]", "i: !!int x", "f: !!float x", "b: !!bool x", "n: !!null x",
    "ts: !!timestamp x", "=: 1", "x: =", "i: 0b102", "i: 1:99:1e", "x: " + "[" * 2000,
    "x: !!int ''", "x: !!float ''", "x: 1__:2",
]  # fmt: skip


def places(value, path=()):
    """Every path into nested dictionaries and lists."""
    if path:
        yield path
    items = enumerate(value) if isinstance(value, list) else getattr(value, "items", list)()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutate_recipe(recipe, random):
    """A recipe's YAML, as bytes, with one to three things about it changed.

    Args:
        recipe: a dictionary.
        random: `random.Random`.
    """
    recipe = copy.deepcopy(recipe)
    for _ in range(random.randint(0, 2)):
        _change(recipe, random)
    if random.random() < 0.05:
        recipe = random.choice(ODD)
    text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=random.random() < 0.5)
    if random.random() < 0.4:
        lines = text.splitlines()
        indent = " " * random.choice([0, 0, 2, 4])
        lines.insert(random.randint(0, len(lines)), indent + random.choice(LINES))
        text = "\n".join(lines) + "\n"
    content = text.encode("utf-8", "surrogatepass")
    return mutate_bytes(content, random) if random.random() < 0.2 else content


def _change(recipe, random):
    """Replaces, removes, adds, renames or wraps one value."""
    there = list(places(recipe))
    if not there:
        return
    *parents, key = random.choice(there)
    section = recipe
    for parent in parents:
        section = section[parent]
    kind = random.randint(0, 4)
    if kind == 0:
        del section[key]
    elif kind == 1:
        section[key] = [section[key]] if random.random() < 0.5 else {"a": section[key]}
    elif kind == 2 and isinstance(section, dict):
        odd = random.choice(
            ["x", "", "a\nb", "Train", "trian", "é", 1, 1.5, None, True, "a.b", "task"]
        )
        section[odd] = section.pop(key) if random.random() < 0.5 else random.choice(ODD)
    else:
        section[key] = copy.deepcopy(random.choice(ODD))


# === Data files ===

BLANK = "\t_"  # a column of CoNLL-U that says nothing


def files(rows):
    """Name → bytes of the same valid rows in every format that the data layer reads.

    Args:
        rows: dictionaries with `text` and `label`.
    """
    text, label = [row["text"] for row in rows], [row["label"] for row in rows]
    pairs = list(zip(text, label, strict=True))
    table = pa.table({"text": text, "label": label})
    parquet, arrow, npz = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pa.parquet.write_table(table, parquet)
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    images = np.arange(len(rows) * 64, dtype=np.uint8).reshape(-1, 8, 8)
    np.savez(npz, images=images, labels=np.arange(len(rows)) % 2)
    csv = "text,label\n" + "".join(f'"{one}",{name}\n' for one, name in pairs)
    written = {
        "a.csv": csv,
        "a.tsv": "text\tlabel\n" + "".join(f"{one}\t{name}\n" for one, name in pairs),
        "a.json": json.dumps({"data": rows}),
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "a.txt": "\n".join(text),
        "a.conll": "\n".join(f"{one.split()[0]} O\nfilm B-{name}\n" for one, name in pairs),
        "a.conllu": "\n".join(f"1\t{one.split()[0]}\t_\tNOUN{BLANK * 6}\n" for one in text),
    }
    return {name: content.encode() for name, content in written.items()} | {
        "a.csv.gz": gzip.compress(csv.encode(), mtime=0),
        "a.parquet": parquet.getvalue(),
        "a.arrow": arrow.getvalue(),
        "a.npz": npz.getvalue(),
    }


PIECES = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\r", b"\r\n",
    b"\n\n", b'"', b'""', b",", b",,", b"\t", b"{", b"}", b"[", b"]", b"null", b"NaN", b"-1",
    b"1e999", b"\\ud800", b"# ", b"\x1a", b"\xe2\x80\xa8", b'{"text": 1}\n', b'{"text": []}\n',
    b"{}\n", b"[]\n", b"1-2\t", b"0", b"99999999999999999999", b'{"data": []}', b'"text": {}, ',
    "\u202e".encode(), b"PAR1", b"ARROW1", b"PK\x03\x04", b"\x1f\x8b",
]  # fmt: skip
ENCODINGS = ("latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252")


def mutate_bytes(content, random):
    """Bytes with one to four of them, or of their lines, changed.

    Args:
        content: bytes.
        random: `random.Random`.
    """
    for _ in range(random.randint(1, 4)):
        content = random.choice(
            [_flip, _flip, _cut, _drop, _insert, _insert, _repeat, _swap, _long, _recode, _newlines]
        )(content, random)
    return content


def _flip(content, random):
    content = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 8, 64]) if content else 0):
        content[random.randrange(len(content))] = random.randrange(256)
    return bytes(content)


def _cut(content, random):
    return content[: random.randint(0, len(content))]


def _drop(content, random):
    start = random.randint(0, len(content))
    return content[:start] + content[start + random.choice([1, 2, 10, 100]) :]


def _insert(content, random):
    place = random.choice([0, len(content), random.randint(0, len(content))])
    return content[:place] + random.choice(PIECES) + content[place:]


def _repeat(content, random):
    start = random.randint(0, len(content))
    part = content[start : start + random.choice([1, 20, 500])]
    return content[:start] + part * random.randint(2, 5) + content[start:]


def _swap(content, random):
    lines = content.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _long(content, random):
    place = random.randint(0, len(content))
    return (
        content[:place]
        + random.choice([b"x", b"\n", b'"', b" ", b"[", b","]) * 50_000
        + content[place:]
    )


def _recode(content, random):
    return content.decode("utf-8", "replace").encode(random.choice(ENCODINGS), "replace")


def _newlines(content, random):
    return content.replace(b"\n", random.choice([b"\r\n", b"\r", b"\n\r", b"\x85", b"\0\n"]))
