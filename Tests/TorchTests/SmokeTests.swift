import Testing
import Torch
@Test func adds() {
  let x = Tensor([Float](arrayLiteral: 1, 2, 3)).requiresGrad_()
  let g = gradient(of: (x * x).sum(), at: x)
  #expect(g.array(Float.self) == [2, 4, 6])
}
