"""Train a small GPT, character by character, on Python's own standard library, and let it write code.

    python examples/train_chargpt.py                           # some minutes on two cores
    python examples/train_chargpt.py --load chargpt.pth --steps 0 --prompt "class "

The network is a decoder-only transformer (Radford et al., 2019) with the norm before each part. The text is
what lies in the folder of this interpreter's standard library. Writes a checkpoint: the model, with the
characters that it knows, and the optimizer's state.
"""

from __future__ import annotations

import argparse
import math
import sysconfig
import time
from pathlib import Path

from tqdm import tqdm

import mlx
import mlx.nn as nn
import mlx.nn.functional as F


class Attention(nn.Module):
    """Causal self-attention with several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: mlx.Tensor) -> mlx.Tensor:
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention, then a network on each position, each added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: mlx.Tensor) -> mlx.Tensor:
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class CharGPT(nn.Module):
    """Logits of the next character at every position. The output layer shares the embedding's weight."""

    def __init__(
        self, vocabulary: str, context: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.context = context
        self.characters = nn.Embedding(len(vocabulary), width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(vocabulary), bias=False)
        self.head.weight = self.characters.weight
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # Layers that add to the residual stream start smaller, the more of them there are.
                scale = 1 / math.sqrt(2 * layers) if name.endswith(("out.weight", "mlp.2.weight")) else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, ids: mlx.Tensor) -> mlx.Tensor:
        x = self.characters(ids) + self.positions(mlx.arange(ids.shape[1], device=ids.device))
        return self.head(self.norm(self.blocks(x)))

    def encode(self, text: str) -> list[int]:
        numbers = {c: i for i, c in enumerate(self.vocabulary)}
        return [numbers[c] for c in text if c in numbers]

    @mlx.no_grad()
    def write(self, prompt: str, length: int, temperature: float, top_k: int) -> str:
        """Continue a text; each character is drawn from the `top_k` likeliest."""
        self.eval()
        ids = mlx.tensor([self.encode(prompt)], device=self.head.weight.device)
        for _ in range(length):
            logits = self(ids[:, -self.context :])[:, -1] / temperature
            best, where = logits.topk(min(top_k, logits.shape[-1]))
            drawn = mlx.multinomial(best.softmax(dim=-1), 1)
            ids = mlx.cat([ids, where.gather(1, drawn)], dim=1)
        return "".join(self.vocabulary[i] for i in ids[0].tolist())


def library_text(limit: int) -> str:
    """The modules of the standard library one after the other, up to a number of characters.

    Four spaces become a tab: indentation then takes few characters of the context.
    """
    parts, total = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="ignore").replace("    ", "\t")
        parts.append("".join(c for c in text if c.isascii() and (c.isprintable() or c in "\n\t")))
        total += len(parts[-1])
        if total >= limit:
            break
    return "\n\n\n".join(parts)[:limit]


def batch_of(data: mlx.Tensor, size: int, context: int) -> tuple[mlx.Tensor, mlx.Tensor]:
    """Random pieces of the text, and the same moved on by one character."""
    starts = mlx.randint(0, len(data) - context, (size, 1), device=data.device)
    pieces = data[starts + mlx.arange(context + 1, device=data.device)]
    return pieces[:, :-1], pieces[:, 1:]


def loss_of(model: CharGPT, inputs: mlx.Tensor, targets: mlx.Tensor) -> mlx.Tensor:
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


@mlx.no_grad()
def validate(model: CharGPT, data: mlx.Tensor, batch_size: int, batches: int = 20) -> float:
    """The mean loss on text that is not trained on, in nats a character."""
    model.eval()
    losses = [loss_of(model, *batch_of(data, batch_size, model.context)).item() for _ in range(batches)]
    model.train()
    return sum(losses) / len(losses)


def rate_at(step: int, steps: int, warmup: int = 50) -> float:
    """The learning rate as a part of the highest: up in a line, then down along a cosine to a tenth."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.55 + 0.45 * math.cos(math.pi * (step - warmup) / max(steps - warmup, 1))


def train(model: CharGPT, optimizer: mlx.optim.Optimizer, text: str, args: argparse.Namespace) -> None:
    data = mlx.tensor(model.encode(text), device=model.head.weight.device)
    training, validation = data[: -len(data) // 10], data[-len(data) // 10 :]
    schedule = mlx.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, args.steps))
    model.train()
    bar = tqdm(range(args.steps), unit="step", disable=args.quiet)
    mean = None
    for step in bar:
        inputs, targets = batch_of(training, args.batch_size, model.context)
        optimizer.zero_grad()
        loss = loss_of(model, inputs, targets)
        loss.backward()
        optimizer.step()
        schedule.step()
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        bar.set_postfix({"loss": f"{mean:.3f}", "lr": f"{schedule.get_last_lr()[0]:.1e}"})
        if args.validate_every and (step + 1) % args.validate_every == 0:
            tqdm.write(
                f"step {step + 1:5}: validation loss {validate(model, validation, args.batch_size):.3f}"
            )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu", help="cpu, mps (Metal) or cuda")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--context", type=int, default=128, help="characters that the network sees")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--lr", type=float, default=2e-3, help="the highest learning rate")
    parser.add_argument("--text-size", type=int, default=4_000_000, help="characters to train on")
    parser.add_argument("--validate-every", type=int, default=250, help="steps; 0 for never")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--load", type=Path, metavar="FILE", help="go on from a checkpoint")
    parser.add_argument("--save", type=Path, default=Path("chargpt.pth"), help="where the checkpoint goes")
    parser.add_argument("--prompt", default="def ")
    parser.add_argument("--length", type=int, default=600, help="characters to write")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-k", type=int, default=20)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    mlx.manual_seed(args.seed)
    device = mlx.device(args.device)
    text = library_text(args.text_size)
    checkpoint = mlx.load(args.load, map_location=device) if args.load else None
    if checkpoint:
        model = checkpoint["model"]
    else:
        model = CharGPT(
            "".join(sorted(set(text))), args.context, args.width, args.layers, args.heads, args.dropout
        ).to(device)
    optimizer = mlx.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    if checkpoint:
        optimizer.load_state_dict(checkpoint["optimizer"])
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters:,} parameters, {len(text):,} characters of {len(model.vocabulary)} kinds")
    start = time.perf_counter()
    if args.steps:
        train(model, optimizer, text, args)
        mlx.save({"model": model, "optimizer": optimizer.state_dict()}, args.save)
        print(f"{args.steps} steps in {time.perf_counter() - start:.0f} s; saved as {args.save.resolve()}")
    print("-" * 80)
    print(model.write(args.prompt, args.length, args.temperature, args.top_k).expandtabs(4))


if __name__ == "__main__":
    main()
