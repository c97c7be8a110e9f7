"""Toy rows for token_classification: stories and films are things, or every word has its kind."""

OPTIONS = {"options.max_length": 16}
SENTENCES = [
    ("a warm and funny story .", "O B-thing I-thing I-thing I-thing O",
     "DET ADJ CONJ ADJ NOUN PUNCT"),
    ("I would see it again .", "O O O O O O", "PRON VERB VERB PRON ADV PUNCT"),
    ("dull bad film , tired story", "B-thing I-thing I-thing O B-thing I-thing",
     "ADJ ADJ NOUN PUNCT ADJ NOUN"),
    ("great lovely film ?", "O B-thing I-thing O", "ADJ ADJ NOUN PUNCT"),
]  # fmt: skip


def rows(name=None, count=18):
    column = 2 if name == "token_classification/universal_pos" else 1
    found = []
    for index in range(count):
        sentence = SENTENCES[index % len(SENTENCES)]
        tokens, tags = sentence[0].split(), sentence[column].split()
        number = ("NUM" if column == 2 else "O",) * (index % 3)
        found.append({"tokens": [*tokens, *([str(index)] * len(number))], "tags": [*tags, *number]})
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
