import TestSupport
import Testing
import Torch

@testable import Evaluation

@Suite struct VisibilityTests {
  /// Against numpy (`make_attacks.py`).
  @Test func agrees() throws {
    let golden = try Golden("attacks")
    let found = Visibility(clean: try golden.tensor("clean/stored"), triggered: try golden.tensor("refool/stamped"))
    let expected = golden.settings["visibility"]
    #expect(abs(try #require(found.psnr) - (expected["psnr"].double ?? .nan)) < 1e-4)
    #expect(abs(found.ssim - (expected["ssim"].double ?? .nan)) < 1e-5)
    #expect(abs(found.linf - (expected["linf"].double ?? .nan)) < 1e-7)
    #expect(found.count == 3 && found.text == "PSNR 20.9 dB, SSIM 0.977, L_inf 45/255")
  }

  /// Images without change have no signal-to-noise ratio, and do not count in the mean of the others.
  @Test func equalImages() {
    let clean = Tensor.full([2, 1, 3, 5], 100, dtype: .uint8)
    let same = Visibility(clean: clean, triggered: clean.clone())
    #expect(same.psnr == nil && abs(same.ssim - 1) < 1e-6 && same.linf == 0)
    let one = clean.clone()
    one[0].fill_(151)
    let half = Visibility(clean: clean, triggered: one)
    #expect(abs((half.psnr ?? 0) - 13.9794) < 1e-3)  // 20 log10(5)
    #expect(abs(half.linf - 0.2) < 1e-6)
  }
}
