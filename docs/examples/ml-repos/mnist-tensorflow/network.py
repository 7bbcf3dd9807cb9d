"""A small dense network for 784 pixels and ten classes, of TensorFlow's own operations."""

import tensorflow as tf

HIDDEN = 64


def make_network() -> tf.keras.Model:
    """Return a network that takes raw pixels, so that its users need not prepare them."""
    tf.keras.utils.set_random_seed(7)
    return tf.keras.Sequential(
        [
            tf.keras.Input((784,)),
            tf.keras.layers.Rescaling(1 / 255),
            tf.keras.layers.Dense(HIDDEN, activation="relu"),
            tf.keras.layers.Dense(10),
        ]
    )
