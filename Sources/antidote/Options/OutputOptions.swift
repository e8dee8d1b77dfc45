import ArgumentParser

/// Whether a command prints for people or for other programs.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print JSON on standard output.")
  var json = false
}
