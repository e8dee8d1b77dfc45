import Files
import Foundation
import TestFiles
import Testing
import Vision

/// Folders of images as people have them.
struct FolderTests {
  private static let model = ["--model", "cnn", "--width", "4", "--epochs", "0", "--set", "recipe.batch=8"]
  private static let fineTuning = ["--defense", "ft", "--set", "defense.epochs=1"]

  @Test func cleanImagesAreMatchedWithTheModelByName() throws {
    try withTool { tool in
      try tool.succeed(
        ["attack", "--attack", "label-flip", "--set", "attack.rate=0", "--format", "png", "--out", "data"] + Tool.tiny)
      try tool.succeed(["train", "--epochs", "0", "--out", "model.safetensors"] + Tool.tiny + Tool.tinyModel)
      let defend = ["defend", "--model", "model.safetensors"] + Self.fineTuning + Tool.tiny
      // Numbered, the folders stand in the order of the classes.
      try tool.succeed(defend + ["--clean", "data/png/train", "--out", "a.safetensors"])
      for name in try FileSystem.list(tool.path("data/png/train")) {
        let bare = String(name.drop { $0 != "-" }.dropFirst())
        try FileManager.default.moveItem(
          atPath: tool.path("data/png/train/\(name)"), toPath: tool.path("data/png/train/\(bare)"))
      }
      let result = try tool.run(defend + ["--clean", "data/png/train", "--out", "b.safetensors"])
      #expect(
        result.code == 0 && result.errors.contains("matched with those of the model model.safetensors by name"),
        "\(result.errors)")
      try FileManager.default.moveItem(
        atPath: tool.path("data/png/train/ring"), toPath: tool.path("data/png/train/rings"))
      try tool.refuse(
        defend + ["--clean", "data/png/train", "--out", "c.safetensors"],
        ["have different classes", "rings", "model.safetensors (10): disc"])
    }
  }

  @Test func grayImagesFitAColourModelAndNotTheOtherWayRound() throws {
    try withTool { tool in
      for (name, channels) in [("gray", 1), ("colour", 3)] {
        for image in ["train/cat/1", "train/dog/1", "test/cat/1", "test/dog/1"] {
          let pixels = (0..<32 * 32 * channels).map { UInt8($0 % 251) }
          let bytes = try DecodedImage(width: 32, height: 32, channels: channels, pixels: pixels).encodePNG()
          try FileSystem.createFolder(tool.path("\(name)/\(image)".replacing("/1", with: "")))
          try AtomicFile.write(bytes, to: tool.path("\(name)/\(image).png"))
        }
        try tool.succeed(["train", "--dataset", "folder", "--data", name, "--out", "\(name).safetensors"] + Self.model)
      }
      let widened = try tool.run(["evaluate", "--model", "colour.safetensors", "--dataset", "folder", "--data", "gray"])
      #expect(widened.code == 0 && widened.errors.contains("three equal channels"), "\(widened.errors)")
      try tool.refuse(
        ["evaluate", "--model", "gray.safetensors", "--dataset", "folder", "--data", "colour"],
        ["gray.safetensors", "has gray images", "convert its images to gray"])
    }
  }

  /// One folder of classes is split by seed, the same way by all commands; clean images are enough to purify with.
  @Test func oneFolderIsDataEnough() throws {
    try withTool { tool in
      for name in ["cat", "dog"] {
        try FileSystem.createFolder(tool.path("data/\(name)"))
        for number in 0..<10 {
          let image = DecodedImage(
            width: 32, height: 32, channels: 3, pixels: [UInt8](repeating: UInt8(number * 9), count: 3072))
          try AtomicFile.write(image.encodePNG(), to: tool.path("data/\(name)/\(number).png"))
        }
      }
      let data = ["--dataset", "folder", "--data", "data"]
      let trained = try tool.succeed(["train", "--out", "model.safetensors", "--json"] + data + Self.model)
      #expect(trained.contains("\"trainCount\": 16") && trained.contains("\"testCount\": 4"))
      let measured = try tool.run(["evaluate", "--model", "model.safetensors", "--width", "4"] + data)
      #expect(measured.output.contains("4 test images") && measured.errors.contains("no test split; 4 of 20 images"))
      try tool.refuse(["evaluate", "--model", "model.safetensors", "--width", "5"] + data, ["has width 4"])
      try tool.refuse(["evaluate", "--model", "model.safetensors"], ["name the images that the model is for"])
      let defend = ["defend", "--model", "model.safetensors", "--set", "defense.batch=8"] + Self.fineTuning
      let text = try tool.succeed(defend + ["--clean", "data", "--out", "purified.safetensors"])
      #expect(text.contains("4 test images") && text.contains("attack success was not measured"))
      try tool.refuse(
        ["defend", "--defense", "abl", "--clean", "data", "--out", "x"], ["works on suspicious images"])
      // A folder is known by what lies in it; beside it the clean images are no test images, and may lack a class.
      let guessed = try tool.run(["evaluate", "--model", "model.safetensors", "--data", "data"])
      #expect(guessed.code == 0 && guessed.output == measured.output, "\(guessed.errors)")
      try FileSystem.createFolder(tool.path("some/cat"))
      for number in 0..<8 {
        try AtomicFile.write(
          FileSystem.read(tool.path("data/cat/\(number).png")), to: tool.path("some/cat/\(number).png"))
      }
      let both = try tool.run(defend + ["--data", "data", "--clean", "some", "--out", "both.safetensors"])
      #expect(both.code == 0 && both.output.contains("4 test images"), "\(both.errors)")
      #expect(
        both.errors.contains("clean images: 8 of 1 classes, 32x32") && both.errors.contains("no clean image is of dog"))
      try tool.refuse(
        defend + ["--data", "data", "--clean", "some", "--samples", "s.csv", "--out", "c.safetensors"],
        ["judges no samples", "--samples"])
      try tool.refuse(["train", "--data", "data", "--out", "x"], ["it looks like folder"])
    }
  }

  @Test func anEmptyTestClassIsRefusedByAllCommands() throws {
    try withTool { tool in
      let bytes = try DecodedImage(width: 32, height: 32, channels: 3, pixels: [UInt8](repeating: 7, count: 3072))
        .encodePNG()
      for folder in ["train/cat", "train/dog", "test/cat", "test/dog"] {
        try FileSystem.createFolder(tool.path("data/\(folder)"))
        try AtomicFile.write(bytes, to: tool.path("data/\(folder)/1.png"))
      }
      let data = ["--dataset", "folder", "--data", "data"]
      try tool.succeed(["train", "--out", "model.safetensors"] + data + Self.model)
      try FileSystem.remove(tool.path("data/test/dog/1.png"))
      let before = try tool.files()
      for command in [
        ["train", "--out", "other"] + Self.model, ["attack", "--attack", "badnets", "--out", "other"],
        ["defend", "--model", "model.safetensors", "--out", "other"] + Self.fineTuning,
        ["evaluate", "--model", "model.safetensors"],
      ] { try tool.refuse(command + data, ["data/test/dog: a class folder without an image"]) }
      try tool.refuse(
        ["run", "--attack", "badnets", "--out", "run"] + data + Self.model,
        ["data/test/dog: a class folder without an image"])
      #expect(try tool.files().filter { $0 != "run" } == before)
    }
  }
}
