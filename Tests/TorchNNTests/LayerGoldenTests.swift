import Foundation
import TestSupport
import Testing
import Torch
import TorchNN

/// Layers and tensor functions against Python torch: outputs, input gradients, parameter gradients and running
/// statistics.
@Suite struct LayerGoldenTests {
  /// Float32 sums of up to 147 products in another order than PyTorch's Python build may take them.
  private let tolerance = 1e-5

  @Test(arguments: Golden.cases("layers")) func agrees(_ name: String) throws {
    let golden = try Golden("layers")
    let settings = golden.settings(of: name)
    let kind = try #require(settings["kind"].string)
    if kind == "affine_grid" { return try affineGrid(golden, name) }
    let x = pattern(
      settings["input"]["shape"].ints, settings["input"]["phase"].double ?? 0, settings["input"]["scale"].double ?? 1)
    x.requiresGrad_()
    let grid = settings["grid"]["shape"].ints.isEmpty ? nil : pattern([2, 4, 4, 2], 0.2, 1.2).requiresGrad_()

    let layer = try #require(
      try self.layer(kind, settings, channels: x.dimension(1), grid: grid), "no test for the kind \(kind)")
    layer.fillWithPattern()
    layer.train(settings["settings"]["mode"].string != "eval")
    let output = layer(x)
    expectClose(output, try golden.tensor("\(name)/output"), tolerance: tolerance, "output")

    let parameters = layer.namedParameters()
    let found = gradients(of: weightedSum(output), at: [x] + (grid.map { [$0] } ?? []) + parameters.map(\.tensor))
    expectClose(found[0], try golden.tensor("\(name)/grad_input"), tolerance: tolerance, "grad_input")
    if grid != nil { expectClose(found[1], try golden.tensor("\(name)/grad_grid"), tolerance: tolerance, "grad_grid") }
    for (parameter, gradient) in zip(parameters, found.suffix(parameters.count)) {
      expectClose(
        gradient, try golden.tensor("\(name)/grad_\(parameter.key)"), tolerance: tolerance, "grad_\(parameter.key)")
    }
    #expect(Set(parameters.map(\.key)) == Set(settings["parameters"].keys.filter { !$0.hasPrefix("running") }))
    for (key, buffer) in layer.namedBuffers() where key.hasPrefix("running_") {
      guard let after = golden.tensorIfAny("\(name)/\(key)_after") else {
        expectSame(buffer, filled(key, buffer.shape, key == "running_mean" ? 2 : 3), "\(key) in evaluation")
        continue
      }
      expectClose(buffer, after, tolerance: tolerance, key)
    }
  }

  private func affineGrid(_ golden: Golden, _ name: String) throws {
    let settings = golden.settings(of: name)["settings"]
    let theta = Tensor(settings["theta"].array.flatMap(\.doubles).map { Float($0) }, shape: [1, 2, 3])
    let grid = F.affineGrid(
      theta, settings["size"].ints, alignCorners: try #require(settings["align_corners"].bool as Bool?))
    expectClose(grid, try golden.tensor("\(name)/output"), tolerance: tolerance)
  }

  /// The layer, or a function in its place, that a case is about.
  private func layer(_ kind: String, _ settings: JSON, channels: Int, grid: Tensor?) throws -> (any Layer)? {
    let s = settings["settings"]
    let weight = settings["parameters"]["weight"].ints
    func int(_ key: String) throws -> Int { try #require(s[key].int, "\(key)") }
    func flag(_ key: String) throws -> Bool { try #require(s[key].bool as Bool?, "\(key)") }
    let random = Generator(seed: 0)
    switch kind {
    case "conv2d":
      return Conv2d(
        channels, weight[0], kernel: try int("kernel_size"), stride: try int("stride"), padding: try int("padding"),
        groups: try int("groups"), bias: try flag("bias"), random)
    case "conv_transpose2d":
      return ConvTranspose2d(
        channels, weight[1], kernel: try int("kernel_size"), stride: try int("stride"), padding: try int("padding"),
        outputPadding: try int("output_padding"), bias: try flag("bias"), random)
    case "linear": return Linear(weight[1], weight[0], bias: try flag("bias"), random)
    case "batch_norm2d" where s["affine"].bool == false: return PlainBatchNorm(channels)
    case "batch_norm2d", "batch_norm1d": return BatchNorm2d(channels)
    case "group_norm": return GroupNorm(groups: try int("groups"), channels)
    case "layer_norm_2d": return LayerNorm2d(channels, eps: try #require(s["eps"].double))
    case "squeeze_excitation": return SqueezeExcitation(channels, squeezed: try int("squeezed"), random)
    case "attention": return MultiHeadAttention(8, heads: try int("heads"), random)
    case "layer_norm": return LayerNorm(s["normalized_shape"].ints)
    default: return try function(kind, s, grid).map { Lambda($0) }
    }
  }

  private func function(_ kind: String, _ s: JSON, _ grid: Tensor?) throws -> ((Tensor) -> Tensor)? {
    let (kernel, stride, padding) = (s["kernel_size"].int ?? 0, s["stride"].int ?? 0, s["padding"].int ?? 0)
    switch kind {
    case "max_pool2d": return { MaxPool2d(kernel: kernel, stride: stride, padding: padding)($0) }
    case "avg_pool2d": return { F.avgPool2d($0, kernel: kernel, stride: stride, padding: padding) }
    case "adaptive_avg_pool2d":
      let size = try #require(s["output_size"].int)
      return { F.adaptiveAvgPool2d($0, size, size) }
    case "relu": return { Lambda.relu()($0) }
    case "relu6": return { Lambda.relu6()($0) }
    case "leaky_relu": return { Lambda.leakyReLU(0.2)($0) }
    case "sigmoid": return { $0.sigmoid() }
    case "tanh": return { Lambda.tanh()($0) }
    case "gelu": return { Lambda.gelu()($0) }
    case "silu": return { Lambda.silu()($0) }
    case "softmax": return { F.softmax($0, 1) }
    case "log_softmax": return { F.logSoftmax($0, 1) }
    case "pad":
      let modes: [String: PadMode] = ["constant": .constant, "reflect": .reflect]
      let mode = try #require(modes[s["mode"].string ?? ""])
      return { $0.padded(s["pad_left_right_top_bottom"].ints, mode, value: s["value"].double ?? 0) }
    case "interpolate":
      let modes: [String: F.Interpolation] = ["nearest": .nearest, "bilinear": .bilinear, "bicubic": .bicubic]
      let mode = try #require(modes[s["mode"].string ?? ""])
      let size = s["size"].ints
      return {
        F.interpolate($0, height: size[0], width: size[1], mode: mode, alignCorners: s["align_corners"].bool ?? false)
      }
    case "grid_sample":
      let grid = try #require(grid)
      return { F.gridSample($0, grid, alignCorners: s["align_corners"].bool ?? false) }
    default: return nil
    }
  }

  /// Batch normalisation without weights.
  private final class PlainBatchNorm: Module, Layer {
    @Buffer var runningMean: Tensor
    @Buffer var runningVar: Tensor
    init(_ channels: Int) {
      runningMean = Tensor.zeros([channels])
      runningVar = Tensor.ones([channels])
    }
    func callAsFunction(_ x: Tensor) -> Tensor {
      F.batchNorm(x, mean: runningMean, variance: runningVar, weight: nil, bias: nil, training: isTraining)
    }
  }
}

@Suite struct AttentionTests {
  /// Defenses take gradients of gradients; LibTorch's fused kernels have none.
  @Test func canBeDifferentiatedTwice() {
    func second(_ attend: (Tensor, Tensor, Tensor) -> Tensor) -> [Tensor] {
      let parts = [0.1, 0.4, 0.9].map { pattern([2, 2, 5, 4], $0, 2).requiresGrad_() }
      let first = gradients(of: weightedSum(attend(parts[0], parts[1], parts[2])), at: parts, createGraph: true)
      return gradients(of: first.reduce(Tensor(0)) { $0 + $1.square().sum() }, at: parts)
    }
    let found = second { F.scaledDotProductAttention($0, $1, $2) }
    let expected = second { F.softmax($0.matmul($1.transposed()) / 2, -1).matmul($2) }
    for (a, b) in zip(found, expected) { expectClose(a, b) }
  }

  /// Without gradients another kernel does the work.
  @Test func isTheSameWithoutGradients() {
    let parts = [0.1, 0.4, 0.9].map { pattern([2, 2, 5, 4], $0, 2) }
    let quiet = noGrad { F.scaledDotProductAttention(parts[0], parts[1], parts[2]) }
    parts[0].requiresGrad_()
    expectClose(F.scaledDotProductAttention(parts[0], parts[1], parts[2]), quiet)
  }
}

@Suite struct StochasticDepthTests {
  @Test func leavesOutWholeSamples() {
    let layer = StochasticDepth(0.25)
    let x = 2 + pattern([400, 2, 3], 0.3)
    let scale = (layer(x) / x).flattened(1)
    let kept = scale.max([1])
    expectClose(scale.min([1]), kept, "each sample as a whole")
    let values = kept.array(Float.self)
    #expect(values.allSatisfy { $0 == 0 || abs($0 - 4 / 3) < 1e-5 })
    let share = Double(values.count { $0 == 0 }) / 400
    #expect(abs(share - 0.25) < 0.08, "\(share)")
    expectSame(layer.eval()(x), x)
  }

  @Test func followsTheSeedOfItsEpoch() {
    let layers = Sequential([StochasticDepth(0.5), StochasticDepth(0.5)])
    let x = Tensor.ones([64, 1])
    func draw(_ seed: UInt64) -> Tensor {
      layers.reseedDropout(seed)
      return layers(x)
    }
    expectSame(draw(7), draw(7))
    #expect(draw(7).array(Float.self) != draw(8).array(Float.self))
    // Two layers with the same draws would keep half of the samples, others a quarter.
    #expect(draw(7).array(Float.self).count { $0 > 0 } < 26)
  }
}

@Suite struct BatchNormTests {
  @Test func countsBatches() {
    let norm = BatchNorm2d(2)
    _ = norm(pattern([2, 2, 3, 3], 0))
    _ = norm(pattern([2, 2, 3, 3], 1))
    #expect(norm.numBatchesTracked.intItem() == 2)
    _ = norm.eval()(pattern([2, 2, 3, 3], 1))
    #expect(norm.numBatchesTracked.intItem() == 2)
  }

  @Test func oneValuePerChannel() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = BatchNorm2d(2)(Tensor.ones([1, 2, 1, 1]))
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains("BatchNorm2d(float32 [1, 2, 1, 1]): training needs more than one value per channel"), "\(text)")
    let norm = BatchNorm2d(2).eval()
    #expect(norm(Tensor.ones([1, 2, 1, 1])).isFinite().all().item() == 1)
  }
}
