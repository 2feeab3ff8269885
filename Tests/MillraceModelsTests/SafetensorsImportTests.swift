import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

/// Models from files of the standard safetensors library, and what no model can be made of.
@Suite struct SafetensorsImportTests {
    private static let fixtures = SharedData.root + "/Tests/MillraceModelsTests/Safetensors"

    private static func bytes(_ name: String) throws -> [UInt8] {
        try Files.read("\(fixtures)/\(name).safetensors", maxBytes: 1 << 20)
    }

    private static func numbers(_ name: String) throws -> (rows: [[Float]], outputs: [[Double]]) {
        let text = String(
            decoding: try Files.read("\(fixtures)/\(name).txt", maxBytes: 1 << 20), as: UTF8.self)
        var rows: [[Float]] = []
        var outputs: [[Double]] = []
        var isOutput = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words[0] == "rows" || words[0] == "outputs" {
                isOutput = words[0] == "outputs"
            } else if isOutput {
                outputs.append(words.compactMap { Double($0) })
            } else {
                rows.append(words.compactMap { Float($0) })
            }
        }
        return (rows, outputs)
    }

    @Test(
        arguments: [
            ("sequential", Activation.tanh, Head.softmax, [5, 9, 7, 3]),
            ("module", .relu, .sigmoid, [4, 6, 1]), ("linear", nil, .identity, [3, 2]),
            ("bare", nil, .identity, [6, 1]),
        ] as [(String, Activation?, Head, [Int])])
    func aFileOfTheStandardLibraryPredictsWhatItsLayersDo(
        name: String, activation: Activation?, head: Head, widths: [Int]
    ) throws {
        let model = try Model(
            safetensors: Self.bytes(name), path: name, activation: activation, head: head)
        #expect([model.inputWidth] + model.layers.map(\.outputs) == widths)
        let (rows, outputs) = try Self.numbers(name)
        #expect(rows.count == 20 && outputs.count == 20)
        let found = PreparedModel(model).predict(rows.flatMap(\.self))
        for (a, b) in zip(found, outputs.joined()) {
            #expect(abs(Double(a) - b) <= 1e-5 * max(1, abs(b)), "\(a) and \(b)")
        }
        #expect(found.count == outputs.joined().count)
    }

    /// What is published can be imported again: the same model, but for what only a manifest says.
    @Test func ourOwnFilesAreRead() throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(21)
        let model = try draw.model([5, 7, 3], .gelu, .softmax)
        _ = try repository.publish(model, as: "m", Publication(key: ""))
        let bytes = try Files.read(directory.file("m/1/model.safetensors"), maxBytes: 1 << 20)
        let again = try Model(
            safetensors: bytes, path: "x", activation: .gelu, head: .softmax)
        #expect(again == model)
    }

    private func tensor(_ name: String, _ shape: [Int]) -> Tensor {
        Tensor(
            name: name, shape: shape,
            values: [Float](repeating: 1, count: shape.reduce(1, *)))
    }

    private func error(
        _ tensors: [(String, [Int])], metadata: [String: String] = [:], head: Head = .identity,
        labels: [String] = []
    ) -> RepositoryError? {
        let file = Safetensors(
            tensors: tensors.map { tensor($0.0, $0.1) }, metadata: metadata)
        do throws(RepositoryError) {
            _ = try Model(
                safetensors: file.encoded(), path: "net.safetensors", head: head, labels: labels)
        } catch { return error }
        return nil
    }

    @Test func whatIsNoModelIsRefusedWithWhatIsNeeded() {
        let cases: [([(String, [Int])], String)] = [
            ([], "there is no tensor in it"),
            (
                [("0.weight", [2, 3]), ("0.running_mean", [2])],
                "the tensor '0.running_mean' is none"
            ),
            (
                [("fc1.weight", [2, 3]), ("fc2.weight", [1, 2])], "different modules ('fc1', 'fc2')"
            ),
            ([("0.weight", [2, 3]), ("weight", [1, 2])], "layers with a number and one without"),
            (
                [("0.weight", [2, 3]), ("2.weight", [1, 2])],
                "what the hidden ones apply; choose among"
            ),
            ([("0.weight", [6])], "'0.weight' must be of shape [outputs, inputs]"),
            ([("0.bias", [6])], "'0.weight' must be of shape [outputs, inputs], and is missing"),
            ([("0.weight", [2, 3]), ("0.bias", [3])], "'0.bias' must be of shape [2]"),
            ([("0.weight", [0, 9_000_000_000_000_000])], "which holds nothing"),
            ([("0.weight", [9_000_000_000_000_000, 0])], "which holds nothing"),
            ([("00.weight", [2, 3]), ("0.weight", [2, 3])], "different modules ('', '00')"),
        ]
        for (tensors, part) in cases {
            let error = error(tensors)
            #expect(error?.code == .invalidModel)
            #expect(error?.detail.contains(part) == true, "\(error?.detail ?? "")")
        }
        let own = ["format": "millrace"]
        #expect(error([("0.weight", [2, 3])], metadata: own)?.code == .invalidModel)
        #expect(
            error([("layers.0.weight", [2, 3]), ("layers.0.bias", [2])], metadata: own)?.detail
                .contains("'layers.0.bias' must be of shape [3]") == true)
        #expect(error([("0.weight", [2, 3])], head: .sigmoid)?.code == .invalidModel)
        #expect(error([("0.weight", [2, 3])], labels: ["a"])?.code == .invalidModel)
        #expect(error([("0.weight", [2, 3])]) == nil)
    }

    @Test func layersThatDoNotFollowEachOtherAreRefused() throws {
        let file = Safetensors(
            tensors: [tensor("0.weight", [4, 3]), tensor("1.weight", [1, 5])])
        let error = #expect(throws: RepositoryError.self) {
            try Model(safetensors: file.encoded(), path: "x", activation: .relu, head: .identity)
        }
        #expect(error?.detail.contains("layer 1 is [5, 1]") == true)
    }

    // MARK: Damage

    /// `MILLRACE_FUZZ_RUNS` sets how many files are tried; replayed from one seed.
    @Test func damagedFilesNeverTrap() throws {
        let rounds = Environment.number("MILLRACE_FUZZ_RUNS", or: 5_000)
        let directory = try TemporaryDirectory()
        var draw = Draw(22)
        _ = try ModelRepository(path: directory.path).publish(
            draw.model([3, 2]), as: "m", Publication(key: ""))
        let own = try Files.read(directory.file("m/1/model.safetensors"), maxBytes: 1 << 20)
        let files = try [own] + ["sequential", "module", "linear", "bare"].map(Self.bytes)
        var generator = SplitMix64(seed: 12)
        var accepted = 0
        for _ in 0..<rounds {
            var bytes = files[Int(generator.next() % UInt64(files.count))]
            for _ in 0...generator.next() % 3 { Damage.strike(&bytes, &generator) }
            do throws(RepositoryError) {
                let model = try Model(
                    safetensors: bytes, path: "x", activation: .relu, head: .identity)
                accepted += 1
                #expect(model.layers.allSatisfy { $0.weights.allSatisfy(\.isFinite) })
            } catch {
                #expect(error.code == .malformedFile || error.code == .invalidModel)
            }
        }
        #expect(accepted > 0 && accepted < rounds)
    }

    /// Damaged manifests beside weights that are whole, and the other way about.
    @Test func damagedVersionsNeverTrap() throws {
        let rounds = Environment.number("MILLRACE_FUZZ_RUNS", or: 1_000)
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(23)
        let parts = try draw.model([3, 2], .relu, .softmax)
        let model = try Model(
            input: parts.input, layers: parts.layers, head: .softmax, labels: ["a", "b"],
            featureNames: ["x", "y", "z"])
        _ = try repository.publish(model, as: "m", Publication(key: "k"))
        let names = ["manifest.json", "manifest.json", "model.safetensors"]
        var generator = SplitMix64(seed: 13)
        var codes: [RepositoryError.Code: Int] = [:]
        var accepted = 0
        for _ in 0..<rounds {
            let path = directory.file("m/1/" + names[Int(generator.next() % 3)])
            let whole = try Files.read(path, maxBytes: 1 << 20)
            var bytes = whole
            for _ in 0...generator.next() % 3 { Damage.strike(&bytes, &generator) }
            try write(path, bytes)
            do throws(RepositoryError) {
                let loaded = try repository.load("m", version: 1)
                accepted += 1
                #expect(loaded.model.layers.count == 1)
            } catch { codes[error.code, default: 0] += 1 }
            _ = try repository.verify("m", version: 1)
            try write(path, whole)
        }
        // Texts that nothing is compared with may change; everything else is noticed.
        #expect(accepted < rounds / 2, "\(accepted) of \(rounds)")
        #expect(codes.count >= 4, "\(codes)")
        #expect(codes[.storage] == nil && codes[.notFound] == nil, "\(codes)")
        #expect(try repository.load("m", version: 1).model == model)
    }

    /// Writes a file without waiting for the disk.
    private func write(_ path: String, _ bytes: [UInt8]) throws {
        let file = try FileHandle(path, .readWrite)
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
    }
}

/// Damage to bytes: bits, bytes, pieces lost, pieces twice.
enum Damage {
    static func strike(_ bytes: inout [UInt8], _ generator: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let at = Int(generator.next() % UInt64(bytes.count))
        switch generator.next() % 6 {
        case 0: bytes[at] ^= 1 << UInt8(generator.next() % 8)
        case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + Int(generator.next() % 16)))
        case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 24)], at: at)
        // What JSON is made of, so that some of it stays JSON.
        case 4: bytes[at] = Array("0123456789[]{},:\"-e.".utf8)[Int(generator.next() % 20)]
        default:
            if let digit = bytes[at...].firstIndex(where: { (0x30...0x39).contains($0) }) {
                bytes[digit] = 0x30 + UInt8(generator.next() % 10)
            }
        }
    }
}
