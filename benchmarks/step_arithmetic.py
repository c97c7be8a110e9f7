"""The arithmetic of a training step on devices that this project has not measured.

    python benchmarks/step_arithmetic.py            # the tables of docs/scaling.md
    python benchmarks/step_arithmetic.py --check    # operations against a count of TensorFlow's

Operations, bytes and all-reduce follow from a model's shape; what devices do in a second are their
makers' figures. docs/scaling.md says what is assumed and what follows.
"""

import argparse
from dataclasses import dataclass

import measuring

# Of a maker's peak; assumptions, not measurements.
REACHED = 0.4  # of products
REACHED_BANDWIDTH = 0.8  # of memory and links


@dataclass(frozen=True)
class Encoder:
    """The shape of a BERT-like encoder.

    Attributes:
        layers, width, inner: as `num_hidden_layers`, `hidden_size`, `intermediate_size`.
        heads: of attention.
        entries: rows of all embeddings: vocabulary, positions, token types.
    """

    name: str
    layers: int
    width: int
    inner: int
    heads: int
    entries: int = 30_522 + 512 + 2

    @property
    def matrix_weights(self):
        """Parameters that multiply every token: four projections and the feed-forward pair."""
        return self.layers * (4 * self.width**2 + 2 * self.width * self.inner)

    @property
    def parameters(self):
        """All of them, with biases, norms and the pooler; without a head."""
        vectors = self.layers * (9 * self.width + self.inner) + 2 * self.width
        pooler = self.width**2 + self.width
        return self.matrix_weights + vectors + pooler + self.entries * self.width

    def forward_operations(self, tokens):
        """Of the encoder's matrix products for one row, a multiplication and an addition being two.

        2 per token and matrix weight; in each layer every token meets every other twice, in scores
        and in their use, at 2 x width each.
        """
        return tokens * (2 * self.matrix_weights + 4 * self.layers * self.width * tokens)

    def operations(self, tokens):
        """Of a training step, per row: backward costs twice what forward does."""
        return 3 * self.forward_operations(tokens)

    def kept_bytes(self, tokens):
        """Activations that the backward pass needs, per row, in 16 bits with 8-bit dropout masks.

        Source: Korthikanti et al. 2022, section 4.1, https://arxiv.org/abs/2205.05198
        """
        # Of the 34 bytes, 16 belong to the feed-forward layer at an inner width of 4 x width.
        layer = 18 * self.width + 4 * self.inner + 5 * self.heads * tokens
        return self.layers * tokens * layer

    @property
    def state_bytes(self):
        """Weights, gradients and AdamW's two moments, in float32 under either dtype policy."""
        return 16 * self.parameters

    @property
    def update_bytes(self):
        """Moved once per step whatever the batch: 28 bytes per parameter by AdamW (4 read, 3
        written), 8 for the gradient, 12 for the two casts of weights to 16 bits and their reads."""
        return 48 * self.parameters

    def moved_bytes(self, tokens):
        """Per row: what is kept is written, read by the next operation and again backward, and its
        gradient is written and read. Fusion by XLA saves a part of it."""
        return 5 * self.kept_bytes(tokens)


@dataclass(frozen=True)
class Device:
    """What its maker states.

    Attributes:
        operations: dense bfloat16 matrix operations per second, accumulated in float32.
        bandwidth: of its memory, bytes per second.
        memory: bytes.
        near: bytes per second that a device sends to the next of its group of `group` devices.
        far: bytes per second that a group sends to the next.
    """

    name: str
    operations: float
    bandwidth: float
    memory: float
    near: float
    group: int
    far: float

    def seconds(self, model, rows, tokens):
        """Of a step's products, and of its traffic to memory; they overlap."""
        products = rows * model.operations(tokens) / (REACHED * self.operations)
        moved = rows * model.moved_bytes(tokens) + model.update_bytes
        return products, moved / (REACHED_BANDWIDTH * self.bandwidth)

    def reduction(self, model, devices):
        """Seconds to add up float32 gradients in a ring: each device sends 2(N-1)/N of them."""
        rate = self.near if devices <= self.group else min(self.near, self.far)
        sent = 2 * (devices - 1) / devices * 4 * model.parameters
        return sent / (REACHED_BANDWIDTH * rate)


MODELS = [
    Encoder("MiniLM", 6, 384, 1536, 12),
    Encoder("BERT-base", 12, 768, 3072, 12),
    Encoder("BERT-large", 24, 1024, 4096, 16),
]
# NVLink's figures count both directions, of which half is sent; eight network cards per node.
# TPUs: the all-reduce bandwidth of a pod, per chip. Sources: docs/scaling.md.
DEVICES = [
    Device("A100 80 GB", 312e12, 2039e9, 80e9, 300e9, 8, 8 * 25e9),
    Device("H100 SXM", 989e12, 3350e9, 80e9, 450e9, 8, 8 * 50e9),
    Device("TPU v4", 275e12, 1200e9, 32e9, 1.1e15 / 4096, 4096, 0),
    Device("TPU v5e", 197e12, 819e9, 16e9, 51.2e12 / 256, 256, 0),
]
SLOW_NETWORK = Device("A100, one 100 Gb/s card per node", 312e12, 2039e9, 80e9, 300e9, 8, 12.5e9)
CASES = [(256, 32), (32, 512)]  # rows per device and step, tokens per row
COUNTS = (8, 64)


def models_table():
    """What a model costs, whatever it runs on."""
    rows = []
    for model in MODELS:
        for tokens in (32, 128, 512):
            operations, kept = model.operations(tokens) / 1e9, model.kept_bytes(tokens) / 1e6
            state, added = model.state_bytes / 1e9, 4 * model.parameters / 1e6
            weights = f"{model.parameters / 1e6:.1f} M ({model.matrix_weights / 1e6:.1f} M)"
            cells = [f"{operations:,.1f}", f"{kept:,.1f}", f"{state:.2f}", f"{added:,.0f}"]
            rows.append([model.name, weights, tokens, *cells])
    header = ["model", "parameters (multiplying)", "tokens per row", "10^9 operations per row"]
    return measuring.table([*header, "MB kept per row", "GB of state", "MB to add up"], rows)


def devices_table():
    """One device."""
    rows = []
    for model in MODELS:
        for count, tokens in CASES:
            for device in DEVICES:
                products, memory = device.seconds(model, count, tokens)
                needed = model.state_bytes + count * model.kept_bytes(tokens)
                cells = [model.name, f"{count} × {tokens}", device.name]
                cells += [f"{products * 1e3:.1f}", f"{memory * 1e3:.1f}"]
                cells.append("products" if products > memory else "memory")
                cells.append(f"{needed / 1e9:.1f}" + " (too much)" * (needed > device.memory))
                rows.append([*cells, f"{count / max(products, memory):,.0f}"])
    header = ["model", "rows × tokens", "device", "products, ms", "memory, ms", "bound by"]
    return measuring.table([*header, "GB needed", "rows/s"], rows)


def scaling_table():
    """Several devices, each with the first case's rows."""
    (count, tokens), rows = CASES[0], []
    for model in MODELS:
        for device in [DEVICES[0], SLOW_NETWORK, *DEVICES[1:]]:
            alone = max(device.seconds(model, count, tokens))
            cells = [model.name, device.name, f"{alone * 1e3:.1f}"]
            for number in COUNTS:
                added = device.reduction(model, number)
                share, fed = alone / (alone + added), number * count / (alone + added)
                enough = 9 * added / alone * count * tokens
                cells.append(f"{added * 1e3:.1f} ms: {share:.0%}, {fed / 1e3:,.0f} k rows/s")
                cells.append(f"{enough / 1e3:,.0f} k")
            rows.append(cells)
    header = ["model", "device", "step alone, ms"]
    for number in COUNTS:
        header += [f"{number} devices: all-reduce, efficiency, input", "tokens for 90 %"]
    return measuring.table(header, rows)


def counted(model, rows, tokens):
    """TensorFlow's own count of a model's operations.

    Args:
        model: an Encoder.
        rows, tokens: of the batch.

    Returns:
        Kind of op → operations of it in [forward, forward and backward]; and the number of nodes
        in the larger graph.
    """
    import tensorflow as tf
    from transformers import BertConfig, TFBertModel

    import tfhf  # noqa: F401  (chooses the Keras that transformers needs)

    config = BertConfig(
        hidden_size=model.width,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        intermediate_size=model.inner,
    )
    bert = TFBertModel(config, add_pooling_layer=False)
    bert.build_in_name_scope()
    ids = tf.TensorSpec([rows, tokens], tf.int32)

    def forward(ids):
        return bert({"input_ids": ids}, training=True).last_hidden_state

    def step(ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(forward(ids))
        return tape.gradient(loss, bert.trainable_variables)

    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation() | {"output": "none"}
    found = {}
    for place, function in enumerate((forward, step)):
        graph = tf.function(function).get_concrete_function(ids).graph
        profile = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
        while profile.children:
            (profile,) = profile.children
            found.setdefault(profile.name, [0, 0])[place] = profile.float_ops
    return found, len(graph.get_operations())


def check(model, rows, tokens):
    """Prints the formula's operations beside TensorFlow's count."""
    found, nodes = counted(model, rows, tokens)
    products = [sum(v[i] for k, v in found.items() if "MatMul" in k) for i in range(2)]
    everything = [sum(v[i] for v in found.values()) for i in range(2)]
    formula = [rows * model.forward_operations(tokens), rows * model.operations(tokens)]
    lines = []
    for i, what in enumerate(("forward", "forward and backward")):
        cells = [f"{value[i] / 1e9:.4f}" for value in (formula, products, everything)]
        lines.append([what, *cells])
    print(f"{model.name}, {rows} rows of {tokens} tokens, 10^9 operations:\n")
    print(measuring.table(["", "formula", "matrix products counted", "all ops counted"], lines))
    print(f"\nNodes of the graph, forward and backward: {nodes:,}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="count MiniLM's operations instead")
    if parser.parse_args().check:
        check(MODELS[0], *CASES[0])
        return
    print("\n\n".join(made() for made in (models_table, devices_table, scaling_table)))


if __name__ == "__main__":
    main()
