"""Goldens of Shared Adversarial Unlearning: ``sau_<case>.safetensors`` and ``sau.json``. The method is written out in ``sau.py``.

Setting: PreActResNet18 of width 4 with 10 classes, filled by the rule with phase offset 3.8 (student) and 3.85
(reference); then every tensor of two or more dimensions is multiplied by 0.7, except linear.weight, which is multiplied by 8 (both
in float32, after the rule). With the plain rule all images get one class and every mask is trivial; with this one all
masks are mixed. Images 0.5 + 0.5 * pattern([8, 3, 16, 16], 0.5), labels i % 10. Both models in eval mode.

One file a case, with T = executed iterations (5 unless stopped), B = 8 (4 in early_stop):
    inner/pred                  int64 [T, B]    predictions on x + d before the iteration's step
    inner/pred_bd               int64 [T, B]    the reference's (inner problem "shared")
    inner/shared                uint8 [T, B]    likewise
    inner/objective             [T]
    inner/grad_abs_sum          [T, B]          sum of |g| of each sample ([T, 1] when universal)
    inner/grad_sign             int8 [T, ...]   sign of g (cases that step along the sign)
    inner/grad_0                                g of the first iteration (published, l2, l1, universal)
    inner/coordinate            int64 [T, B]    flat index that moved (l1 and l1_small), -1 for none
    inner/delta                 [T, ...]        d after each iteration (published, l2, universal)
    inner/delta_final                           d after the last iteration
    outer_b/..., outer_d/...    the outer step from delta_final, shared and vanilla:
        clean_bd                int64 [B]
        ce, l_sar or ce_adv (vanilla), loss     scalars
        grad_norms              [parameters], state_dict order without buffers: L2 norm of d loss / d parameter
        grad/<key>, updated/<key>               for KEPT parameters: gradient, and value after the Adam step
        update_abs_sum          [parameters]: sum over |updated - before|

The ablations: A+B is outer_b of ``published``; A+D its outer_d; C+B and C+D are outer_b and outer_d of ``vanilla``.
``sau_projections``: <norm>/input, <norm>/output for the three projections on four rows of [4, 3, 2, 2].

``float64`` in sau.json has the outer loss in float64 too. The script prints how else the same computation in float64
differs: the smallest share of equal gradient signs over the iterations, whether all masks agree, the largest difference in d.
"""

import torch

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern, write_json
from sau import Ball, maximise, outer_loss

WIDTH, OFFSET, REFERENCE_OFFSET, WEIGHT_SCALE, LINEAR_SCALE = 4, 3.8, 3.85, 0.7, 8.0
KEPT = ["conv1.weight", "layer1.0.bn1.weight", "layer2.0.shortcut.0.weight", "layer4.1.bn2.bias", "linear.weight", "linear.bias"]
X = images((8, 3, 16, 16), 0.5)
Y = torch.arange(8) % 10


def network(offset, dtype=torch.float32):
    model = fill(PreActResNet18(width=WIDTH), offset).eval().requires_grad_(False)
    for name, p in model.named_parameters():
        if p.dim() >= 2:
            p.mul_(LINEAR_SCALE if name == "linear.weight" else WEIGHT_SCALE)
    return model.to(dtype)


def pair(dtype=torch.float32):
    return network(OFFSET, dtype), network(REFERENCE_OFFSET, dtype)


RANDOM = pattern(X.shape, 0.9, 0.2)
LINF = dict(norm="linf", radius=0.2, step=0.2)
CASES = {
    # name: ball, other settings, what is stored of the gradients and steps, samples
    "published": (LINF, {}, {"sign", "grad_0", "delta"}, None),
    "zero_start": (LINF, {"start": "zero"}, {"sign"}, None),
    "random_start": (LINF, {"start": "0.2 * pattern([8, 3, 16, 16], 0.9)"}, {"sign"}, None),
    "min_start": (LINF, {"start": "min"}, {"sign"}, None),
    "linf_01_01": (dict(norm="linf", radius=0.1, step=0.1), {}, {"sign"}, None),
    "linf_02_01": (dict(norm="linf", radius=0.2, step=0.1), {}, {"sign"}, None),
    "l2": (dict(norm="l2", radius=5.0, step=0.2), {}, {"grad_0", "delta"}, None),
    "l2_sign": (dict(norm="l2_sign", radius=5.0, step=0.2), {}, {"sign"}, None),
    "l1": (dict(norm="l1", radius=300.0, step=0.2), {}, {"grad_0", "coordinate"}, None),
    "l1_small": (dict(norm="l1", radius=0.5, step=0.2), {}, {"coordinate"}, None),
    "l1_sign": (dict(norm="l1_sign", radius=300.0, step=0.2), {}, {"sign"}, None),
    "vanilla": (LINF, {"kind": "vanilla"}, {"sign"}, None),
    "universal": (LINF, {"universal": True}, {"sign", "grad_0", "delta"}, None),
    "targeted": (LINF, {"target": 0}, {"sign"}, None),
    "equations": (LINF, {"samples": "all", "mask": "wrong"}, {"sign"}, None),
    "vanilla_targeted": (LINF, {"kind": "vanilla", "target": 9}, {"sign"}, None),
    "l1_scaled": (dict(norm="l1_sign_scaled", radius=30.0, step=0.2), {}, {"sign"}, None),
    "early_stop": (LINF, {}, {"sign"}, "shared at the end of published"),
}


def starting(settings, x, ball):
    kind = settings.get("start", "max")
    if kind == "max":
        return ball.start(x)
    if kind == "min":
        return -ball.start(x)
    return torch.zeros_like(x) if kind == "zero" else RANDOM.to(x.dtype)


def run_inner(models, ball, settings, rows):
    h, h_bd = models
    x = X[rows].to(next(h.parameters()).dtype)
    options = {k: v for k, v in settings.items() if k not in ("start", "mask")}
    return maximise(h, h_bd, x, Y[rows], ball, start=starting(settings, x, ball), **options)


def run_outer(models, rows, delta, kind, target, mask):
    h, h_bd = models
    h.requires_grad_(True)
    dtype = next(h.parameters()).dtype
    names, params = zip(*h.named_parameters())
    before = [p.detach().clone() for p in params]
    result = outer_loss(h, h_bd, X[rows].to(dtype), Y[rows], delta.to(dtype), kind, target, mask=mask)
    grads = torch.autograd.grad(result["loss"], params)
    for p, g in zip(params, grads):
        p.grad = g
    torch.optim.Adam(params, lr=1e-4, amsgrad=True).step()
    after = [p.detach().clone() for p in params]
    for p, old in zip(params, before):
        p.data.copy_(old)
        p.grad = None
    h.requires_grad_(False)
    return {k: v.detach() for k, v in result.items()}, names, grads, before, after


def short(v, digits=3):
    return float(f"{float(v):.{digits}g}")


out = output_folder()
models, exact = pair(), pair(torch.float64)
index = {}
shared_rows = None
for case, (ball_settings, settings, stored, samples) in CASES.items():
    rows = list(range(8)) if samples is None else shared_rows
    ball = Ball(**ball_settings)
    inner, inner64 = run_inner(models, ball, settings, rows), run_inner(exact, ball, settings, rows)
    trace = inner.trace
    book = Book()

    def stack(name):
        return torch.stack([e[name] for e in trace])

    book.add("inner", pred=stack("pred"), objective=stack("objective"))
    if settings.get("kind") != "vanilla":
        book.add("inner", pred_bd=stack("pred_bd"), shared=stack("shared").to(torch.uint8))
    g = stack("gradient")
    book.add("inner", grad_abs_sum=g.double().abs().flatten(2).sum(2), delta_final=inner.delta)
    if "sign" in stored:
        book.add("inner", grad_sign=g.sign().to(torch.int8))
    if "grad_0" in stored:
        book.add("inner", grad_0=g[0])
    if "delta" in stored:
        book.add("inner", delta=stack("delta"))
    if "coordinate" in stored:
        largest = g.abs().flatten(2).max(2)
        book.add("inner", coordinate=torch.where(largest.values > 0, largest.indices, -1))
    if case == "published":
        h, h_bd = models
        z, z_bd = h(X + inner.delta), h_bd(X + inner.delta)
        ended = (z.argmax(1) != h(X).argmax(1)) & (z_bd.argmax(1) != h_bd(X).argmax(1)) & (z.argmax(1) == z_bd.argmax(1))
        shared_rows = ended.nonzero()[:, 0].tolist()

    outer_kinds = ["shared", "vanilla"] if case in ("published", "vanilla", "vanilla_targeted") else ["shared"]
    mask = settings.get("mask", "moved")
    outer64 = {}
    for kind in outer_kinds:
        letter = "b" if kind == "shared" else "d"
        target = settings.get("target")
        result, names, grads, before, after = run_outer(models, rows, inner.delta, kind, target, mask)
        result64, *_, after64 = run_outer(exact, rows, inner.delta, kind, target, mask)
        key = f"outer_{letter}"
        book.add(key, **{k: result[k] for k in ("clean_bd", "ce", "l_sar" if kind == "shared" else "ce_adv", "loss")})
        book.add(key, grad_norms=torch.stack([g.double().norm() for g in grads]),
                 update_abs_sum=torch.stack([(a.double() - b.double()).abs().sum() for a, b in zip(after, before)]))
        for name, g_, p in zip(names, grads, after):
            if name in KEPT:
                book.add(key, **{f"grad__{name}": g_, f"updated__{name}": p})
        outer64[key] = {"loss": float(f"{result['loss'].item():.8g}"), "loss_float64": float(f"{result64['loss'].item():.8g}")}
        print(f"  {key}: updates differ from float64's by", short(max((a.double() - b).abs().max() for a, b in zip(after, after64))))
    book.write(out / f"sau_{case}.safetensors")

    agreement = min(((a["gradient"].sign() == b["gradient"].sign()).float().mean().item() for a, b in zip(trace, inner64.trace)))
    same = all(bool((a[k] == b[k]).all()) for a, b in zip(trace, inner64.trace) for k in ("pred", "pred_bd", "shared"))
    index[case] = {
        **ball_settings, "steps": 5, "start": settings.get("start", "max"), "inner": settings.get("kind", "shared"),
        "universal": settings.get("universal", False), "target": settings.get("target"), "samples": rows,
        "inner_samples": settings.get("samples", "open"), "mask": mask,
        "iterations": len(trace), "stopped_early": inner.stopped_early,
        "outer": [f"outer_{'b' if k == 'shared' else 'd'}" for k in outer_kinds],
        "float64": outer64,
    }
    print("  float64:", len(inner64.trace), round(agreement, 5), same, short((inner.delta - inner64.delta).abs().max()))
    mixed = {k: [int(v) for v in stack(k).sum(1)] for k in ("fooled", "fooled_bd", "shared")}
    print(f"  {case}: {mixed} mask {[int(run_outer(models, rows, inner.delta, k, settings.get('target'), mask)[0]['mask'].sum()) for k in outer_kinds]} {outer64}")

book = Book()
vectors = pattern((4, 3, 2, 2), 0.4) * torch.tensor([0.05, 0.5, 1.0, 5.0]).view(4, 1, 1, 1)
PROJECTIONS = {"linf": 0.3, "l2": 1.0, "l1": 2.0, "l1_scaled": 2.0}
for norm, radius in PROJECTIONS.items():
    book.add(norm, input=vectors, output=Ball(norm, radius, 0.0).project(vectors), start=Ball(norm, radius, 0.0).start(vectors))
book.write(out / "sau_projections.safetensors")

write_json(out / "sau.json", {
    "model": {"architecture": "preact_resnet18", "width": WIDTH, "classes": 10, "student_phase_offset": OFFSET,
              "reference_phase_offset": REFERENCE_OFFSET, "weight_scale": WEIGHT_SCALE, "linear_weight_scale": LINEAR_SCALE},
    "images": {"shape": [8, 3, 16, 16], "phase": 0.5}, "labels": Y.tolist(),
    "lambda": {"1": 1.0, "2": 1.0, "3": 0.01, "4": 1.0},
    "optimizer": {"kind": "adam", "lr": 1e-4, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0, "amsgrad": True},
    "projection_radius": PROJECTIONS, "cases": index,
})
