import Dispatch
import Files
import Foundation
import Synchronization

/// Resizes an image to `size` x `size` pixels, keeping its channels. Called from several threads at once.
public typealias ImageResize = @Sendable (_ image: DecodedImage, _ size: Int) throws -> DecodedImage

/// Hears how many images of how many are decoded; the count never falls and ends at the total. Called from the decoding
/// threads, one call at a time.
public typealias LoadProgress = @Sendable (_ done: Int, _ total: Int) -> Void

/// Many image files into one planar block, decoded on all cores; the result does not depend on the threads.
struct ImageAssembly {
  let size: Int?
  let resize: ImageResize?
  let progress: LoadProgress?
  var limits = DecodingLimits()

  struct Block {
    let channels: Int
    let height: Int
    let width: Int
    let pixels: [UInt8]
  }

  private struct State {
    var next = 0
    var done = 0
    var sawColour = false
    var failure: (index: Int, error: any Error)?
  }

  /// - Parameters:
  ///   - paths: the files, in the order of the result. Must not be empty.
  ///   - prepare: what to do with image `index` between decoding and resizing, such as a crop.
  /// - Returns: gray only where every image is gray; else gray images become RGB.
  /// - Throws: the error of the first file in order that fails; `Interrupted`.
  func run(
    _ paths: [String], prepare: @Sendable (_ index: Int, _ image: DecodedImage) throws -> DecodedImage = { $1 }
  ) throws -> Block {
    let budget = MemoryBudget(limits.memory)
    @Sendable func load(_ index: Int) throws -> DecodedImage {
      let decoding = ImageDecoding(limits: limits, budget: budget)
      defer { decoding.release() }
      return try sized(
        try prepare(index, try DecodedImage.decode(contentsOf: paths[index], decoding).image), path: paths[index])
    }
    if let size, size < 1 {
      throw DataError.malformed(
        path: paths[0], problem: "an image size of \(size)", fix: "Set a size of 1 pixel or more.")
    }
    // The first image fixes the size. Planes are laid out for colour, and closed up if no image turns out to have any:
    // that costs some memory on gray sets, where finding out beforehand would cost a second pass over all files.
    let first = try load(0)
    let (height, width, area) = (first.height, first.width, first.width * first.height)
    let (total, overflow) = (3 * area).multipliedReportingOverflow(by: paths.count)
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    guard !overflow, total < memory else {
      throw DataError.malformed(
        path: paths[0],
        problem:
          "\(formatCount(paths.count)) images of \(width)x\(height) need more than the \(formatCount(memory)) bytes "
          + "of memory",
        fix: "Set a smaller image size.")
    }
    var pixels = [UInt8](repeating: 0, count: total)
    let state = Mutex(State())
    let step = max(1, paths.count / 200)
    pixels.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let target = buffer
      DispatchQueue.concurrentPerform(iterations: max(1, min(paths.count, Self.workers))) { _ in
        while let index = state.withLock({ state -> Int? in
          // Indices go out in order, so once one failed all lower ones are already being decoded.
          guard state.failure == nil, state.next < paths.count else { return nil }
          state.next += 1
          return state.next - 1
        }) {
          do {
            let image = try index == 0 ? first : load(index)
            guard image.width == width, image.height == height else {
              throw DataError.sizesDiffer(
                path: paths[index], found: "\(image.width)x\(image.height)", expected: "\(width)x\(height)")
            }
            image.writePlanes(
              to: UnsafeMutableBufferPointer(rebasing: target[index * 3 * area..<(index + 1) * 3 * area]))
            state.withLock { state in
              state.sawColour = state.sawColour || image.channels == 3
              state.done += 1
              if state.done % step == 0 || state.done == paths.count { progress?(state.done, paths.count) }
            }
          } catch {
            state.withLock { state in
              if index < state.failure?.index ?? .max { state.failure = (index, error) }
            }
          }
        }
      }
    }
    let end = state.withLock { ($0.failure?.error, $0.sawColour) }
    if let error = end.0 { throw error }
    if !end.1 { Self.keepFirstPlanes(&pixels, area: area, count: paths.count) }
    return Block(channels: end.1 ? 3 : 1, height: height, width: width, pixels: pixels)
  }

  private static let workers = max(1, min(64, ProcessInfo.processInfo.activeProcessorCount))

  private func sized(_ image: DecodedImage, path: String) throws -> DecodedImage {
    guard let size, image.width != size || image.height != size else { return image }
    guard let resize else {
      throw DataError.malformed(
        path: path,
        problem:
          "the image is \(image.width)x\(image.height), expected \(size)x\(size), and no way to resize was given",
        fix: "Give the reader a resize function.")
    }
    let resized = try resize(image, size)
    guard resized.width == size, resized.height == size, resized.channels == image.channels else {
      throw DataError.malformed(
        path: path,
        problem:
          "resizing gave \(resized.width)x\(resized.height)x\(resized.channels), expected "
          + "\(size)x\(size)x\(image.channels)",
        fix: "Fix the resize function.")
    }
    return resized
  }

  private static func keepFirstPlanes(_ pixels: inout [UInt8], area: Int, count: Int) {
    pixels.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      for index in 0..<count { (base + index * area).copyMemory(from: base + index * 3 * area, byteCount: area) }
    }
    pixels.removeLast(2 * area * count)
  }
}

extension DecodedImage {
  /// Writes three planes of H * W samples; a gray image fills all three.
  func writePlanes(to target: UnsafeMutableBufferPointer<UInt8>) {
    let area = width * height
    pixels.withUnsafeBufferPointer { source in
      if channels == 3 {
        for index in 0..<area {
          target[index] = source[3 * index]
          target[area + index] = source[3 * index + 1]
          target[2 * area + index] = source[3 * index + 2]
        }
      } else {
        for index in 0..<area {
          target[index] = source[index]
          target[area + index] = source[index]
          target[2 * area + index] = source[index]
        }
      }
    }
  }
}
