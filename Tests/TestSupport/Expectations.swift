public import Testing
public import Torch

/// Records an issue unless shapes and dtypes are equal and all elements differ by at most `tolerance` times the largest
/// expected magnitude (at least `floor`, for expectations that are zero).
public func expectClose(
  _ found: Tensor, _ expected: Tensor, tolerance: Double = 1e-5, floor: Double = 1e-3, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let name = what.isEmpty ? "" : "\(what): "
  guard found.shape == expected.shape, found.dtype == expected.dtype else {
    Issue.record("\(name)found \(found.summary), expected \(expected.summary)", sourceLocation: sourceLocation)
    return
  }
  let a = found.to(.float64).array(Double.self)
  let b = expected.to(.float64).array(Double.self)
  let allowed = tolerance * max(b.reduce(0) { max($0, abs($1)) }, floor)
  for (index, pair) in zip(a, b).enumerated() where !(abs(pair.0 - pair.1) <= allowed) && pair.0 != pair.1 {
    Issue.record(
      "\(name)\(found.summary) differs first at \(index): \(pair.0), expected \(pair.1) +- \(allowed)",
      sourceLocation: sourceLocation)
    return
  }
}

/// As for tensors, for one number.
public func expectClose(
  _ found: Double, _ expected: Double, tolerance: Double = 1e-5, floor: Double = 1e-3, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let allowed = tolerance * max(abs(expected), floor)
  if !(abs(found - expected) <= allowed) {
    Issue.record(
      "\(what.isEmpty ? "" : "\(what): ")\(found), expected \(expected) +- \(allowed)", sourceLocation: sourceLocation)
  }
}

/// Records an issue unless shapes, dtypes and all bytes are equal.
public func expectSame(
  _ found: Tensor, _ expected: Tensor, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  let sameKind = found.shape == expected.shape && found.dtype == expected.dtype
  if !sameKind || !found.withBytes({ a in expected.withBytes { b in a.elementsEqual(b) } }) {
    Issue.record("\(what.isEmpty ? "" : "\(what): ")\(found) is not \(expected)", sourceLocation: sourceLocation)
  }
}

/// Records an issue unless two lists of named tensors have the same names and bits.
public func expectSame(
  _ found: [(key: String, tensor: Tensor)], _ expected: [(key: String, tensor: Tensor)], _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(found.map(\.key) == expected.map(\.key), "\(what)", sourceLocation: sourceLocation)
  for (a, b) in zip(found, expected) {
    expectSame(a.tensor, b.tensor, "\(what) \(a.key)", sourceLocation: sourceLocation)
  }
}
