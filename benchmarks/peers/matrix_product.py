"""What the machine can do: products of large float32 matrices in TensorFlow. A step is one."""

import tensorflow as tf


def build(job):
    left, right = (tf.random.normal([2048, 2048]) for _ in range(2))

    def train(steps, begin, after_step):
        begin()
        for _ in range(steps):
            corner = tf.matmul(left, right)[0, 0]
            after_step(lambda corner=corner: float(corner))

    return train
