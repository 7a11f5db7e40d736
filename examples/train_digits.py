"""Train two networks on real handwritten digits, save them, and load them again in a fresh process.

    make demo                                        # or: python examples/train_digits.py --device cpu

The data are the 1,797 digits of 8 x 8 pixels that scikit-learn bundles (UCI, "Optical Recognition of
Handwritten Digits"). A quarter of them is kept for the test. Writes mlp.pth, cnn.pth and training.png.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import FigureBase
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import mlx
import mlx.nn as nn
from mlx.utils.data import DataLoader, TensorDataset


class SimpleMLP(nn.Module):
    """Two hidden layers on the 64 pixels."""

    def __init__(self, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, hidden),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def forward(self, x: mlx.Tensor) -> mlx.Tensor:
        return self.layers(x)


class SmallCNN(nn.Module):
    """Two convolutions at full size, one at half, and a linear layer on what they see."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(2 * channels, 4 * channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * channels * 4, 10))

    def forward(self, x: mlx.Tensor) -> mlx.Tensor:
        return self.classifier(self.features(x))


@dataclass
class History:
    """What training one model gave, epoch by epoch."""

    loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0


def datasets(device: mlx.device) -> tuple[TensorDataset, TensorDataset]:
    """The training and the test set: images of 1 x 8 x 8 pixels from 0 to 1, and their digits."""
    digits = load_digits()
    images = digits.images[:, None] / 16.0
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )
    return tuple(
        TensorDataset(mlx.tensor(x, dtype=mlx.float32, device=device), mlx.tensor(y, device=device))
        for x, y in ((train_x, train_y), (test_x, test_y))
    )


def evaluate(model: nn.Module, data: TensorDataset) -> float:
    """The fraction of digits that the model reads correctly."""
    model.eval()
    correct = 0
    with mlx.no_grad():
        for x, y in DataLoader(data, batch_size=256):
            correct += (model(x).argmax(dim=1) == y).sum().item()
    return correct / len(data)


def train(
    model: nn.Module, name: str, train_set: TensorDataset, test_set: TensorDataset, args: argparse.Namespace
) -> History:
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = mlx.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    scheduler = mlx.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, epochs=args.epochs, steps_per_epoch=len(loader)
    )
    history = History()
    start = time.perf_counter()
    bar = tqdm(range(args.epochs), desc=name, unit="epoch", disable=args.quiet)
    for _ in bar:
        model.train()
        total_loss, correct = 0.0, 0
        for x, y in loader:
            optimizer.zero_grad()
            logits = model(x)
            loss = loss_fn(logits, y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total_loss += loss.item() * len(y)
            correct += (logits.argmax(dim=1) == y).sum().item()
        history.loss.append(total_loss / len(train_set))
        history.train_accuracy.append(correct / len(train_set))
        history.test_accuracy.append(evaluate(model, test_set))
        bar.set_postfix(
            {
                "loss": f"{history.loss[-1]:.4f}",
                "training": f"{history.train_accuracy[-1]:.1%}",
                "test": f"{history.test_accuracy[-1]:.1%}",
            }
        )
    history.seconds = time.perf_counter() - start
    return history


def draw(histories: dict[str, History], model: nn.Module, test_set: TensorDataset, path: Path) -> None:
    """Curves of loss and accuracy above, digits of the test set with what the model reads below."""
    figure = plt.figure(figsize=(10, 6.6), layout="constrained")
    curves, digits = figure.subfigures(2, 1)
    draw_curves(curves, histories)
    draw_digits(digits, model, test_set)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_curves(figure: FigureBase, histories: dict[str, History]) -> None:
    losses, accuracies = figure.subplots(1, 2)
    for (name, history), colour in zip(histories.items(), ("tab:blue", "tab:orange"), strict=True):
        epochs = range(1, len(history.loss) + 1)
        losses.semilogy(epochs, history.loss, color=colour, label=name)
        for label, values, style in (
            ("test", history.test_accuracy, {"lw": 1.5}),
            ("training", history.train_accuracy, {"lw": 1, "alpha": 0.45, "ls": "--"}),
        ):
            accuracies.plot(
                epochs, [100 * a for a in values], color=colour, label=f"{name}, {label}", **style
            )
    losses.set(xlabel="epoch", title="training loss (cross-entropy)")
    accuracies.set(xlabel="epoch", title="digits read correctly (%)", ylim=(89.5, 100.5))
    for axes in (losses, accuracies):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)


def draw_digits(
    figure: FigureBase, model: nn.Module, test_set: TensorDataset, rows: int = 3, columns: int = 14
) -> None:
    """A grid of digits, the misread ones first and in red."""
    images, labels = test_set.tensors
    model.eval()
    with mlx.no_grad():
        predicted = model(images).argmax(dim=1)
    correct = predicted == labels
    wrong, right = ((~correct).nonzero().flatten().tolist(), correct.nonzero().flatten().tolist())
    figure.suptitle("digits of the test set as the CNN reads them; misread ones in red")
    chosen = [*wrong[:columns], *right]
    for axes, i in zip(figure.subplots(rows, columns).flat, chosen, strict=False):
        read, truth = predicted[i].item(), labels[i].item()
        axes.imshow(images[i, 0].cpu().numpy(), cmap="gray_r")
        title, colour = (f"{read}", "black") if read == truth else (f"{read} (is {truth})", "tab:red")
        axes.set_title(title, fontsize=9, pad=3, color=colour)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("0.8")


def accuracy_in_a_fresh_process(path: Path, device: mlx.device) -> float:
    """What this program says of the saved model when it starts anew."""
    command = [sys.executable, __file__, "--evaluate", str(path), "--device", str(device)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu", help="cpu, mps (Metal) or cuda")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=4e-3, help="the highest learning rate of the schedule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(), help="where the files are written")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--evaluate", type=Path, metavar="FILE", help="only test a saved model")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    mlx.manual_seed(args.seed)
    device = mlx.device(args.device)
    train_set, test_set = datasets(device)
    if args.evaluate:
        print(evaluate(mlx.load(args.evaluate, map_location=device), test_set))
        return

    models = {"MLP": SimpleMLP().to(device), "CNN": SmallCNN().to(device)}
    histories = {name: train(model, name, train_set, test_set, args) for name, model in models.items()}

    print(f"\n{len(train_set)} digits to train on, {len(test_set)} to test\n")
    print(f"{'model':6}{'parameters':>12}{'seconds':>9}{'test accuracy':>15}{'loaded again':>14}")
    for name, model in models.items():
        path = args.folder / f"{name.lower()}.pth"
        mlx.save(model, path)
        accuracy, again = evaluate(model, test_set), accuracy_in_a_fresh_process(path, device)
        parameters = sum(p.numel() for p in model.parameters())
        print(f"{name:6}{parameters:12,}{histories[name].seconds:9.1f}{accuracy:15.2%}{again:14.2%}")
        if again != accuracy:
            sys.exit(f"{path}: the loaded model is not the one that was saved")

    picture = args.folder / "training.png"
    draw(histories, models["CNN"], test_set, picture)
    print(f"\ncurves and digits: {picture.resolve()}")


if __name__ == "__main__":
    main()
