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
REACHED_OPERATIONS = 0.4
REACHED_BANDWIDTH = 0.8


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
        near: bytes per second that a device can send to others of its group of `group` devices.
        far: bytes per second that it can send beyond.
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
        products = rows * model.operations(tokens) / (REACHED_OPERATIONS * self.operations)
        moved = rows * model.moved_bytes(tokens) + model.update_bytes
        return products, moved / (REACHED_BANDWIDTH * self.bandwidth)

    def reduction(self, model, devices):
        """Seconds to add up gradients over all devices, in a ring: each sends 2(N-1)/N of them."""
        rate = self.near if devices <= self.group else self.far
        sent = 2 * (devices - 1) / devices * 4 * model.parameters
        return sent / (REACHED_BANDWIDTH * rate)


MODELS = [
    Encoder("MiniLM, 6 layers", 6, 384, 1536, 12),
    Encoder("BERT-base", 12, 768, 3072, 12),
    Encoder("BERT-large", 24, 1024, 4096, 16),
]
# NVLink's figures count both directions; half of it can be sent. TPU: all-reduce per pod / chips.
DEVICES = [
    Device("A100 80 GB", 312e12, 2039e9, 80e9, 300e9, 8, 25e9),
    Device("H100 SXM", 989e12, 3350e9, 80e9, 450e9, 8, 50e9),
    Device("TPU v4 chip", 275e12, 1200e9, 32e9, 1.1e15 / 4096, 4096, 0),
    Device("TPU v5e chip", 197e12, 819e9, 16e9, 51.2e12 / 256, 256, 0),
]
CASES = [(256, 32), (128, 128), (32, 512)]  # rows per device and step, tokens per row
COUNTS = (1, 8, 64)


def models_table():
    rows = []
    for model in MODELS:
        for _, tokens in CASES:
            rows.append(
                [
                    model.name,
                    f"{model.parameters / 1e6:.1f} M",
                    tokens,
                    f"{model.operations(tokens) / 1e9:.2f}",
                    f"{model.kept_bytes(tokens) / 1e6:.1f}",
                    f"{model.state_bytes / 1e9:.2f}",
                    f"{4 * model.parameters / 1e6:.0f}",
                ]
            )
    header = ["model", "parameters", "tokens per row", "G operations per row"]
    header += ["MB kept per row", "GB of state", "MB to add up"]
    return measuring.table(header, rows)


def devices_table():
    rows = []
    for model in MODELS:
        for count, tokens in CASES:
            for device in DEVICES:
                products, memory = device.seconds(model, count, tokens)
                needed = model.state_bytes + count * model.kept_bytes(tokens)
                fits = f"{needed / 1e9:.1f}" + ("" if needed < device.memory else ", too much")
                bound = "products" if products > memory else "memory"
                rate = count / max(products, memory)
                cells = [model.name, f"{count} x {tokens}", device.name, f"{products * 1e3:.1f}"]
                rows.append([*cells, f"{memory * 1e3:.1f}", bound, fits, f"{rate:,.0f}"])
    header = ["model", "rows x tokens", "device", "products, ms", "memory, ms", "bound by"]
    return measuring.table([*header, "GB needed", "rows/s"], rows)


def scaling_table():
    rows = []
    for model in MODELS:
        for count, tokens in CASES:
            for device in DEVICES:
                alone = max(device.seconds(model, count, tokens))
                cells = [model.name, f"{count} x {tokens}", device.name]
                for number in COUNTS[1:]:
                    added = device.reduction(model, number)
                    total = alone + added
                    cells += [f"{added * 1e3:.1f}", f"{alone / total:.0%}"]
                    cells.append(f"{number * count / total:,.0f}")
                rows.append(cells)
    header = ["model", "rows x tokens", "device"]
    for number in COUNTS[1:]:
        header += [f"{number}: all-reduce, ms", "efficiency", "rows/s to feed"]
    return measuring.table(header, rows)


def check():
    """Compares operations with TensorFlow's profiler on MiniLM, forward and whole step."""
    print("to do")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="count MiniLM's operations instead")
    if parser.parse_args().check:
        check()
        return
    for made in (models_table, devices_table, scaling_table):
        print(made(), end="\n\n")


if __name__ == "__main__":
    main()
