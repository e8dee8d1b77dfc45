/// A value under construction. Containers refer to others by index into one array: a pickle may share them, change them
/// after sharing, and make them contain themselves, and none of that can leak memory or overflow the stack on release.
struct PickleNode {
  enum Kind {
    /// A finished value without parts.
    case leaf(PickleValue)
    /// `parts` are the elements.
    case list, tuple
    /// `parts` are key, value, key, value, ...
    case dict
    case global(PickleGlobal)
    /// A recorded call: `arguments` is a tuple's index, `parts` what was appended, `items` what was set by key.
    case object(PickleGlobal, arguments: Int)
    /// A reference outside the pickle; `parts` holds the id.
    case persistent
  }

  var kind: Kind
  var parts: [Int] = []
  var items: [Int] = []
  var state: Int?
}
