"""Goldens of single layers and tensor functions: ``layers.safetensors`` with settings in ``layers.json``.

Each case has ``output`` and, for loss = sum(output * pattern(output.shape, 0.3)), ``grad_input`` and
``grad_<parameter>``. Layers with parameters are filled by the rule in ``goldens.py``.
"""

import torch
import torch.nn.functional as F
from torch import nn

from goldens import Book, fill, output_folder, pattern, weighted_sum, write_json

book, index = Book(), {}


def describe(shape, phase, scale):
    return {"shape": list(shape), "phase": phase, "scale": scale}


def layer(case, module, shape, kind, settings, phase=0.5, scale=1.0, train=True):
    fill(module)
    module.train(train)
    x = pattern(shape, phase, scale).requires_grad_()
    y = module(x)
    parameters = dict(module.named_parameters())
    grads = torch.autograd.grad(weighted_sum(y), [x, *parameters.values()])
    book.add(case, output=y, grad_input=grads[0])
    for (name, _), g in zip(parameters.items(), grads[1:]):
        book.add(case, **{f"grad_{name}": g})
    if train:
        for name, b in module.named_buffers():
            if name.startswith("running_"):
                book.add(case, **{f"{name}_after": b})
    index[case] = {
        "kind": kind,
        "settings": settings,
        "input": describe(shape, phase, scale),
        "parameters": {k: list(v.shape) for k, v in module.state_dict().items() if v.is_floating_point()},
    }


def function(case, f, shape, kind, settings=None, phase=0.5, scale=1.0):
    x = pattern(shape, phase, scale).requires_grad_()
    y = f(x)
    (g,) = torch.autograd.grad(weighted_sum(y), [x])
    book.add(case, output=y, grad_input=g)
    index[case] = {"kind": kind, "settings": settings or {}, "input": describe(shape, phase, scale)}


def conv(case, shape, out, kernel, **settings):
    layer(case, nn.Conv2d(shape[1], out, kernel, **settings), shape, "conv2d",
          {"out_channels": out, "kernel_size": kernel, "stride": 1, "padding": 0, "groups": 1, "bias": True, **settings})


conv("conv2d", (2, 3, 6, 6), 4, 3)
conv("conv2d_stride2_pad1", (2, 3, 7, 7), 4, 3, stride=2, padding=1)
conv("conv2d_groups2", (2, 4, 5, 5), 6, 3, padding=1, groups=2)
conv("conv2d_depthwise", (2, 4, 5, 5), 4, 3, padding=1, groups=4, bias=False)
conv("conv2d_no_bias", (2, 3, 5, 5), 4, 3, padding=1, bias=False)
conv("conv2d_1x1_stride2", (2, 3, 6, 6), 5, 1, stride=2, bias=False)


def deconv(case, shape, out, kernel, **settings):
    layer(case, nn.ConvTranspose2d(shape[1], out, kernel, **settings), shape, "conv_transpose2d",
          {"out_channels": out, "kernel_size": kernel, "stride": 1, "padding": 0, "output_padding": 0, "bias": True, **settings})


deconv("conv_transpose2d", (2, 4, 4, 4), 3, 3)
deconv("conv_transpose2d_stride2", (2, 4, 4, 4), 3, 4, stride=2, padding=1)
deconv("conv_transpose2d_output_padding", (2, 4, 3, 3), 2, 3, stride=2, padding=1, output_padding=1, bias=False)

BN = {"eps": 1e-5, "momentum": 0.1}
layer("batch_norm2d_train", nn.BatchNorm2d(4), (3, 4, 4, 4), "batch_norm2d", {**BN, "mode": "train"}, scale=2.0)
layer("batch_norm2d_eval", nn.BatchNorm2d(4), (3, 4, 4, 4), "batch_norm2d", {**BN, "mode": "eval"}, scale=2.0, train=False)
layer("batch_norm1d_train", nn.BatchNorm1d(6), (5, 6), "batch_norm1d", {**BN, "mode": "train"}, scale=2.0)
layer("batch_norm1d_eval", nn.BatchNorm1d(6), (5, 6), "batch_norm1d", {**BN, "mode": "eval"}, scale=2.0, train=False)
layer("batch_norm2d_no_affine_train", nn.BatchNorm2d(4, affine=False), (3, 4, 4, 4), "batch_norm2d", {**BN, "affine": False, "mode": "train"}, scale=2.0)
layer("group_norm", nn.GroupNorm(2, 6), (2, 6, 4, 4), "group_norm", {"groups": 2, "eps": 1e-5}, scale=2.0)
layer("layer_norm", nn.LayerNorm(6), (4, 6), "layer_norm", {"normalized_shape": [6], "eps": 1e-5}, scale=2.0)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Attention(nn.Module):
    """By nn.MultiheadAttention, under timm's names."""

    def __init__(self, size, heads):
        super().__init__()
        self.qkv = nn.Linear(size, 3 * size)
        self.proj = nn.Linear(size, size)
        self.heads = heads

    def forward(self, x):
        x = x.transpose(0, 1)
        y, _ = F.multi_head_attention_forward(
            x, x, x, x.shape[2], self.heads, self.qkv.weight, self.qkv.bias, None, None, False, 0.0, self.proj.weight, self.proj.bias)
        return y.transpose(0, 1)


layer("layer_norm_2d", LayerNorm2d(6, eps=1e-6), (2, 6, 3, 2), "layer_norm_2d", {"eps": 1e-6}, scale=2.0)
layer("squeeze_excitation", SqueezeExcitation(6, 2), (2, 6, 3, 3), "squeeze_excitation", {"squeezed": 2}, scale=2.0)
layer("attention", Attention(8, 2), (2, 5, 8), "attention", {"heads": 2}, scale=2.0)
layer("linear", nn.Linear(7, 5), (4, 7), "linear", {"out_features": 5, "bias": True})
layer("linear_no_bias", nn.Linear(7, 5, bias=False), (4, 7), "linear", {"out_features": 5, "bias": False})

function("max_pool2d_3_2_1", lambda x: F.max_pool2d(x, 3, 2, 1), (2, 3, 7, 7), "max_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1})
function("max_pool2d_2", lambda x: F.max_pool2d(x, 2), (2, 3, 6, 6), "max_pool2d", {"kernel_size": 2, "stride": 2, "padding": 0})
function("avg_pool2d_2", lambda x: F.avg_pool2d(x, 2), (2, 3, 6, 6), "avg_pool2d", {"kernel_size": 2, "stride": 2, "padding": 0})
function("avg_pool2d_3_2_1", lambda x: F.avg_pool2d(x, 3, 2, 1), (2, 3, 7, 7), "avg_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": True})
function("adaptive_avg_pool2d_1", lambda x: F.adaptive_avg_pool2d(x, 1), (2, 3, 5, 7), "adaptive_avg_pool2d", {"output_size": 1})
function("adaptive_avg_pool2d_4", lambda x: F.adaptive_avg_pool2d(x, 4), (2, 3, 6, 7), "adaptive_avg_pool2d", {"output_size": 4})
function("adaptive_avg_pool2d_7_of_1", lambda x: F.adaptive_avg_pool2d(x, 7), (2, 3, 1, 1), "adaptive_avg_pool2d", {"output_size": 7})

for name, f, settings in [
    ("relu", F.relu, {}),
    ("relu6", F.relu6, {}),
    ("leaky_relu", lambda x: F.leaky_relu(x, 0.2), {"negative_slope": 0.2}),
    ("sigmoid", torch.sigmoid, {}),
    ("tanh", torch.tanh, {}),
    ("gelu", F.gelu, {}),
    ("silu", F.silu, {}),
]:
    function(name, f, (4, 9), name, settings, scale=7.0 if name == "relu6" else 3.0)
function("log_softmax", lambda x: F.log_softmax(x, 1), (4, 6), "log_softmax", {"dim": 1}, scale=3.0)
function("softmax", lambda x: F.softmax(x, 1), (4, 6), "softmax", {"dim": 1}, scale=3.0)

function("pad_reflect", lambda x: F.pad(x, (1, 2, 3, 1), mode="reflect"), (2, 2, 5, 5), "pad", {"mode": "reflect", "pad_left_right_top_bottom": [1, 2, 3, 1]})
function("pad_constant", lambda x: F.pad(x, (1, 2, 3, 1), value=0.25), (2, 2, 5, 5), "pad", {"mode": "constant", "value": 0.25, "pad_left_right_top_bottom": [1, 2, 3, 1]})

for mode in ("bilinear", "bicubic"):
    for corners in (False, True):
        suffix = "corners" if corners else "no_corners"
        for size_name, size in (("up", (9, 7)), ("down", (3, 2))):
            function(f"interpolate_{mode}_{suffix}_{size_name}",
                     lambda x, s=size, m=mode, c=corners: F.interpolate(x, size=s, mode=m, align_corners=c),
                     (1, 2, 5, 4), "interpolate", {"mode": mode, "align_corners": corners, "antialias": False, "size": list(size)})
function("interpolate_nearest_up", lambda x: F.interpolate(x, size=(9, 7), mode="nearest"), (1, 2, 5, 4), "interpolate", {"mode": "nearest", "size": [9, 7]})

for corners in (False, True):
    x = pattern((2, 2, 5, 6), 0.5).requires_grad_()
    grid = pattern((2, 4, 4, 2), 0.2, 1.2).requires_grad_()
    y = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=corners)
    gx, gg = torch.autograd.grad(weighted_sum(y), [x, grid])
    case = f"grid_sample_{'corners' if corners else 'no_corners'}"
    book.add(case, output=y, grad_input=gx, grad_grid=gg)
    index[case] = {"kind": "grid_sample", "settings": {"mode": "bilinear", "padding_mode": "zeros", "align_corners": corners},
                   "input": describe((2, 2, 5, 6), 0.5, 1.0), "grid": describe((2, 4, 4, 2), 0.2, 1.2)}

for corners in (False, True):
    theta = torch.tensor([[[1.0, 0.1, 0.05], [-0.1, 0.9, -0.2]]])
    case = f"affine_grid_{'corners' if corners else 'no_corners'}"
    book.add(case, output=F.affine_grid(theta, (1, 2, 4, 5), align_corners=corners))
    index[case] = {"kind": "affine_grid", "settings": {"align_corners": corners, "theta": theta[0].tolist(), "size": [1, 2, 4, 5]}}

out = output_folder()
book.write(out / "layers.safetensors")
write_json(out / "layers.json", {"loss": "sum(output * pattern(output.shape, 0.3))", "cases": index})
