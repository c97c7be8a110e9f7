"""Tokenizers that exist only as sentencepiece files."""

import io
import json

import pytest

from tfhf.errors import UserError
from tfhf.models import Source, load_tokenizer

ENGLISH = ["the cat sits on the mat", "a dog runs in the park", "the dog sits"] * 5
GERMAN = ["die katze sitzt auf der matte", "ein hund läuft im park", "der hund sitzt"] * 5


def pieces(path, texts):
    """Trains a sentencepiece model, writes it and returns its pieces without the special ones."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=written,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path.write_bytes(written.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [model.id_to_piece(index) for index in range(3, model.get_piece_size())]


@pytest.fixture(scope="module")
def marian(tmp_path_factory):
    """A folder as Marian's on the Hub: two sentencepiece models and one vocabulary."""
    folder = tmp_path_factory.mktemp("marian")
    found = pieces(folder / "source.spm", ENGLISH) + pieces(folder / "target.spm", GERMAN)
    entries = ["</s>", "<unk>", *dict.fromkeys(found), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(entries)}))
    config = {
        "model_type": "marian",
        "vocab_size": len(entries),
        "pad_token_id": len(entries) - 1,
        "max_position_embeddings": 32,
    }
    (folder / "config.json").write_text(json.dumps(config))
    settings = {"source_lang": "en", "target_lang": "de", "tokenizer_class": "MarianTokenizer"}
    settings["source_spm"] = "/etc/hostname"  # is not followed
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_a_family_without_a_fast_tokenizer(marian, tmp_path):
    tokenizer = load_tokenizer(Source(marian, "marian"))
    assert not tokenizer.is_fast
    source, target = tokenizer("the cat"), tokenizer(text_target="die katze läuft")
    assert source.input_ids[-1] == target.input_ids[-1] == tokenizer.eos_token_id == 0
    assert tokenizer.decode(target.input_ids, skip_special_tokens=True) == "die katze läuft"
    assert (tokenizer.model_max_length, tokenizer.pad_token) == (32, "<pad>")

    tokenizer.save_pretrained(tmp_path)
    assert "hostname" not in (tmp_path / "tokenizer_config.json").read_text()
    (tmp_path / "config.json").write_bytes((marian / "config.json").read_bytes())
    again = load_tokenizer(Source(tmp_path, "again"))
    assert again("the cat").input_ids == source.input_ids


def test_marian_reads_punctuation_as_it_is(marian, monkeypatch):
    # Its tokenizer can normalise punctuation, where sacremoses is there, but never does.
    text = "“the cat” – it’s „fine“ … «yes» ( a )"
    tokenizer, plain = (load_tokenizer(Source(marian, "marian")) for _ in range(2))
    assert tokenizer.normalize(text) != text
    monkeypatch.setattr(plain, "punc_normalizer", lambda text: text)
    for given in ({"text": text}, {"text_target": text}):
        assert plain(**given).input_ids == tokenizer(**given).input_ids


def test_a_family_whose_tokenizer_needs_sacremoses(tmp_path):
    entries = [
        "<s>",
        "</s>",
        "<pad>",
        "<unk>",
        "<special1>",
        "the</w>",
        "cat</w>",
        "c",
        "a",
        "t</w>",
    ]
    entries += ["t", "h", "e</w>"]
    (tmp_path / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(entries)}))
    (tmp_path / "merges.txt").write_text("t h 9\nth e</w> 8\nc a 7\nca t</w> 6\n")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "xlm", "vocab_size": 32}))
    tokenizer = load_tokenizer(Source(tmp_path, "xlm"))
    assert tokenizer.tokenize("The cat") == ["the</w>", "cat</w>"]


def test_a_fast_tokenizer_from_sentencepiece_alone(shared, tmp_path):
    from transformers import AutoTokenizer

    folder = shared / "checkpoints" / "tokenizers" / "t5"
    (tmp_path / "spiece.model").write_bytes((folder / "spiece.model").read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "t5", "vocab_size": 32128}')
    tokenizer = load_tokenizer(Source(tmp_path, "t5"))
    assert tokenizer.is_fast
    text = "Hello there, wörld"
    assert tokenizer(text).input_ids == AutoTokenizer.from_pretrained(folder)(text).input_ids


def test_a_slow_tokenizer_of_a_family_with_a_fast_one(tmp_path, tiny_tokenizer, monkeypatch):
    from transformers import AutoTokenizer, BertTokenizer

    tiny_tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    slow = BertTokenizer.from_pretrained(tmp_path)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: slow)
    with pytest.raises(UserError) as caught:
        load_tokenizer(Source(tmp_path, "slow"))
    assert str(caught.value) == "model: slow has no fast tokenizer (no tokenizer.json)"
