"""Networks that were pickled as a whole, and what they compute: ``torch/module_*.pt`` and ``modules.safetensors``.

What such a network computes is not in its weights alone: strides, pooling, constants of normalisation, activations and
attention heads are attributes of its modules. Each case changes some of them. So that the files stay small their weights
are zeros on one storage, compressed; a test fills them by the rule in ``goldens.py`` (with noise), as is done here for

    <case>/logits    eval mode, x = 0.5 + 0.5 * pattern([2, 3, size, size], 0.5)

``modules.json`` has for each case the architecture, the image size and how far float32 is from float64
(``float64_deviation``); of networks that Antidote cannot compute, under ``refused``, what the error has to say.
"""

import io
import zipfile

import torch
from torch import nn

import make_zoo
from architectures import CIFARVGG, PreActResNet18, WideResNet
from goldens import Book, fill, images, output_folder, write_json
from torchvision import transforms
from torchvision.models import densenet, mobilenetv2

out = output_folder()


def norms(model, eps, momentum=0.1):
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            module.eps = eps
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = momentum
    return model


def strided(model, strides):
    for path, stride in strides.items():
        model.get_submodule(path).stride = (stride, stride)
    return model


def resnet18(width=4, small=False):
    return make_zoo.NarrowResNet(make_zoo.resnet.BasicBlock, [2, 2, 2, 2], width, small)


def resnet_with_pool():
    model = resnet18(small=True)
    model.maxpool = nn.MaxPool2d(3, 2, 1)
    return model


def resnet_without_pool():
    model = strided(resnet18(), {"layer4.0.conv1": 1, "layer4.0.downsample.0": 1})
    model.maxpool = nn.Identity()
    return norms(model, 0.001, 0.01)


class OtherPool(make_zoo.NarrowResNet):
    """A pool of another size under another name."""

    def __init__(self):
        super().__init__(make_zoo.resnet.BasicBlock, [2, 2, 2, 2], 4, True)
        del self.maxpool
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def resnet_other_pool():
    return OtherPool()


def resnet50_first_stride():
    """The stride in the 1x1 convolution, as in the paper and in Caffe."""
    model = make_zoo.resnet50(2, True)
    return strided(model, {f"layer{n}.0.conv{k}": s for n in (2, 3, 4) for k, s in ((1, 2), (2, 1))})


def mobilenet_mixture():
    model = make_zoo.mobilenet_v2(8)
    return norms(strided(model, {"features.0.0": 1, "features.7.conv.1.0": 1}), 0.001, 0.01)


def mobilenet_setting():
    """A block that keeps its resolution, and therefore adds its input."""
    rows = [[1, 16, 1, 1], [6, 24, 2, 1], [6, 32, 3, 1], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]
    return mobilenetv2.MobileNetV2(num_classes=10, width_mult=0.25, inverted_residual_setting=rows, dropout=0.0)


def efficientnet_mixture():
    model = make_zoo.efficientnet_b0(8)
    return norms(strided(model, {"features.3.0.block.1.0": 1, "features.6.0.block.1.0": 1}), 0.002)


def wide():
    return norms(strided(WideResNet(10, 2, 10, 2), {"block2.layer.0.conv1": 1, "block2.layer.0.convShortcut": 1}), 0.01)


def preact():
    return strided(PreActResNet18(width=2), {"layer2.0.conv1": 1, "layer2.0.shortcut.0": 1, "conv1": 2})


def dense():
    model = densenet.DenseNet(2, (6, 12, 24, 16), 4, num_classes=10)
    model.features.conv0 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
    return model


def vgg():
    model = CIFARVGG(width=2, depth=11)
    model.body[3] = nn.Identity()
    return model


def convnext():
    return norms(strided(make_zoo.convnext_tiny(4), {"features.0.0": 2}), 1e-4)


def vit():
    return norms(make_zoo.vit(width=12, depth=2, heads=2, patch=4, size=16), 1e-3)


def normalized():
    return nn.Sequential(transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), resnet18(2))


CASES = {
    # name: (maker, architecture, image size)
    "resnet_with_pool": (resnet_with_pool, "resnet18", 32),
    "resnet_without_pool": (resnet_without_pool, "resnet18", 32),
    "resnet_other_pool": (resnet_other_pool, "resnet18", 32),
    "resnet50_first_stride": (resnet50_first_stride, "resnet50", 32),
    "mobilenet_mixture": (mobilenet_mixture, "mobilenet_v2", 32),
    "mobilenet_setting": (mobilenet_setting, "mobilenet_v2", 32),
    "efficientnet_mixture": (efficientnet_mixture, "efficientnet_b0", 32),
    "wide": (wide, "wideresnet", 16),
    "preact": (preact, "preactresnet18", 16),
    "dense": (dense, "densenet121", 64),
    "vgg": (vgg, "vgg_cifar", 16),
    "convnext": (convnext, "convnext_tiny", 32),
    "vit": (vit, "vit_tiny", 16),
    "normalized": (normalized, "resnet18", 64),
}


def changed(path, value, make=resnet18):
    model = make()
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent) if parent else model, name, value)
    return model


def other_norm():
    return changed("layer1.0.bn1", nn.InstanceNorm2d(4, affine=True, track_running_stats=True))


def pooled_patches():
    model = make_zoo.vit(width=12, depth=1, heads=2, patch=4, size=16)
    model.global_pool = "avg"
    return model


def approximate():
    model = make_zoo.vit(width=12, depth=1, heads=2, patch=4, size=16)
    model.blocks[0].mlp.act = nn.GELU("tanh")
    return model


REFUSED = {
    # name: (maker, what the error says)
    "dilated": (lambda: changed("layer3.0.conv2.dilation", (2, 2)), "layer3.0.conv2: dilation 2, which resnet18 here"),
    "padded": (lambda: changed("layer3.0.conv2.padding", (0, 0)), "layer3.0.conv2: padding 0, where resnet18 has 1"),
    "reflected": (lambda: changed("layer3.0.conv2.padding_mode", "reflect"), "layer3.0.conv2: padding_mode 'reflect'"),
    "oblong": (lambda: changed("layer3.0.conv1.stride", (2, 1)), "layer3.0.conv1: stride (2, 1), and only one number"),
    "one_branch": (lambda: changed("layer3.0.conv1.stride", (1, 1)), "the two branches of 'layer3.0' do not end"),
    "leaky": (lambda: changed("layer2.1.relu", nn.LeakyReLU(0.1)), "layer2.1.relu: the activation LeakyReLU, where resnet18 has ReLU"),
    "other_norm": (other_norm, "layer1.0.bn1: a torch.nn.modules.instancenorm.InstanceNorm2d, where resnet18 has a BatchNorm2d"),
    "ceil": (lambda: changed("maxpool.ceil_mode", True), "maxpool: ceil_mode True"),
    "dilated_pool": (lambda: changed("maxpool.dilation", 2), "maxpool: dilation 2"),
    "pooled": (lambda: changed("avgpool", nn.AdaptiveMaxPool2d(1)), "avgpool: the pooling AdaptiveMaxPool2d, which resnet18 does not have"),
    "pooled_side": (lambda: changed("avgpool.output_size", (2, 2)), "avgpool: an AdaptiveAvgPool2d to 2 pixels, where resnet18 has 1"),
    "transition": (lambda: changed("features.transition1.pool.kernel_size", 3, dense), "an AvgPool2d of other sizes than the 2 pixels of densenet121"),
    "pooled_patches": (pooled_patches, "global_pool 'avg', and vit_tiny reads its class token"),
    "approximate": (approximate, "GELU approximated by tanh"),
}


def save(name, model):
    # All tensors on one storage a type, which is one entry of the archive.
    for kind in (torch.float32, torch.int64):
        tensors = [tensor for tensor in model.state_dict(keep_vars=True).values() if tensor.dtype == kind]
        zeros, start = torch.zeros(sum(tensor.numel() for tensor in tensors), dtype=kind), 0
        for tensor in tensors:
            tensor.data = zeros[start : start + tensor.numel()].view(tensor.shape)
            start += tensor.numel()
    buffer = io.BytesIO()
    torch.save(model, buffer, pickle_protocol=4)  # whose pickles compress better
    with zipfile.ZipFile(buffer) as archive, zipfile.ZipFile(out / "torch" / f"module_{name}.pt", "w") as packed:
        for info in archive.infolist():
            packed.writestr(zipfile.ZipInfo(info.filename, (2024, 1, 1, 0, 0, 0)), archive.read(info), zipfile.ZIP_DEFLATED, 9)


book, index, refused = Book(), {}, {}
for name, (make, kind, size) in CASES.items():
    x = images((2, 3, size, size), 0.5)
    with torch.no_grad():
        logits = fill(make(), noisy=True).eval()(x)
        exact = fill(make(), noisy=True).eval().double()(x.double())
    book.add(name, logits=logits)
    deviation = ((logits.double() - exact).abs().max() / exact.abs().max()).item()
    index[name] = {"kind": kind, "size": size, "float64_deviation": float(f"{deviation:.1e}")}
    save(name, make())
for name, (make, words) in REFUSED.items():
    refused[name] = words
    save(name, make())
book.write(out / "modules.safetensors")
write_json(out / "modules.json", {"cases": index, "refused": refused})
