"""Goldens of optimizers: ``optimizers.safetensors`` with settings in ``optimizers.json``.

Two parameters, k = 0 of shape [3, 4] and k = 1 of shape [5], start at pattern(shape, k). At step
s = 0, 1, 2 the gradient of parameter k is pattern(shape, 1.1 * s + k). ``param{k}/step{s}`` is the
parameter after that step; ``state{k}/<name>`` is the optimizer's state after the last one.
"""

import torch

from goldens import Book, output_folder, pattern, write_json

SHAPES = [(3, 4), (5,)]
CASES = {
    "sgd": ("sgd", dict(lr=0.1)),
    "sgd_momentum": ("sgd", dict(lr=0.1, momentum=0.9)),
    "sgd_nesterov": ("sgd", dict(lr=0.1, momentum=0.9, nesterov=True)),
    "sgd_weight_decay": ("sgd", dict(lr=0.1, weight_decay=5e-4)),
    "sgd_momentum_weight_decay": ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=5e-4)),
    "adam": ("adam", dict(lr=0.001)),
    "adam_amsgrad": ("adam", dict(lr=0.001, amsgrad=True)),
    "adam_weight_decay": ("adam", dict(lr=0.001, weight_decay=1e-2)),
    "adam_betas": ("adam", dict(lr=0.1, betas=(0.5, 0.9))),
    "adamw": ("adamw", dict(lr=0.001)),
    "adamw_amsgrad": ("adamw", dict(lr=0.001, amsgrad=True)),
}
KINDS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}

book, index = Book(), {}
for case, (kind, settings) in CASES.items():
    params = [pattern(s, k).requires_grad_() for k, s in enumerate(SHAPES)]
    optimizer = KINDS[kind](params, **settings)
    for step in range(3):
        for k, p in enumerate(params):
            p.grad = pattern(p.shape, step * 1.1 + k)
        optimizer.step()
        for k, p in enumerate(params):
            book.add(case, **{f"param{k}__step{step}": p})
    states = []
    for k, p in enumerate(params):
        for name, value in optimizer.state[p].items():
            if isinstance(value, torch.Tensor):
                book.add(case, **{f"state{k}__{name}": value})
                states.append(name)
    group = {k: v for k, v in optimizer.param_groups[0].items() if k in ("lr", "momentum", "nesterov", "weight_decay", "betas", "eps", "amsgrad")}
    index[case] = {"kind": kind, "settings": group, "state": sorted(set(states))}

out = output_folder()
book.write(out / "optimizers.safetensors")
write_json(out / "optimizers.json", {
    "parameters": [{"shape": list(s), "phase": k} for k, s in enumerate(SHAPES)],
    "gradient_phase": "1.1 * step + k, step from 0",
    "steps": 3,
    "cases": index,
})
