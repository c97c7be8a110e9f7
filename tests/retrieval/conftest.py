"""Documents of all kinds, and an embedder that counts words in place of a model."""

import re

import numpy as np
import pytest

GUIDE = """---
title: not a heading
---
Welcome to the shop.

# Returns

You may return a parcel within thirty days. Keep the receipt!

## Refunds

Refunds take five days. They go to the card that was charged.

```
# no heading: code
```

Delivery
--------

Parcels are sent by train. Is it late? Ask us.
"""


def pdf(pages):
    """The bytes of a PDF file with one line of text on each page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET"
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 900 200] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> "
            ">> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    body += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n"
    return (
        body + f"<< /Root 1 0 R /Size {size} >>\nstartxref\n{body.find('xref')}\n%%EOF"
    ).encode()


@pytest.fixture
def documents(tmp_path):
    """A folder with a text, a Markdown and a PDF file."""
    folder = tmp_path / "documents"
    (folder / "inner").mkdir(parents=True)
    (folder / "guide.md").write_text(GUIDE, encoding="utf-8")
    (folder / "inner" / "note.txt").write_bytes(
        "\ufeffCafé opens at nine.\r\n\r\nIt closes late.".encode()
    )
    (folder / "plan.pdf").write_bytes(pdf(["Gold is stored in Paris.", "Silver is in Rome."]))
    (folder / "left-out.csv").write_text("a,b\n")
    return folder


class WordCounts:
    """An embedder without a model: vectors count words, by a number drawn from each word."""

    name, width, max_length = "word counts", 64, 32
    query_prefix = passage_prefix = ""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, texts):
        vectors = np.zeros((len(list(texts)), self.width), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                vector[sum(map(ord, word)) % self.width] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    queries = passages = __call__


@pytest.fixture
def embedder(tiny_tokenizer):
    return WordCounts(tiny_tokenizer)
