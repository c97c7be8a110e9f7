"""The matrix products of a training step and nothing else: each kernel's output and two gradients.

Their shapes are those of the step at its average number of tokens. What they reach is the most that
the whole step could.
"""

import tensorflow as tf


def build(job):
    tokens = round(job["batch_size"] * job["tokens"] / job["count"])
    # Operands of its own for each, or equal products would be computed once.
    layers = [
        tuple(map(tf.random.normal, ([tokens, wide], [wide, long], [tokens, long])))
        for wide, long in job["kernels"]
    ]

    @tf.function(autograph=False)
    def products():
        made = []
        for inputs, kernel, slopes in layers:
            made.append(tf.matmul(inputs, kernel))
            made.append(tf.matmul(slopes, kernel, transpose_b=True))
            made.append(tf.matmul(inputs, slopes, transpose_a=True))
        return tf.add_n([product[0, 0] for product in made])

    def train(steps, begin, after_step):
        begin()
        for _ in range(steps):
            corners = products()
            after_step(lambda corners=corners: float(corners))

    return train
