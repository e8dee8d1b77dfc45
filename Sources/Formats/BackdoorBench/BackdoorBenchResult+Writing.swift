import Files

extension BackdoorBenchResult {
  /// What lies around the state dict in `attack_result.pt`, as BackdoorBench's `save_attack_result` has it.
  /// - Parameter folder: the run's folder as BackdoorBench sees it from where it runs, `./record/<run>`.
  public func frame(folder: String) -> TorchFrame {
    TorchFrame(
      before: Self.head(modelName: modelName, classes: classes), key: "model",
      after: [
        ("data_path", .string(dataPath)), ("img_size", .tuple(imageSize.map { .int(Int64($0)) })),
        ("clean_data", .string(dataset)), ("bd_train", train?.item(folder, "bd_train_dataset") ?? .none),
        ("bd_test", test.item(folder, "bd_test_dataset")),
      ])
  }

  /// What lies around the state dict in `defense_result.pt`.
  public static func defenseFrame(modelName: String, classes: Int) -> TorchFrame {
    TorchFrame(before: head(modelName: modelName, classes: classes), key: "model")
  }

  private static func head(modelName: String, classes: Int) -> [(key: String, value: TorchItem)] {
    [("model_name", .string(modelName)), ("num_classes", .int(Int64(classes)))]
  }
}

extension BackdoorBenchResult.Split {
  /// The name of a poisoned image in its folder.
  public static func fileName(_ sample: (index: Int, trueLabel: Int)) -> String {
    "\(sample.trueLabel)/\(sample.index).png"
  }

  /// As `retrieve_state` of BackdoorBench's data set. Positions are numpy arrays there: other defenses than fine-tuning
  /// choose among them.
  fileprivate func item(_ folder: String, _ name: String) -> TorchItem {
    let place = "\(folder)/\(name)"
    let table = samples.map { sample -> (key: TorchItem, value: TorchItem) in
      let file = "\(place)/\(Self.fileName((sample.index, sample.trueLabel)))"
      return (
        .int(Int64(sample.index)),
        .dict([
          (.string("path"), .string(file)),
          (.string("other_info"), .list([.int(Int64(sample.label)), .int(Int64(sample.trueLabel))])),
        ])
      )
    }
    var flags = [Double](repeating: 0, count: count)
    for sample in samples { flags[sample.index] = 1 }
    return .dict([
      (
        .string("bd_data_container"),
        .dict([
          (.string("save_folder_path"), .string(place)), (.string("data_dict"), .dict(table)),
          (.string("save_file_format"), .string(".png")),
        ])
      ),
      (.string("getitem_all"), .bool(true)), (.string("getitem_all_switch"), .bool(false)),
      (.string("original_index_array"), .array(PickleArray(positions.map(Int64.init)))),
      (.string("poison_indicator"), .array(PickleArray(flags))), (.string("save_folder_path"), .string(place)),
    ])
  }
}

extension PickleArray {
  init(_ values: [Int64]) {
    self.init(.int64, values.map { $0.littleEndian })
  }

  init(_ values: [Double]) {
    self.init(.float64, values.map { $0.bitPattern.littleEndian })
  }

  private init<Word>(_ type: ElementType, _ words: [Word]) {
    (dtype, shape, bytes) = (type, [words.count], words.withUnsafeBytes { Array($0) })
  }
}
