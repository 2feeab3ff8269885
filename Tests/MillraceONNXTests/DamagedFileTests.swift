import MillraceModels
import MillraceONNX
import MillraceSystem
import MillraceTestSupport
import Testing

/// Bytes that are no model give an error, never a trap.
@Suite struct DamagedFileTests {
    @Test func noFileIsRefused() {
        for bytes in [[], [0], Array("PK\u{3}\u{4}".utf8), [UInt8](repeating: 0xFF, count: 100)] {
            let error = #expect(throws: ONNXError.self) { try Model(onnx: bytes) }
            #expect(error?.code == .malformedFile)
        }
    }

    @Test(arguments: ["keras-sigmoid", "columns", "sgd-log-multi-plain"])
    func aFileThatEndsEarlyIsRefused(name: String) throws {
        let bytes = try ExportedModel.bytes(name)
        var refused = 0
        for count in 0..<bytes.count {
            do { _ = try Model(onnx: Array(bytes.prefix(count))) } catch { refused += 1 }
        }
        // Behind the graph stands only what is not needed: the operators' versions.
        #expect(refused > bytes.count * 9 / 10)
    }

    /// `MILLRACE_FUZZ_RUNS` sets how many files are tried; replayed from one seed.
    @Test func damagedFilesNeverTrap() throws {
        let rounds = Environment.number("MILLRACE_FUZZ_RUNS", or: 5_000)
        let files = try ExportedModel.names().map(ExportedModel.bytes)
        var generator = SplitMix64(seed: 11)
        var accepted = 0
        for _ in 0..<rounds {
            var bytes = files[Int(generator.next() % UInt64(files.count))]
            for _ in 0...generator.next() % 4 {
                Self.damage(&bytes, &generator)
            }
            do {
                let model = try Model(onnx: bytes)
                accepted += 1
                #expect(model.layers.allSatisfy { $0.weights.allSatisfy(\.isFinite) })
            } catch {}
        }
        #expect(accepted < rounds)
    }

    private static func damage(_ bytes: inout [UInt8], _ generator: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let at = Int(generator.next() % UInt64(bytes.count))
        switch generator.next() % 5 {
        case 0: bytes[at] ^= 1 << UInt8(generator.next() % 8)
        case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + Int(generator.next() % 16)))
        case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 24)], at: at)
        default: bytes[at] = [0, 0x7F, 0x80, 0xFF][Int(generator.next() % 4)]
        }
    }
}
