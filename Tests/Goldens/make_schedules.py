"""Goldens of learning-rate schedules: ``schedules.json``.

``values[n]`` is the learning rate after n calls of ``scheduler.step()``, so that ``values[0]`` is the rate
of the very first step or epoch. Twenty values each; base rate 0.1.
"""

import torch
from torch.optim import lr_scheduler as S

from goldens import output_folder, write_json

BASE, COUNT = 0.1, 20

CASES = {
    "multi_step": ("multi_step", S.MultiStepLR, dict(milestones=[4, 11], gamma=0.1)),
    "cosine": ("cosine", S.CosineAnnealingLR, dict(T_max=10, eta_min=0.0)),
    "cosine_eta_min": ("cosine", S.CosineAnnealingLR, dict(T_max=10, eta_min=0.001)),
    "cosine_20": ("cosine", S.CosineAnnealingLR, dict(T_max=20, eta_min=0.0)),
    "one_cycle": ("one_cycle", S.OneCycleLR, dict(max_lr=0.1, total_steps=20, pct_start=0.3, div_factor=25.0, final_div_factor=1e4)),
}

index = {}
for case, (kind, make, settings) in CASES.items():
    p = torch.nn.Parameter(torch.zeros(1))
    opt = torch.optim.SGD([p], lr=BASE, momentum=0.9)
    scheduler = make(opt, **settings)
    values = []
    for n in range(COUNT):
        values.append(opt.param_groups[0]["lr"])
        opt.step()
        if n + 1 < COUNT:
            scheduler.step()
    index[case] = {"kind": kind, "base_lr": BASE, "settings": settings, "values": values}

write_json(output_folder() / "schedules.json", {"values": "rate after n scheduler steps, n = 0 ... 19", "cases": index})
