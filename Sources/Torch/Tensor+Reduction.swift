import CTorch

/// Runs `body` with the dimensions as C sizes, or with NULL for all dimensions.
@inline(__always)
private func reducing(_ dims: [Int]?, _ body: (UnsafePointer<Int64>?, Int64) -> CTTensor?) -> CTTensor? {
  guard let dims else { return body(nil, 0) }
  return dims.withSizes { body($0, $1) }
}

// Without dimensions, a reduction is over all elements and gives a scalar tensor. Negative dimensions count from the
// end.
extension Tensor {
  public func sum(_ dims: [Int]? = nil, keep: Bool = false) -> Tensor {
    made(reducing(dims) { ct_sum(handle, $0, $1, keep) }, "sum", [self])
  }
  public func mean(_ dims: [Int]? = nil, keep: Bool = false) -> Tensor {
    made(reducing(dims) { ct_mean(handle, $0, $1, keep) }, "mean", [self])
  }
  /// Variance; `correction` 1 divides by n - 1, 0 by n.
  public func variance(_ dims: [Int]? = nil, correction: Double = 1, keep: Bool = false) -> Tensor {
    made(reducing(dims) { ct_var(handle, $0, $1, correction, keep) }, "variance", [self])
  }
  public func standardDeviation(_ dims: [Int]? = nil, correction: Double = 1, keep: Bool = false) -> Tensor {
    variance(dims, correction: correction, keep: keep).sqrt()
  }
  public func max(_ dims: [Int]? = nil, keep: Bool = false) -> Tensor {
    made(reducing(dims) { ct_amax(handle, $0, $1, keep) }, "max", [self])
  }
  public func min(_ dims: [Int]? = nil, keep: Bool = false) -> Tensor {
    made(reducing(dims) { ct_amin(handle, $0, $1, keep) }, "min", [self])
  }
  /// The vector p-norm.
  public func norm(_ p: Double = 2, _ dims: [Int]? = nil, keep: Bool = false) -> Tensor {
    made(reducing(dims) { ct_norm(handle, p, $0, $1, keep) }, "norm", [self])
  }
  public func argmax(_ dim: Int, keep: Bool = false) -> Tensor {
    made(ct_argmax(handle, Int64(dim), keep), "argmax", [self])
  }
  public func argmin(_ dim: Int, keep: Bool = false) -> Tensor {
    made(ct_argmin(handle, Int64(dim), keep), "argmin", [self])
  }
  public func all() -> Tensor { made(ct_all(handle), "all", [self]) }
  public func any() -> Tensor { made(ct_any(handle), "any", [self]) }
  public func all(_ dim: Int, keep: Bool = false) -> Tensor {
    made(ct_all_dim(handle, Int64(dim), keep), "all", [self])
  }
  public func any(_ dim: Int, keep: Bool = false) -> Tensor {
    made(ct_any_dim(handle, Int64(dim), keep), "any", [self])
  }
  public func cumulativeSum(_ dim: Int) -> Tensor { made(ct_cumsum(handle, Int64(dim)), "cumulativeSum", [self]) }
  /// How often each integer 0, 1, ... occurs.
  public func bincount(minimumLength: Int = 0) -> Tensor {
    made(ct_bincount(handle, Int64(minimumLength)), "bincount", [self])
  }

  /// Stable.
  public func argsort(_ dim: Int = -1, descending: Bool = false) -> Tensor {
    made(ct_argsort(handle, Int64(dim), descending), "argsort", [self])
  }
  /// Stable.
  public func sorted(_ dim: Int = -1, descending: Bool = false) -> (values: Tensor, indices: Tensor) {
    pair("sorted") { ct_sort(handle, Int64(dim), descending, $0, $1) }
  }
  public func topK(_ k: Int, _ dim: Int = -1, largest: Bool = true) -> (values: Tensor, indices: Tensor) {
    pair("topK") { ct_topk(handle, Int64(k), Int64(dim), largest, $0, $1) }
  }
  public func max(_ dim: Int, keep: Bool = false) -> (values: Tensor, indices: Tensor) {
    pair("max") { ct_max_dim(handle, Int64(dim), keep, $0, $1) }
  }
  public func min(_ dim: Int, keep: Bool = false) -> (values: Tensor, indices: Tensor) {
    pair("min") { ct_min_dim(handle, Int64(dim), keep, $0, $1) }
  }

  func pair(
    _ operation: StaticString, _ body: (UnsafeMutablePointer<CTTensor?>, UnsafeMutablePointer<CTTensor?>) -> Int32
  ) -> (values: Tensor, indices: Tensor) {
    var first: CTTensor?
    var second: CTTensor?
    done(body(&first, &second), operation, [self])
    return (made(first, operation, [self]), made(second, operation, [self]))
  }
}
