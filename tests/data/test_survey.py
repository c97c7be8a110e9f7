"""What is legal and may be a mistake: each note whole, and nothing about rows that are as usual."""

import datasets
import pytest

from tfhf.data.survey import survey

LABELS = datasets.ClassLabel(names=["neg", "pos"])
TEXTS = ["Lovely.", "Dull.", "A warm and funny story", "A cold and tired story", "2 < 3", "<3 it"]


def rows(texts, labels=None, feature=LABELS, **more):
    labels = [number % 2 for number in range(len(texts))] if labels is None else labels
    features = {"text": datasets.Value("string"), "label": feature}
    features |= {role: datasets.Value("string") for role in more}
    columns = {"text": texts, "label": labels, **more}
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


def found(train, asked=("text",), **others):
    splits = {"train": train, **others}
    where = {split: lambda row, split=split: f"{split} row {row + 1}" for split in splits}
    return survey(splits, list(asked), where)


def notes(train, **options):
    return found(train, **options)[1]


def many(count, **more):
    return rows([f"film number {number}" for number in range(count)], **more)


def test_nothing_is_said_of_usual_rows():
    facts, told = found(rows(TEXTS), test=rows(["Sad.", "Fine & good, <b"]))
    assert told == []
    assert facts == {
        "train": {"scripts": {"Latin": 1.0}, "repeated": 0},
        "test": {"scripts": {"Latin": 1.0}, "repeated": 0, "in_train": 0},
    }


def test_repeats_are_told_from_one_in_twenty_on():
    texts = [f"film number {number}" for number in range(19)]
    assert notes(rows([*texts, " FILM  number\t3"], [*range(2)] * 9 + [0, 1])) == [
        "data.train: 1 of 20 rows repeats an earlier one (first: train row 20 = train row 4), "
        "capitals and blanks aside; leave repeats out, unless they shall count more"
    ]
    facts, told = found(rows([*texts, "another", "film number 4"], [0, 1] * 10 + [0]))
    assert told == [] and facts["train"]["repeated"] == 1


def test_rows_of_train_in_other_splits():
    others = {"test": rows(["Sad.", "DULL. "]), "validation": rows(["Dull.", "Lovely."])}
    facts, told = found(rows(TEXTS), **others)
    memorised = "and can be answered from memory; keep each text in one split"
    assert told == [
        "data.validation: 2 of 2 rows stand in data.train, too (first: validation row 1 = train "
        f"row 2) {memorised}",
        "data.test: 1 of 2 rows stands in data.train, too (first: test row 2 = train row 2) "
        f"{memorised}",
    ]
    assert facts["test"]["in_train"] == 1


def test_a_row_is_all_its_texts():
    train = rows(["a", "a", "b"], text_pair=["x", "y", "x"])
    assert notes(train, asked=["text", "text_pair"]) == []
    assert "2 of 3" not in notes(train)[0] and notes(train)[0].startswith("data.train: 1 of 3 rows")


def test_prose_repeats_as_it_likes():
    facts, told = found(rows(["Enter", "Enter"], [0, 1]), asked=[], test=rows(["Enter"], [0]))
    assert told == []
    assert facts["test"] == {"scripts": {"Latin": 1.0}}


def test_one_text_with_two_labels():
    assert notes(rows([*TEXTS * 3, "dull.", "LOVELY."], [0, 1] * 9 + [0, 0]))[-1] == (
        "data.train: 1 text has different labels in different rows (first: train row 2 'pos', "
        "train row 19 'neg'); decide on one"
    )


def test_a_text_that_never_changes():
    train = rows(TEXTS, text_pair=["Is it good?"] * 6)
    assert notes(train, asked=["text", "text_pair"]) == [
        "data.train: every row has the same text_pair: 'Is it good?'; nothing can be learned from "
        "it"
    ]


CLEAN = "take it out, unless what you will ask holds it, too"
MISREAD = "in UTF-8 read as latin-1 or cp1252"
ANEW = "check data.encoding, or write the file anew from its source"


@pytest.mark.parametrize(
    ("text", "held", "remedy"),
    [
        ("dull<br />and long", "HTML such as '<br />'", CLEAN),
        ("see <a href='x'>this", "HTML such as \"<a href='x'>\"", CLEAN),
        ("Tom &amp; Jerry", "HTML such as '&amp;'", CLEAN),
        ("a cafÃ© film", f"'Ã©', which is 'é' {MISREAD}", ANEW),
        ("donâ€™t see it", f"'â€™', which is '’' {MISREAD}", ANEW),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", f"'Ð¿Ñ€Ð¸', which is 'при' {MISREAD}", ANEW),
        (
            "caf\ufffd",
            "U+FFFD, which stands for bytes that another program could not read",
            "write the file anew from its source",
        ),
    ],
)
def test_what_texts_hold_by_accident(text, held, remedy):
    assert notes(rows([*TEXTS, text])) == [
        f"data.train: 1 of 7 rows holds {held} (first: train row 7); {remedy}"
    ]


@pytest.mark.parametrize(
    "text", ["« CAFÉ»", "AMANHÃ”", "MANHÃ»", "Ça, Ñu, Ð is a letter", "a<b and c>d", "x & y; z",
             "<name> said", "Übung — ‘so’", "50 °C, £3, ©"],
)  # fmt: skip
def test_what_only_looks_like_it(text):
    assert notes(rows([*TEXTS, text])) == []


def test_a_single_row_with_html_among_many_is_nothing():
    texts = [f"film number {number}" for number in range(200)]
    assert notes(rows([*texts, "<br>"])) == []
    assert len(notes(rows([*texts, "<br>", "<p>", "</p> so"]))) == 1


def test_labels_out_of_balance():
    assert notes(many(100, labels=[0] * 96 + [1] * 4)) == [
        "data.train: 96.0% of the rows have the label 'neg'; whoever always says so is as often "
        "right, so look at f1_macro, not at accuracy",
        "data.train: 1 label has fewer than 5 rows ('pos'), too few to learn from; find more, or "
        "join labels",
    ]
    assert notes(many(100, labels=[0] * 94 + [1] * 6)) == []
    assert notes(many(10, labels=[0] * 9 + [1])) == []


def test_numbers_that_never_change():
    number = datasets.Value("float32")
    assert notes(many(6, labels=[2.5] * 6, feature=number)) == [
        "data.train: every row has the label 2.5; there is nothing to learn"
    ]
    assert notes(many(6, labels=[2.5] * 5 + [3.0], feature=number)) == []


def test_scripts_by_their_letters():
    texts = ["Zürich 12", "Москва", "東京とソウル", "서울", "ﬁne Ｆｕｌｌ µ ½ 😀", "\U00020000"]
    assert found(rows(texts))[0]["train"]["scripts"] == {
        "Latin": 0.4643, "Cyrillic": 0.2143, "Han": 0.1071, "Katakana": 0.1071, "Hangul": 0.0714,
        "Hiragana": 0.0357,
    }  # fmt: skip


def test_lists_and_objects_hold_texts_too():
    texts = datasets.List(datasets.Value("string"))
    train = datasets.Dataset.from_dict(
        {"choices": [["a", "b"], ["a", "c"]], "answer": [0, 1]},
        datasets.Features({"choices": texts, "answer": datasets.Value("int64")}),
    )
    facts, told = found(train, asked=["choices"])
    assert (facts["train"]["repeated"], told) == (0, [])
