"""Goldens of the model zoo: ``models.safetensors`` and ``models.json``.

``models.json`` holds, for each architecture, the ordered state_dict ``keys`` and their ``shapes`` at full width (the integer
``num_batches_tracked`` included, with shape []) and the settings of the small instance. ``models.safetensors`` holds, for
the small instance filled by the rule with the model's ``phase_offset``, 10 classes:

    <model>/logits           eval mode, x = 0.5 + 0.5 * pattern([2, 3, 32, 32], 0.5)
    <model>/features         eval mode, same x, the input of the last linear layer, [2, d]
    <model>/logits_train     train mode, from freshly filled weights (batch statistics; dropout 0),
                             x = 0.5 + 0.5 * pattern(train_shape, 0.5)
    <model>/grad_norms       train mode, same x, L2 norm of d CE / d parameter for labels [1, 3] (mean): one number a
                             parameter tensor, in state_dict order with the buffers left out
    <model>/running          after that one train-mode forward: for each BatchNorm in order, the sums of running_mean and
                             of running_var, [n, 2]

``float64_deviation`` in the JSON is the largest difference to the same computation in float64, divided by the largest
magnitude in the tensor: what another order of float32 operations may cost. Choose tolerances well above it. The large stems
reach 1x1 at 32x32 pixels, where BatchNorm over two values has no stable gradient; hence their ``train_shape`` of 64x64. The
phase offsets of the two DenseNets keep their many ReLUs away from a kink, for the same reason.
"""

import torch
import torch.nn.functional as F

from architectures import DenseNet121, PreActResNet18, ResNet18, ResNet32, SmallCNN, VGG19, penultimate
from goldens import Book, fill, images, output_folder, write_json

MODELS = {
    # name: (class, settings, full size, small size)  and see VARIANTS
    "preact_resnet18": (PreActResNet18, {}, {"width": 64}, {"width": 8}),
    "resnet18": (ResNet18, {}, {"width": 64}, {"width": 8}),
    "resnet18_large": (ResNet18, {"large": True}, {"width": 64}, {"width": 8}),
    "resnet32": (ResNet32, {}, {"width": 16}, {"width": 4}),
    "vgg19": (VGG19, {}, {"width": 64, "hidden": 4096}, {"width": 8, "hidden": 32}),
    "vgg19_bn": (VGG19, {"batch_norm": True}, {"width": 64, "hidden": 4096}, {"width": 8, "hidden": 32}),
    "densenet121": (DenseNet121, {}, {"growth": 32, "init": 64}, {"growth": 4, "init": 8}),
    "densenet121_small_stem": (DenseNet121, {"small_stem": True}, {"growth": 32, "init": 64}, {"growth": 4, "init": 8}),
    "small_cnn": (SmallCNN, {}, {"width": 32}, {"width": 8}),
}
VARIANTS = {  # pixels in train mode, phase offset; 32 and 0 where nothing is said
    "resnet18_large": (64, 0.0),
    "densenet121": (64, 1.65),
    "densenet121_small_stem": (32, 0.2),
}
LABELS = torch.tensor([1, 3])


def measure(model, x, x_train):
    model.eval()
    with torch.no_grad():
        result = {"logits": model(x), "features": penultimate(model, x)}
    model.train()
    logits = model(x_train)
    grads = torch.autograd.grad(F.cross_entropy(logits, LABELS), list(model.parameters()))
    result["logits_train"] = logits.detach()
    result["grad_norms"] = torch.stack([g.double().norm() for g in grads])
    sums = [b.double().sum() for name, b in model.named_buffers() if name.rsplit(".", 1)[-1].startswith("running_")]
    if sums:
        result["running"] = torch.stack(sums).reshape(-1, 2)
    return result


book, index = Book(), {}
x = images((2, 3, 32, 32), 0.5)
for name, (make, settings, full, small) in MODELS.items():
    pixels, offset = VARIANTS.get(name, (32, 0.0))
    x_train = images((2, 3, pixels, pixels), 0.5)
    with torch.device("meta"):
        state = make(**settings, **full).state_dict()
    result = measure(fill(make(**settings, **small), offset), x, x_train)
    exact = measure(fill(make(**settings, **small), offset).double(), x.double(), x_train.double())
    for key, value in result.items():
        book.add(name, **{key: value})
    index[name] = {
        "settings": settings, "full": full, "small": small, "classes": 10, "phase_offset": offset, "train_shape": list(x_train.shape),
        "parameters": sum(v.numel() for k, v in state.items() if not k.rsplit(".", 1)[-1].startswith(("running_", "num_"))),
        "float64_deviation": {k: float(f"{((v.double() - exact[k]).abs().max() / exact[k].abs().max()).item():.1e}") for k, v in result.items()},
        "keys": list(state),
        "shapes": [list(v.shape) for v in state.values()],
    }

out = output_folder()
book.write(out / "models.safetensors")
write_json(out / "models.json", {
    "input": {"shape": [2, 3, 32, 32], "phase": 0.5, "form": "0.5 + 0.5 * pattern"}, "labels": LABELS.tolist(), "models": index,
})
