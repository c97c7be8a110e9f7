"""Task: what makes one kind of problem different from another.

A task is built from a tokenizer (or another processor) and the typed columns of the data; its
keyword arguments are the recipe's `options:`. It never sees a recipe, a run or a file. The verbs
call its methods in the order in which they stand here; `docs/tasks.md` tells, for each kind of
problem, what every method does.

Shapes: B examples, T tokens, C classes, D width, V vocabulary.
"""

import copy
import inspect
from collections.abc import Iterator, Sequence

from tfhf.errors import UserError

ENDLESS = 1_000_000  # tokens; a tokenizer that does not know its model's limit says more
# Families that mix neighbouring places, padding among them: embeddings, convolutions, pooling.
SEE_PADDING = ("mobilebert", "convbert", "funnel")


class Task:
    """One kind of problem. Subclasses live in one file each and override what differs."""

    auto_class = "TFAutoModel"
    """Name of the transformers class whose head the task trains."""

    architectures = ()
    """Endings of `architectures` in a config by which the task knows a model that is no run of
    ours, such as `ForSequenceClassification`; empty where another task has the better claim."""

    pipelines = ()
    """Names under which `tfhf.pipeline` knows the task, as in transformers."""

    default_model = None
    """Hub id and revision of the checkpoint `tfhf.pipeline` takes when none is named."""

    monitor = "loss"
    """Validation metric that picks the best epoch unless the recipe names another."""

    labels = None
    """Names of the classes in their order, for tasks that have classes."""

    problem = None
    """`regression` for tasks that answer with a number; TensorFlow Serving has a call for those."""

    targets = ("label",)
    """Columns of `encode` or `prepare` that the loss needs and the model must not see."""

    generates = False
    """Whether `outputs` makes tokens itself; `forward` then gives nothing in a prediction."""

    unread = ()
    """Layers of the backbone that nothing the task gives depends on: a checkpoint may lack them."""

    shown = ()
    """Tensors of `forward` that `present` needs beside the results, such as `logits`."""

    reads_slowly = False
    """Whether `encode` can do with a tokenizer that transformers has in Python alone (Marian's)."""

    fixed_shapes = True
    """Whether the lengths of its rows alone decide the shapes of a batch; not so where masks are
    drawn, or a row holds several texts."""

    rows_at_once = 2_000
    """Rows `encode` gets per call; fewer where a row is large (images)."""

    # === Before the data are read ===

    @classmethod
    def columns(cls, **options):
        """Roles a recipe maps to columns: role → kind (`tfhf.data.columns`)."""
        raise NotImplementedError

    @classmethod
    def named(cls, pipeline):
        """Options that the name of a pipeline stands for (`translation_en_to_de`).

        Returns:
            The options, `{}` for the names in `pipelines`; None where the name is not the task's.
        """
        return {} if pipeline in cls.pipelines else None

    @classmethod
    def load_processor(cls, source):
        """Loads what `encode` needs of a checkpoint: its tokenizer, or an image processor.

        Raises:
            UserError: if the checkpoint has none, or one that does not fit its model.
        """
        from tfhf import models

        tokenizer = models.load_tokenizer(source)
        if not (tokenizer.is_fast or cls.reads_slowly):
            raise UserError(
                f"model: {source.name} has a {type(tokenizer).__name__} and no tokenizer.json, with"
                " which only text2text, summarization and translation can do"
            )
        tokenizer.checkpoint = models.load_config(source)
        return tokenizer

    @classmethod
    def notes(cls, processor):
        """What is unusual about a checkpoint, as its processor tells it, a line each."""
        from tfhf import models

        family, found = processor.checkpoint.model_type, models.tokenizer_notes(processor)
        if family in SEE_PADDING:
            found.append(
                f"model: a {family} sees where a text ends and padding begins, in PyTorch as well, "
                "so its numbers change a little with the longest text of a batch"
            )
        return found

    @classmethod
    def compares_rows(cls, **options):
        """Whether the loss compares the rows of a batch with each other.

        Such a batch is drawn at random, because texts of like lengths are often of like kind, and
        cannot be cut into slices.
        """
        return False

    @classmethod
    def check_accumulate(cls, accumulate, **options):
        """Refuses to cut the batches of a loss that compares their rows.

        Args:
            accumulate: slices per batch.
            **options: the task's options.

        Raises:
            UserError: if there are several.
        """
        if accumulate > 1 and cls.compares_rows(**options):
            raise UserError(
                "train.accumulate: must be 1, because this loss compares all rows of a batch, and "
                f"slices would compare fewer; lower train.batch_size; received {accumulate}"
            )

    # === Data: from rows to arrays ===

    def __init__(self, processor, features, *, max_length=128):
        self.processor = processor
        self.features = features
        self.max_length = max_length

    @classmethod
    def features_of(cls, config):
        """Typed columns as a trained model's config tells them; the inverse of `model_config`."""
        raise NotImplementedError

    @classmethod
    def learned_labels(cls, config):
        """Label names of a trained model in the order of its classes; None where it has none."""
        return None

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        """Typed columns for given label names and input roles, where there are no data yet."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, processor, config, **options):
        """The task a model was trained for, from its config alone.

        Args:
            processor: the model's tokenizer.
            config: its config; the options it was trained with stand in `task_specific_params`.
            **options: win over those of the config.
        """
        return cls(
            processor, cls.features_of(config), **cls.known_options(processor, config, options)
        )

    @classmethod
    def known_options(cls, processor, config, options):
        """The options a model was trained with, changed by the given ones."""
        saved = cls.saved(config)
        known = {name: saved[name] for name in cls.options() if name in saved}
        # Whatever another tool trained reads as much as it can.
        if "max_length" in cls.options() and processor is not None:
            longest = processor.model_max_length
            known.setdefault("max_length", longest if longest < ENDLESS else 512)
        return known | options

    @classmethod
    def saved(cls, config):
        """What `settings` wrote of this task into a config, or `{}`."""
        return (config.task_specific_params or {}).get(f"tfhf.{cls.name()}", {})

    @classmethod
    def told(cls, config, roles):
        """A copy of a config that says which columns its model reads, where nothing said so."""
        config = copy.deepcopy(config)
        saved = cls.saved(config) | {"roles": list(roles)}
        known = config.task_specific_params or {}
        config.task_specific_params = known | {f"tfhf.{cls.name()}": saved}
        return config

    @classmethod
    def name(cls):
        """The task's name: that of its file, or the place of a user's own."""
        package, _, name = cls.__module__.rpartition(".")
        return name if package == __package__ else f"{cls.__module__}:{cls.__name__}"

    @classmethod
    def options(cls):
        """The constructor's keywords, which are the recipe's `options:`; name → parameter."""
        return {
            name: parameter
            for name, parameter in inspect.signature(cls).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }

    def model_config(self):
        """What the checkpoint's config must say for this data: label names, `problem_type` …"""
        return {"task_specific_params": {f"tfhf.{self.name()}": self.settings()}}

    def settings(self):
        """What a trained model must remember of the task, JSON-ready: its options, to begin with.

        They stand in `task_specific_params`, transformers' own place for settings of a task, under
        a name of our own, because T5's and BART's configs have a `summarization` of theirs there.
        """
        return {"max_length": self.max_length}

    def set_up(self, backbone):
        """Changes a model just loaded where its config cannot say it: generation settings …"""

    def unread_by(self, weight):
        """Whether a weight belongs to one of the layers in `unread`."""
        return any(part in self.unread for part in weight.split("."))

    def save_extras(self, folder, backbone):
        """Writes what a trained model's folder holds beside config, tokenizer and weights.

        Args:
            folder: the folder, its other files written.
            backbone: the transformers model.
        """

    def weigh(self, rows):
        """Takes from the training rows what the loss must know of them: how frequent classes are.

        Args:
            rows: the training split's `datasets.Dataset`.
        """

    @property
    def inputs(self):
        """What a prediction needs: role → kind of column (`tfhf.data.columns`)."""
        kinds = self.columns()
        return {role: kinds[role].required() for role in self.serving_inputs}

    def asked(self, rows):
        """A split's rows as a prediction asks for them: a dataset with the columns of `inputs`."""
        return rows.select_columns([role for role in self.inputs if role in rows.column_names])

    def passed_over(self, read):
        """Columns of the task that this model does not read: second texts, say.

        Args:
            read: roles that are read.
        """
        if "roles" not in self.settings():
            return []
        return [role for role in self.columns() if role not in read]

    def encode(self, rows):
        """Turns rows into features.

        Args:
            rows: role → list of n values.

        Returns:
            Column → list of m values. A column named in `padding` holds one list of ids per
            feature. Where a row may give several features (windows), the column `row` holds the
            index into `rows`; without it m equals n. The column `full_length` holds the tokens
            each feature would have had without truncation; it is counted, not fed. So is `length`,
            for tasks whose batches are padded by something else than the longest ragged column.
        """
        raise NotImplementedError

    @property
    def padding(self):
        """Ragged columns of `encode` → the value that fills them up to the batch's longest.

        A column whose name ends in `input_ids` gets a mask of its real tokens beside it,
        `attention_mask` in place of that ending.
        """
        return {}

    def fed(self, inputs):
        """The inputs that the transformers model knows.

        `feature` is the number of each example, `row` in an export the row of each feature.
        """
        return {name: value for name, value in inputs.items() if name not in ("feature", "row")}

    # === In the graph ===

    def prepare(self, columns, seed, training):
        """Changes a batch anew in each epoch (masks, augmentation); may add columns, targets too.

        Called when training and when measuring, never when predicting.

        Args:
            columns: column → tensor with B in front, targets included.
            training: False when measuring, where every epoch must see the same.
            seed: `(B, 2)` int32, a function of (recipe seed, epoch, row) alone: the only source
                of randomness allowed here, through `tf.random.stateless_*`.
        """
        return columns

    def forward(self, backbone, inputs, training):
        """Runs the model: one call for most, several for towers or choices.

        Args:
            backbone: the transformers model.
            inputs: column → tensor; `feature` among them when training and measuring, -1 where an
                example only fills up the batch.
            training: whether dropout is on.

        Returns:
            Name → tensor with B in front; float32 whatever the dtype policy.
        """
        raise NotImplementedError

    def loss(self, targets, outputs):
        """The loss as sums, so that it can be divided once by the count over all replicas.

        Args:
            targets: the columns named in `targets`; the tensor itself where there is one.
            outputs: what `forward` gave.

        Returns:
            Two `(B,)` float32 tensors: the summed loss of each example, and the number of real
            labels in it (1 for a class, its tokens for a sequence).
        """
        raise NotImplementedError

    def outputs(self, outputs, inputs, backbone):
        """What `forward` gave → named results; the same operations in `predict` and in exports.

        Args:
            outputs: what `forward` gave.
            inputs: what `forward` got.
            backbone: the model, for tasks that decode token by token.

        Returns:
            Name → tensor with B in front and the same other dimensions in every batch.
        """
        raise NotImplementedError

    def measured(self, outputs, inputs, targets, backbone):
        """What `score` needs of a batch with targets, as named results; `outputs`, for most.

        Tasks whose quality is a likelihood measure it here and generate nothing.
        """
        return self.outputs(outputs, inputs, backbone)

    # === After the graph ===

    def gather(self, results, rows):
        """Results per feature → results per row (the windows of one text, say).

        Args:
            results: name → array with one entry per feature.
            rows: `(features,)` int array, the row each feature came from, ascending.
        """
        return results

    def decode(self, results, index, row):
        """What a person reads: JSON-ready, with the names of the field.

        Args:
            results: what `gather` gave.
            index: which of its rows.
            row: that row, role → value.
        """
        raise NotImplementedError

    def as_rows(self, rows):
        """What a pipeline is called with → a list of rows, and whether a list was meant.

        Args:
            rows: a row (a text, or a dictionary from role to value) or several: a list, a dataset
                or a column of one, a NumPy array of texts, a generator.
        """
        if hasattr(rows, "column_names") and not isinstance(rows, dict):  # not several splits
            return rows, True
        many = isinstance(rows, Sequence | Iterator) and not isinstance(rows, str | bytes)
        many = many or getattr(rows, "ndim", 0) == 1  # of NumPy or pandas; an image has more
        return (list(rows) if many else [rows]), many

    def configured(self, **choices):
        """Takes what a call of the pipeline may choose beside its rows.

        Args:
            **choices: as transformers' pipeline of this task names them.

        Returns:
            `(task, rest)`: the task as the choices make it (itself, or a copy with other candidate
            labels or generation settings), and the choices that `present` takes.
        """
        return self, choices

    @property
    def traced_with(self):
        """Settings that change the graph; copies of a task with equal ones share a trace."""
        return ()

    def present(self, results, index, row, **choices):
        """`decode` in the shape transformers' pipeline of this task made usual."""
        return self.decode(results, index, row, **choices)

    def arrange(self, answers, **choices):
        """Answers to a list of rows, as `present` gave them → what a pipeline gives for a list."""
        return answers

    def line(self, row, answer):
        """A row and its answer, as `decode` gave it, in one line for people."""
        raise NotImplementedError

    def expected(self, rows):
        """The targets of a split's rows as a person reads them; comparable with `decode`'s."""
        raise NotImplementedError

    def records(self, rows, results):
        """Yields what `predictions/<split>.jsonl` says, a dictionary per row of a split.

        Args:
            rows, results: as for `score`.
        """
        expected = self.expected(rows)
        for index, row in enumerate(rows):
            inputs = {role: value for role, value in row.items() if role in self.inputs}
            answer = self.decode(results, index, row)
            yield inputs | {"expected": expected[index]} | answer

    def tune(self, rows, results):
        """Sets what is best set on the validation split (a threshold); `settings` remembers it.

        Args:
            rows, results: as for `score`, of the best epoch's model.
        """

    def adopt(self, settings):
        """Takes over what `tune` found for a trained model, from its `settings`."""

    @property
    def metric_names(self):
        """Metrics that `score` gives as single numbers: what a recipe's `monitor` may name."""
        raise NotImplementedError

    def score(self, rows, results):
        """Metrics over a whole split.

        Args:
            rows: the split's `datasets.Dataset`: columns by role, targets included.
            results: what `gather` gave for them.

        Returns:
            Name → float, plus tables (`per_class`) as dictionaries.
        """
        raise NotImplementedError

    # === Serving ===

    agreement = 1.0
    """Share of rows on which an export must answer as the model does: 1 wherever answers are sums
    of what the same numbers give, less where an answer may turn on the last digit of one."""

    tolerance = 1e-5
    """How far a number of an export's answer may be from the model's, relative above 1."""

    recorded = True
    """Whether `predictions/*.jsonl` holds enough of the rows to ask them again."""

    @property
    def serving_inputs(self):
        """Inputs of the exported model's `serving_default`; none where there is no export.

        Returns:
            Role → `TEXT` (one string for each row), `TEXTS` (several) or `NUMBER`, all of
            `tfhf.exports`.
        """
        return {}

    @property
    def continues(self):
        """Whether an export can also generate a text in parts: `outputs` takes `begun` and `steps`
        among its inputs, as `tfhf.learning.decoding.generation.generate` does."""
        return False

    @property
    def served_labels(self):
        """Names of the classes that `assets/labels.txt` lists; None for no such file."""
        return self.labels

    def obstacle(self):
        """Why models of the task cannot be exported, in one line; None where they can.

        Asked before training, without TensorFlow.
        """
        from tfhf.exports import tokenizers

        if not self.serving_inputs:
            return f"{self.name()} has no signature for TensorFlow Serving"
        try:
            tokenizers.check_kind(self.processor)
        except UserError as error:
            return str(error)
        return None

    def graph_tokenizer(self):
        """The tokenizer as TensorFlow operations; None where inputs are no texts.

        Raises:
            UserError: if it has no such form.
        """
        from tfhf.exports import tokenizers

        return tokenizers.in_graph(self.processor)

    def served_rows(self, rows):
        """Rows as a prediction is asked them → the values of `serving_inputs`.

        Args:
            rows: a `datasets.Dataset` with the columns of `inputs`.

        Returns:
            Role → list of strings, of lists of strings or of integers.
        """
        return {role: rows[role][:] for role in self.serving_inputs}

    def as_served(self):
        """The task as an export answers: itself, or a copy with what an export fixes."""
        return self

    def proof_rows(self, rows):
        """Rows on which an export is compared with the model, from rows of a split or a run.

        Args:
            rows: a split's `datasets.Dataset`, or a list of texts or dictionaries (such as the
                records of `predictions/validation.jsonl`).

        Returns:
            Rows as `tfhf.pipeline` takes them, or a dataset with the columns of `inputs`.
        """
        return self.asked(rows) if hasattr(rows, "features") else rows

    def encode_in_graph(self, tokenizer, strings):
        """`encode` as TensorFlow operations.

        Args:
            tokenizer: an in-graph tokenizer of `tfhf.exports.tokenizers`.
            strings: role → tensor, as `serving_inputs` says.

        Returns:
            The inputs of `forward`. Where a row may give several features, `row` `(F,)` int64
            tells the row of each, ascending.
        """
        raise NotImplementedError

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        """`gather` and `decode` as TensorFlow operations.

        Args:
            results: what `outputs` gave.
            inputs: what `encode_in_graph` gave.
            strings, tokenizer: what it got.

        Returns:
            Name → tensor with a row for each row of `strings`; unused places hold 0 and "".
        """
        return results

    def read_served(self, answers, index, row):
        """An answer of the export as `decode` words it, or a part of that.

        Args:
            answers: name → array, what `answers_in_graph` gives.
            index: which of its rows.
            row: that row, role → value.
        """
        return self.decode(answers, index, row)
