import csv
import json
import random
import re
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from transformers import (
    AddedToken,
    AutoTokenizer,
    BertTokenizerFast,
    DistilBertTokenizerFast,
    ElectraTokenizerFast,
    PreTrainedTokenizerFast,
)

from tfhf.errors import UserError
from tfhf.exports.tokenizers import in_graph
from tfhf.exports.tokenizers.comparison import HARD_TEXTS, differences

HARD = list(HARD_TEXTS)


def random_texts(count, seed=0):
    """Texts of assigned code points: anything, or mostly Latin, marks, controls and spaces."""
    rng = random.Random(seed)
    pools = [
        [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")],
        range(0x20, 0x7F),
        range(0x300, 0x370),
        range(0xC0, 0x250),
        [*range(0x21), 0x85, 0xA0, 0x3000],
    ]
    weights = [(1, 0, 0, 0, 0), (1, 5, 1, 3, 1), (1, 2, 2, 2, 1), (0, 8, 1, 2, 1)]
    texts = []
    for _ in range(count):
        chosen = rng.choices(pools, rng.choice(weights), k=rng.randrange(80))
        text = "".join(chr(rng.choice(pool)) for pool in chosen)
        texts.append(text + rng.choice(["", "", " [MASK]", "[SEP]the"]))
    return texts


def shifted(texts):
    return texts[1:] + texts[:1]


def assert_equal_ids(graph_tokenizer, tokenizer, texts, pairs=None, **options):
    wrong = differences(graph_tokenizer, tokenizer, texts, pairs, **options)
    assert [texts[row] for row in wrong] == []


def test_hard_and_random_texts(uncased, uncased_in_graph):
    texts = HARD + random_texts(500)
    assert_equal_ids(uncased_in_graph, uncased, texts, max_length=512)


@pytest.mark.parametrize("max_length", [4, 17, 64])
def test_pairs_are_cut_longest_first(uncased, uncased_in_graph, max_length):
    texts = HARD + random_texts(100)
    assert_equal_ids(uncased_in_graph, uncased, texts, shifted(texts), max_length=max_length)


@pytest.mark.parametrize(
    "options",
    [
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"strip_accents": False, "tokenize_chinese_chars": False},
        {"do_lower_case": False, "clean_text": False, "tokenize_chinese_chars": False},
    ],
)
def test_configurations(vocabulary, options):
    tokenizer = ElectraTokenizerFast(vocabulary, **options)
    texts = HARD + random_texts(300, seed=1)
    assert_equal_ids(in_graph(tokenizer), tokenizer, texts, max_length=200)


def test_only_what_the_model_takes(vocabulary):
    tokenizer = DistilBertTokenizerFast(vocabulary)
    found = in_graph(tokenizer)(tf.constant(["the film"]), max_length=8)
    assert list(found) == ["input_ids", "attention_mask"]
    assert found["input_ids"].dtype == tf.int32


def test_added_tokens_and_split_special_tokens(vocabulary):
    tokenizer = BertTokenizerFast(vocabulary)
    tokenizer.add_tokens([AddedToken("<Film>", normalized=False), AddedToken(" a+b", lstrip=True)])
    tokenizer.add_tokens([AddedToken("über", normalized=False, lstrip=True, rstrip=True)])
    with pytest.raises(UserError, match=re.escape("' a+b'")):
        in_graph(tokenizer)

    tokenizer = BertTokenizerFast(vocabulary, split_special_tokens=True)
    assert_equal_ids(in_graph(tokenizer), tokenizer, HARD, max_length=64)

    tokenizer = BertTokenizerFast(vocabulary)
    tokens = ["<Film>", "a+b (c)", "\\d", "\U0010fffdü\n", "[", "東"]
    tokenizer.add_tokens(
        [AddedToken(token, normalized=False, lstrip=True, rstrip=True) for token in tokens[:4]]
    )
    texts = [*HARD, *(f"the{token}film {token} ing" for token in tokens), "a+b (c\\d)<Film", "\\dd"]
    assert_equal_ids(in_graph(tokenizer), tokenizer, texts, max_length=64)


def test_malformed_utf8_reads_as_replacement_characters(uncased, uncased_in_graph):
    texts = [b"film\xff\xfe s", b"\xc3", b"the\xed\xa0\x80film", b"ok"]
    found = uncased_in_graph(tf.constant(texts), max_length=16)["input_ids"]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    assert found.numpy().tolist() == uncased(decoded, padding=True)["input_ids"]


def test_no_rows_and_no_tokens(tiny_tokenizer, uncased_in_graph):
    none = uncased_in_graph(tf.zeros([0], tf.string), max_length=8)
    assert none["input_ids"].shape == (0, 1)
    without_specials = BertTokenizerFast(tokenizer_object=tiny_tokenizer.backend_tokenizer)
    without_specials.backend_tokenizer.post_processor = None
    blank = in_graph(without_specials)(tf.constant(["", " "]), max_length=8)
    assert blank["attention_mask"].numpy().tolist() == [[0], [0]]


def test_padding_on_the_left(vocabulary):
    tokenizer = BertTokenizerFast(vocabulary, padding_side="left")
    texts = HARD[:12]
    assert_equal_ids(in_graph(tokenizer), tokenizer, texts, shifted(texts), max_length=32)


def test_places_and_words_of_tokens(uncased, uncased_in_graph):
    texts = HARD + random_texts(200, seed=2)
    found = uncased_in_graph.tokenize_with_offsets(tf.constant(texts))
    encoded = uncased(texts, add_special_tokens=False, verbose=False)
    for row, encoding in enumerate(encoded.encodings):
        assert found.ids[row].numpy().tolist() == encoding.ids, texts[row]
        places = zip(found.starts[row].numpy(), found.ends[row].numpy(), strict=True)
        assert [tuple(place) for place in places] == encoding.offsets, texts[row]
        assert np.diff(found.words[row]).tolist() == (
            np.diff(np.unique(encoding.word_ids, return_inverse=True)[1]).tolist()
        ), texts[row]


@pytest.mark.parametrize("cleans", [True, False])
def test_texts_of_tokens(vocabulary, cleans):
    tokenizer = BertTokenizerFast(vocabulary, clean_up_tokenization_spaces=cleans)
    ids = tokenizer(HARD, truncation=True, max_length=64, padding=True)["input_ids"]
    rng = random.Random(0)
    ids += [[rng.randrange(len(tokenizer)) for _ in ids[0]] for _ in range(100)]
    graph = in_graph(tokenizer)
    assert graph.detokenize(tf.constant([[len(tokenizer) + 5, -1]])).numpy().tolist() == [b""]
    written = graph.detokenize(tf.constant(ids)).numpy()
    expected = tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert [text.decode() for text in written] == expected


def test_max_length_without_room(uncased_in_graph):
    with pytest.raises(ValueError, match="^max_length must leave room for text. Received: 2$"):
        uncased_in_graph(tf.constant(["the"]), max_length=2)


def changed(vocabulary, **parts):
    """A tokenizer with parts of its backend replaced."""
    tokenizer = BertTokenizerFast(vocabulary)
    for name, part in parts.items():
        setattr(tokenizer.backend_tokenizer, name, part)
    return tokenizer


def test_refusals(vocabulary, tmp_path):
    from tokenizers import Tokenizer, models, normalizers, processors

    def added(*tokens):
        tokenizer = BertTokenizerFast(vocabulary)
        tokenizer.add_tokens(list(tokens))
        return tokenizer

    marks = tmp_path / "vocab.txt"
    marks.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\u302e\n\ua953", encoding="utf-8")
    unknown = models.WordPiece({"[PAD]": 0, "a": 1}, unk_token="[UNK]")
    bpe = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    stem = "this tokenizer cannot be exported: "
    cases = {
        "PreTrainedTokenizerFast cannot be exported: supported are BPE tokenizers with a ByteLevel "
        "pre_tokenizer and decoder and no normalizer; received pre_tokenizer None": bpe,
        "BertTokenizerFast cannot be exported: supported are WordPiece tokenizers with "
        "BertNormalizer and BertPreTokenizer; received normalizer Lowercase": changed(
            vocabulary, normalizer=normalizers.Lowercase()
        ),
        "BertTokenizerFast cannot be exported: its unknown token '[UNK]' is not in its "
        "vocabulary": changed(vocabulary, model=unknown),
        stem + "add the token 'Filme' with normalized=False; received normalized=True": added(
            "Filme"
        ),
        stem + "add the token 'Filme' with single_word=False; received single_word=True": added(
            AddedToken("Filme", normalized=False, single_word=True)
        ),
        stem + "two of its special tokens can overlap in a text; rename one of them; "
        "received '<a><' and '<b>'": added(
            AddedToken("<a><", normalized=False), AddedToken("<b>", normalized=False)
        ),
        stem + "set its truncation_side to 'right'; received 'left'": BertTokenizerFast(
            vocabulary, truncation_side="left"
        ),
        stem + "its post-processor must be TemplateProcessing, BertProcessing, RobertaProcessing "
        "or ByteLevel; received Sequence": changed(
            vocabulary,
            post_processor=processors.Sequence([processors.ByteLevel()]),
        ),
        stem + "it has no padding token": BertTokenizerFast(vocabulary, pad_token=None),
        stem + "its normaliser reorders the marks U+302E and U+A953, both in its vocabulary; "
        "use a vocabulary without one of them": BertTokenizerFast(str(marks)),
    }
    for line, tokenizer in cases.items():
        with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
            in_graph(tokenizer)


def strings(value):
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def shared_texts(folder):
    """All distinct strings of all data sets, sorted."""
    texts = set()
    for path in sorted(folder.glob("*/*")):
        if path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                texts.update(strings(json.loads(line)))
        elif path.suffix in (".csv", ".tsv"):
            separator = "\t" if path.suffix == ".tsv" else ","
            with path.open(encoding="utf-8", newline="") as file:
                texts.update(strings(list(csv.reader(file, delimiter=separator))))
        elif path.suffix == ".txt":
            texts.update(path.read_text(encoding="utf-8").split("\n\n"))
    return sorted(texts)


@pytest.fixture(scope="session")
def bert_uncased(shared):
    return AutoTokenizer.from_pretrained(shared / "checkpoints/tokenizers/bert-base-uncased")


@pytest.fixture(scope="session")
def bert_uncased_in_graph(bert_uncased):
    return in_graph(bert_uncased)


def test_real_vocabulary_on_some_real_texts(shared, bert_uncased, bert_uncased_in_graph):
    texts = HARD + random_texts(200, seed=2)
    for name in ("sst2/validation", "go_emotions/validation", "multi30k_en_de/validation"):
        lines = (shared / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        texts += [text for line in lines[:200] for text in strings(json.loads(line))]
    assert_equal_ids(bert_uncased_in_graph, bert_uncased, texts, max_length=128)


@pytest.mark.slow
@pytest.mark.parametrize("cased", [False, True])
def test_real_vocabulary_on_all_real_texts(shared, bert_uncased, bert_uncased_in_graph, cased):
    tokenizer, graph_tokenizer = bert_uncased, bert_uncased_in_graph
    if cased:
        vocabulary = shared / "checkpoints/tokenizers/bert-base-uncased/vocab.txt"
        tokenizer = BertTokenizerFast(str(vocabulary), do_lower_case=False, strip_accents=None)
        graph_tokenizer = in_graph(tokenizer)
    texts = shared_texts(shared / "data")
    random_pairs = random_texts(5000)
    for batch, pairs, max_length in (
        (texts, None, 512),
        (random_pairs, None, 512),
        (random_pairs, shifted(random_pairs), 32),
    ):
        options = {"max_length": max_length, "batch_size": 256}
        assert_equal_ids(graph_tokenizer, tokenizer, batch, pairs, **options)
