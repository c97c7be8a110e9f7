"""What `tfhf tokenize` shows. No TensorFlow."""

import pytest
from click.testing import CliRunner

from tests.conftest import toy_rows
from tfhf import models, tokenization
from tfhf.cli import main


@pytest.fixture(scope="module")
def wordpiece(tiny_tokenizer, tmp_path_factory):
    """A folder that holds the tiny WordPiece tokenizer and nothing else."""
    folder = tmp_path_factory.mktemp("wordpiece")
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bytepair(tmp_path_factory):
    """A folder that holds a byte-level tokenizer with few merges."""
    folder = tmp_path_factory.mktemp("bytepair")
    models.train_tokenizer("bpe", [row["text"] for row in toy_rows()], 300).save_pretrained(folder)
    return folder


def shown(*arguments):
    found = CliRunner().invoke(main, ["tokenize", *map(str, arguments)])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_a_pair(wordpiece, tiny_tokenizer):
    ids = tiny_tokenizer.convert_tokens_to_ids(["a", "great", "!", "dull"])
    rows = [
        ("token", "id", "type", "mask", "from", "to", "text"),
        ("[CLS]", 2, 0, 1),
        ("a", ids[0], 0, 1, 0, 1, "'A'"),
        ("great", ids[1], 0, 1, 2, 7, "'great'"),
        ("[UNK]", 1, 0, 1, 8, 9, "'Ω'"),
        ("!", ids[2], 0, 1, 9, 10, "'!'"),
        ("[SEP]", 3, 0, 1),
        ("dull", ids[3], 1, 1, 0, 4, "'dull'"),
        ("[SEP]", 3, 1, 1),
    ]
    lines = shown(wordpiece, "A great Ω!", "--pair", "dull").splitlines()
    assert [tuple(line.split()) for line in lines[:9]] == [tuple(map(str, row)) for row in rows]
    assert len({line.index("'") for line in lines[2:6]}) == 1  # the columns are aligned
    assert lines[9:] == [
        "",
        f"{wordpiece}: WordPiece, 8 tokens, 1 of them unknown",
        "  decoded: 'a great! dull'",
    ]


def test_ids_and_places_are_the_tokenizers(wordpiece, tiny_tokenizer):
    text, pair = "a warm story", "I would"
    tokens, facts = tokenization.tokenize(wordpiece, text, pair)
    wanted = tiny_tokenizer(text, pair, return_offsets_mapping=True)
    assert [one.id for one in tokens] == wanted["input_ids"]
    assert [one.type for one in tokens] == wanted["token_type_ids"]
    assert [one.span or (0, 0) for one in tokens] == wanted["offset_mapping"]
    assert facts["decoded"] == tiny_tokenizer.decode(wanted["input_ids"], skip_special_tokens=True)


def test_two_models_side_by_side(wordpiece, bytepair):
    text = "a dull Ω"
    both = shown(wordpiece, text, "--against", bytepair).splitlines()
    assert both[0].split() == [str(wordpiece), str(bytepair)]
    left, right = zip(*(line.split(" |") for line in both[1:] if " |" in line), strict=True)
    one, two = (tokenization.tokenize(folder, text)[0] for folder in (wordpiece, bytepair))
    assert [line.split()[0] for line in left[1:] if line.strip()] == [token.token for token in one]
    pairs = tokenization.beside(one, two)
    assert [token for token, _ in pairs if token] == one
    assert [token for _, token in pairs if token] == two
    together = [(a, b) for a, b in pairs if a and b]
    assert together and all(a.place == b.place for a, b in together)
    assert len(right) == len(pairs) + 1
    assert "  decoded: 'a dull Ω'" in both


def test_a_text_longer_than_the_model_reads(wordpiece):
    assert "\n  the model reads the first 32 of them\n" in shown(wordpiece, "dull " * 40)


def test_what_cannot_be_printed_is_written_out(tmp_path):
    models.train_tokenizer("characters", ["ab"]).save_pretrained(tmp_path)
    lines = shown(tmp_path, "a\nb").splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["a", "\\n", "b"]


def test_no_tokenizer(tmp_path):
    found = CliRunner().invoke(main, ["tokenize", str(tmp_path), "dull"])
    assert found.exit_code == 2
    assert found.stderr == f"tfhf: model: no tokenizer in {tmp_path} (want tokenizer.json)\n"


@pytest.mark.parametrize("name", ["bert-base-uncased", "gpt2", "t5"])
def test_real_tokenizers(shared, name):
    tokens, facts = tokenization.tokenize(
        shared / "checkpoints/tokenizers" / name, "Über 3 parcels"
    )
    assert facts["unknown"] == 0
    places = {token.span: token.text for token in tokens if token.span}  # Ü is two bytes to GPT-2
    assert "".join(places.values()).replace(" ", "") == "Über3parcels"
