"""Compares exported models with their originals: every architecture of the zoo, at its published width.

Each original gets random weights and running statistics of random images, is written as safetensors, exported by the
`antidote` command line as ONNX and as TorchScript, and run by onnxruntime and by PyTorch on other numbers of images. It
prints the largest difference of a logit as a share of the largest logit, and fails above 1e-4. TorchVision, timm and
onnxruntime are needed; no test of the package runs this.

    python compare_export.py path/to/antidote [architecture ...]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.torch import save_file

import make_zoo
from architectures import DenseNet121, PreActResNet18, ResNet18, ResNet32, SmallCNN, VGG19

NORMALIZATION = {"mean": [0.4914, 0.4822, 0.4465], "standardDeviation": [0.247, 0.243, 0.261]}

CASES = {
    # name: (zoo's kind, original, width, image size, other entries of the shape)
    "preactresnet18": ("preactresnet18", PreActResNet18, 64, 32, {}),
    "resnet18": ("resnet18", ResNet18, 64, 32, {}),
    "resnet18 large": ("resnet18", lambda: ResNet18(large=True), 64, 224, {}),
    "resnet32": ("resnet32", ResNet32, 16, 32, {}),
    "vgg19": ("vgg19", lambda: VGG19(width=16, hidden=1024), 16, 32, {}),
    "vgg19_bn": ("vgg19_bn", lambda: VGG19(width=16, hidden=1024, batch_norm=True), 16, 96, {}),
    "densenet121": ("densenet121", DenseNet121, 64, 224, {}),
    "densenet121 small": ("densenet121", lambda: DenseNet121(small_stem=True), 64, 32, {}),
    "cnn": ("cnn", SmallCNN, 32, 32, {}),
}
for name, (make, full, _, _, _) in make_zoo.MODELS.items():
    kind = "vit_tiny" if name == "vit" else name.replace("_small", "")
    has_stems = name.startswith(("resnet", "mobilenet", "efficientnet", "convnext"))
    size = 224 if has_stems and not full.get("small") or name == "vit" else 32
    CASES[name] = (kind, lambda make=make, full=full: make(**full), full["width"], size, {})
CASES["preactresnet18 bgr"] = ("preactresnet18", PreActResNet18, 64, 32, {"normalization": {**NORMALIZATION, "channelOrder": "bgr"}})
CASES["vit patch 4"] = ("vit_tiny", lambda: make_zoo.vit(patch=4, size=32), 192, 32, {})
CASES["vit_small"] = ("vit_small", lambda: make_zoo.vit(384, 12, 6, 32, 224), 384, 224, {"patch": 32})
CASES["wideresnet 16-1"] = ("wideresnet", lambda: make_zoo.WideResNet(depth=16, widen=1), 16, 32, {"depth": 16, "widen": 1})


def original(make, size):
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Scales of 1e-6 would leave out what they scale.
            if parameter.dim() == 1 or "layer_scale" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
        if any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in model.modules()):
            for module in model.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.momentum = 1.0
            model.train()(torch.randn(8, 3, size, size))
    return model.eval()


def compare(name, tool, folder):
    kind, make, width, size, more = CASES[name]
    model = original(make, size)
    spec = {"kind": kind, "shape": {"classes": 10, "width": width, "channels": 3, "imageSize": size, "normalization": NORMALIZATION, **more}}
    normalization = spec["shape"]["normalization"]
    state = {key: value.contiguous() for key, value in make_zoo.renamed(name, model.state_dict()).items()}
    source = folder / "model.safetensors"
    save_file(state, str(source), metadata={"format": "pt", "antidote.model": json.dumps(spec)})
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in NORMALIZATION.values())
    results = {}
    for form in ("onnx", "torchscript"):
        path = folder / f"model.{form}"
        path.unlink(missing_ok=True)
        subprocess.run([tool, "export", "--model", source, "--format", form, "--out", path], check=True, stdout=subprocess.DEVNULL)
        if form == "onnx":
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            run = lambda x: session.run(["logits"], {"images": x.numpy()})[0]
        else:
            script = torch.jit.load(str(path)).eval()
            run = lambda x: script(x).detach().numpy()
        worst = 0.0
        for count in (1, 3):
            x = torch.rand(count, 3, size, size)
            with torch.no_grad():
                seen = (x - mean) / deviation
                expected = model(seen.flip(1) if normalization.get("channelOrder") == "bgr" else seen).numpy()
                found = run(x)
            worst = max(worst, float(np.abs(found - expected).max() / np.abs(expected).max()))
        results[form] = worst
    return results


def main():
    tool, names = sys.argv[1], sys.argv[2:] or list(CASES)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            results = compare(name, tool, Path(folder))
            print(f"{name:24}" + "".join(f"{form} {worst:.1e}   " for form, worst in results.items()), flush=True)
            failed += [name for worst in results.values() if not worst < 1e-4]
    if failed:
        sys.exit(f"more than 1e-4: {', '.join(failed)}")


if __name__ == "__main__":
    main()
