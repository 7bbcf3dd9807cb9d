"""A dense network on MNIST, trained by a loop of its own with ``tf.GradientTape``."""

from typing import Any

import tensorflow as tf
from data_manager import DataManager
from flops_utils.ml_repo_templates import ModelManagerTemplate
from network import make_network

BATCH_SIZE = 32
LEARNING_RATE = 0.1


class ModelManager(ModelManagerTemplate):
    """Its parameters are the weights of all layers."""

    def __init__(self) -> None:
        self._model = make_network()
        self._loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def set_model_data(self) -> None:
        train, test = DataManager().get_data()
        self._train_samples, self._test_samples = len(train[1]), len(test[1])
        batches = tf.data.Dataset.from_tensor_slices(train)
        self._train = batches.shuffle(self._train_samples, seed=7).batch(BATCH_SIZE)
        self._test = test

    def get_model(self) -> Any:
        return self._model

    def get_model_parameters(self) -> Any:
        return self._model.get_weights()

    def set_model_parameters(self, parameters: Any) -> None:
        self._model.set_weights(parameters)

    def fit_model(self) -> int:
        for images, labels in self._train:
            self._step(images, labels)
        return self._train_samples

    def evaluate_model(self) -> tuple[float, float, int]:
        images, labels = self._test
        scores = self._model(images, training=False)
        right = tf.equal(tf.argmax(scores, axis=1), tf.cast(labels, tf.int64))
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        return float(self._loss(labels, scores)), float(accuracy), self._test_samples

    # A graph is many times faster than calling each operation; sizes of batches may differ.
    @tf.function(reduce_retracing=True)
    def _step(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        weights = self._model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._loss(labels, self._model(images, training=True))
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(LEARNING_RATE * gradient)
