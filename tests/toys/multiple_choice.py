"""Toy rows for multiple_choice: the right choice speaks of what the premise speaks of."""

OPTIONS = {"options.max_length": 24}
FACTS = [
    ("a warm story", "I would see it again"),
    ("a cold story", "I would not see it again"),
    ("a lovely film", "great and funny"),
    ("a dull film", "bad and tired"),
]


def rows(name=None, count=18):
    found = []
    for index in range(count):
        premise, right = FACTS[index % 4]
        wrong = FACTS[(index + 1) % 4][1]
        choices = [right, wrong] if index % 3 else [wrong, right]
        found.append(
            {
                "premise": f"{premise}, number {index}.",
                "question": ("cause", "effect")[index % 2],
                "choices": choices,
                "label": choices.index(right),
            }
        )
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
