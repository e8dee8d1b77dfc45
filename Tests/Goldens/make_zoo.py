"""Goldens of the models that TorchVision and timm define: ``zoo.safetensors`` and ``zoo.json``.

The originals run with few channels, from the packages' own code (TorchVision 0.28, timm 1.0); wide residual networks and
the CIFAR flavours of VGG and DenseNet are in ``architectures.py``. Models are filled with noise
by the rule in ``goldens.py`` and have 10 classes. For each of them, with x = 0.5 + 0.5 * pattern([2, 3, size, size], 0.5):

    <model>/logits         eval mode
    <model>/logits_train   train mode from freshly filled weights, without dropout
    <model>/grad_norms     train mode, L2 norms of d CE / d parameter, as in make_models.py

``small`` and ``size`` in the JSON are the small instance's settings; ``full`` those whose ``state`` is listed: one string
``key shape`` an entry, the counters num_batches_tracked left out. ``others`` lists the entries of the same network under
other names (``timm``, ``torchvision``), in full size.
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

# A TorchVision that was built for another torch lacks its compiled operators, of which the classifiers need none.
try:
    import torchvision
except RuntimeError:
    for name in [n for n in sys.modules if n.startswith("torchvision")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for name in ["nms", "qnms", "roi_align", "qroi_align", "_roi_align_backward", "ps_roi_align", "_ps_roi_align_backward", "roi_pool",
                 "_roi_pool_backward", "ps_roi_pool", "_ps_roi_pool_backward", "deform_conv2d", "_deform_conv2d_backward"]:
        library.define(name + "(Tensor a) -> Tensor")
    import torchvision

import timm
from timm.models.vision_transformer import VisionTransformer
from torchvision.models import convnext, efficientnet, mobilenetv2, resnet

from architectures import CIFARDenseNet, CIFARVGG, WideResNet
from goldens import Book, fill, images, output_folder, write_json

LABELS = torch.tensor([1, 3])


class NarrowResNet(resnet.ResNet):
    """TorchVision's network with another number of channels in its first stage."""

    def __init__(self, block, layers, width, small=False, classes=10):
        self.width = width
        super().__init__(block, layers, num_classes=classes)
        self.fc = nn.Linear(8 * width * block.expansion, classes)
        if small:
            self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
            self.maxpool = nn.Identity()

    def __setattr__(self, name, value):
        # The only place where the channels of the stem are set.
        super().__setattr__(name, self.width if name == "inplanes" and "layer1" not in self.__dict__.get("_modules", {}) and value == 64 else value)

    def _make_layer(self, block, planes, *arguments, **options):
        return super()._make_layer(block, planes * self.width // 64, *arguments, **options)


def resnet34(width=64, small=False):
    return NarrowResNet(resnet.BasicBlock, [3, 4, 6, 3], width, small)


def resnet50(width=64, small=False):
    return NarrowResNet(resnet.Bottleneck, [3, 4, 6, 3], width, small)


def mobilenet_v2(width=32, small=False):
    model = mobilenetv2.MobileNetV2(num_classes=10, width_mult=width / 32, dropout=0.0)
    if small:
        model.features[0][0].stride = model.features[2].conv[1][0].stride = (1, 1)
    return model


def efficientnet_b0(width=32, small=False):
    rows, last = efficientnet._efficientnet_conf("efficientnet_b0", width_mult=width / 32, depth_mult=1.0)
    model = efficientnet.EfficientNet(rows, dropout=0.0, stochastic_depth_prob=0.0, num_classes=10, last_channel=last)
    if small:
        model.features[0][0].stride = model.features[2][0].block[1][0].stride = (1, 1)
    return model


def convnext_tiny(width=96, small=False):
    sizes = [width, 2 * width, 4 * width, 8 * width, None]
    rows = [convnext.CNBlockConfig(sizes[n], sizes[n + 1], count) for n, count in enumerate((3, 3, 9, 3))]
    model = convnext.ConvNeXt(rows, stochastic_depth_prob=0.0, num_classes=10)
    if small:
        model.features[0][0] = nn.Conv2d(3, width, 3, 1, 1)
    return model


def vit(width=192, depth=12, heads=3, patch=16, size=224):
    return VisionTransformer(img_size=size, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=10)


MODELS = {
    # name: (maker, full settings, small settings, image size, phase offset)
    "resnet34": (resnet34, {"width": 64}, {"width": 4}, 64, 0.0),
    "resnet50": (resnet50, {"width": 64}, {"width": 2}, 64, 0.0),
    "resnet50_small": (resnet50, {"width": 64, "small": True}, {"width": 2, "small": True}, 32, 0.0),
    "wideresnet": (WideResNet, {"width": 16, "depth": 28, "widen": 10}, {"width": 2, "depth": 16, "widen": 2}, 32, 0.0),
    "vgg_cifar": (CIFARVGG, {"width": 64, "depth": 19}, {"width": 2, "depth": 13}, 32, 0.0),
    "densenet_cifar": (CIFARDenseNet, {"width": 24}, {"width": 4}, 32, 0.0),
    "mobilenet_v2": (mobilenet_v2, {"width": 32}, {"width": 4}, 64, 0.0),
    "mobilenet_v2_small": (mobilenet_v2, {"width": 32, "small": True}, {"width": 4, "small": True}, 32, 0.0),
    "efficientnet_b0": (efficientnet_b0, {"width": 32}, {"width": 4}, 64, 0.0),
    "efficientnet_b0_small": (efficientnet_b0, {"width": 32, "small": True}, {"width": 4, "small": True}, 32, 0.0),
    "convnext_tiny": (convnext_tiny, {"width": 96}, {"width": 4}, 64, 0.0),
    "convnext_tiny_small": (convnext_tiny, {"width": 96, "small": True}, {"width": 4, "small": True}, 16, 0.0),
    "vit": (vit, {"width": 192, "depth": 12, "heads": 3, "patch": 16, "size": 224},
            {"width": 12, "depth": 3, "heads": 3, "patch": 4, "size": 16}, 16, 0.0),
}


def measure(model, x):
    model.eval()
    with torch.no_grad():
        result = {"logits": model(x)}
    model.train()
    logits = model(x)
    gradients = torch.autograd.grad(F.cross_entropy(logits, LABELS), list(model.parameters()))
    result["logits_train"] = logits.detach()
    result["grad_norms"] = torch.stack([g.double().norm() for g in gradients])
    return result


def listed(state):
    return [f"{key} {'x'.join(str(n) for n in value.shape)}" for key, value in state.items() if not key.endswith("num_batches_tracked")]


def renamed(name, state):
    """The keys that Antidote has, where the class here cannot have them."""
    if name == "vgg_cifar":
        return {key.replace("body.", "features."): value for key, value in state.items()}
    if name.startswith("resnet") and name.endswith("_small"):
        return {key.replace("downsample", "shortcut").replace("fc.", "linear."): value for key, value in state.items()}
    return state


def main():
    book, index = Book(), {}
    for name, (make, full, small, size, offset) in MODELS.items():
        x = images((2, 3, size, size), 0.5)
        result = measure(fill(make(**small), offset, noisy=True), x)
        exact = measure(fill(make(**small), offset, noisy=True).double(), x.double())
        for key, value in result.items():
            book.add(name, **{key: value})
        with torch.device("meta"):
            state = renamed(name, make(**full).state_dict())
        index[name] = {
            "full": full, "small": small, "size": size, "phase_offset": offset,
            "parameters": sum(v.numel() for k, v in state.items() if not k.rsplit(".", 1)[-1].startswith(("running_", "num_"))),
            "float64_deviation": {k: float(f"{((v.double() - exact[k]).abs().max() / exact[k].abs().max()).item():.1e}") for k, v in result.items()},
            # One stem's entries are the other's but for the first layers.
            "state": [] if name.endswith("_small") else listed(state),
        }
    with torch.device("meta"):
        others = {
            "timm mobilenet_v2": timm.create_model("mobilenetv2_100", num_classes=10),
            "timm efficientnet_b0": timm.create_model("efficientnet_b0", num_classes=10),
            "timm convnext_tiny": timm.create_model("convnext_tiny", num_classes=10),
            "torchvision vit_base": torchvision.models.vit_b_16(num_classes=10),
        }
    out = output_folder()
    book.write(out / "zoo.safetensors")
    write_json(out / "zoo.json", {"models": index, "others": {name: listed(model.state_dict()) for name, model in others.items()}})


if __name__ == "__main__":
    main()
