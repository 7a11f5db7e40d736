"""Losses: the ones written in Python against loops over their definitions, the layers against functions."""

import itertools
import math
import warnings

import numpy as np
import pytest
from support import sample

import mlx
from mlx import nn
from mlx.nn import functional as F


def of(shape, seed=0):
    return mlx.tensor(
        sample(*(shape if isinstance(shape, tuple) else (shape,)), seed=seed), requires_grad=True
    )


@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_loss(p):
    x, y, weight = of((3, 4)), mlx.tensor([0, 3, 1]), of(4, seed=1).abs().detach()
    want = [
        sum(max(0, 0.8 - row[t] + row[i]) ** p for i in range(4) if i != t) * w / 4
        for row, t, w in zip(x.tolist(), y.tolist(), weight[y].tolist(), strict=True)
    ]

    def loss(x):
        return F.multi_margin_loss(x, y, p, 0.8, weight, reduction="none")

    np.testing.assert_allclose(loss(x).tolist(), want, rtol=1e-12)
    assert mlx.autograd.gradcheck(loss, (x,))


def test_multi_margin_loss_of_one_class_is_zero():
    assert F.multi_margin_loss(mlx.tensor(3.0), mlx.tensor(0)).item() == 0


def test_multilabel_margin_loss():
    x, y = of((3, 4)), mlx.tensor([[3, 0, -1, 1], [-1, 0, 1, 2], [0, 1, 2, 3]])
    want = []
    for row, places in zip(x.tolist(), y.tolist(), strict=True):
        labels = list(itertools.takewhile(lambda n: n >= 0, places))
        others = [i for i in range(4) if i not in labels]
        want.append(sum(max(0, 1 - row[t] + row[i]) for t in labels for i in others) / 4)

    def loss(x):
        return F.multilabel_margin_loss(x, y, reduction="none")

    np.testing.assert_allclose(loss(x).tolist(), want, rtol=1e-12)
    assert mlx.autograd.gradcheck(loss, (x,))


def test_multilabel_soft_margin_loss():
    x, y = of((3, 4)), mlx.tensor([[1.0, 0, 0, 1]] * 3, dtype=mlx.float64)
    want = F.binary_cross_entropy_with_logits(x, y, reduction="none").mean(1)
    got = F.multilabel_soft_margin_loss(x, y, reduction="none")
    np.testing.assert_allclose(got.tolist(), want.tolist(), rtol=1e-12)


def test_triplet_loss_with_a_distance_and_swap():
    a, p, n = of((4, 3)), of((4, 3), 1), of((4, 3), 2)
    got = F.triplet_margin_with_distance_loss(a, p, n, swap=True, reduction="none")
    want = F.triplet_margin_loss(a, p, n, swap=True, reduction="none")
    np.testing.assert_allclose(got.tolist(), want.tolist(), rtol=1e-12)
    far = F.triplet_margin_with_distance_loss(a, p, n, distance_function=lambda x, y: (x - y).abs().sum(-1))
    assert far.item() > 0


def collapsed(path, blank):
    return [label for label, _ in itertools.groupby(path) if label != blank]


@pytest.mark.parametrize(("target", "steps"), [([1, 2], 4), ([1, 1], 4), ([], 3), ([2], 1), ([1, 1], 2)])
def test_ctc_loss_is_the_sum_over_all_paths(target, steps):
    probs = of((steps, 1, 3)).softmax(-1)
    likelihood = sum(
        math.prod(probs[t, 0, c].item() for t, c in enumerate(path))
        for path in itertools.product(range(3), repeat=steps)
        if collapsed(path, 0) == target
    )
    want = -math.log(likelihood) if likelihood else math.inf
    got = F.ctc_loss(
        probs.log(), mlx.tensor([target], dtype=mlx.int64), [steps], [len(target)], reduction="sum"
    )
    assert got.item() == pytest.approx(want, rel=1e-10)


def test_ctc_gradient_of_logits():
    targets = mlx.tensor([[1, 2, 2], [2, 0, 0]])

    def loss(x):
        return F.ctc_loss(x.log_softmax(-1), targets, [6, 4], [3, 1], reduction="none")

    assert mlx.autograd.gradcheck(loss, (of((6, 2, 3)),))


def test_ctc_forms_of_targets_are_alike():
    x = of((6, 2, 4)).log_softmax(-1)
    rows = F.ctc_loss(x, mlx.tensor([[1, 2, 3], [2, 1, 0]]), mlx.tensor([6, 5]), mlx.tensor([3, 2]))
    flat = F.ctc_loss(x, mlx.tensor([1, 2, 3, 2, 1]), (6, 5), (3, 2))
    assert rows.item() == flat.item()


def test_ctc_zero_infinity():
    x = of((2, 1, 3))
    loss = nn.CTCLoss(zero_infinity=True)(x.log_softmax(-1), mlx.tensor([[1, 1]]), [2], [2])
    loss.backward()
    assert loss.item() == 0 and not x.grad.abs().sum().item()


@pytest.mark.parametrize(
    ("layer", "function", "options"),
    [
        (nn.L1Loss, F.l1_loss, {}),
        (nn.MSELoss, F.mse_loss, {}),
        (nn.SmoothL1Loss, F.smooth_l1_loss, {"beta": 0.3}),
        (nn.HuberLoss, F.huber_loss, {"delta": 0.3}),
        (nn.KLDivLoss, F.kl_div, {"log_target": True}),
        (nn.PoissonNLLLoss, F.poisson_nll_loss, {"full": True}),
        (nn.SoftMarginLoss, F.soft_margin_loss, {}),
        (nn.HingeEmbeddingLoss, F.hinge_embedding_loss, {"margin": 0.5}),
        (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, {"pos_weight": mlx.tensor(2.0)}),
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_layer_passes_its_options_on(layer, function, options, reduction):
    x, y = of((4, 3)), of((4, 3), seed=1).detach()
    got = layer(**options, reduction=reduction)(x, y)
    np.testing.assert_array_equal(
        got.detach().numpy(), function(x, y, **options, reduction=reduction).detach().numpy()
    )


def test_class_weights_are_buffers():
    layer = nn.CrossEntropyLoss(mlx.tensor([1.0, 2.0]), label_smoothing=0.1)
    x, y = mlx.rand(3, 2), mlx.tensor([0, 1, 1])
    want = F.cross_entropy(x, y, layer.weight, label_smoothing=0.1)
    assert list(layer.state_dict()) == ["weight"] and mlx.equal(layer(x, y), want)


def test_deprecated_flags_choose_the_reduction():
    assert nn.MSELoss(size_average=False).reduction == "sum"
    assert nn.MSELoss(reduce=False).reduction == "none"
    assert nn.MSELoss(True, True).reduction == "mean"


def test_gaussian_loss_takes_one_variance_for_several():
    x, y = of((3, 4)), of((3, 4), 1)
    var = of((1, 4), 2).detach().abs() + 0.1
    want = (0.5 * (var.log() + (x - y) ** 2 / var)).mean()
    assert F.gaussian_nll_loss(x, y, var).item() == pytest.approx(want.item())
    with pytest.raises(ValueError, match="incorrect size"):
        F.gaussian_nll_loss(x, y, var[:, :2])


def test_adaptive_softmax_of_targets_is_that_of_all_classes():
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0).double()
    x, y = of((6, 8)), mlx.tensor([0, 2, 3, 6, 7, 11])
    output, loss = layer(x, y)
    table = layer.log_prob(x)
    np.testing.assert_allclose(
        output.tolist(), table.gather(1, y.unsqueeze(1)).squeeze(1).tolist(), rtol=1e-12
    )
    np.testing.assert_allclose(table.exp().sum(1).tolist(), np.ones(6), rtol=1e-12)
    assert loss.item() == pytest.approx(-output.mean().item())
    assert layer(x[0], y[0]).output.item() == pytest.approx(output[0].item())
    with pytest.raises(RuntimeError, match="Target values"):
        layer(x, y + 1)
    with pytest.raises(ValueError, match="increasing"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 12, [7, 3])


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss])
def test_sizes_that_differ_are_warned_of(loss):
    with pytest.warns(UserWarning, match=r"Using a target size \(4,\) .* input size \(4, 1\)"):
        out = loss(mlx.ones(4, 1), mlx.ones(4), reduction="none")
    assert out.shape == (4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(mlx.ones(4), mlx.ones(4))
        with pytest.raises(UserWarning):
            loss(mlx.ones(4, 1), mlx.ones(4))


@pytest.mark.parametrize("loss", [F.multi_margin_loss, F.multilabel_margin_loss])
def test_margin_losses_name_a_wrong_reduction_first(loss):
    with pytest.raises(ValueError, match="abc"):
        loss(mlx.zeros(2, 3), mlx.zeros(2, 3), reduction="abc")


def test_margin_losses_have_no_gradient_where_they_reach_zero():
    x = mlx.tensor([[1.0, 0.0]], requires_grad=True)
    F.multi_margin_loss(x, mlx.tensor([0])).backward()
    F.multilabel_margin_loss(x, mlx.tensor([[0, -1]])).backward()
    assert x.grad.tolist() == [[0, 0]]


@pytest.mark.parametrize("loss", [F.smooth_l1_loss, F.huber_loss])
def test_a_loss_that_is_no_number_has_no_gradient_of_zero(loss):
    x = mlx.tensor([math.nan, math.inf, 3.0], requires_grad=True)
    loss(x, mlx.tensor([0.0, math.inf, 0.0]), reduction="sum").backward()
    assert x.grad.isnan().tolist() == [True, True, False] and x.grad[2].item() == 1


def test_binary_cross_entropy_with_infinite_logits():
    x = mlx.tensor([math.inf, math.inf, -math.inf])
    loss = F.binary_cross_entropy_with_logits(x, mlx.tensor([0.0, 0.5, 1.0]), reduction="none")
    assert loss.tolist() == [math.inf] * 3


@pytest.mark.parametrize("target", [2.0, -0.5, math.nan])
def test_binary_cross_entropy_refuses_targets_that_are_no_probabilities(target):
    with pytest.raises(RuntimeError, match="target should be between 0 and 1"):
        F.binary_cross_entropy(mlx.tensor([0.5]), mlx.tensor([target]))


@pytest.mark.parametrize("target", [[-3, -1], [-1, 7], [2, -1]])
def test_multilabel_margin_loss_refuses_labels_out_of_range(target):
    with pytest.raises(RuntimeError, match="out of range"):
        F.multilabel_margin_loss(mlx.zeros(1, 2), mlx.tensor([target]))


def test_the_weighted_mean_of_huber_loss_is_over_elements():
    x, weight = mlx.tensor([0.5, 2.0]), mlx.tensor([1.0, 3.0])
    assert F.huber_loss(x, mlx.zeros(2), weight=weight).item() == (0.125 + 3 * 1.5) / 2
