"""`tfhf tokenize`: what a model's tokenizer makes of a text, beside what another's does."""

from typing import NamedTuple

from tfhf import console, pieces

HEADS = ("token", "id", "type", "mask", "from", "to", "text")
NUMBERS = ("id", "type", "mask", "from", "to")


class Token(NamedTuple):
    """One token of a text.

    Attributes:
        token: as the tokenizer writes it.
        id: its number.
        type: 0 or 1, the text of a pair it belongs to; None where the model reads no such thing.
        mask: whether the model attends to it.
        span: characters from and to; None for special tokens and where a tokenizer tells none.
        text: those characters; None where there is no span.
        place: (part, character) by which the tokens of two tokenizers are put side by side.
    """

    token: str
    id: int
    type: int | None
    mask: int
    span: tuple | None
    text: str | None
    place: tuple


def tokenize(name, text, pair=None, revision=None):
    """Tokenizes a text, or a pair, as the model reads it.

    Args:
        name: `minilm`, a folder, a run's folder, or a Hub id, of which no weights are fetched.
        text: the text.
        pair: the second text of a pair.
        revision: branch, tag or commit of a Hub id.

    Returns:
        `(tokens, facts)`: a list of `Token`, and a dictionary with `model`, `kind`, `tokens` (how
        many), `unknown` (of those), `decoded` and `cut`, the most tokens the model reads where the
        text has more, else None.

    Raises:
        UserError: if there is no such model, or it has no tokenizer.
    """
    tokenizer = pieces.load_tokenizer(name, revision)
    encoded = tokenizer(text, pair, return_offsets_mapping=tokenizer.is_fast, verbose=False)
    ids = encoded["input_ids"]
    spans = encoded["offset_mapping"] if tokenizer.is_fast else [None] * len(ids)
    sides = encoded.sequence_ids(0) if tokenizer.is_fast else [0] * len(ids)
    types = encoded.get("token_type_ids", [None] * len(ids))
    tokens, part = [], 0
    for number, kind, mask, span, side in zip(
        ids, types, encoded["attention_mask"], spans, sides, strict=True
    ):
        # Special tokens lie between the texts: part 0, then text 1, part 2, text 3, part 4.
        part = 2 * side + 1 if side is not None else part + part % 2
        span = span if side is not None else None
        read = (pair if side else text)[slice(*span)] if span else None
        shown = tokenizer.convert_ids_to_tokens(number)
        place = (part, span[0] if span else 0)
        tokens.append(Token(shown, number, kind, mask, span, read, place))
    longest = tokenizer.model_max_length
    return tokens, {
        "model": str(name),
        "kind": _kind(tokenizer),
        "tokens": len(ids),
        "unknown": ids.count(tokenizer.unk_token_id),
        "decoded": tokenizer.decode(ids, skip_special_tokens=True),
        "cut": longest if len(ids) > longest else None,
    }


def _kind(tokenizer):
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return type(backend.model).__name__ if backend else type(tokenizer).__name__


def beside(first, second):
    """Puts the tokens of two tokenizers side by side, by where they begin in the text.

    Args:
        first, second: lists of `Token` of the same text.

    Returns:
        A list of pairs; None where one of them has no token that begins there.

    Example:
        >>> un = Token("un", 1, 0, 1, (0, 2), "un", place=(1, 0))
        >>> do = Token("do", 2, 0, 1, (2, 4), "do", place=(1, 2))
        >>> undo = Token("undo", 7, 0, 1, (0, 4), "undo", place=(1, 0))
        >>> [(a.token, b and b.token) for a, b in beside([un, do], [undo])]
        [('un', 'undo'), ('do', None)]
    """
    first, second, pairs = list(first), list(second), []
    while first or second:
        if not second or (first and first[0].place < second[0].place):
            pairs.append((first.pop(0), None))
        elif not first or second[0].place < first[0].place:
            pairs.append((None, second.pop(0)))
        else:
            pairs.append((first.pop(0), second.pop(0)))
    return pairs


def table(*results):
    """What one or two calls of `tokenize` gave, as an aligned table and lines of facts."""
    lists = [tokens for tokens, _ in results]
    rows = beside(*lists) if len(lists) == 2 else [(token,) for token in lists[0]]
    blocks = [_block([row[index] for row in rows]) for index in range(len(lists))]
    if len(blocks) == 2:
        width = max(len(line) for line in blocks[0])
        names = [facts["model"] for _, facts in results]
        lines = [f"{names[0]:<{width}}   {names[1]}"]
        lines += [f"{a:<{width}} | {b}".rstrip() for a, b in zip(*blocks, strict=True)]
    else:
        lines = blocks[0]
    for _, facts in results:
        lines += ["", *_fact_lines(facts)]
    return "\n".join(lines)


def _block(tokens):
    """The lines of one table, its head first; an empty line where a token is None."""
    blank = [""] * len(HEADS)
    cells = [blank if token is None else _cells(token) for token in tokens]
    return console.table(HEADS, cells, right=NUMBERS)


def _cells(token):
    start, end = token.span or ("", "")
    kind = "" if token.type is None else str(token.type)
    read = "" if token.text is None else repr(token.text)
    shown = token.token if token.token.isprintable() else repr(token.token)[1:-1]
    return shown, str(token.id), kind, str(token.mask), str(start), str(end), read


def _fact_lines(facts):
    unknown = f", {facts['unknown']} of them unknown" if facts["unknown"] else ""
    yield f"{facts['model']}: {facts['kind']}, {facts['tokens']} tokens{unknown}"
    if facts["cut"]:
        yield f"  the model reads the first {facts['cut']} of them"
    yield f"  decoded: {facts['decoded']!r}"
