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
        "Files", "Formats", "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor",
        "Attacks", "Defenses",
        "Evaluation", "Audit", "Experiments", "Grids", "Reporting",
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
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CTorch", dependencies: ["CLibTorch"]),
    .target(
      name: "CImageCodecs", linkerSettings: ["png", "jpeg", "webp", "gif", "tiff", "z"].map { .linkedLibrary($0) }),
    layer("Files", []),
    layer(
      "Support", ["Files", .product(name: "Crypto", package: "swift-crypto"), .product(name: "Yams", package: "Yams")]),
    layer("Formats", ["Files", "Support", "CImageCodecs"]),
    layer("Torch", ["Files", "Formats", "CTorch"]),
    layer("TorchNN", ["Files", "Torch"]),
    layer("Vision", ["Files", "Formats", "Support", "Torch", "TorchNN", "CImageCodecs"]),
    layer("Training", ["Files", "Support", "Torch", "TorchNN", "Vision"]),
    layer("SelfSupervision", ["Files", "Support", "Torch", "TorchNN", "Vision", "Training"]),
    layer("Backdoor", ["Files", "Support", "Torch", "TorchNN", "Vision", "Training"]),
    layer("Attacks", ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor"]),
    layer("Defenses", ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor"]),
    layer("Evaluation", ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Defenses"]),
    layer(
      "Audit", ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Defenses", "Evaluation"]),
    layer(
      "Experiments",
      [
        "Files", "Support", "Formats", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Defenses",
        "Evaluation",
        "Audit",
      ]),
    layer(
      "Grids",
      [
        "Files", "Support", "Torch", "Vision", "Training", "Backdoor", "Attacks", "Defenses", "Evaluation",
        "Experiments",
        "CSQLite",
      ]),
    layer(
      "Reporting",
      [
        "Files", "Support", "Evaluation", "Audit", "Experiments", "Grids",
        .product(name: "Mustache", package: "swift-mustache"),
      ]),
    .executableTarget(
      name: "antidote",
      dependencies: [
        "Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Defenses", "Evaluation",
        "Audit", "Experiments", "Grids",
        "Reporting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .target(name: "TestFiles", path: "Tests/TestFiles", swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["Torch", "TorchNN"], path: "Tests/TestSupport", swiftSettings: settings),
    tests("FilesTests", ["Files", "TestFiles"]),
    tests("FormatsTests", ["Files", "Formats", "TestFiles"]),
    tests("SupportTests", ["Files", "Support", "TestFiles"]),
    tests("TorchTests", ["Files", "Formats", "Torch", "TestSupport", "TestFiles"]),
    tests("TorchNNTests", ["Torch", "TorchNN", "TestSupport", "TestFiles"]),
    tests("VisionTests", ["Files", "Formats", "Torch", "TorchNN", "Vision", "Support", "TestFiles", "TestSupport"]),
    .target(
      name: "TestData", dependencies: ["Files", "Support", "Torch", "TorchNN", "Vision", "Training"],
      path: "Tests/TestData",
      swiftSettings: settings),
    tests(
      "TrainingTests",
      ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "TestSupport", "TestData", "TestFiles"]),
    tests(
      "SelfSupervisionTests",
      ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "TestSupport", "TestData"]),
    tests(
      "BackdoorTests",
      ["Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "TestSupport", "TestFiles"]),
    tests(
      "AttackTests",
      [
        "Files", "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor", "Attacks",
        "TestSupport", "TestData",
        "TestFiles",
      ]),
    tests(
      "DefenseTests",
      [
        "Files", "Support", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor", "Defenses",
        "TestSupport", "TestData",
        "TestFiles",
      ]),
    tests(
      "EvaluationTests",
      [
        "Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Defenses", "Evaluation",
        "TestSupport", "TestData",
        "TestFiles",
      ]),
    tests(
      "AuditTests",
      [
        "Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Defenses", "Audit", "TestSupport",
        "TestData", "TestFiles",
      ]),
    tests(
      "ExperimentsTests",
      [
        "Files", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Defenses", "Evaluation",
        "Audit", "Experiments",
        "SelfSupervision", "TestSupport", "TestData", "TestFiles",
      ]),
    tests(
      "FuzzTests",
      [
        "Files", "Formats", "Support", "Torch", "TorchNN", "Vision", "Training", "Backdoor", "Attacks", "Evaluation",
        "Experiments",
        "Grids", "Reporting",
      ]),
    tests("CLITests", ["Files", "antidote", "TestFiles", "TestRuns"]),
    .target(name: "TestRuns", path: "Tests/TestRuns", swiftSettings: settings),
    tests(
      "GridsTests",
      ["Files", "Support", "Training", "Evaluation", "Experiments", "Grids", "TestFiles", "TestRuns"]),
    tests(
      "ReportingTests",
      ["Files", "Support", "Evaluation", "Experiments", "Grids", "Reporting", "TestFiles", "TestRuns"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)
