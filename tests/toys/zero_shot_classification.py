"""Toy rows for zero_shot_classification: pairs, as an entailment model learns from them."""

OPTIONS = {"options.max_length": 32}
LABELS = ["entailment", "neutral", "contradiction"]
TEXTS = ["a warm and funny story", "a cold and tired story", "great film"]


def rows(name=None, count=18):
    return [
        {
            "text": f"{TEXTS[index % 3]}, number {index}.",
            "text_pair": TEXTS[index // 3 % 3],
            "label": LABELS[index % 3],
        }
        for index in range(count)
    ]


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
