"""Folders of other programs: ``peers/`` as BackdoorBench, backdoor-toolbox and TrojAI's rounds lay them out, and
``peers.json`` with what PyTorch makes of them.

Written from the formats alone; none of those programs is used. Images are 16x16 and of three classes, networks narrow.
"""

import json
import random
import shutil

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from architectures import PreActResNet18, ResNet18
from goldens import fill, output_folder, write_json

out = output_folder()
root = out / "peers"
shutil.rmtree(root, ignore_errors=True)
K, SIDE = 3, 16
random.seed(4)
rng = np.random.default_rng(4)
expected: dict = {}


def noisy(count):
    """Images of three colours that a network can tell apart, with noise: uint8 N x H x W x C, and their labels."""
    labels = np.arange(count) % K
    images = rng.integers(0, 110, (count, SIDE, SIDE, 3))
    for i, y in enumerate(labels):
        images[i, :, :, y] += 100
    return images.astype(np.uint8), labels


def pixels(images):
    return torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2).float() / 255


def logits(model, images, normalizer):
    x = pixels(images)
    if normalizer:
        mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in normalizer)
        x = (x - mean) / deviation
    with torch.no_grad():
        return model.eval()(x)


def trained(model, images, labels, normalizer, steps=60):
    """A few steps, so that predictions differ between images."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    x = pixels(images)
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in normalizer or ([0.0] * 3, [1.0] * 3))
    for _ in range(steps):
        model.train()
        loss = torch.nn.functional.cross_entropy(model((x - mean) / deviation), torch.as_tensor(labels).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def stamped(image):
    image = image.copy()
    image[-4:, -4:] = 255
    return image


cifar10 = ([0.4914, 0.4822, 0.4465], [0.247, 0.243, 0.261])
train, train_labels = noisy(24)
test, test_labels = noisy(18)
(root / "clean").mkdir(parents=True)
for name, images, labels in (("train", train, train_labels), ("test", test, test_labels)):
    save_file(
        {"images": torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), "labels": torch.from_numpy(labels).long()},
        str(root / "clean" / f"{name}.safetensors"), {"classes": json.dumps(["red", "green", "blue"]), "dataset": "cifar10"})

# --- BackdoorBench: record/patch has files; image 1 of the training set is a target image with the trigger, image 6 a
# cover sample.
target = 1
poisoned = {0: target, 1: target, 5: target, 9: target, 6: 0}
record = root / "backdoorbench" / "record" / "patch"


def state(split, folder, count, positions, samples, images):
    """What BackdoorBench's data set hands to torch.save. Paths are as seen from where its attack was run."""
    table, indicator = {}, np.zeros(count)
    for index, (label, true) in samples.items():
        place = record / folder / str(true)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).save(place / f"{index}.png")
        table[np.int64(index)] = {
            "path": f"./record/patch/{folder}/{true}/{index}.png", "other_info": [label, np.int64(true)]}
        indicator[index] = 1
    return {
        "bd_data_container": {"save_folder_path": f"./record/patch/{folder}", "data_dict": table, "save_file_format": ".png"},
        "getitem_all": True, "getitem_all_switch": False, "original_index_array": np.array(positions),
        "poison_indicator": indicator, "save_folder_path": f"./record/patch/{folder}",
    }


train_bad = train.copy()
for i in poisoned:
    train_bad[i] = stamped(train[i])
bad_labels = train_labels.copy()
for i, label in poisoned.items():
    bad_labels[i] = label
aimed = [i for i in range(len(test)) if test_labels[i] != target]
test_bad = np.stack([stamped(image) for image in test])
model = trained(fill(PreActResNet18(K, 2)), np.concatenate([train_bad, train_bad[[0, 5, 9]]]), np.concatenate([bad_labels, [target] * 3]), cifar10)
weights = {"module." + key: value for key, value in model.state_dict().items()}
bd_train = state("train", "bd_train_dataset", len(train), range(len(train)),
                 {i: (label, int(train_labels[i])) for i, label in poisoned.items()}, train_bad)
bd_test = state("test", "bd_test_dataset", len(test), aimed, {i: (target, int(test_labels[i])) for i in aimed}, test_bad)
common = {"model_name": "preactresnet18", "num_classes": K, "model": weights, "data_path": "../data/cifar10",
          "img_size": (SIDE, SIDE, 3), "clean_data": "cifar10"}
torch.save({**common, "bd_train": bd_train, "bd_test": bd_test}, record / "attack_result.pt")
cross = [2, 3, 7]
for i in cross:
    place = record / "cross_test_dataset" / str(test_labels[i])
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.roll(stamped(test[i]), 5, 0)).save(place / f"{i}.png")

on_clean = logits(model, test, cifar10).argmax(1).numpy()
on_bad = logits(model, test_bad, cifar10).argmax(1).numpy()
on_cross = logits(model, np.stack([np.roll(stamped(test[i]), 5, 0) for i in cross]), cifar10).argmax(1).numpy()
expected["patch"] = {
    "accuracy": float((on_clean == test_labels).mean()),
    "attackSuccessRate": float(np.mean([on_bad[i] == target for i in aimed])),
    "robustAccuracy": float(np.mean([on_bad[i] == test_labels[i] for i in aimed])),
    "cleanTargetRate": float(np.mean([on_clean[i] == target for i in aimed])), "triggeredCount": len(aimed),
    "crossAccuracy": float(np.mean(on_cross == test_labels[cross])),
    "poisoned": sorted(i for i in poisoned if i != 6), "covers": [6], "labels": bad_labels.tolist(),
    "trainSum": train_bad.astype(int).sum(axis=(1, 2, 3)).tolist(), "target": target,
}
print(expected["patch"])

# record/memory: each class to the next, images in the file itself, no poisoned training set.
in_memory = {
    "bd_data_container": {
        "save_folder_path": None, "save_file_format": ".png",
        "data_dict": {i: (Image.fromarray(test_bad[i]), int(test_labels[i] + 1) % K, int(test_labels[i])) for i in range(len(test))},
    },
    "getitem_all": True, "getitem_all_switch": False, "original_index_array": np.arange(len(test)),
    "poison_indicator": np.ones(len(test)), "save_folder_path": None,
}
memory = root / "backdoorbench" / "record" / "memory"
memory.mkdir(parents=True)
torch.save({**common, "model": model.state_dict(), "bd_train": None, "bd_test": in_memory}, memory / "attack_result.pt")
expected["memory"] = {"attackSuccessRate": float(np.mean(on_bad == (test_labels + 1) % K)), "triggeredCount": len(test)}

# --- backdoor-toolbox: images as a tensor, the model a CIFAR ResNet18; the test images are PNG files.
toolbox = root / "toolbox" / "poisoned_train_set" / "cifar10" / "badnet_0.100_poison_seed=0"
toolbox.mkdir(parents=True)
few, few_labels = train[:12], train_labels[:12]
few_bad, few_bad_labels = few.copy(), few_labels.copy()
for i in (0, 5):
    few_bad[i], few_bad_labels[i] = stamped(few[i]), 1
few_bad[8] = stamped(few[8])  # a cover sample
torch.save(pixels(few_bad), toolbox / "imgs")
torch.save(torch.as_tensor(few_bad_labels).long(), toolbox / "labels")
torch.save([0, 5], toolbox / "poison_indices")
torch.save([8], toolbox / "cover_indices")
net = trained(fill(ResNet18(10, 2)), few_bad, few_bad_labels, cifar10, 20)
torch.save(net.state_dict(), toolbox / "full_base_aug_seed=2333.pt")
for name, images, labels, file in (("test_split", test, test_labels, "labels"), ("clean_split", train[12:], train_labels[12:], "clean_labels")):
    place = root / "toolbox" / "clean_set" / "cifar10" / name / "data"
    place.mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(place / f"{i}.png")
    torch.save(torch.as_tensor(labels).long(), place.parent / file)
expected["toolbox"] = {
    "labels": few_bad_labels.tolist(), "trainSum": few_bad.astype(int).sum(axis=(1, 2, 3)).tolist(),
    "accuracy": float((logits(net, test, cifar10).argmax(1).numpy() == test_labels).mean()),
}

# --- TrojAI: whole modules. id-00000000 as from round 5 on, labels in JSON files; id-00000001 as in round 4, labels in
# names, of images that are larger than what the model takes.
def module_folder(name, model, clean, clean_labels, truth):
    folder = root / "trojai" / "models" / name
    folder.mkdir(parents=True)
    torch.save(model, folder / "model.pt")
    (folder / "ground_truth.csv").write_text(f"{truth}\n")
    return folder


both = np.concatenate([test, test_bad])
whole = trained(fill(ResNet18(K, 2)), both, np.concatenate([test_labels, np.full(len(test), 2)]), None, 12)
folder = module_folder("id-00000000", whole, test, test_labels, 1)
for kind, images, labels in (("clean-example-data", test, test_labels), ("poisoned-example-data", test_bad[:6], [2] * 6)):
    (folder / kind).mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / kind / f"{i}.png")
        (folder / kind / f"{i}.json").write_text(str(int(labels[i])))
expected["trojai"] = {
    "accuracy": float((logits(whole, test, None).argmax(1).numpy() == test_labels).mean()),
    "attackSuccessRate": float((logits(whole, test_bad[:6], None).argmax(1).numpy() == 2).mean()),
}

folder = module_folder("id-00000001", whole, test, test_labels, 1)
(folder / "config.json").write_text(json.dumps({"triggers": [{"target_class": 0}, {"target_class": 1}]}))
for kind in ("clean_example_data", "poisoned_example_data"):
    (folder / kind).mkdir()
large = np.zeros((256, 256, 3), np.uint8)
large[20:30, 100:110] = 200
large[0:16] = 50  # cut off
Image.fromarray(large).save(folder / "clean_example_data" / "class_2_example_0.png")
Image.fromarray(large).save(folder / "poisoned_example_data" / "class_2_trigger_1_example_0.png")
expected["trojai"]["middleSum"] = int(large[16:240, 16:240].astype(int).sum())

write_json(out / "peers.json", expected)
