"""Bad input, row by row: what the stock stack answers obscurely, if at all, and tfhf in one line.

The numbers are those of a survey of what goes wrong between `load_dataset` and `fit`. A file that
cannot be right is refused; one that can is taken, and what is unusual about it is said. Everything
runs through the command line, and only the last tests load TensorFlow. Row 54, a head for other
labels than the checkpoint's, stands in `test_training.py`.
"""

import codecs
import errno
import gzip
import json
import os
import shutil

import datasets
import pytest
import yaml
from click.testing import CliRunner

from tfhf.cli import main
from tfhf.recipe import Recipe
from tfhf.run import Run

RECIPE = {
    "task": "text_classification",
    "model": "model",
    "data": {"train": "train.csv"},
    "options": {"max_length": 24},
}


def csv(*rows, header="text,label"):
    return "\n".join([header, *rows]) + "\n"


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def labels(*values):
    """Rows of different texts with these labels, as JSON lines."""
    rows = zip(WORDS, values, strict=False)
    return jsonl(*({"text": f"{word} film", "label": value} for word, value in rows))


WORDS = ("lovely", "dull", "warm", "cold", "great", "bad", "funny", "tired", "good", "sad")
GOOD = csv(*(f"{word} film,{number % 2}" for number, word in enumerate(WORDS)))
NESTED = json.dumps({"data": [json.loads(line) for line in labels(*[0, 1] * 5).splitlines()]})
LATIN = "café film,0\n".encode("latin-1")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working folder with a good train.csv, and a cache that is thrown away."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "train.csv").write_text(GOOD)
    (work / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return work


@pytest.fixture
def model(folder, bare_bert_folder):
    """A checkpoint that may be spoilt, in the folder `model`."""
    return shutil.copytree(bare_bert_folder, folder / "model")


def train(*arguments):
    return CliRunner().invoke(main, ["train", "recipe.yaml", *map(str, arguments)])


def refused(*arguments, code=2):
    """The one line of a training that must fail; phases it had begun stand before it, indented."""
    found = train(*arguments)
    assert found.exit_code == code, found.output
    assert found.stdout == ""
    (line,) = [line for line in found.stderr.splitlines() if not line.startswith("  ")]
    assert line.startswith("tfhf: ")
    return line.removeprefix("tfhf: ")


def taken(*arguments):
    """What the dry run of a training that may go on prints, blanks made single."""
    found = train(*arguments, "--dry-run")
    assert found.exit_code == 0, found.output
    return [" ".join(line.split()) for line in found.stdout.splitlines()]


def write(files):
    for name, content in files.items():
        content = content if isinstance(content, bytes) else content.encode()
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(content)


# === Files, columns and labels that cannot be right ===

# (row, what is bad), files, overrides, line
REFUSED = [
    ("1 training file missing", {}, ["data.train=trian.csv"],
     "data.train: no such file: trian.csv; did you mean 'train.csv'?"),
    ("1 a line break in its name", {}, [r'data.train="x\ny.jsonl"'],
     r"data.train: no such file: x\ny.jsonl"),
    ("2 glob matches nothing", {}, ["data.train=reviews-*.csv"],
     "data.train: reviews-*.csv matches no file"),
    ("3 directory instead of file", {"reviews/a.csv": GOOD}, ["data.train=reviews"],
     "data.train: reviews is a folder without class sub-folders of .txt files or images; name a "
     "file"),
    ("4 empty CSV", {"train.csv": ""}, [], "train.csv is empty"),
    ("5 header-only CSV", {"train.csv": "text,label\n"}, [],
     "train.csv has a header but no rows"),
    ("6 empty JSONL", {"a.jsonl": ""}, ["data.train=a.jsonl"], "a.jsonl is empty"),
    ("7 broken JSONL line", {"a.jsonl": labels(0) + '{"text": "dull", "label":\n'},
     ["data.train=a.jsonl"], "a.jsonl:2: not valid JSON: Expecting value"),
    ("8 nested JSON", {"a.json": NESTED}, ["data.train=a.json"],
     "a.json: one object whose field 'data' holds the rows; set data.field: data"),
    ("9 columns differ between files, CSV", {"b.csv": csv("dull,0", header="text,stars")},
     ["data.train=[train.csv, b.csv]"],
     "b.csv has columns ['text', 'stars'], train.csv has columns ['text', 'label']; the files of "
     "data.train need the same columns"),
    ("10 columns differ between files, JSONL",
     {"a.jsonl": labels(0, 1), "b.jsonl": jsonl({"text": "dull", "stars": 0})},
     ["data.train=[a.jsonl, b.jsonl]"],
     "b.jsonl has columns ['text', 'stars'], a.jsonl has columns ['text', 'label']; the files of "
     "data.train need the same columns"),
    ("11 label type differs between files", {"a.jsonl": labels(0, 1), "b.jsonl": labels("x")},
     ["data.train=[a.jsonl, b.jsonl]"],
     "b.jsonl:1: label 'x' is text, but column 'label' is number in a.jsonl; use one type"),
    ("12 label type mixed in one JSONL", {"a.jsonl": labels(0, "x")}, ["data.train=a.jsonl"],
     "a.jsonl: 'label' is number on line 1, text on line 2; write one type throughout"),
    ("13 latin-1 CSV", {"train.csv": b"text,label\n" + LATIN}, [],
     "train.csv: byte 0xe9 at line 2 is not UTF-8; set data.encoding, for example latin-1 or "
     "cp1252"),
    ("13 latin-1 JSONL", {"a.jsonl": b'{"text": "caf\xe9", "label": 0}\n'},
     ["data.train=a.jsonl"],
     "a.jsonl: byte 0xe9 at line 1 is not UTF-8; set data.encoding, for example latin-1 or cp1252"),
    ("13 latin-1 text", {"neg/a.txt": "dull", "pos/a.txt": b"lovely caf\xe9"},
     ["data.train=."],
     "pos/a.txt: byte 0xe9 at line 1 is not UTF-8; set data.encoding, for example latin-1 or "
     "cp1252"),
    ("14 UTF-16", {"train.csv": GOOD.encode("utf-16")}, [],
     "train.csv is UTF-16 (it starts with that byte order mark); set data.encoding: utf-16"),
    ("14 UTF-16 without its mark", {"train.csv": GOOD.encode("utf-16-le")}, [],
     "train.csv: 100 of the first 200 bytes are zero, so it looks like UTF-16; set data.encoding: "
     "utf-16-le"),
    ("16 ragged CSV rows", {"train.csv": csv("dull,0", "warm, but dull,1")}, [],
     "train.csv:3: expected 2 fields as in the header, found 3; quote fields that hold ','"),
    ("17 unterminated quote", {"train.csv": csv("dull,0", '"warm,1')}, [],
     "train.csv:3: a quote that opens here is never closed"),
    ("18 semicolons", {"train.csv": csv("dull;0", header="text;label")}, [],
     "train.csv: one column 'text;label': wrong separator? set data.separator: \";\""),
    ("18 tabs", {"train.csv": csv("dull\t0", header="text\tlabel")}, [],
     "train.csv: one column 'text\\tlabel': wrong separator? set data.separator: \"\\t\""),
    ("19 no header", {"train.csv": csv("dull,0", header="a lovely film,1")}, [],
     "train.csv: column 'text' not found; the first row looks like data, not like column names: "
     "['a lovely film', '1']; add a first line that names the columns"),
    ("20 duplicate column names", {"train.csv": csv("a,b,0", header="text,text,label")}, [],
     "train.csv: two columns are called 'text'; rename one of them"),
    ("21 truncated gzip", {"a.csv.gz": gzip.compress(GOOD.encode())[:-20]},
     ["data.train=a.csv.gz"],
     "a.csv.gz: the gzip file is cut short or damaged; get it again"),
    ("21 corrupt Parquet", {"a.parquet": b"PAR1 and more"}, ["data.train=a.parquet"],
     "a.parquet: not a readable Parquet file: cut short, damaged, or of another format; write it "
     "again"),
    ("22 text column missing", {}, ["data.columns={text: txet}"],
     "train.csv: column 'txet' (text) not found; expected columns ['txet', 'label'], found columns "
     "['text', 'label']; set data.columns; did you mean 'text'?"),
    ("23 label column missing", {}, ["data.columns={label: stars}"],
     "train.csv: column 'stars' (label) not found; expected columns ['text', 'stars'], found "
     "columns ['text', 'label']; set data.columns"),
    ("24 no label in a CSV", {"train.csv": GOOD + "odd film,\n"}, [],
     "data.train: 1 of 11 rows has no label (first: train.csv row 11); label them, or set "
     "data.on_unlabeled: drop"),
    ("24 None label", {"a.jsonl": labels(0, None, 1, None)}, ["data.train=a.jsonl"],
     "data.train: 2 of 4 rows have no label (first: a.jsonl:2); label them, or set "
     "data.on_unlabeled: drop"),
    ("25 all labels None", {"a.jsonl": labels(None, None)}, ["data.train=a.jsonl"],
     "data.train: all 2 rows have no label in 'label'; name the column of labels in data.columns"),
    ("26 label -1", {"test.csv": csv("dull,-1", "warm,-1")}, ["data.test=test.csv"],
     "test.csv row 1: label -1 means unlabeled test data (2 of 2 rows); use a labeled file, or set "
     "data.on_unlabeled: drop"),
    ("27 label beyond the classes", {"test.csv": csv("dull,0", "warm,7")}, ["data.test=test.csv"],
     "test.csv row 2: label 7 outside 0..1"),
    ("28 label -100", {"train.csv": csv("dull,0", "warm,-100")}, [],
     "train.csv row 2: label -100 marks what training ignores and is no class; remove these rows"),
    ("29 label 2^40", {"train.csv": csv("dull,0", f"warm,{2**40}")}, [],
     "train.csv row 2: label 1099511627776 is no class number, which is 0 to 99999; list the "
     "values used in data.labels"),
    ("31 float labels", {"train.csv": csv("dull,0.0", "warm,0.5")}, [],
     "train.csv row 2: label 0.5 is no class number; to predict numbers set options.problem: "
     "regression"),
    ("33 list label for a single label", {"a.jsonl": labels([0], [1])},
     ["data.train=a.jsonl", "options.problem=single_label"],
     "data.columns: 'label' holds a list per row (a.jsonl:1), but options.problem: single_label "
     "needs one label; set options.problem: multi_label"),
    ("35 nothing left after filtering", {"train.csv": csv(" ,0", " ,1")}, ["data.on_empty=drop"],
     "data.train: no rows left after data.on_empty: drop"),
    ("38 None text", {"a.jsonl": jsonl({"text": "dull", "label": 0}, {"text": None, "label": 1})},
     ["data.train=a.jsonl"],
     "data.train: 1 of 2 rows has no text in column 'text' (first: a.jsonl:2); write a text or "
     "remove them"),
    ("39 numeric text column, CSV", {"train.csv": csv("1,0", "2,1")}, [],
     "data.columns: column 'text' (text) holds only numbers, no text (train.csv row 1: '1'); name "
     "the column of texts"),
    ("39 numeric text column, JSONL", {"a.jsonl": jsonl({"text": 1.5, "label": 0})},
     ["data.train=a.jsonl"],
     "data.columns: column 'text' (text) has type number, not text (a.jsonl:1: 1.5); name the "
     "column of texts"),
    ("40 lone surrogate", {"a.jsonl": labels(0) + '{"text": "\\ud800", "label": 1}\n'},
     ["data.train=a.jsonl"],
     "a.jsonl:2: half a surrogate pair, which is no character; remove the \\ud800-\\udfff escape"),
    ("48 negative learning rate", {}, ["train.learning_rate=-1"],
     "recipe.yaml: train.learning_rate: input should be greater than 0; received -1"),
    ("48 learning rate in words", {}, ["train.learning_rate=fast"],
     "recipe.yaml: train.learning_rate: input should be a valid number, unable to parse string as "
     "a number; received 'fast'"),
    ("49 batch_size 0", {}, ["train.batch_size=0"],
     "recipe.yaml: train.batch_size: input should be greater than 0; received 0"),
    ("49 epochs 0", {}, ["train.epochs=0"],
     "recipe.yaml: train.epochs: input should be greater than 0; received 0"),
    ("49 epochs -1", {}, ["train.epochs=-1"],
     "recipe.yaml: train.epochs: input should be greater than 0; received -1"),
    ("50 unknown key", {}, ["train.lerning_rate=1"],
     "recipe.yaml: unknown key 'train.lerning_rate'; did you mean 'learning_rate'?"),
    ("51 model folder missing", {}, ["model=./modle"], "model: no such folder: modle"),
    ("57 unknown model id while offline", {}, ["model=acme/absent"],
     "model: the Hub is switched off (HF_HUB_OFFLINE), and acme/absent is not in the cache: "
     "connect, or give a folder"),
]  # fmt: skip


def cases(rows):
    return [pytest.param(*values, id=f"row {name}") for name, *values in rows]


@pytest.mark.parametrize(("files", "overrides", "line"), cases(REFUSED))
def test_refused(files, overrides, line):
    write(files)
    assert refused(*overrides, "--dry-run") == line


# === What is unusual, but can be right ===

# (row, what is unusual), files, overrides, lines among what the dry run prints
TAKEN = [
    ("8 JSON array", {"a.json": json.dumps(json.loads(NESTED)["data"])}, ["data.train=a.json"],
     ["train 9 rows", "validation 1 rows"]),
    ("8 nested JSON, its field named", {"a.json": NESTED},
     ["data.train=a.json", "data.field=data"], ["train 9 rows", "validation 1 rows"]),
    ("13 latin-1, its encoding named", {"train.csv": GOOD.encode() + LATIN},
     ["data.encoding=latin-1"], ["train 10 rows", "validation 1 rows"]),
    ("15 UTF-8 with byte order mark", {"train.csv": codecs.BOM_UTF8 + GOOD.encode()}, [],
     ["column text: Value('string')", "train 9 rows"]),
    ("24 rows without a label left out", {"train.csv": GOOD + "odd film,\n"},
     ["data.on_unlabeled=drop"],
     ["note data.train: 1 of 11 rows has no label (first: train.csv row 11); left out"]),
    ("30 string labels", {"a.jsonl": labels(*["good", "bad"] * 5)}, ["data.train=a.jsonl"],
     ["column label: ClassLabel(names=['bad', 'good'])", "label bad: 4 44.4%",
      "label good: 5 55.6%"]),
    ("31 float labels without a fraction", {"a.jsonl": labels(*[0.0, 1.0] * 5)},
     ["data.train=a.jsonl"], ["column label: ClassLabel(names=['0', '1'])"]),
    ("32 bool labels", {"a.jsonl": labels(*[False, True] * 5)}, ["data.train=a.jsonl"],
     ["column label: ClassLabel(names=['False', 'True'])"]),
    ("33 lists of labels", {"a.jsonl": labels(*[[0], [0, 1]] * 5)}, ["data.train=a.jsonl"],
     ["column label: List(ClassLabel(names=['0', '1']))"]),
    ("34 one class only", {"a.jsonl": labels(*[0] * 10)}, ["data.train=a.jsonl"],
     ["note data.train: every row has the label '0'; there is nothing to tell apart"]),
    ("36 fewer rows than a batch", {}, ["train.batch_size=32"],
     ["steps 3 (1 per epoch)", "note train.batch_size: 32 examples per update, but data.train has "
      "only 9, so an epoch is one update; lower it"]),
    ("37 empty texts", {"train.csv": GOOD + " ,1\n"}, [],
     ["note data.train: 1 of 11 rows has an empty text in column 'text' (first: train.csv row 11); "
      "kept; data.on_empty: drop leaves them out"]),
    ("37 empty texts left out", {"train.csv": GOOD + " ,1\n"}, ["data.on_empty=drop"],
     ["note data.train: 1 of 11 rows has an empty text in column 'text' (first: train.csv row 11); "
      "left out"]),
    ("38 NA, null and None are texts", {"train.csv": GOOD + "NA,0\nnull,1\nNone,1\n"}, [],
     ["train 12 rows", "validation 1 rows"]),
    ("41 NUL inside texts", {"train.csv": GOOD.replace(" film", "\0film")}, [], ["train 9 rows"]),
    ("42 texts longer than the model reads", {"train.csv": GOOD.replace("film", "film " * 40)}, [],
     ["cut 100.0% are longer than 24 tokens", "note data.train: 100% of the rows are longer than "
      "options.max_length, 24 tokens, and lose their end; raise it, to 32 at most"]),
    ("48 learning rate as text", {}, ["train.learning_rate='1e-3'"], ["steps 3 (1 per epoch)"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "overrides", "lines"), cases(TAKEN))
def test_taken(model, files, overrides, lines):
    write(files)
    assert set(lines) <= set(taken(*overrides))


# === Checkpoints ===


def change(file, **settings):
    """Changes settings of a JSON file; None takes one out."""
    values = json.loads(file.read_text(encoding="utf-8")) | settings
    file.write_text(json.dumps({key: one for key, one in values.items() if one is not None}))


def cut(file, size):
    file.write_bytes(file.read_bytes()[:size])


def hdf5(model):
    """Puts the weights into an HDF5 file that is cut short."""
    import h5py

    with h5py.File(model / "tf_model.h5", "w") as file:
        file["w"] = [0.0] * 1000
    (model / "model.safetensors").unlink()
    cut(model / "tf_model.h5", 3000)


def pickled(model):
    """Puts a pickle that runs a command in the place of the weights."""
    import zipfile

    with zipfile.ZipFile(model / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n(X\x09\0\0\0touch badtR.")
    (model / "model.safetensors").unlink()


def without_padding(model, **tokens):
    (model / "special_tokens_map.json").unlink()
    tokens["tokenizer_class"] = "PreTrainedTokenizerFast"  # BERT's own would add a padding token
    change(model / "tokenizer_config.json", pad_token=None, **tokens)


# (row, what is bad), a function that spoils the folder `model`, overrides, line
MODELS = [
    ("42 max_length beyond the positions", None, ["options.max_length=33"],
     "options.max_length: the model reads at most 32 tokens; received 33"),
    ("43 tokenizer of another model", lambda model: change(model / "config.json", vocab_size=50),
     [],
     "model: the tokenizer of model has 98 tokens, its model only 50; tokenizer and weights are "
     "not of one model"),
    ("45 neither padding nor end-of-text token", without_padding, [],
     "model: the tokenizer of model has neither a padding nor an end-of-text token; set pad_token "
     "in its tokenizer_config.json"),
    ("46 model_max_length 1e30",
     lambda model: change(model / "tokenizer_config.json", model_max_length=int(1e30)),
     ["options.max_length=33"],
     "options.max_length: the model reads at most 32 tokens; received 33"),
    ("52 no config.json", lambda model: (model / "config.json").unlink(), [],
     "model: no config.json in model"),
    ("53 weights missing", lambda model: (model / "model.safetensors").unlink(), [],
     "model: no weights in model (want model.safetensors, tf_model.h5 or pytorch_model.bin)"),
    ("53 truncated safetensors", lambda model: cut(model / "model.safetensors", 5000), [],
     "model/model.safetensors is truncated (want 8784 bytes, have 5000)"),
    ("53 truncated HDF5", hdf5, [],
     "model/tf_model.h5 is truncated (want 10048 bytes, have 3000)"),
    ("55 a pickle of more than tensors", pickled, [],
     "model/pytorch_model.bin holds 'os.system': tfhf reads tensors alone from a pickle, and runs "
     "nothing of it; take a checkpoint in safetensors"),
    ("56 no TensorFlow class", lambda model: change(model / "config.json", model_type="llama"), [],
     "model: llama has no TensorFlow class in transformers 4.57; supported: bart, bert, "
     "deberta-v2, distilbert, electra, gpt2, roberta, t5 and 63 more (model/config.json)"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "overrides", "line"), cases(MODELS))
def test_model_refused(model, spoil, overrides, line):
    if spoil:
        spoil(model)
    assert refused(*overrides, "--dry-run") == line


def test_row_45_a_tokenizer_without_padding_token(model):
    without_padding(model, eos_token="[SEP]")
    assert "note model: the tokenizer has no padding token; '[SEP]' is used to pad" in taken()


# === Places to write to ===


def test_row_59_a_folder_that_cannot_be_written(model, folder):
    (folder / "runs").write_text("")
    assert refused(code=4) == "cannot write runs/recipe: Not a directory"


def test_row_59_no_space_left(model, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        cache = datasets.config.HF_DATASETS_CACHE / "tfhf"
        assert refused(code=4) == (
            f"cannot write the data cache {cache}: No space left on device; free space there or "
            "set HF_DATASETS_CACHE"
        )
    taken()  # fills the cache
    monkeypatch.setattr(os, "replace", full)
    assert refused(code=4) == "cannot write runs/recipe/recipe.yaml: No space left on device"


def test_row_60_a_run_that_is_there():
    Run.create("runs/recipe", Recipe.load(RECIPE))
    assert refused() == (
        "--out: runs/recipe already holds a run; name another folder, or replace it with "
        "--overwrite"
    )
    assert refused("--overwrite", "--out", ".") == (
        "--out: . exists and is no run; name another folder"
    )
    assert os.path.exists("train.csv")


# === What only a training shows ===


def test_rows_44_and_58_a_training_pads_by_itself_and_measures_without_the_hub(toy_run):
    lengths = json.loads((toy_run.folder / "data.json").read_text())["splits"]["train"]["lengths"]
    assert lengths["percentiles"]["50"] < lengths["percentiles"]["100"]
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert 0 <= toy_run.metrics["test"]["accuracy"] <= 1


def test_row_47_a_loss_that_is_no_number(toy_recipe):
    with open("recipe.yaml", "w") as file:
        yaml.safe_dump(toy_recipe, file)
    settings = ["learning_rate=10", "weight_decay=1e11", "global_clipnorm=null", "epochs=1"]
    assert refused(*(f"train.{one}" for one in settings), code=3) == (
        "loss became NaN at step 3 (learning rate 6.25); lower train.learning_rate or raise "
        "train.warmup_ratio"
    )
