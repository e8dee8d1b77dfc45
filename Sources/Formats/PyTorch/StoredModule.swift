/// A module of a network that was pickled as a whole, with what its class keeps beside weights and submodules.
public struct StoredModule: Sendable, Equatable {
  /// As in the keys of the state dict, `layer1.0.conv1`; empty of the network itself.
  public let path: String
  /// Its Python class.
  public let type: PickleGlobal
  /// A dict of its attributes, of which only those by which PyTorch itself knows its parts are left out.
  public let attributes: PickleValue
  /// Without modules inside.
  public let isLeaf: Bool

  public init(path: String, type: PickleGlobal, attributes: PickleValue, isLeaf: Bool) {
    self.path = path
    self.type = type
    self.attributes = attributes
    self.isLeaf = isLeaf
  }

  public subscript(name: String) -> PickleValue? { attributes[name] }
}
