import io
import re

import pytest
import sentencepiece
import tensorflow as tf
import transformers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from tests.exports.test_wordpiece import (
    HARD,
    assert_equal_ids,
    random_texts,
    shared_texts,
    shifted,
)
from tfhf.errors import UserError
from tfhf.exports.tokenizers import in_graph
from tfhf.exports.tokenizers.charsmaps import read_graphemes

# The ids that SentencePiece models of these families begin with.
BEGINNINGS = {
    "t5": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": 3},
    "xlm": {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1},
}
# Each converts the SentencePiece model as transformers does for its family.
FAMILIES = {
    "T5TokenizerFast": ("t5", {"extra_ids": 3}),
    "AlbertTokenizerFast": ("t5", {}),
    "XLNetTokenizerFast": ("t5", {"keep_accents": True, "do_lower_case": True}),
    "XLMRobertaTokenizerFast": ("xlm", {}),
    "CamembertTokenizerFast": ("xlm", {}),
    "MBartTokenizerFast": ("xlm", {"src_lang": "de_DE", "tgt_lang": "en_XX"}),
    "PegasusTokenizerFast": ("t5", {}),
    "DebertaV2TokenizerFast": ("t5", {"do_lower_case": True}),
    "BigBirdTokenizerFast": ("t5", {}),
    "RemBertTokenizerFast": ("t5", {}),
}
SENTENCES = [
    "the great film was really unbelievable, naïve café in Straße " * 3,
    "Don't stop believing the words of superfilms 3.14 東京は日本の首都です。 한국어 हिन्दी",
]
TEXTS = [
    *HARD,
    "the film\nis great\n",
    "the \n film\n\nis\n \u0301great",
    "\nfilm\r\nis\n",
    "trailing ",
    "two  spaces   three",
    " leading",
    "``quoted'' ''' ```` a''b '' `",
    "▁typed ▁▁x a▁b ▁",
    "the \u3000<mask>\u3000 film\u00a0<mask>",
    " ½ \u00ad\u00adab \u00ad<mask> \u00adthe film\u00ad",
    "\u00adthe</s>film \r\n<unk> \u00ad</s>\u00ad a\u0301\u0323 \uff21\u0301 \u0600\uff21\u0301",
    "\u0340\u0341 \x04\u0301\u0302 \u2122\u0301\u0302 \ufb01\u0301",
    "<unk>\U000f0000<unk> \U000f0000\U000f0001<pad><s>",
]


@pytest.fixture(scope="session")
def sentencepiece_models(tmp_path_factory):
    """Paths of small SentencePiece models with the usual character map."""
    folder, paths = tmp_path_factory.mktemp("sentencepiece"), {}
    texts = [*(text[:300].replace("\0", "") for text in HARD * 3), *SENTENCES * 20]
    for name, beginning in BEGINNINGS.items():
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=written,
            vocab_size=300,
            hard_vocab_limit=False,
            character_coverage=0.98,
            normalization_rule_name="nmt_nfkc",
            minloglevel=2,
            **beginning,
        )
        paths[name] = folder / f"{name}.model"
        paths[name].write_bytes(written.getvalue())
    return paths


def tokenizer_of(family, paths):
    name, options = FAMILIES[family]
    return getattr(transformers, family)(str(paths[name]), **options)


# One of each kind of normaliser and pre-tokenizer always, the others where time is no matter.
QUICK = ("T5TokenizerFast", "AlbertTokenizerFast", "PegasusTokenizerFast")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(family, marks=[] if family in QUICK else pytest.mark.slow)
        for family in FAMILIES
    ],
)
def both(request, sentencepiece_models):
    """A tokenizer of each family, and its form in ops."""
    tokenizer = tokenizer_of(request.param, sentencepiece_models)
    return tokenizer, in_graph(tokenizer)


def with_tokens(tokenizer):
    """Texts with each of the first tokens that are found before anything else."""
    tokens = tokenizer.all_special_tokens[:9]
    return [*(f"the{token}film  {token} \u3000x {token}{token}" for token in tokens), *TEXTS]


def test_tokens_places_and_what_is_written(both):
    tokenizer, graph_tokenizer = both
    texts = with_tokens(tokenizer) + random_texts(200, seed=3)
    assert_equal_places(tokenizer, graph_tokenizer, texts)
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    written = graph_tokenizer.detokenize(tf.ragged.constant(ids, dtype=tf.int32)).numpy()
    assert [text.decode() for text in written] == tokenizer.batch_decode(
        ids, skip_special_tokens=True
    )


@pytest.mark.parametrize("family", ["MBartTokenizerFast", "XLNetTokenizerFast"])
@pytest.mark.slow
def test_rows_of_texts_and_pairs(sentencepiece_models, family):
    tokenizer = tokenizer_of(family, sentencepiece_models)
    graph_tokenizer = in_graph(tokenizer)
    texts = TEXTS + random_texts(50, seed=4)
    assert_equal_ids(graph_tokenizer, tokenizer, texts, max_length=64)
    assert_equal_ids(graph_tokenizer, tokenizer, texts, shifted(texts), max_length=17)


def assert_equal_places(tokenizer, graph_tokenizer, texts):
    """Compares tokens, by the short cut and without, their characters and their words' numbers."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def tokenize(texts):
        return graph_tokenizer.tokenize(texts), *graph_tokenizer.tokenize_with_offsets(texts)

    for start in range(0, len(texts), 256):
        batch = texts[start : start + 256]
        expected = tokenizer(batch, add_special_tokens=False, return_offsets_mapping=True)
        found = [column.to_list() for column in tokenize(batch)]
        for row, (text, short, ids, starts, ends, words) in enumerate(
            zip(batch, *found, strict=True)
        ):
            assert short == ids == expected["input_ids"][row], text
            assert [*zip(starts, ends, strict=True)] == expected["offset_mapping"][row], text
            numbers = expected.word_ids(row)
            assert [n - words[0] for n in words] == [n - numbers[0] for n in numbers], text


def built(vocabulary, *, normalizer=None, tokens=(), space=True, **options):
    """A tokenizer with hand-made scores."""
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=space)
    if normalizer:
        backend.normalizer = normalizer
    backend.add_tokens(list(tokens))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<unk>", **options
    )


PIECES = [
    *(("<unk>", 0.0), ("▁", -2.0), ("a", -1.5), ("aa", -3.0), ("aaa", -4.5), ("b", -1.25)),
    *(("ab", -2.75), ("ba", -2.75), ("bab", -4.0), ("▁a", -3.5), ("abc▁a", -1.0), ("a", -1.5)),
]


@pytest.mark.parametrize("space", [True, False])
def test_equal_scores_are_decided_as_the_library_does(space):
    tokenizer = built(PIECES, space=space)
    texts = ["a" * count for count in range(1, 40)] + [
        "ab" * 30,
        "bab" * 17,
        "aab" * 21,
        "a" * 3000,
    ]
    texts += ["abc a aaab babaab", "aba abcabc  a", "", " "]
    assert_equal_places(tokenizer, in_graph(tokenizer), texts)


def test_added_tokens_beside_and_inside_others():
    tokens = [
        AddedToken("<a>", normalized=False, lstrip=True),
        AddedToken("<a>b", normalized=False, rstrip=True),
        AddedToken("AB", normalized=True, lstrip=True, rstrip=True),
        AddedToken("\u00e9c", normalized=True),
    ]
    steps = normalizers.Sequence(
        [normalizers.Strip(left=True), normalizers.NFKD(), normalizers.StripAccents()]
    )
    lower = normalizers.Sequence([steps, normalizers.Lowercase(), normalizers.Replace("bb", "a")])
    tokenizer = built(PIECES, normalizer=lower, tokens=tokens)
    texts = ["a <a> b", "<a>b a<a>", "  <a><a>  <a>b  AB a", "a AB  ab ABAB", "\u00c9C ec bbbbb bb"]
    texts += [f" {text} \u3000" for text in texts] + HARD
    assert_equal_places(tokenizer, in_graph(tokenizer), texts)


def test_malformed_utf8_and_no_rows(sentencepiece_models):
    tokenizer = tokenizer_of("T5TokenizerFast", sentencepiece_models)
    graph_tokenizer = in_graph(tokenizer)
    texts = [b"film\xff\xfe s", b"\xc3", b"the\xed\xa0\x80film", b"ok"]
    found = graph_tokenizer(tf.constant(texts), max_length=64)["input_ids"]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    assert found.numpy().tolist() == tokenizer(decoded, padding=True)["input_ids"]
    assert graph_tokenizer(tf.zeros([0], tf.string), max_length=8)["input_ids"].shape == (0, 1)


def test_most_texts_take_the_short_cut(sentencepiece_models):
    for family in ("AlbertTokenizerFast", "PegasusTokenizerFast"):
        graph_tokenizer = in_graph(tokenizer_of(family, sentencepiece_models))
        texts = ["the film", "was (not) it's 3.14?", "ein schönes Straßenfest", "two  spaces", " x"]
        plain = graph_tokenizer._plain(tf.constant(texts)).numpy().tolist()
        german = family != "AlbertTokenizerFast"  # which takes accents away
        assert plain == [True, True, german, False, False]


def test_graphemes_are_those_of_unicode():
    joining = read_graphemes()
    for code_point, extends, prepends, controls in (
        (0x61, False, False, False),
        (0x301, True, False, False),
        (0x200D, True, False, False),
        (0x0903, True, False, False),
        (0x1F3FD, True, False, False),
        (0x0600, False, True, False),
        (0x110BD, False, True, False),
        (0x0D, False, False, True),
        (0xAD, False, False, True),
        (0xE0001, False, False, True),
        (0x50000, False, False, False),
    ):
        found = [
            table[code_point] for table in (joining.extends, joining.prepends, joining.controls)
        ]
        assert found == [extends, prepends, controls], hex(code_point)


def test_refusals():
    stem = "this tokenizer cannot be exported: "
    other = "PreTrainedTokenizerFast cannot be exported: "

    def with_space(pre_tokenizer):
        tokenizer = built(PIECES)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizer
        return tokenizer

    fallback = built(PIECES)
    fallback.backend_tokenizer.model = models.Unigram(PIECES, unk_id=0, byte_fallback=True)
    unknown = built(PIECES)
    unknown.backend_tokenizer.model = models.Unigram(PIECES)
    cases = {
        other + "supported are Unigram tokenizers with the pre-tokenizers Metaspace or "
        "WhitespaceSplit, Metaspace; received ['Whitespace']": with_space(
            pre_tokenizers.Whitespace()
        ),
        other + "set its model's byte_fallback to False; received True": fallback,
        other + "its model has no unknown token (unk_id); received None": unknown,
        stem + "its normaliser must be made of Precompiled, Replace, Strip, Lowercase, NFD, NFKD, "
        "StripAccents, Nmt; received NFKC": built(PIECES, normalizer=normalizers.NFKC()),
        stem + "its normaliser must replace one repeated character, such as two spaces; received "
        "the pattern 'ab'": built(PIECES, normalizer=normalizers.Replace("ab", "b")),
        stem + "its normaliser reorders the marks U+0301 and U+0323, both in its vocabulary; "
        "use a vocabulary without one of them": built(
            [*PIECES, ("\u0301", -1.0), ("\u0323", -1.0)], normalizer=normalizers.NFD()
        ),
        stem + "add the token 'Film' with single_word=False; received single_word=True": built(
            PIECES, tokens=[AddedToken("Film", single_word=True)]
        ),
        stem + "its normaliser leaves nothing of the token '\u0301'; add it with "
        "normalized=False; received normalized=True": built(
            PIECES, normalizer=normalizers.StripAccents(), tokens=[AddedToken("\u0301")]
        ),
        stem + "two of its special tokens can overlap in a text; rename one of them; "
        "received '<a><' and '<unk>'": built(
            PIECES,
            tokens=[AddedToken("<a><", normalized=False), AddedToken("<b>", normalized=False)],
        ),
    }
    for line, tokenizer in cases.items():
        with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
            in_graph(tokenizer)


@pytest.fixture(scope="session")
def t5(shared):
    tokenizer = transformers.AutoTokenizer.from_pretrained(shared / "checkpoints/tokenizers/t5")
    return tokenizer, in_graph(tokenizer)


def test_real_vocabulary_on_hard_and_random_texts(t5):
    tokenizer, graph_tokenizer = t5
    texts = TEXTS + random_texts(300, seed=2) + SENTENCES
    assert_equal_places(tokenizer, graph_tokenizer, texts)


@pytest.mark.slow
def test_real_vocabulary_on_all_real_texts(shared, t5):
    tokenizer, graph_tokenizer = t5
    texts = shared_texts(shared / "data")
    random_pairs = [*random_texts(5000), "".join(random_texts(300, seed=9))[:10_000]]
    for batch, pairs, max_length in (
        (texts, None, 20_000),
        (random_pairs, None, 20_000),
        (random_pairs, shifted(random_pairs), 32),
    ):
        options = {"max_length": max_length, "batch_size": 256}
        assert_equal_ids(graph_tokenizer, tokenizer, batch, pairs, **options)
    assert_equal_places(tokenizer, graph_tokenizer, texts + random_pairs)
