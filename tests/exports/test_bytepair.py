import json
import random
import re

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    BartTokenizerFast,
    GPT2TokenizerFast,
    PreTrainedTokenizerFast,
    RobertaTokenizerFast,
)

from tests.exports.test_wordpiece import (
    HARD,
    assert_equal_ids,
    random_texts,
    shared_texts,
    shifted,
    strings,
)
from tfhf.errors import UserError
from tfhf.exports.tokenizers import in_graph
from tfhf.exports.tokenizers.merging import Merges
from tfhf.models.new_tokenizers import train_tokenizer

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORDS = """
It's we'd they'll I've you're I'm can't DON'T 'tis o'clock rock'n'roll 's's ''s '''re 'll'll 'LL
a's'st a 's a  's a\t's a\n\n's 's 1's ½'s é's e\u0301's .'s 's. ' s '\u2019s '\ud55c 'v 'r 'e 'ver
"""
BLANKS = "\t\n\v\f\r\x1c\x1f \x85\xa0\u1680\u180e\u2000\u200a\u200b\u2028\u2029\u202f\u205f\u3000"
TEXTS = [
    *HARD,
    *WORDS.split("\n"),
    *(f"a{blank}b{blank}{blank}c {blank}d{blank} 1{blank}!\n{blank}" for blank in BLANKS),
    *(f"{blank}'s{blank}" for blank in BLANKS),
    *(f"x{blank}<mask>{blank}{blank}<mask>{blank}y" for blank in BLANKS),
    "<s>a</s></s> b <pad>\n<unk> <mask><mask> <mask> . <mask>",
    " <mask>  <mask> ",
    "\U00100000 \U00100001<s>\U00100000<s> \U00100000\U00100001\U00100002 <\U00100000s>",
    "ab" * 300 + "ba" * 301 + "aaab" * 99,
    "naïve" * 200 + "東京" * 200,
]


def bpe(texts, size=700):
    """Vocabulary and merges of a BPE tokenizer of bytes."""
    model = json.loads(train_tokenizer("bpe", texts, size).backend_tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Paths of a vocab.json with RoBERTa's special tokens and of a merges.txt."""
    vocabulary, merges = bpe(TEXTS)
    vocabulary = [*SPECIALS, *(token for token in vocabulary if token not in SPECIALS)]
    folder = tmp_path_factory.mktemp("bytepair")
    numbered = {token: number for number, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(numbered), encoding="utf-8")
    lines = "\n".join(" ".join(merge) for merge in merges)
    (folder / "merges.txt").write_text(lines, encoding="utf-8")
    return {"vocab_file": str(folder / "vocab.json"), "merges_file": str(folder / "merges.txt")}


@pytest.fixture(scope="session")
def roberta(files):
    return RobertaTokenizerFast(**files)


@pytest.fixture(scope="session")
def roberta_in_graph(roberta):
    return in_graph(roberta)


@pytest.fixture(scope="session")
def gpt2(shared):
    tokenizer = AutoTokenizer.from_pretrained(shared / "checkpoints/tokenizers/gpt2")
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@pytest.fixture(scope="session")
def gpt2_in_graph(gpt2):
    return in_graph(gpt2)


def assert_equal_places(graph_tokenizer, tokenizer, texts):
    found = graph_tokenizer.tokenize_with_offsets(tf.constant(texts))
    encoded = tokenizer(texts, add_special_tokens=False, verbose=False)
    for row, encoding in enumerate(encoded.encodings):
        assert found.ids[row].numpy().tolist() == encoding.ids, texts[row]
        places = zip(found.starts[row].numpy(), found.ends[row].numpy(), strict=True)
        assert [tuple(place) for place in places] == encoding.offsets, texts[row]
        assert np.diff(found.words[row]).tolist() == np.diff(encoding.word_ids).tolist(), texts[row]


def assert_equal_texts(graph_tokenizer, tokenizer, ids):
    written = graph_tokenizer.detokenize(tf.constant(ids)).numpy()
    expected = tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert [text.decode() for text in written] == expected


def families(files):
    """Tokenizers that differ in what stands around and in front of the words."""
    end = {"eos_token": "</s>", "bos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    opt = GPT2TokenizerFast(**files, **end, add_bos_token=True)
    opt.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", pair="</s> $A $B:1", special_tokens=[("</s>", 2)]
    )
    return [
        GPT2TokenizerFast(**files, **end),
        GPT2TokenizerFast(**files, **end, add_prefix_space=True),
        opt,
        RobertaTokenizerFast(**files, add_prefix_space=True),
        RobertaTokenizerFast(**files, trim_offsets=False, padding_side="left"),
        BartTokenizerFast(**files, add_prefix_space=True, trim_offsets=False),
        RobertaTokenizerFast(**files, split_special_tokens=True),
    ]


@pytest.mark.parametrize(
    "number",
    [pytest.param(n, marks=pytest.mark.slow if n in (1, 3, 5) else []) for n in range(7)],
)
def test_families(files, number):
    tokenizer = families(files)[number]
    graph_tokenizer, texts = in_graph(tokenizer), TEXTS + random_texts(100)
    assert_equal_ids(graph_tokenizer, tokenizer, texts, max_length=512)
    assert_equal_ids(graph_tokenizer, tokenizer, texts, shifted(texts), max_length=17)
    assert_equal_places(graph_tokenizer, tokenizer, texts)


def test_hard_and_random_texts(roberta, roberta_in_graph):
    texts = TEXTS + random_texts(500)
    assert_equal_ids(roberta_in_graph, roberta, texts, max_length=512)
    assert_equal_places(roberta_in_graph, roberta, texts)


@pytest.mark.parametrize("cleans", [True, False])
def test_texts_of_tokens(files, cleans):
    tokenizer = RobertaTokenizerFast(**files, clean_up_tokenization_spaces=cleans)
    tokenizer.add_tokens(["Ġa é", "née", "東"])
    ids = tokenizer(TEXTS, truncation=True, max_length=64, padding=True)["input_ids"]
    rng = random.Random(0)
    ids += [[rng.randrange(len(tokenizer)) for _ in ids[0]] for _ in range(300)]
    single_bytes = [token for token in tokenizer.get_vocab().values() if 5 <= token < 263]
    ids += [rng.choices(single_bytes, k=len(ids[0])) for _ in range(300)]
    graph_tokenizer = in_graph(tokenizer)
    assert_equal_texts(graph_tokenizer, tokenizer, ids)
    ragged = tf.ragged.constant([ids[0], [], [5]], tf.int32)
    written = [text.decode() for text in graph_tokenizer.detokenize(ragged).numpy()]
    assert written == tokenizer.batch_decode([ids[0], [], [5]], skip_special_tokens=True)
    beyond = tf.constant([[-1, len(tokenizer), 50, len(tokenizer) + 99]])
    assert graph_tokenizer.detokenize(beyond).numpy()[0].decode() == tokenizer.decode([50])


def test_tokenizers_that_tfhf_trains():
    tokenizer = train_tokenizer("bpe", HARD, 400)
    texts = [*HARD, "<pad><eos> <mask>"]
    assert_equal_ids(in_graph(tokenizer), tokenizer, texts, max_length=512)
    assert_equal_texts(in_graph(tokenizer), tokenizer, tokenizer(HARD, padding=True)["input_ids"])


def test_added_tokens(files):
    strips = {"lstrip": True, "rstrip": True}
    for flags in ({}, {"lstrip": True}, {"rstrip": True}, strips):
        tokenizer = RobertaTokenizerFast(**files, add_prefix_space=True)
        tokenizer.add_tokens([AddedToken("<Film>", normalized=False, **flags)])
        tokenizer.add_tokens([AddedToken("a+b (c)", **flags), AddedToken("\\d", rstrip=True)])
        tokenizer.add_tokens([AddedToken("東", **strips), AddedToken("ü\n", special=True)])
        tokens = ["<Film>", "a+b (c)", "\\d", "東", "ü\n"]
        texts = [f"x{a}{one}{b}{other}{a} y" for a in ("", " ", " \n ") for b in ("", "\t ")
                 for one in tokens for other in ("<mask>", *tokens)]  # fmt: skip
        texts += ["<Film", "\\dd \\", "", " ", "ü \n"]
        graph_tokenizer = in_graph(tokenizer)
        assert_equal_ids(graph_tokenizer, tokenizer, texts, max_length=64)
        assert_equal_places(graph_tokenizer, tokenizer, texts)


@pytest.mark.parametrize("orders", [1, 2, 3])
def test_merges_in_any_order(orders):
    """A list of merges need not come from training; and words of few letters are the hardest."""
    rng = random.Random(orders)
    for _ in range(6):
        vocabulary, merges = bpe(["".join(rng.choices("aab", k=40)) for _ in range(9)], 330)
        if orders > 1:
            merges = merges[::-1] if orders == 2 else rng.sample(merges, len(merges))
        inner = Tokenizer(models.BPE(vocabulary, merges))
        texts = ["".join(rng.choices("aaaab", k=rng.randrange(1, 30))) for _ in range(200)]
        tokens = [vocabulary[letter] for text in texts for letter in text]
        words = [row for row, text in enumerate(texts) for _ in text]
        found, places = Merges(merges, vocabulary)(
            tf.constant(tokens, tf.int64), tf.constant(words, tf.int64), len(texts)
        )
        expected = [inner.encode(text) for text in texts]
        assert found.numpy().tolist() == [token for one in expected for token in one.ids]
        begins = np.cumsum([0, *(len(text) for text in texts)])
        assert places.numpy().tolist() == [
            begins[row] + start for row, one in enumerate(expected) for start, _ in one.offsets
        ]


def test_nothing_to_merge():
    merges = Merges([("a", "a")], {"a": 0, "aa": 1})
    for tokens in ([], [0], [1, 0]):
        found, places = merges(tf.constant(tokens, tf.int64), tf.zeros([len(tokens)], tf.int64), 1)
        assert found.numpy().tolist() == tokens
        assert places.numpy().tolist() == [*range(len(tokens))]


def test_malformed_utf8_reads_as_replacement_characters(roberta, roberta_in_graph):
    texts = [b"film\xff\xfe s", b"\xc3", b"the\xed\xa0\x80film<mask>", b"ok"]
    found = roberta_in_graph(tf.constant(texts), max_length=32)["input_ids"]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    assert found.numpy().tolist() == roberta(decoded, padding=True)["input_ids"]


def test_no_rows_and_no_tokens(files):
    graph_tokenizer = in_graph(families(files)[1])
    none = graph_tokenizer(tf.zeros([0], tf.string), max_length=8)
    assert none["input_ids"].shape == (0, 1)
    blank = graph_tokenizer(tf.constant(["", ""]), max_length=8)
    assert blank["attention_mask"].numpy().tolist() == [[0], [0]]


def test_refusals(files):
    def changed(**parts):
        tokenizer = RobertaTokenizerFast(**files)
        for name, part in parts.items():
            setattr(tokenizer.backend_tokenizer, name, part)
        return tokenizer

    def added(*tokens):
        tokenizer = RobertaTokenizerFast(**files)
        tokenizer.add_tokens(list(tokens))
        return tokenizer

    name = "RobertaTokenizerFast cannot be exported: "
    stem = "this tokenizer cannot be exported: "
    make = name + "supported are BPE tokenizers with a ByteLevel pre_tokenizer and decoder and no "
    vocabulary = {"a": 0, "<pad>": 1}
    cases = {
        make + "normalizer; received pre_tokenizer Whitespace": changed(
            pre_tokenizer=pre_tokenizers.Whitespace()
        ),
        name + "its ByteLevel pre_tokenizer must split words; received use_regex=False": changed(
            pre_tokenizer=pre_tokenizers.ByteLevel(use_regex=False)
        ),
        name + "its BPE model must be without dropout; received 0.5": changed(
            model=models.BPE(vocabulary, [], dropout=0.5)
        ),
        name + "its vocabulary must have all bytes of UTF-8; 242 are missing, first 0x00": changed(
            model=models.BPE(vocabulary, [])
        ),
        stem + "add the token 'Filme' with single_word=False; received single_word=True": added(
            AddedToken("Filme", single_word=True)
        ),
        stem + "its tokens must not have characters for private use above U+FFFFF; "
        "received '\\U00101234'": added("\U00101234"),
        stem + "two of its special tokens can overlap in a text; rename one of them; "
        "received 'ab' and 'bc'": added("ab", "bc"),
        stem + "it has no padding token": PreTrainedTokenizerFast(
            tokenizer_object=changed().backend_tokenizer
        ),
    }
    for line, tokenizer in cases.items():
        with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
            in_graph(tokenizer)


def test_real_vocabulary_on_some_real_texts(shared, gpt2, gpt2_in_graph):
    texts = TEXTS + random_texts(200, seed=2)
    for name in ("sst2/validation", "go_emotions/validation", "multi30k_en_de/validation"):
        lines = (shared / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        texts += [text for line in lines[:200] for text in strings(json.loads(line))]
    assert_equal_ids(gpt2_in_graph, gpt2, texts, max_length=512)
    assert_equal_places(gpt2_in_graph, gpt2, texts)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gpt2", "roberta"])
def test_real_vocabulary_on_all_real_texts(shared, gpt2, gpt2_in_graph, family):
    tokenizer, graph_tokenizer = gpt2, gpt2_in_graph
    if family == "roberta":
        folder = shared / "checkpoints/tokenizers/gpt2"
        tokenizer = RobertaTokenizerFast(
            str(folder / "vocab.json"), str(folder / "merges.txt"), add_prefix_space=True
        )
        graph_tokenizer = in_graph(tokenizer)
    texts = shared_texts(shared / "data")
    random_pairs = [*random_texts(5000), "".join(random_texts(300))[:10_000]]
    for batch, pairs, max_length in (
        (texts, None, 100_000),
        (random_pairs, None, 100_000),
        (random_pairs, shifted(random_pairs), 32),
    ):
        options = {"max_length": max_length, "batch_size": 256}
        assert_equal_ids(graph_tokenizer, tokenizer, batch, pairs, **options)
    assert_equal_places(graph_tokenizer, tokenizer, random_pairs)
