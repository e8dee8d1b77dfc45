// A patch of few pixels towards each class: the same pixels and colours on every image, x' = (1 - m) x + m p with |m|_1
// at most k, that carries as many images of other classes to the class as possible. Neural Cleanse looks for the
// smallest patch of a given success; this is the other form, the largest success at a given size, which needs no
// schedule of costs.
//
// Searched by the Frank-Wolfe method (Jaggi: Revisiting Frank-Wolfe: Projection-Free Sparse Convex Optimization, ICML
// 2013, algorithm 1) over masks m and colours u = m p: the convex set 0 <= u <= m <= 1, sum m <= k. With g the gradient
// of sum_i log p_t(x'_i) at the images, putting one pixel at full opacity gains
//   sum_c max(G_c, 0) - sum_i sum_c g_ic x_ic,   G = sum_i g_i,
// for the colour 1 where G_c > 0 and 0 elsewhere. The vertex is the k pixels that gain most, and the step towards it
// 2 / (s + 2), s = 0, 1, ... At the end the k pixels of the largest mask become opaque, with the colour u / m.
//
// On a linear model the first vertex is the best patch, exactly.

import Torch
import Training
import Vision

struct SparsePatch {
  /// Pixels of the patch.
  let pixels: Int
  let steps: Int
  let batch: Int

  /// Patches towards several classes.
  struct Patches {
    /// T x 1 x H x W in [0, 1].
    var mask: Tensor
    /// Mask times colour, T x C x H x W.
    var colour: Tensor

    /// Images with the patches: T x B x C x H x W of pixels B x C x H x W.
    func stamp(_ images: Tensor) -> Tensor {
      (1 - mask).unsqueezed(1) * images.unsqueezed(0) + colour.unsqueezed(1)
    }
  }

  /// The patches of the classes (nil: all), found on these images.
  func search(
    _ model: Classifier, _ images: ImageDataset, classes: [Int]? = nil, _ context: TrainingContext
  ) throws
    -> Patches
  {
    let size = images.channels * images.height * images.width
    let groups = ClassGroups.groups(
      of: classes ?? Array(0..<model.classes), rows: min(batch, images.count), pixels: size)
    let work = SearchProgress(
      "sparse patches", steps: steps, groups: groups, passes: Double(min(batch, images.count)), context)
    defer { work.end() }
    let order = SearchBatches(count: images.count, size: batch, steps: steps, stream: "audit/patch", context)
    var found: [Patches] = []
    for group in groups {
      let pass = TargetedPass(model: model, targets: group, context: context)
      let shape = [group.count, images.channels, images.height, images.width]
      var patches = Patches(
        mask: .zeros([group.count, 1] + shape.dropFirst(2), device: context.device),
        colour: .zeros(shape, device: context.device))
      for (number, positions) in order.positions.enumerated() {
        step(&patches, number, pass, images.pixels(at: positions), sources: images.labels[positions])
        try work.step(group)
      }
      found.append(opaque(patches))
    }
    return noGrad {
      Patches(mask: .concatenated(found.map(\.mask)), colour: .concatenated(found.map(\.colour)))
    }
  }

  /// One step of Frank-Wolfe on pixels B x C x H x W.
  func step(_ patches: inout Patches, _ number: Int, _ pass: TargetedPass, _ pixels: Tensor, sources: Tensor) {
    let gradient = pass.gradient(at: noGrad { patches.stamp(pixels) }, sources: sources)
    noGrad {
      let vertex = vertex(gradient, pixels)
      let share = 2 / Double(number + 2)
      patches.mask = patches.mask.lerp(vertex.mask, share)
      patches.colour = patches.colour.lerp(vertex.colour, share)
    }
  }

  /// The best patch for a linear objective: gradient T x B x C x H x W at the images, pixels B x C x H x W.
  func vertex(_ gradient: Tensor, _ pixels: Tensor) -> Patches {
    let total = gradient.sum([1])
    let gain = total.relu().sum([1]) - (gradient * pixels.unsqueezed(0)).sum([1, 2])
    let rows = gain.reshaped(gain.dimension(0), -1)
    let best = rows.topK(self.pixels, 1).indices
    let chosen = Tensor.zeros(like: rows).scattered(1, best, value: 1) * (rows .> 0).to(.float32)
    let mask = chosen.reshaped(gain.shape).unsqueezed(1)
    return Patches(mask: mask, colour: mask * (total .> 0).to(.float32))
  }

  /// The pixels of the largest mask at full opacity.
  func opaque(_ patches: Patches) -> Patches {
    noGrad {
      let rows = patches.mask.reshaped(patches.mask.dimension(0), -1)
      // Pixels of the same steps are equal: the first of them counts, whatever the device.
      let places = Tensor.arange(rows.dimension(1), dtype: .float64, device: rows.device)
      let best = ((rows.to(.float64) * 1e5).round() - places * 1e-6).topK(pixels, 1).indices
      let chosen = Tensor.zeros(like: rows).scattered(1, best, value: 1) * (rows .> 0).to(.float32)
      let mask = chosen.reshaped(patches.mask.shape)
      return Patches(mask: mask, colour: mask * (patches.colour / patches.mask.clamped(min: 1e-12)).clamped(0, 1))
    }
  }
}
