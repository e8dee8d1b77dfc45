"""Goldens of the sample filters: ``sample_filters.safetensors`` and ``.json``.

Spectral scores by numpy's singular value decomposition of the centred features (Tran, Li, Madry 2018, algorithm 1, and
their script's uncentred scores with numpy's percentile). Principal and independent components, k-means and silhouette by
scikit-learn on the same features.

features     60 x 12: 45 rows of one cloud and 15 of another, scaled differently in each dimension
"""

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FastICA
from sklearn.metrics import silhouette_score

from goldens import output_folder, write_json

rng = np.random.default_rng(5)
scales = np.linspace(0.5, 2, 12)
x = rng.laplace(size=(60, 12)) * scales + 3
second = rng.permutation(60) < 15
x[second] += np.linspace(-2.5, 3, 12)
x = x.astype(np.float32).astype(np.float64)

centred = x - x.mean(0)
_, _, vt = np.linalg.svd(centred, full_matrices=False)
paper, script = (centred @ vt[0]) ** 2, np.linalg.norm((x @ vt[:1].T), axis=1)
pca = PCA(4).fit_transform(x)
start = rng.normal(size=(4, 4))
ica = FastICA(4, w_init=start, whiten="unit-variance", whiten_solver="svd", tol=1e-4, max_iter=200).fit_transform(x)
means = KMeans(2, n_init=10, random_state=0).fit(pca)
labels = means.labels_ if means.labels_.sum() < 30 else 1 - means.labels_

save_file(
    {
        "features": torch.tensor(x, dtype=torch.float32),
        "paper": torch.tensor(paper),
        "script": torch.tensor(script**2),
        "pca": torch.tensor(np.ascontiguousarray(pca)),
        "start": torch.tensor(start),
        "ica": torch.tensor(np.ascontiguousarray(ica)),
        "smaller": torch.tensor(labels.astype(np.int64)),
    },
    str(output_folder() / "sample_filters.safetensors"),
)
write_json(
    output_folder() / "sample_filters.json",
    {
        "percentile85": float(np.percentile(paper, 85)),
        "scriptRejects": np.nonzero(script > np.percentile(script, 85))[0].tolist(),
        "inertia": float(means.inertia_),
        "silhouette": float(silhouette_score(pca, means.labels_)),
    },
)
