public import Torch

/// Image files that a table of another program lists.
public enum ImageFiles {
  /// Decodes files on all cores.
  /// - Parameters:
  ///   - paths: the files, in the order of the result; at least one.
  ///   - size: side in pixels to resize to; nil asks that all images be of one size.
  /// - Returns: uint8 N x C x H x W; C is 1 where every image is gray, else 3.
  /// - Throws: `DataError` of the first file in order that cannot be read, `.sizesDiffer` where `size` is nil and the
  ///   images are not of one size; `FileError`; `Interrupted`.
  public static func read(
    _ paths: [String], size: Int? = nil, limits: DecodingLimits = DecodingLimits(), progress: LoadProgress? = nil
  ) throws -> Tensor {
    let block = try ImageAssembly(size: size, resize: Resizing.resize, progress: progress, limits: limits).run(paths)
    return block.pixels.withUnsafeBytes {
      Tensor.copying(bytes: $0, shape: [paths.count, block.channels, block.height, block.width], dtype: .uint8)
    }
  }
}
