"""Goldens of losses: ``losses.safetensors`` with settings in ``losses.json``.

Each case has ``value`` (a scalar, or one number a sample or element where the reduction is none) and a
gradient for each input. Where the value is not a scalar, the gradient is that of
sum(value * pattern(value.shape, 0.3)).

    logits  = pattern([4, 5], 0.5, 2)        other = pattern([4, 5], 0.9, 2)        labels = [1, 0, 3, 4]

Probabilities are softmax(..., dim 1) of these; gradients go through it, to ``logits`` and ``other``.
"""

import torch
import torch.nn.functional as F

from goldens import Book, images, output_folder, pattern, weighted_sum, write_json

book, index = Book(), {}
SHAPE = (4, 5)
LABELS = torch.tensor([1, 0, 3, 4])
WEIGHT = 1 + 0.5 * pattern((5,), 0.1)


def case(name, f, settings, second=False):
    logits = pattern(SHAPE, 0.5, 2.0).requires_grad_()
    other = pattern(SHAPE, 0.9, 2.0).requires_grad_()
    value = f(logits, other) if second else f(logits)
    inputs = [logits, other] if second else [logits]
    grads = torch.autograd.grad(value if value.dim() == 0 else weighted_sum(value), inputs)
    book.add(name, value=value, grad_logits=grads[0])
    if second:
        book.add(name, grad_other=grads[1])
    index[name] = settings


CE = {"kind": "cross_entropy", "reduction": "mean", "label_smoothing": 0.0}
case("cross_entropy_mean", lambda z: F.cross_entropy(z, LABELS), CE)
case("cross_entropy_sum", lambda z: F.cross_entropy(z, LABELS, reduction="sum"), {**CE, "reduction": "sum"})
case("cross_entropy_none", lambda z: F.cross_entropy(z, LABELS, reduction="none"), {**CE, "reduction": "none"})
case("cross_entropy_smoothing", lambda z: F.cross_entropy(z, LABELS, label_smoothing=0.1), {**CE, "label_smoothing": 0.1})
case("cross_entropy_weight", lambda z: F.cross_entropy(z, LABELS, weight=WEIGHT), {**CE, "weight": "1 + 0.5 * pattern([5], 0.1)"})
case("cross_entropy_weight_smoothing", lambda z: F.cross_entropy(z, LABELS, weight=WEIGHT, label_smoothing=0.1), {**CE, "weight": "1 + 0.5 * pattern([5], 0.1)", "label_smoothing": 0.1})
case("cross_entropy_ignore_index", lambda z: F.cross_entropy(z, LABELS, ignore_index=3), {**CE, "ignore_index": 3})
case("cross_entropy_soft", lambda z, q: F.cross_entropy(z, q.softmax(1)), {**CE, "target": "softmax(other)"}, second=True)
case("mse_mean", lambda a, b: F.mse_loss(a, b), {"kind": "mse", "reduction": "mean"}, second=True)
case("mse_sum", lambda a, b: F.mse_loss(a, b, reduction="sum"), {"kind": "mse", "reduction": "sum"}, second=True)
case("mse_none", lambda a, b: F.mse_loss(a, b, reduction="none"), {"kind": "mse", "reduction": "none"}, second=True)


def js(p, q):
    """Jensen-Shannon divergence of each sample; natural logarithm, probabilities clamped at 1e-8 first."""
    p, q = p.clamp(min=1e-8), q.clamp(min=1e-8)
    m = (p + q) / 2
    return 0.5 * (p * p.log() + q * q.log()).sum(1) - 0.5 * (p * m.log() + q * m.log()).sum(1)


JS = {"kind": "js_divergence", "p": "softmax(logits)", "q": "softmax(other)", "clamp": 1e-8, "reduction": "none"}
case("js_divergence", lambda a, b: js(a.softmax(1), b.softmax(1)), JS, second=True)
case("js_divergence_clamped", lambda a, b: js((20 * a).softmax(1), (20 * b).softmax(1)), {**JS, "p": "softmax(20 * logits)", "q": "softmax(20 * other)"}, second=True)
TARGET = images(SHAPE, 0.2)
case("bce_with_logits", lambda z: F.binary_cross_entropy_with_logits(z, TARGET), {"kind": "bce_with_logits", "target": "0.5 + 0.5 * pattern([4, 5], 0.2)", "reduction": "mean"})

out = output_folder()
book.write(out / "losses.safetensors")
write_json(out / "losses.json", {
    "inputs": {"logits": {"shape": [4, 5], "phase": 0.5, "scale": 2.0}, "other": {"shape": [4, 5], "phase": 0.9, "scale": 2.0}, "labels": LABELS.tolist()},
    "loss": "value, or sum(value * pattern(value.shape, 0.3)) where value is not a scalar",
    "cases": index,
})
