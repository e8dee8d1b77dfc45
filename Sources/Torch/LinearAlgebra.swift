import CTorch

extension Tensor {
  public func matmul(_ other: Tensor) -> Tensor { made(ct_matmul(handle, other.handle), "matmul", [self, other]) }

  /// Thin singular value decomposition `A = U diag(S) Vt`; S descending.
  public func svd() -> (u: Tensor, s: Tensor, vt: Tensor) {
    var u: CTTensor?
    var s: CTTensor?
    var vt: CTTensor?
    done(ct_svd(handle, &u, &s, &vt), "svd", [self])
    return (made(u), made(s), made(vt))
  }
  /// Singular values only, descending.
  public func singularValues() -> Tensor { made(ct_svdvals(handle), "singularValues", [self]) }

  /// The matrix with its singular values cut off at `limit`: `U min(S, limit) Vt`.
  public func truncatingSingularValues(at limit: Double) -> Tensor {
    let (u, s, vt) = svd()
    return (u * s.clamped(max: limit)).matmul(vt)
  }
}
