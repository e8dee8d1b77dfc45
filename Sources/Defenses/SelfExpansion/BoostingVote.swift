public import Torch

/// Which samples the weak learners accept.
public enum BoostingVote {
  /// Samples whose given label is the modal vote; among equally frequent classes the draw of `generator` decides
  /// (appendix B.1).
  /// - Parameters:
  ///   - votes: predicted classes, int64 learners x N, on the CPU.
  ///   - labels: int64 N.
  /// - Returns: bool N.
  public static func samples(votes: Tensor, labels: Tensor, classes: Int, generator: Generator) -> Tensor {
    let count = labels.count
    let rows = Tensor.arange(count)
    let tally = Tensor.zeros([count, classes])
    for learner in 0..<votes.dimension(0) {
      tally.put_([rows, votes[learner]], Tensor.ones([count]), accumulate: true)
    }
    // Counts are whole numbers, so a draw below 1/2 orders equal counts and nothing else.
    return (tally + generator.uniform([count, classes], 0, 0.5)).argmax(1) .== labels
  }

  /// Algorithm 1: components that learners of more than half of the samples accept.
  ///
  /// The learner of component i accepts component k if it gives more than half of k's samples their label; then k gets
  /// |i| votes. (Line 11 of the algorithm as printed counts the opposite; the proof of theorem 4.1 has it this way.)
  /// - Parameters:
  ///   - agreements: element [i][k] is how many samples of component k the learner of i gives their label.
  ///   - sizes: of the components that have learners, and after them of parts that have none.
  /// - Returns: one verdict for each part.
  public static func components(agreements: [[Int]], sizes: [Int]) -> [Bool] {
    let electorate = sizes.prefix(agreements.count).reduce(0, +)
    return sizes.indices.map { part in
      let inFavour = agreements.indices.reduce(0) { sum, i in
        2 * agreements[i][part] > sizes[part] ? sum + sizes[i] : sum
      }
      return 2 * inFavour > electorate
    }
  }
}
