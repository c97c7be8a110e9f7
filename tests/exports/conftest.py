"""WordPiece tokenizers over a small vocabulary that still holds every kind of character."""

import string

import pytest

SPECIALS = "[PAD] [UNK] [CLS] [SEP] [MASK]"
WORDS = """
the great film fil film un believ unbeliev able naive cafe re sume istanbul strasse straße
don stop believing really hash tag word words super cali fragilistic joiner over 1 000 14
résumé café naïve Straße The Film İ i̇
"""
PIECES = "ing able ly s um ume ed fi ilm believable zer ation 00 4 ß é ü 東 中 á"
CHARACTERS = [
    *(string.ascii_letters + string.digits + "éüßöçığſ½²αβγάὀאבעहिद์เ한국\u1112\u1161\u11ab\u302e"),
    *(
        string.punctuation
        + "…—“”。、・¿€"
        + "東京豈の❤👍\ufe0f\u200d\u0301\u0307\u0323\u00ad\ufffd"
    ),
]


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory):
    """Path of a vocab.txt; half of the characters also occur as continuations."""
    continuations = [*PIECES.split(), *CHARACTERS[: len(CHARACTERS) // 2], *CHARACTERS[-9:]]
    entries = [*SPECIALS.split(), *WORDS.split(), *CHARACTERS]
    entries += [f"##{piece}" for piece in continuations]
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(entries)), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def uncased(vocabulary):
    from transformers import BertTokenizerFast

    return BertTokenizerFast(vocabulary)


@pytest.fixture(scope="session")
def uncased_in_graph(uncased):
    from tfhf.exports.tokenizers import in_graph

    return in_graph(uncased)
