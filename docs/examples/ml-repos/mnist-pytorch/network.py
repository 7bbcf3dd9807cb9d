"""A small convolutional network for 28 x 28 pixels and ten classes."""

import torch
from torch import nn


class Network(nn.Module):
    """Takes rows of 784 raw pixels, so that callers of the served model need not prepare them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size=3, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, kernel_size=3, stride=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 6 * 6, 10),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        # JSON knows no float32: what a request holds arrives as float64 or as whole numbers.
        return self.layers(pixels.to(torch.float32).reshape(-1, 1, 28, 28) / 255)
