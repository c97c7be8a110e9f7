"""Toy rows for multiple_choice: the right choice speaks of what the premise speaks of."""

from tfhf.recipe import Recipe

OPTIONS = {"options.max_length": 24}
FACTS = [
    ("a warm story", "I would see it again"),
    ("a cold story", "I would not see it again"),
    ("a lovely film", "great and funny"),
    ("a dull film", "bad and tired"),
]


def rows(name=None, count=18):
    """Two choices a row, and as many more as the recipe has columns for."""
    columns = Recipe.load(name).data.columns.get("choices") if name else None
    more = [f"nothing, number {number}" for number in range(2, len(columns))] if columns else []
    found = []
    for index in range(count):
        premise, right = FACTS[index % 4]
        wrong = FACTS[(index + 1) % 4][1]
        choices = [right, wrong] if index % 3 else [wrong, right]
        found.append(
            {
                "premise": f"{premise}, number {index}.",
                "question": ("cause", "effect")[index % 2],
                "choices": choices + more,
                "label": choices.index(right),
            }
        )
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
