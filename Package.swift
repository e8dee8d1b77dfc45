// swift-tools-version: 6.1
import PackageDescription

// LibTorch is found through a pkg-config file that `make setup` writes; see README.md.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
  name: "antidote",
  products: [
    .library(
      name: "Antidote",
      targets: [
        "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor", "Attacks", "Defenses", "Evaluation",
        "Experiments", "Reporting",
      ]),
    .executable(name: "antidote", targets: ["antidote"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.0.0"),
  ],
  // Imports point down only: a target may use those before it.
  targets: [
    .systemLibrary(name: "CLibTorch", pkgConfig: "antidote-libtorch"),
    .target(name: "CTorch", dependencies: ["CLibTorch"]),
    .target(name: "CImageCodecs", linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("z")]),
    layer("Support", [.product(name: "Crypto", package: "swift-crypto"), .product(name: "Yams", package: "Yams")]),
    layer("Torch", ["CTorch"]),
    layer("TorchNN", ["Torch"]),
    layer("Vision", ["Support", "Torch", "TorchNN", "CImageCodecs"]),
    layer("Training", ["Support", "Torch", "TorchNN", "Vision"]),
    layer("SelfSupervision", ["Support", "Torch", "TorchNN", "Vision", "Training"]),
    layer("Backdoor", ["Support", "Torch", "TorchNN", "Vision", "Training"]),
    layer("Attacks", ["Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor"]),
    layer("Defenses", ["Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor"]),
    layer("Evaluation", ["Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Defenses"]),
    layer("Experiments", ["Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Defenses", "Evaluation"]),
    layer("Reporting", ["Support", "Experiments", .product(name: "Mustache", package: "swift-mustache")]),
    .executableTarget(
      name: "antidote",
      dependencies: [
        "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Defenses", "Evaluation", "Experiments", "Reporting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .target(name: "TestSupport", dependencies: ["Torch", "TorchNN"], path: "Tests/TestSupport", swiftSettings: settings),
    tests("SupportTests", ["Support"]),
    tests("TorchTests", ["Torch", "TestSupport"]),
    tests("TorchNNTests", ["Torch", "TorchNN", "TestSupport"]),
    tests("VisionTests", ["Torch", "TorchNN", "Vision", "Support"]),
    .target(name: "TestData", dependencies: ["Support", "Torch", "TorchNN", "Vision"], path: "Tests/TestData", swiftSettings: settings),
    tests("TrainingTests", ["Support", "Torch", "TorchNN", "Vision", "Training", "TestSupport", "TestData"]),
    tests(
      "SelfSupervisionTests", ["Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "TestSupport", "TestData"]),
    tests("BackdoorTests", ["Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "TestSupport"]),
    tests(
      "AttackTests",
      ["Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor", "Attacks", "TestSupport", "TestData"]),
    tests(
      "DefenseTests",
      ["Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor", "Defenses", "TestSupport", "TestData"]),
    tests(
      "EvaluationTests",
      ["Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Defenses", "Evaluation", "TestSupport", "TestData"]),
    tests(
      "ExperimentsTests",
      ["Support", "Torch", "Vision", "Training", "Backdoor", "Attacks", "Defenses", "Evaluation", "Experiments", "TestSupport"]),
    tests("CLITests", ["antidote"]),
    tests(
      "FuzzTests", ["Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Evaluation", "Experiments", "Reporting"]),
    tests("ReportingTests", ["Support", "Evaluation", "Experiments", "Reporting"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)
