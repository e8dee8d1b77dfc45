import Backdoor
import Files
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Defenses

/// The parts of the filters against numpy and scikit-learn on the same features.
@Suite struct SampleFilterGoldenTests {
  let golden: Golden
  let features: Tensor
  init() throws {
    golden = try Golden("sample_filters")
    features = try golden.tensor("features").to(.float64)
  }

  @Test func spectralScores() throws {
    let paper = SpectralSignatures.scores(of: features)
    expectClose(paper, try golden.tensor("paper"), tolerance: 1e-9)
    let script = SpectralSignatures.scores(of: features, centred: false)
    expectClose(script, try golden.tensor("script"), tolerance: 1e-9)
    expectClose(
      SpectralSignatures.percentile(85, of: paper.array(Double.self)), golden.settings["percentile85"].double ?? 0,
      tolerance: 1e-9)
    var c = SpectralSignatures.Configuration()
    (c.rule, c.centred) = (.percentile, false)
    #expect(
      SpectralSignatures(c).outliers(script.array(Double.self), total: 1) == golden.settings["scriptRejects"].ints)
  }

  @Test func components() throws {
    let (pca, deviations) = FeatureReduction.principal(features, count: 4)
    let expected = try golden.tensor("pca")
    // A component's sign is free.
    expectClose(pca * (pca * expected).sum([0]).sign(), expected, tolerance: 1e-9)
    expectClose(deviations, expected.standardDeviation([0], correction: 0), tolerance: 1e-9)
    let ica = FeatureReduction.independent(features, count: 4, start: try golden.tensor("start"))
    let known = try golden.tensor("ica")
    expectClose(ica, known, tolerance: 1e-6)
    expectClose(ica.square().mean([0]), Tensor.ones([4], dtype: .float64), tolerance: 1e-9)
  }

  @Test func clusters() throws {
    let points = try golden.tensor("pca")
    var generator = Seed(3).generator("means")
    let found = TwoMeans(points, starts: 10, generator: &generator)
    let isSmaller = found.secondCount < 30 ? found.isSecond : found.isSecond.map { !$0 }
    #expect(isSmaller.map { $0 ? 1 : 0 } == (try golden.tensor("smaller").array(Int64.self)))
    expectClose(found.inertia, golden.settings["inertia"].double ?? 0, tolerance: 1e-9)
    expectClose(
      TwoMeans.silhouette(points, found.isSecond), golden.settings["silhouette"].double ?? 0, tolerance: 1e-9)
  }

  @Test func oddPoints() {
    var generator = Seed(3).generator("means")
    let same = Tensor.ones([5, 2], dtype: .float64)
    let found = TwoMeans(same, starts: 3, generator: &generator)
    #expect(found.inertia == 0 && TwoMeans.silhouette(same, found.isSecond) == 0)
    #expect(FeatureReduction.principal(same, count: 4).components.shape == [5, 0])
    // Three rows have two dimensions of deviations.
    let few = Generator(seed: 2).normal([3, 6], dtype: .float64)
    #expect(FeatureReduction.principal(few, count: 4).components.shape == [3, 2])
    #expect(
      FeatureReduction.independent(few, count: 4, start: Tensor.eye(4, dtype: .float64)).isFinite().all().intItem() == 1
    )
    // One row apart from two: its own silhouette counts 0.
    let line = Tensor([0.0, 1.0, 5.0]).reshaped([3, 1]).to(.float64)
    expectClose(TwoMeans.silhouette(line, [false, false, true]), (4.0 / 5 + 3.0 / 4) / 3, tolerance: 1e-12)
  }
}

/// Whole filters against their description, on a model whose features are known.
@Suite struct SampleFilterTests {
  /// 48 images of three labels, of which the third has few; some of label 1 are of another class.
  private let data: ImageDataset = {
    let tiny = ImageDataset.tiny(count: 48, size: 8)
    let labels = (0..<48).map { position -> Int64 in
      if position % 16 == 3 { return 2 }
      return position % 4 == 2 && position < 24 ? 1 : Int64(position % 2)
    }
    return ImageDataset(
      name: "tiny", images: tiny.images, labels: Tensor(labels), classNames: ["a", "b", "c", "none"])
  }()
  private func outcome(_ defense: any Defense, truth: Set<Int>? = nil, seed: Seed = 5) throws -> DefenseOutcome {
    try defense.run(
      DefenseInput(
        for: type(of: defense), training: TrainingContext(precision: .float32, seed: 2), seed: seed,
        poisonedTrain: data, model: Classifier.tiny(for: data, seed: 4), truth: truth))
  }
  private func features() throws -> Tensor {
    let model = try Classifier.tiny(for: data, seed: 4).eval()
    return noGrad { model.features(data.pixels(0..<48)).penultimate.to(.float64) }
  }
  private var labels: [Int] { data.labelArray() }

  @Test func spectralIsItsAlgorithm() throws {
    var c = SpectralSignatures.Configuration()
    (c.eps, c.factor, c.classLimit) = (0.06, 1.75, 0.4)
    let found = try outcome(SpectralSignatures(c))
    let all = try features()
    var rejected: [Int] = []
    for label in 0..<3 {
      let members = labels.indices.filter { labels[$0] == label }
      let own = all[Tensor(members.map(Int64.init))]
      let centred = own - own.mean([0], keep: true)
      let scores = centred.matmul(centred.svd().vt[0].unsqueezed(1)).square().reshaped(-1)
      let order = scores.argsort(descending: true).array(Int64.self).map { members[Int($0)] }
      // 1.75 * .06 * 48 = 5.04; the third label has three samples, of which two fifths are one.
      rejected += order.prefix(members.count == 3 ? 1 : 5)
      for (member, score) in zip(members, scores.array(Double.self)) {
        expectClose(try #require(found.suspicion)[member], score, tolerance: 1e-6)
      }
    }
    #expect(found.filtered?.rejected == rejected.sorted() && rejected.count == 11)
  }

  /// A class of one image many times has no second cluster, so that nothing is said against it.
  @Test(arguments: ActivationClustering.Rule.allCases)
  func aClassOfEqualImagesIsKept(_ rule: ActivationClustering.Rule) throws {
    var c = ActivationClustering.Configuration()
    (c.least, c.rule, c.silhouette) = (4, rule, 0)
    let members = labels.indices.filter { labels[$0] == 1 }
    let sources = labels.indices.map { Int64(labels[$0] == 1 ? members[0] : $0) }
    let equal = ImageDataset(
      name: "equal", images: data.images[Tensor(sources)], labels: data.labels, classNames: data.classNames)
    let found = try ActivationClustering(c).run(
      DefenseInput(
        for: ActivationClustering.self, training: TrainingContext(precision: .float32, seed: 2), seed: 5,
        poisonedTrain: equal, model: Classifier.tiny(for: data, seed: 4)))
    let suspicion = try #require(found.suspicion)
    #expect(members.allSatisfy { suspicion[$0] == -1 })
    #expect(Set(try #require(found.filtered).rejected).isDisjoint(with: members))
  }

  @Test func clusteringIsItsDescription() throws {
    var c = ActivationClustering.Configuration()
    (c.reduction, c.components, c.rule, c.starts, c.least) = (.pca, 3, .smaller, 4, 4)
    let always = try outcome(ActivationClustering(c))
    let all = try features()
    var expected: [Int] = []
    var shares: [Double] = []
    var silhouettes: [Double] = []
    for label in 0..<2 {
      let members = labels.indices.filter { labels[$0] == label }
      let own = all[Tensor(members.map(Int64.init))]
      let centred = own - own.mean([0], keep: true)
      let points = centred.matmul(centred.svd().vt[0..<3].transposed(0, 1))
      var generator = Seed(99).generator("others")
      let clusters = TwoMeans(points, starts: 50, generator: &generator)
      let secondIsSmaller = 2 * clusters.secondCount < members.count
      let smaller = members.indices.filter { clusters.isSecond[$0] == secondIsSmaller }.map { members[$0] }
      expected += smaller
      shares.append(Double(smaller.count) / Double(members.count))
      silhouettes.append(TwoMeans.silhouette(points, clusters.isSecond))
      let suspicion = try #require(always.suspicion)
      #expect(members.allSatisfy { (suspicion[$0] > 2) == smaller.contains($0) }, "label \(label)")
    }
    #expect(always.filtered?.rejected == expected.sorted())
    // A rule's border between the two labels rejects one of them.
    #expect(shares[0] != shares[1] && silhouettes[0] != silhouettes[1])
    (c.rule, c.relativeSize) = (.relativeSize, (shares[0] + shares[1]) / 2)
    let bySize = try outcome(ActivationClustering(c))
    #expect(Set(bySize.filtered!.rejected.map { labels[$0] }) == [shares[0] < shares[1] ? 0 : 1])
    (c.rule, c.silhouette) = (.silhouette, (silhouettes[0] + silhouettes[1]) / 2)
    let bySilhouette = try outcome(ActivationClustering(c))
    #expect(Set(bySilhouette.filtered!.rejected.map { labels[$0] }) == [silhouettes[0] > silhouettes[1] ? 0 : 1])
  }

  @Test func baselines() throws {
    var c = RandomFilter.Configuration()
    c.share = 0.3
    let random = try outcome(RandomFilter(c))
    let rejected = try #require(random.filtered).rejected
    let other = try outcome(RandomFilter(c), seed: 6)
    #expect(rejected.count == 14 && rejected != other.filtered!.rejected)
    let suspicion = try #require(random.suspicion)
    #expect(Set(suspicion.indices.sorted { suspicion[$0] > suspicion[$1] }.prefix(14)) == Set(rejected))
    let oracle = try outcome(OracleFilter(), truth: [3, 40, 7])
    #expect(oracle.filtered!.rejected == [3, 7, 40] && oracle.filtered!.kept.count == 45)
    #expect(try outcome(OracleFilter(), truth: []).filtered!.kept.count == 48)
    let error = #expect(throws: DefenseError.self) { try outcome(OracleFilter()) }
    #expect(error?.description.contains("antidote run") == true)
  }

  @Test(arguments: [SpectralSignatures.id, ActivationClustering.id]) func badInput(_ id: String) throws {
    let (defense, _) = try DefenseKind.named(id).make([:])
    func message(_ data: ImageDataset, _ model: Classifier) throws -> String {
      let error = #expect(throws: DefenseError.self) {
        try defense.run(
          DefenseInput(
            for: type(of: defense), training: TrainingContext(precision: .float32), seed: 1, poisonedTrain: data,
            model: model))
      }
      return error?.description ?? ""
    }
    let model = try Classifier.tiny(for: data)
    #expect(try message(data.withoutLabels(), model).contains("sample 0 has no label"))
    let five = try Classifier.tiny(for: .tiny(size: 8, classes: 5))
    #expect(try message(data, five).contains("5 classes"))
    noGrad { model.parameters()[0].fill_(.nan) }
    #expect(try message(data, model).contains("not finite"))
  }
}
