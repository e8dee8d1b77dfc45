import TestSupport
import Testing
import Torch

@Suite struct TensorTests {
  @Test func fromArrays() {
    let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
    #expect(x.shape == [2, 3] && x.rank == 2 && x.count == 6 && x.dtype == .float32 && x.device == .cpu)
    #expect(x.array(Float.self) == [1, 2, 3, 4, 5, 6])
    #expect(Tensor([true, false]).array(Bool.self) == [true, false])
    #expect(Tensor([1, -2] as [Int8]).array(Int8.self) == [1, -2])
    #expect(Tensor([1, -2] as [Int16]).array(Int16.self) == [1, -2])
    #expect(Tensor([1, -2] as [Int32]).array(Int32.self) == [1, -2])
    #expect(Tensor([.max, .min] as [Int64]).array(Int64.self) == [.max, .min])
    #expect(Tensor([0, 255] as [UInt8]).array(UInt8.self) == [0, 255])
    #expect(Tensor([.pi] as [Double]).array(Double.self) == [.pi])
  }

  @Test func emptyAndScalar() {
    let empty = Tensor([Float](), shape: [0, 3])
    #expect(empty.shape == [0, 3] && empty.count == 0 && empty.array(Float.self).isEmpty)
    let scalar = Tensor(2.5)
    #expect(scalar.shape == [] && scalar.count == 1 && scalar.item() == 2.5)
    #expect(Tensor(7, dtype: .int64).intItem() == 7)
    #expect(empty.sum().item() == 0)
  }

  @Test func filled() {
    #expect(Tensor.zeros([2], dtype: .int32).array(Int32.self) == [0, 0])
    #expect(Tensor.ones([2], dtype: .bool).array(Bool.self) == [true, true])
    #expect(Tensor.full([3], 1.5, dtype: .float64).array(Double.self) == [1.5, 1.5, 1.5])
    #expect(Tensor.arange(2..<5).array(Int64.self) == [2, 3, 4])
    #expect(Tensor.arange(3, dtype: .float32).array(Float.self) == [0, 1, 2])
    #expect(Tensor.linspace(0, 1, 5).array(Float.self) == [0, 0.25, 0.5, 0.75, 1])
    #expect(Tensor.eye(2).array(Float.self) == [1, 0, 0, 1])
    let like = Tensor.ones(like: Tensor.zeros([1, 2, 3, 3], dtype: .float64).contiguous(.channelsLast).requiresGrad_())
    #expect(like.dtype == .float64 && like.isContiguous(.channelsLast) && !like.requiresGrad && like.sum().item() == 18)
  }

  @Test(arguments: DType.allCases) func conversions(_ dtype: DType) {
    let x = Tensor([0, 1, 1, 0] as [Float]).to(dtype)
    #expect(x.dtype == dtype)
    #expect(x.to(.float32).array(Float.self) == [0, 1, 1, 0])
    #expect(x.withBytes { $0.count } == 4 * dtype.size)
    #expect("\(x)".hasPrefix("Tensor(\(dtype) [4], [0.0, 1.0"))
  }

  @Test func roundingConversions() {
    #expect(Tensor([1.7, -1.7] as [Float]).to(.int32).array(Int32.self) == [1, -1])
    #expect(Tensor([1.00390625] as [Float]).to(.bfloat16).to(.float32).array(Float.self) == [1])
    #expect(Tensor([3, 0] as [Int32]).to(.bool).array(Bool.self) == [true, false])
  }

  @Test func memoryFormats() {
    let x = pattern([2, 3, 4, 5], 0)
    let y = x.contiguous(.channelsLast)
    #expect(!y.isContiguous && y.isContiguous(.channelsLast))
    #expect(y.array(Float.self) == x.array(Float.self), "arrays are row-major whatever the memory order")
    expectSame(y.contiguous(), x)
    #expect((y * 2).isContiguous(.channelsLast))
    #expect(x.contiguous() === x)
    let convolved = F.conv2d(y, pattern([4, 3, 3, 3], 1))
    #expect(convolved.isContiguous(.channelsLast))
    expectClose(convolved.contiguous(), F.conv2d(x, pattern([4, 3, 3, 3], 1)))
  }

  @Test func sharedStorage() {
    let x = Tensor.zeros([2, 3])
    x[0].fill_(1)
    #expect(x.array(Float.self) == [1, 1, 1, 0, 0, 0])
    let copy = x.clone()
    copy.fill_(9)
    #expect(x.sum().item() == 3)
    x.detach().add_(1)
    #expect(x.sum().item() == 9)
    let other = Tensor([4, 5] as [Float])
    let bound = x
    bound.setData(other)
    #expect(x.shape == [2])
    other.fill_(0)
    #expect(x.array(Float.self) == [0, 0])
    x.copy_(Tensor([7, 8] as [Int64]))
    #expect(x.array(Float.self) == [7, 8])
  }

  @Test func bytes() {
    let x = Tensor.zeros([2], dtype: .int16)
    x.withMutableBytes { $0.storeBytes(of: 0x0102, toByteOffset: 2, as: Int16.self) }
    #expect(x.array(Int16.self) == [0, 258])
    let copy = x.withBytes { Tensor.copying(bytes: $0, shape: [1, 2], dtype: .int16) }
    #expect(copy.array(Int16.self) == [0, 258] && copy.shape == [1, 2])
    #expect(x.narrowed(0, 1..<2).withBytes { $0.count } == 2)
  }

  @Test func text() {
    #expect(Tensor.zeros([128, 3]).description == "Tensor(float32 [128, 3])")
    #expect(Tensor([1, 2] as [Int64]).summary == "int64 [2]")
  }
}

@Suite struct DeviceTests {
  @Test func names() throws {
    #expect(try Device(named: "cpu") == .cpu)
    #expect(Device.cuda(1).description == "cuda:1" && Device.cuda(0).isCUDA && !Device.cpu.isCUDA)
    #expect(try Device(named: "auto").isCUDA == (Runtime.cudaDeviceCount > 0))
  }

  @Test(arguments: ["gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "", "cpu:0"]) func unknownNames(_ name: String) {
    let error = #expect(throws: TorchError.self) { try Device(named: name) }
    #expect(error?.description == "device '\(name)': unknown. Use auto, cpu, cuda or cuda:N.")
  }

  @Test func absentDevice() {
    let error = #expect(throws: TorchError.self) { try Device(named: "cuda:99") }
    #expect(error?.description.hasPrefix("device 'cuda:99': ") == true)
    #expect(error?.description.contains(Runtime.cudaDeviceCount == 0 ? "Use --device cpu" : "Use cuda:0") == true)
  }

  @Test func runtimeFacts() {
    #expect(Runtime.version.hasPrefix("2."))
    #expect(Runtime.libraryPath.contains("libtorch"))
    #expect(!Runtime.buildConfiguration.isEmpty && !Runtime.cpuCapability.isEmpty && Runtime.threadCount > 0)
  }
}
