import ArgumentParser

/// Whether a command prints a table for people or for other programs.
struct TableOptions: ParsableArguments {
  @Flag(help: "Print JSON on standard output, with all that is known of each row.")
  var json = false
  @Flag(help: "Print comma-separated values: numbers in full, shares as fractions.")
  var csv = false

  func validate() throws {
    if json, csv { throw ValidationError("Give --json or --csv, not both.") }
  }
}
