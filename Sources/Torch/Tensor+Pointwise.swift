import CTorch

// Arithmetic, as PyTorch's: broadcasting, and type promotion between tensors. Comparisons give bool tensors.
extension Tensor {
  public static func + (a: Tensor, b: Tensor) -> Tensor { made(ct_add(a.handle, b.handle), "+", [a, b]) }
  public static func - (a: Tensor, b: Tensor) -> Tensor { made(ct_sub(a.handle, b.handle), "-", [a, b]) }
  public static func * (a: Tensor, b: Tensor) -> Tensor { made(ct_mul(a.handle, b.handle), "*", [a, b]) }
  public static func / (a: Tensor, b: Tensor) -> Tensor { made(ct_div(a.handle, b.handle), "/", [a, b]) }
  public static func + (a: Tensor, b: Double) -> Tensor { made(ct_add_scalar(a.handle, b), "+", [a]) }
  public static func - (a: Tensor, b: Double) -> Tensor { made(ct_sub_scalar(a.handle, b), "-", [a]) }
  public static func * (a: Tensor, b: Double) -> Tensor { made(ct_mul_scalar(a.handle, b), "*", [a]) }
  public static func / (a: Tensor, b: Double) -> Tensor { made(ct_div_scalar(a.handle, b), "/", [a]) }
  public static func + (a: Double, b: Tensor) -> Tensor { b + a }
  public static func - (a: Double, b: Tensor) -> Tensor { made(ct_rsub_scalar(b.handle, a), "-", [b]) }
  public static func * (a: Double, b: Tensor) -> Tensor { b * a }
  public static func / (a: Double, b: Tensor) -> Tensor { b.reciprocal() * a }
  public static prefix func - (a: Tensor) -> Tensor { made(ct_neg(a.handle), "neg", [a]) }

  public static func .== (a: Tensor, b: Tensor) -> Tensor { made(ct_eq(a.handle, b.handle), ".==", [a, b]) }
  public static func .!= (a: Tensor, b: Tensor) -> Tensor { made(ct_ne(a.handle, b.handle), ".!=", [a, b]) }
  public static func .< (a: Tensor, b: Tensor) -> Tensor { made(ct_lt(a.handle, b.handle), ".<", [a, b]) }
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { made(ct_le(a.handle, b.handle), ".<=", [a, b]) }
  public static func .> (a: Tensor, b: Tensor) -> Tensor { made(ct_gt(a.handle, b.handle), ".>", [a, b]) }
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { made(ct_ge(a.handle, b.handle), ".>=", [a, b]) }
  public static func .== (a: Tensor, b: Double) -> Tensor { made(ct_eq_scalar(a.handle, b), ".==", [a]) }
  public static func .!= (a: Tensor, b: Double) -> Tensor { made(ct_ne_scalar(a.handle, b), ".!=", [a]) }
  public static func .< (a: Tensor, b: Double) -> Tensor { made(ct_lt_scalar(a.handle, b), ".<", [a]) }
  public static func .<= (a: Tensor, b: Double) -> Tensor { made(ct_le_scalar(a.handle, b), ".<=", [a]) }
  public static func .> (a: Tensor, b: Double) -> Tensor { made(ct_gt_scalar(a.handle, b), ".>", [a]) }
  public static func .>= (a: Tensor, b: Double) -> Tensor { made(ct_ge_scalar(a.handle, b), ".>=", [a]) }
  public static func .& (a: Tensor, b: Tensor) -> Tensor { made(ct_logical_and(a.handle, b.handle), ".&", [a, b]) }
  public static func .| (a: Tensor, b: Tensor) -> Tensor { made(ct_logical_or(a.handle, b.handle), ".|", [a, b]) }
  public static prefix func .! (a: Tensor) -> Tensor { made(ct_logical_not(a.handle), ".!", [a]) }
}

extension Tensor {
  public func abs() -> Tensor { made(ct_abs(handle), "abs", [self]) }
  public func sign() -> Tensor { made(ct_sign(handle), "sign", [self]) }
  public func exp() -> Tensor { made(ct_exp(handle), "exp", [self]) }
  public func log() -> Tensor { made(ct_log(handle), "log", [self]) }
  public func sqrt() -> Tensor { made(ct_sqrt(handle), "sqrt", [self]) }
  public func rsqrt() -> Tensor { made(ct_rsqrt(handle), "rsqrt", [self]) }
  public func reciprocal() -> Tensor { made(ct_reciprocal(handle), "reciprocal", [self]) }
  public func square() -> Tensor { made(ct_square(handle), "square", [self]) }
  public func sin() -> Tensor { made(ct_sin(handle), "sin", [self]) }
  public func cos() -> Tensor { made(ct_cos(handle), "cos", [self]) }
  public func tanh() -> Tensor { made(ct_tanh(handle), "tanh", [self]) }
  public func atanh() -> Tensor { made(ct_atanh(handle), "atanh", [self]) }
  public func sigmoid() -> Tensor { made(ct_sigmoid(handle), "sigmoid", [self]) }
  public func relu() -> Tensor { made(ct_relu(handle), "relu", [self]) }
  public func floor() -> Tensor { made(ct_floor(handle), "floor", [self]) }
  /// Rounds halves to the even neighbour, as PyTorch does.
  public func round() -> Tensor { made(ct_round(handle), "round", [self]) }
  public func isFinite() -> Tensor { made(ct_isfinite(handle), "isFinite", [self]) }
  public func pow(_ exponent: Double) -> Tensor { made(ct_pow_scalar(handle, exponent), "pow", [self]) }
  public func pow(_ exponent: Tensor) -> Tensor { made(ct_pow(handle, exponent.handle), "pow", [self, exponent]) }
  /// Remainder with the divisor's sign, as Python's `%`.
  public func remainder(_ divisor: Double) -> Tensor { made(ct_remainder_scalar(handle, divisor), "remainder", [self]) }
  public func maximum(_ other: Tensor) -> Tensor { made(ct_maximum(handle, other.handle), "maximum", [self, other]) }
  public func minimum(_ other: Tensor) -> Tensor { made(ct_minimum(handle, other.handle), "minimum", [self, other]) }
  public func clamped(_ low: Double, _ high: Double) -> Tensor { made(ct_clamp(handle, low, high), "clamped", [self]) }
  public func clamped(min low: Double) -> Tensor { made(ct_clamp(handle, low, .infinity), "clamped", [self]) }
  public func clamped(max high: Double) -> Tensor { made(ct_clamp(handle, -.infinity, high), "clamped", [self]) }
  /// Bounds given per element; each broadcasts.
  public func clamped(_ low: Tensor?, _ high: Tensor?) -> Tensor {
    made(ct_clamp_tensor(handle, low?.handle, high?.handle), "clamped", [self])
  }
  /// `self + weight (other - self)`
  public func lerp(_ other: Tensor, _ weight: Double) -> Tensor {
    made(ct_lerp(handle, other.handle, weight), "lerp", [self, other])
  }

  /// Elements of `a` where the condition holds, of `b` elsewhere; all three broadcast.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    made(ct_where(condition.handle, a.handle, b.handle), "where", [condition, a, b])
  }
}

// In place. The trailing underscore is PyTorch's mark for it.
extension Tensor {
  public func add_(_ other: Tensor, alpha: Double = 1) {
    done(ct_add_(handle, other.handle, alpha), "add_", [self, other])
  }
  public func add_(_ value: Double) { done(ct_add_scalar_(handle, value), "add_", [self]) }
  public func sub_(_ other: Tensor) { done(ct_add_(handle, other.handle, -1), "sub_", [self, other]) }
  public func mul_(_ other: Tensor) { done(ct_mul_(handle, other.handle), "mul_", [self, other]) }
  public func mul_(_ value: Double) { done(ct_mul_scalar_(handle, value), "mul_", [self]) }
  public func clamp_(_ low: Double, _ high: Double) { done(ct_clamp_(handle, low, high), "clamp_", [self]) }
  public func fill_(_ value: Double) { done(ct_fill_(handle, value), "fill_", [self]) }
  public func zero_() { fill_(0) }
}
