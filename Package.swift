// swift-tools-version: 6.1
import PackageDescription

// LibTorch is found through a pkg-config file that `make setup` writes; see README.md.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A library target; imports point down only, in the order of this file.
func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "antidote",
  products: [.library(name: "Antidote", targets: ["Torch", "TorchNN", "Vision"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.0.0"),
  ],
  targets: [
    .systemLibrary(name: "CLibTorch", pkgConfig: "antidote-libtorch"),
    .target(name: "CTorch", dependencies: ["CLibTorch"]),
    layer("Torch", ["CTorch"]),
    layer("TorchNN", ["Torch"]),
    layer("Vision", ["TorchNN"]),
    tests("TorchTests", ["Torch"]),
    tests("TorchNNTests", ["TorchNN"]),
    tests("VisionTests", ["Vision"]),
  ],
  cxxLanguageStandard: .cxx20
)
