// swift-tools-version: 6.1
import PackageDescription

// A package that uses Antidote as a library. LibTorch is found through pkg-config: `make example` in the repository's
// root sets the search path; see "As a library" in its README.
let package = Package(
  name: "Purify",
  dependencies: [.package(name: "antidote", path: "../..")],
  targets: [.executableTarget(name: "Purify", dependencies: [.product(name: "Antidote", package: "antidote")])],
  cxxLanguageStandard: .cxx20
)
