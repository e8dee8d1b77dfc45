import Files

/// What data sets a folder holds, found by the names of its files alone.
public enum DatasetRecognition {
  /// The ids of the data sets that the folder looks like; several where their files have the same names (MNIST and
  /// Fashion-MNIST). A plain folder of images counts only where nothing else fits.
  public static func kinds(at path: String) -> [String] {
    let found = layouts.filter { layout in
      layout.markers.contains { markers in
        (try? PathSuggestion.locate(path, candidates: layout.folders, markers: markers)) != nil
      }
    }.map(\.id)
    if !found.isEmpty { return found }
    if FileSystem.isFile(path), path.lowercased().hasSuffix(".csv") { return ["csv"] }
    return holdsClassFolders(path) ? ["folder"] : []
  }

  private static let idx = [
    ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz"]
      .joined(separator: "|")
  ]
  private static let layouts: [(id: String, folders: [String], markers: [[String]])] = [
    ("tensors", [""], [["train.safetensors"], ["test.safetensors"]]),
    ("csv", [""], [["train.csv"]]),
    (
      "cifar10", ["", "cifar-10-batches-bin", "cifar-10-batches-py"],
      [["data_batch_1.bin", "test_batch.bin"], ["data_batch_1", "test_batch"]]
    ),
    (
      "cifar100", ["", "cifar-100-binary", "cifar-100-python"],
      [["train.bin", "test.bin", "fine_label_names.txt"], ["train", "test", "meta"]]
    ),
    ("mnist", ["", "MNIST/raw", "raw", "mnist"], [idx]),
    ("fashion-mnist", ["", "FashionMNIST/raw", "raw", "fashion-mnist"], [idx]),
    (
      "gtsrb", ["", "GTSRB", "gtsrb/GTSRB", "gtsrb"],
      [
        ["Final_Training/Images"], ["Final_Test/Images"], ["Training/00000/GT-00000.csv"], ["Train/00000/GT-00000.csv"],
      ]
    ),
    ("tiny-imagenet", ["", "tiny-imagenet-200"], [["wnids.txt", "train"]]),
    ("stl10", ["", "stl10_binary"], [["train_X.bin", "train_y.bin"]]),
    ("toolbox", [""], [["labels", "poison_indices", "imgs|data"]]),
    ("trojai", [""], [["model.pt", "clean-example-data|clean_example_data|example_data|new-clean-example-data"]]),
  ]

  /// A few folders are looked into, and a few of their files.
  private static func holdsClassFolders(_ path: String) -> Bool {
    guard let layout = try? ImageFolderLayout(path) else { return false }
    return layout.classes.prefix(4).contains { name in
      let names = (try? FileSystem.list(Path.join(layout.train, name))) ?? []
      return names.prefix(16).contains { file in
        ImageFileExtension(of: file) == .readable
      }
    }
  }
}
