import Files
import Foundation

/// Looks at claims again and again: remembers when each was last seen to change, by which holders on other machines are
/// known to live.
final class ClaimWatch {
  private let claims: ClaimFolder
  private var watched: [String: (claim: Claim, since: ContinuousClock.Instant)] = [:]

  init(_ claims: ClaimFolder) { self.claims = claims }

  /// Takes what is free, or was left by a dead process.
  /// - Returns: nil where another process has it, or was quicker.
  /// - Throws: `FileError`.
  func take(_ id: String, lease: Double) throws -> HeldClaim? {
    let current = try current(id)
    if let current, try isHeldByTheLiving(current) { return nil }
    return try claims.take(id, after: current, lease: lease)
  }

  /// Whether a living process has the claim; nil where nobody ever had.
  /// - Throws: `FileError`.
  func isHeld(_ id: String) throws -> Bool? { try current(id).map { try isHeldByTheLiving($0) } }

  private func current(_ id: String) throws -> Claim? {
    try claims.current(id, known: watched[id]?.claim.number ?? 1)
  }

  /// Whether the claim's holder is alive as far as can be known: of another machine, it was seen to beat within the
  /// lease, by this machine's clock.
  private func isHeldByTheLiving(_ claim: Claim) throws -> Bool {
    guard let holder = claim.holder else {
      // Free, or not yet whole on a file system without links; then it is watched as any other.
      return try FileSystem.readText(claims.file(claim.id, claim.number)) != Claim.freeText
        && !hasExpired(claim, lease: 120)
    }
    return !holder.process.isKnownDead && !hasExpired(claim, lease: holder.lease)
  }

  private func hasExpired(_ claim: Claim, lease: Double) -> Bool {
    let now = ContinuousClock.now
    guard let before = watched[claim.id], before.claim == claim else {
      watched[claim.id] = (claim, now)
      return false
    }
    return now - before.since > .seconds(lease)
  }
}
