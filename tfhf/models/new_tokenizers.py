"""Tokenizers made from texts, for models that are trained from scratch."""

import functools
import tempfile
from pathlib import Path

from tfhf.errors import UserError, did_you_mean
from tfhf.models import hub, intake, sources
from tfhf.models.tokenization import read_tokenizer


def new_tokenizer(spec, texts):
    """Makes the tokenizer that a recipe asks for.

    Args:
        spec: `"characters"`; `{"kind": "bpe", "vocab_size": 1000}`, or another kind of
            `train_tokenizer`; or a folder, a Hub id or `minilm`, whose tokenizer is taken as it is.
        texts: iterable of strings to learn a vocabulary from; left alone where none is learned.

    Returns:
        A `PreTrainedTokenizerFast`.

    Raises:
        UserError: if there is no such kind, folder or Hub model.
    """
    if isinstance(spec, dict):
        unknown = sorted(spec.keys() - {"kind", "vocab_size"})
        if unknown:
            hint = did_you_mean(unknown[0], ["kind", "vocab_size"])
            raise UserError(f"tokenizer: unknown key {unknown[0]!r}{hint}; keys: kind, vocab_size")
        if "kind" not in spec:
            raise UserError(f"tokenizer: kind is missing (one of {', '.join(KINDS)})")
        return train_tokenizer(spec["kind"], texts, spec.get("vocab_size"))
    if spec in KINDS:
        return train_tokenizer(spec, texts)
    if Path(spec).is_dir():
        folder = Path(spec)
    elif spec == sources.MINILM:
        folder = sources.resolve(spec, weights=False).folder
    elif "/" in spec:
        folder = Path(hub.fetch(spec, weights=False))
    else:
        raise UserError(
            f"tokenizer: {spec!r} is no kind ({', '.join(KINDS)}), no folder and no Hub id"
            f"{did_you_mean(spec, KINDS)}"
        )
    intake.check_processors(folder)
    return read_tokenizer(folder, spec)


def train_tokenizer(kind, texts, vocab_size=None):
    """Learns a vocabulary from texts.

    Args:
        kind: `"characters"`: a token per character; decoding gives the text back as it was.
            `"bpe"`: byte-level byte-pair encoding as GPT-2's; any text can be told in it.
            `"wordpiece"`: lower-casing, as BERT's.
        texts: iterable of strings.
        vocab_size: the most tokens, special ones included, at least 300 for bpe; 8,000 if None.
            Characters have as many as there are.

    Returns:
        A `PreTrainedTokenizerFast` with `<pad>` and `<eos>` (wordpiece: `[PAD]`, `[CLS]`, `[SEP]`,
        `[MASK]`); the same texts give the same one.

    Raises:
        UserError: if there is no such kind, no text, or the size does not fit it.
    """
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        raise UserError(f"tokenizer: no kind {kind!r}{hint}; kinds: {', '.join(KINDS)}")
    least = {"characters": None, "bpe": 300, "wordpiece": 50}[kind]
    if vocab_size is None:
        vocab_size = 8_000
    elif least is None:
        raise UserError(
            "tokenizer: characters takes no vocab_size: it has a token for every character;"
            f" received {vocab_size!r}"
        )
    elif not isinstance(vocab_size, int) or vocab_size < least:
        raise UserError(
            f"tokenizer: vocab_size of {kind} must be a whole number of at least {least};"
            f" received {vocab_size!r}"
        )
    texts = [text for text in texts if text]
    if not texts:
        raise UserError(f"tokenizer: there is no text to make a {kind} tokenizer from")
    return KINDS[kind](texts, vocab_size)


def _characters(texts, _):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    # Rows hold no line break, but language models read them joined by it.
    found = sorted(functools.reduce(set.union, texts, {"\n"}))
    entries = ["<pad>", "<unk>", "<eos>", *found]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    return _wrapped(inner, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>")


def _bpe(texts, vocab_size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>", "<eos>", "<mask>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return _wrapped(inner, pad_token="<pad>", eos_token="<eos>", mask_token="<mask>")


def _wordpiece(texts, vocab_size):
    """Byte-pair encoding's pieces, told as WordPiece tells them.

    The tokenizers library's own trainer numbers pieces in the order of a hash table, so that no two
    trainings agree. Here every word gets a mark before it is split; pieces without one are inner.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizerFast

    mark = "\ue000"  # the normalizer takes it out of every text
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Metaspace(mark, "always", split=False)]
    )
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False)
    inner.train_from_iterator(texts, trainer)
    pieces = inner.get_vocab()
    pieces = sorted(pieces, key=pieces.get)
    letters = [piece for piece in pieces if len(piece) == 1 and piece != mark]
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    entries += [f"##{letter}" for letter in letters]
    if len(entries) > vocab_size:
        raise UserError(
            f"tokenizer: the texts have {len(letters):,} different characters, so wordpiece needs a"
            f" vocab_size of more than {len(entries):,} (or take bpe); received {vocab_size:,}"
        )
    entries += [
        piece.removeprefix(mark) if piece.startswith(mark) else f"##{piece}"
        for piece in pieces
        if len(piece) > 1
    ]
    entries = list(dict.fromkeys(entries))[:vocab_size]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(entries), encoding="utf-8")
        return BertTokenizerFast(str(path))


def _wrapped(inner, **special):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=inner, clean_up_tokenization_spaces=False, **special
    )


KINDS = {"characters": _characters, "bpe": _bpe, "wordpiece": _wordpiece}
