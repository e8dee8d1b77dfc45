import CTorch

extension Tensor {
  /// The i-th slice of the first dimension.
  public subscript(_ index: Int) -> Tensor { selected(0, index) }
  /// A range of the first dimension; shares storage.
  public subscript(_ range: Range<Int>) -> Tensor { narrowed(0, range) }
  /// Rows by an int64 index tensor, or where a bool mask holds.
  public subscript(_ index: Tensor) -> Tensor {
    index.dtype == .bool
      ? indexed([index]) : made(ct_index_select(handle, 0, index.handle), "subscript", [self, index])
  }

  public func selected(_ dim: Int, _ index: Int) -> Tensor {
    made(ct_select(handle, Int64(dim), Int64(index)), "selected", [self])
  }
  public func narrowed(_ dim: Int, _ range: Range<Int>, step: Int = 1) -> Tensor {
    made(
      ct_slice(handle, Int64(dim), Int64(range.lowerBound), Int64(range.upperBound), Int64(step)), "narrowed", [self])
  }
  /// Advanced indexing: index tensors broadcast together; `nil` keeps a dimension whole.
  public func indexed(_ indices: [Tensor?]) -> Tensor {
    made(
      ct_index(handle, indices.map { $0?.handle }, Int64(indices.count)), "indexed", [self] + indices.compactMap { $0 })
  }
  /// Writes `values` at the places that the index tensors name.
  public func put_(_ indices: [Tensor?], _ values: Tensor, accumulate: Bool = false) {
    done(
      ct_index_put_(handle, indices.map { $0?.handle }, Int64(indices.count), values.handle, accumulate), "put_",
      [self, values])
  }
  public func gathered(_ dim: Int, _ index: Tensor) -> Tensor {
    made(ct_gather(handle, Int64(dim), index.handle), "gathered", [self, index])
  }
  public func scattered(_ dim: Int, _ index: Tensor, _ source: Tensor) -> Tensor {
    made(ct_scatter(handle, Int64(dim), index.handle, source.handle), "scattered", [self, index, source])
  }
  public func scattered(_ dim: Int, _ index: Tensor, value: Double) -> Tensor {
    made(ct_scatter_value(handle, Int64(dim), index.handle, value), "scattered", [self, index])
  }
  public func filled(where mask: Tensor, with value: Double) -> Tensor {
    made(ct_masked_fill(handle, mask.handle, value), "filled", [self, mask])
  }
  /// Elements where the mask holds, as a vector.
  public func masked(_ mask: Tensor) -> Tensor { made(ct_masked_select(handle, mask.handle), "masked", [self, mask]) }
  /// Indices of the true or non-zero elements, one row each: n x rank, int64.
  public func nonzero() -> Tensor { made(ct_nonzero(handle), "nonzero", [self]) }
  /// int64 classes to int64 0/1 rows.
  public func oneHot(_ classes: Int) -> Tensor { made(ct_one_hot(handle, Int64(classes)), "oneHot", [self]) }
}
