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
  public func qr() -> (q: Tensor, r: Tensor) {
    let (q, r) = pair("qr") { ct_qr(handle, $0, $1) }
    return (q, r)
  }
  /// Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix.
  public func symmetricEigen() -> (values: Tensor, vectors: Tensor) {
    let (values, vectors) = pair("symmetricEigen") { ct_eigh(handle, $0, $1) }
    return (values, vectors)
  }

  /// The matrix with its singular values cut off at `limit`: `U min(S, limit) Vt`.
  public func truncatingSingularValues(at limit: Double) -> Tensor {
    let (u, s, vt) = svd()
    return (u * s.clamped(max: limit)).matmul(vt)
  }
}
