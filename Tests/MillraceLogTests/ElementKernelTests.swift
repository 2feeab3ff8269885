import MillraceSystem
import Testing

@testable import MillraceLog

/// Narrow elements: every kernel set against the portable one, and that against the definition.
@Suite struct ElementKernelTests {
    /// Interesting floats, then random bit patterns and random numbers of moderate size.
    static func floats(_ random: inout SplitMix64, count: Int) -> [Float] {
        var floats: [Float] = [
            0, -0.0, 1, -1, 65_504, 65_519.99, 65_520, -65_520, 65_536, 1e30, -1e30, .infinity,
            -.infinity, 6.1035156e-5, 6.1e-5, 5.9604645e-8, 2.9802322e-8, 2.98e-8, 0x1p-133, 0.5,
            1.5,
            2.5, 126.5, 127.5, 254.5, 255.5, -127.5, -128.5, -0.5, 2_049, 2_051,
            .greatestFiniteMagnitude, .leastNonzeroMagnitude,
        ]
        while floats.count < count {
            let word = random.next()
            floats.append(
                word & 1 == 0
                    ? Float(bitPattern: UInt32(truncatingIfNeeded: word >> 32))
                    : Float(Int64(bitPattern: word) >> 40) / 256)
        }
        return floats
    }

    static func narrow(
        _ kernels: ElementKernels, _ floats: [Float], _ type: NarrowElement, scale: Float = 1,
        zeroPoint: Int = 0
    ) -> (bytes: [UInt8], bad: Int?) {
        var bytes = [UInt8](repeating: 0xA5, count: floats.count * type.byteCount + 1)
        var elements = bytes.mutableSpan
        var target = unsafe elements.mutableBytes
        let bad = kernels.narrow(
            floats.span, to: type, into: &target, scale: scale, zeroPoint: zeroPoint)
        #expect(bytes.removeLast() == 0xA5)
        return (bytes, bad)
    }

    static func widen(
        _ kernels: ElementKernels, _ bytes: [UInt8], _ type: NarrowElement, scale: Float = 1,
        zeroPoint: Int = 0
    ) -> [UInt32] {
        let count = bytes.count / type.byteCount
        var floats = [Float](repeating: 77, count: count + 1)
        var target = floats.mutableSpan
        unsafe kernels.widen(
            type, bytes.span.bytes, into: &target, scale: scale, zeroPoint: zeroPoint)
        #expect(floats.removeLast() == 77)
        return floats.map(\.bitPattern)
    }

    /// What the definition gives for one element.
    static func rounded(
        _ x: Float, _ type: ElementType, scale: Float = 1, zeroPoint: Int = 0
    ) -> Float {
        switch type {
        case .float32: return x
        case .float16: return Float(Float16(x))
        case .bfloat16:
            // The two neighbours of 16 bits: the nearer, or the one with an even last bit.
            guard x.isFinite else { return x }
            let low = x.bitPattern & 0xFFFF_0000
            let rest = x.bitPattern & 0xFFFF
            let isUp = rest > 0x8000 || rest == 0x8000 && low & 0x1_0000 != 0
            return Float(bitPattern: isUp ? low + 0x1_0000 : low)
        case .uint8, .int8:
            let range: ClosedRange<Float> = type == .uint8 ? 0...255 : -128...127
            let step = (x / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
            let stored = min(max(step, range.lowerBound), range.upperBound)
            return (stored - Float(zeroPoint)) * scale
        }
    }

    @Test func everyHalfWidensExactly() {
        let bytes = (0..<65_536).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        for kernels in ElementKernels.all {
            let found = Self.widen(kernels, bytes, .float16)
            let right = (0..<65_536).allSatisfy { index in
                let half = Float16(bitPattern: UInt16(index))
                // A signalling NaN becomes quiet; the rest of its bits stay.
                return found[index] == Float(half).bitPattern
                    || half.isNaN && found[index] == Self.quiet(UInt32(index))
            }
            #expect(right, "\(kernels.name)")
            let brain = Self.widen(kernels, bytes, .bfloat16)
            #expect(brain == (0..<65_536).map { UInt32($0) << 16 }, "\(kernels.name)")
        }
    }

    private static func quiet(_ half: UInt32) -> UInt32 {
        (half & 0x8000) << 16 | 0x7FC0_0000 | (half & 0x3FF) << 13
    }

    @Test func everyByteWidens() {
        let bytes = (0...255).map { UInt8($0) }
        for kernels in ElementKernels.all {
            for (scale, zeroPoint) in [(1, 0), (0.1, 100), (0x1p-128, 3), (1e37, 127)]
                as [(Float, Int)]
            {
                let unsigned = Self.widen(
                    kernels, bytes, .uint8, scale: scale, zeroPoint: zeroPoint)
                #expect(
                    unsigned == bytes.map { (Float(Int($0) - zeroPoint) * scale).bitPattern })
                let signed = Self.widen(kernels, bytes, .int8, scale: scale, zeroPoint: -zeroPoint)
                #expect(
                    signed
                        == bytes.map {
                            (Float(Int(Int8(bitPattern: $0)) + zeroPoint) * scale).bitPattern
                        })
            }
        }
    }

    @Test func roundsAsDefined() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("element seed \(seed)")
        var random = SplitMix64(seed: seed)
        let floats = Self.floats(&random, count: 100_003).filter { !$0.isNaN }
        let portable = try #require(ElementKernels.all.first)
        #expect(portable.name == "portable")
        for type in ElementType.allCases {
            guard let narrow = type.narrow else { continue }
            let settings: [(Float, Int)] =
                switch type {
                case .uint8: [(1, 0), (0.25, 128), (1e-3, 255), (7, 3)]
                case .int8: [(1, 0), (0.25, -128), (1e-3, 127), (7, -3)]
                default: [(1, 0)]
                }
            for (scale, zeroPoint) in settings {
                let (bytes, bad) = Self.narrow(
                    portable, floats, narrow, scale: scale, zeroPoint: zeroPoint)
                #expect(bad == nil)
                let back = Self.widen(portable, bytes, narrow, scale: scale, zeroPoint: zeroPoint)
                let wrong = floats.indices.first {
                    // The integers have no negative zero.
                    Float(bitPattern: back[$0])
                        != Self.rounded(floats[$0], type, scale: scale, zeroPoint: zeroPoint)
                }
                #expect(wrong == nil, "\(type), \(wrong.map { floats[$0] } ?? 0), seed \(seed)")
            }
        }
    }

    @Test func everySetGivesTheSameBits() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("element seed \(seed)")
        var random = SplitMix64(seed: seed)
        let portable = try #require(ElementKernels.all.first)
        for kernels in ElementKernels.all {
            for length in Array(0...70) + [20_001] {
                let all = Self.floats(&random, count: max(length, 40)).shuffled(using: &random)
                let floats = Array(all.prefix(length))
                for type in NarrowElement.allCases {
                    let scale = Float(1 + random.next() % 9) / 16
                    let zeroPoint =
                        type == .uint8 ? Int(random.next() % 256) : Int(random.next() % 128) - 64
                    func narrow(_ kernels: ElementKernels, _ floats: [Float]) -> ([UInt8], Int?) {
                        Self.narrow(kernels, floats, type, scale: scale, zeroPoint: zeroPoint)
                    }
                    let isFloat = type == .float16 || type == .bfloat16
                    let firstNaN = isFloat ? nil : floats.firstIndex { $0.isNaN }
                    #expect(narrow(kernels, floats).1 == firstNaN)
                    let storable = isFloat ? floats : floats.filter { !$0.isNaN }
                    #expect(
                        narrow(kernels, storable) == narrow(portable, storable),
                        "\(kernels.name), \(type), length \(length), seed \(seed)")
                    let bytes = (0..<length * type.byteCount).map { _ in
                        UInt8(truncatingIfNeeded: random.next())
                    }
                    #expect(
                        Self.widen(kernels, bytes, type, scale: scale, zeroPoint: zeroPoint)
                            == Self.widen(
                                portable, bytes, type, scale: scale, zeroPoint: zeroPoint),
                        "\(kernels.name), \(type), length \(length), seed \(seed)")
                }
            }
        }
    }

    @Test func splitMovesEveryByteToItsPlace() {
        var random = SplitMix64(seed: 3)
        for kernels in SplitKernels.all {
            for width in [2, 4] {
                for count in Array(0...140) + [5_003] {
                    let bytes = (0..<count * width).map { _ in
                        UInt8(truncatingIfNeeded: random.next())
                    }
                    let streams = (0..<width).flatMap { stream in
                        (0..<count).map { bytes[$0 * width + stream] }
                    }
                    var split = [UInt8](repeating: 0xA5, count: bytes.count + 1)
                    var splitBytes = split.mutableSpan
                    var target = unsafe splitBytes.mutableBytes
                    unsafe kernels.split(bytes.span.bytes, into: &target, width: width)
                    #expect(split == streams + [0xA5], "\(kernels.name), \(width), \(count)")
                    var back = [UInt8](repeating: 0xA5, count: bytes.count + 1)
                    var backBytes = back.mutableSpan
                    var undone = unsafe backBytes.mutableBytes
                    unsafe kernels.unsplit(streams.span.bytes, into: &undone, width: width)
                    #expect(back == bytes + [0xA5], "\(kernels.name), \(width), \(count)")
                }
            }
        }
    }
}
