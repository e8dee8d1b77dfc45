/// One reader under test.
struct Subject {
  let name: String
  /// Inputs that it reads, made by Antidote's own writers where it has them.
  let seeds: [[UInt8]]
  /// Words of the format.
  var words: [String] = []
  /// Sets lengths and checksums right; applied to half of the inputs.
  var repair: ([UInt8]) -> [UInt8] = { $0 }
  /// Reads the input and does with the result what the program does with it.
  let read: ([UInt8]) throws -> Void
}
