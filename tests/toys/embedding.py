"""Toy rows for embedding: pairs with scores, or anchors with their positives."""

from tests.conftest import toy_rows
from tfhf.recipe import Recipe

OPTIONS = {"options.max_length": 16}


def rows(name):
    recipe = Recipe.load(name)
    if recipe.options["loss"] in ("cosine", "cosent"):
        return scored()
    if "negative" in recipe.data.columns:  # one, as in the set
        return [row | {"negative": row["negative"][0]} for row in anchored()]
    return anchored()


def scored(count=18):
    """Two texts and how alike they are, from 0 to 1."""
    texts = [row["text"] for row in toy_rows(count)]
    return [
        {
            "text": text,
            "text_pair": f"{'number ' * (index % 4)}{index} {texts[index * 5 % count]}",
            "score": index / (count - 1),
        }
        for index, text in enumerate(texts)
    ]


def anchored(count=18):
    """Anchors, their positives (some shared by two rows), and one hard negative or two."""
    found = []
    for index, row in enumerate(toy_rows(count)):
        negative = [f"story {index + 1} is cold"]
        found.append(
            {
                "anchor": row["text"],
                "positive": f"story {index // 2} is warm and funny",
                "negative": negative * (1 + index % 2),
            }
        )
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
