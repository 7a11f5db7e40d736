"""Train a two-layer network on real handwritten digits, with nothing but tensors and gradients.

    make demo

The data are the 1,797 digits of 8 x 8 pixels that scikit-learn bundles (UCI, "Optical Recognition of
Handwritten Digits"). A quarter of them is kept for the test.
"""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import trange

import mlx
import mlx.nn.functional as F

EPOCHS, BATCH, LEARNING_RATE, MOMENTUM = 60, 64, 0.05, 0.9


def parameters() -> list[mlx.Tensor]:
    """The weights and biases of 64 -> 128 -> 10 units, scaled as He et al. (2015) advise."""
    weights = [
        mlx.randn(128, 64) * (2 / 64) ** 0.5,
        mlx.zeros(128),
        mlx.randn(10, 128) * (2 / 128) ** 0.5,
        mlx.zeros(10),
    ]
    return [w.requires_grad_() for w in weights]


def logits(model: list[mlx.Tensor], x: mlx.Tensor) -> mlx.Tensor:
    hidden = F.relu(F.linear(x, model[0], model[1]))
    return F.linear(hidden, model[2], model[3])


def accuracy(model: list[mlx.Tensor], x: mlx.Tensor, y: mlx.Tensor) -> float:
    with mlx.no_grad():
        return (logits(model, x).argmax(1) == y).float().mean().item()


def train(model: list[mlx.Tensor], x: mlx.Tensor, y: mlx.Tensor) -> None:
    """Stochastic gradient descent with momentum."""
    velocity = [mlx.zeros_like(w) for w in model]
    bar = trange(EPOCHS, desc="training", unit="epoch")
    for _ in bar:
        for batch in mlx.randperm(len(x)).split(BATCH):
            loss = F.cross_entropy(logits(model, x[batch]), y[batch])
            loss.backward()
            with mlx.no_grad():
                for w, v in zip(model, velocity, strict=True):
                    v.mul_(MOMENTUM).add_(w.grad)
                    w.sub_(v, alpha=LEARNING_RATE)
                    w.grad = None
        bar.set_postfix(loss=f"{loss.item():.4f}", accuracy=f"{accuracy(model, x, y):.3f}")


def main() -> None:
    mlx.manual_seed(0)
    digits = load_digits()
    split = train_test_split(digits.data / 16.0, digits.target, test_size=0.25, random_state=0)
    train_x, test_x, train_y, test_y = split
    model = parameters()
    train(model, mlx.tensor(train_x).float(), mlx.tensor(train_y))
    score = accuracy(model, mlx.tensor(test_x).float(), mlx.tensor(test_y))
    print(f"{len(test_x)} digits never seen in training: {score:.1%} read correctly")


if __name__ == "__main__":
    main()
