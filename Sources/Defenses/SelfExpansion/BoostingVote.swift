public import Torch

/// Which samples the weak learners accept.
public enum BoostingVote {
  /// Samples whose given label is the modal vote; among equally frequent classes the draw of `generator` decides
  /// (appendix B.1).
  /// - Parameters:
  ///   - votes: predicted classes, int64 learners x N, on the CPU.
  ///   - labels: int64 N.
  ///   - minimum: votes that the modal class needs at least.
  /// - Returns: bool N.
  public static func samples(
    votes: Tensor, labels: Tensor, classes: Int, minimum: Int = 1, generator: Generator
  ) -> Tensor {
    let count = labels.count
    let rows = Tensor.arange(count)
    let tally = Tensor.zeros([count, classes])
    for learner in 0..<votes.dimension(0) {
      tally.put_([rows, votes[learner]], Tensor.ones([count]), accumulate: true)
    }
    // Counts are whole numbers, so a draw below 1/2 orders equal counts and nothing else.
    let agrees = (tally + generator.uniform([count, classes], 0, 0.5)).argmax(1) .== labels
    return agrees .& (tally.gathered(1, labels.reshaped([count, 1])).reshaped(-1) .>= Double(minimum))
  }

  /// Algorithm 1: components that learners of more than half of all samples accept.
  ///
  /// The learners of component i accept component k if they give more than half of k's samples their label, in the mean
  /// over the learners; then k gets |i| votes. (Line 11 of the algorithm as printed counts the opposite; the proof of
  /// theorem 4.1 has it this way.) Samples that have no learner count among all samples: they take no side.
  /// - Parameters:
  ///   - agreements: element [i][k] is how many samples of component k the learners of i give their label, summed over
  ///     the learners.
  ///   - sizes: of the components that have learners, and after them of parts that have none.
  ///   - learners: of each component.
  /// - Returns: one verdict for each part.
  public static func components(agreements: [[Int]], sizes: [Int], learners: Int = 1) -> [Bool] {
    let total = sizes.reduce(0, +)
    return sizes.indices.map { part in
      let inFavour = agreements.indices.reduce(0) { sum, i in
        2 * agreements[i][part] > learners * sizes[part] ? sum + sizes[i] : sum
      }
      return 2 * inFavour > total
    }
  }
}
