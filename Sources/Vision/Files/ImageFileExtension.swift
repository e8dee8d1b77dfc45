/// What the extension of a file's name says about it. What an image is, its first bytes say.
public enum ImageFileExtension: Sendable, Equatable {
  /// An image of a format that is read.
  case readable
  /// An image of a format that is not read.
  case unreadable
  /// No image that we know of, or no extension.
  case other

  /// - Parameter name: a file's name or path; the case of its extension does not matter.
  public init(of name: String) {
    let file = name.split(separator: "/").last ?? ""
    let ending = file.lastIndex(of: ".").map { file[file.index(after: $0)...].lowercased() } ?? ""
    self =
      Self.readableExtensions.contains(ending)
      ? .readable : Self.unreadableExtensions.contains(ending) ? .unreadable : .other
  }

  /// Extensions of image files that are read, in lower case, the usual ones first.
  public static let readableExtensions = [
    "png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "jfif", "jpe",
  ]

  /// Extensions of image files that are known and not read, in lower case, sorted.
  public static let unreadableExtensions = [
    "apng", "arw", "avif", "avifs", "cr2", "cr3", "dcm", "dds", "dib", "dng", "emf", "eps", "exr", "fits", "hdr",
    "heic", "heif", "hif",
    "icns", "ico", "j2c", "j2k", "jp2", "jpf", "jpx", "jxl", "jxr", "nef", "nii", "orf", "pam", "pbm", "pcx", "pfm",
    "pict", "pnm", "psd",
    "qoi", "raf", "rw2", "sgi", "svg", "svgz", "tga", "wmf", "xbm", "xcf", "xpm",
  ]
}
