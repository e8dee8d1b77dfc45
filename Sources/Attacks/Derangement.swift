import Torch

extension Generator {
  /// For each of so many positions another one, int64: every position is another's partner once. A position that is alone
  /// gets itself.
  func derangement(_ count: Int) -> Tensor {
    // A shift by one along a drawn order.
    let order = permutation(count)
    return Tensor.zeros([count], dtype: .int64, device: order.device).scattered(0, order, order.rolled(1, 0))
  }
}
