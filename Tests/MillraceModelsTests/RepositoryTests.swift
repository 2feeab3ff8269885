import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

@Suite struct RepositoryTests {
    @Test func whatIsPublishedIsLoaded() throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.file("models"))
        #expect(try repository.names().isEmpty && repository.latest(of: "m") == nil)
        var draw = Draw(1)
        let parts = try draw.model([5, 7, 3], .gelu, .softmax)
        let model = try Model(
            input: parts.input, layers: parts.layers, activation: .gelu, head: .softmax,
            labels: ["a", "b", "c"], featureNames: ["v", "w", "x", "y", "z"])
        var publication = Publication(key: "learn:1")
        publication.topic = "flights.train"
        publication.positions = [.init(partition: 0, nextOffset: 5)]
        publication.metrics = ["auc": 0.5, "nothing": .nan]
        publication.specification = #"{"features":[]}"#
        publication.training = TrainingOptions(.softmax(classes: 3), features: 5)
        #expect(try repository.publish(model, as: "m", publication) == 1)
        let loaded = try repository.load("m", version: 1)
        #expect(loaded.model == model && loaded.version == 1)
        #expect(loaded.manifest.architecture.layers == [[5, 7], [7, 3]])
        publication.metrics["nothing"] = nil
        #expect(loaded.manifest.publication == publication)
        #expect(loaded.manifest.golden.rows.count == 32)
        #expect(try repository.names() == ["m"])
    }

    @Test func aKeyIsPublishedOnce() throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(2)
        let model = try draw.model([3, 1], .relu, .sigmoid)
        #expect(try repository.publish(model, as: "m", Publication(key: "a")) == 1)
        #expect(try repository.publish(model, as: "m", Publication(key: "b")) == 2)
        #expect(try repository.publish(model, as: "m", Publication(key: "a")) == 1)
        #expect(try repository.publish(model, as: "m", Publication(key: "")) == 3)
        #expect(try repository.publish(model, as: "m", Publication(key: "")) == 4)
        #expect(try repository.find(publication: "b", in: "m") == 2)
        #expect(try repository.find(publication: "c", in: "m") == nil)
        #expect(try repository.versions(of: "m") == [1, 2, 3, 4])
    }

    @Test func aNumberIsNeverGivenTwice() throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(3)
        let model = try draw.model([3, 2])
        #expect(try repository.publish(model, as: "m", Publication(key: "")) == 1)
        #expect(try repository.publish(model, as: "m", Publication(key: "")) == 2)
        try Files.removeTree(directory.file("m/2"))
        // What a publisher left behind that died.
        try Files.createDirectory(directory.file("m/.tmp-3"))
        #expect(try repository.publish(model, as: "m", Publication(key: "")) == 3)
        #expect(try repository.versions(of: "m") == [1, 3])
        #expect(!Files.exists(directory.file("m/.tmp-3")))
    }

    @Test func publishersAtTheSameTimeGetDifferentVersions() throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(4)
        let model = try draw.model([3, 2])
        let versions = Lock<[Int]>([])
        let threads = try (0..<4).map { index in
            try PinnedThread(name: "publisher \(index)", core: nil) {
                for _ in 0..<5 {
                    let version = try? repository.publish(model, as: "m", Publication(key: ""))
                    versions.withLock { $0.append(version ?? 0) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(versions.withLock { $0.sorted() } == Array(1...20))
        #expect(try repository.versions(of: "m") == Array(1...20))
    }

    @Test func damageIsNoticed() throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(5)
        let model = try draw.model([4, 2])
        _ = try repository.publish(model, as: "m", Publication(key: ""))
        func code(_ version: Int = 1) -> RepositoryError.Code? {
            do { _ = try repository.load("m", version: version) } catch { return error.code }
            return nil
        }
        #expect(code(2) == .notFound)
        let weights = directory.file("m/1/model.safetensors")
        let manifest = directory.file("m/1/manifest.json")
        let bytes = try Files.read(weights, maxBytes: 1 << 20)
        let json = try Files.read(manifest, maxBytes: 1 << 20)
        var damaged = bytes
        damaged[bytes.count - 1] ^= 1
        try Files.writeDurably(weights, damaged)
        #expect(code() == .checksumMismatch)
        try Files.writeDurably(weights, bytes)
        #expect(code() == nil)
        try Files.writeDurably(manifest, Array(json.dropLast(10)))
        #expect(code() == .malformedFile)
        let text = String(decoding: json, as: UTF8.self)
        for (old, new, expected) in [
            ("\"formatVersion\" : 1", "\"formatVersion\" : 9", .unsupportedVersion),
            ("\"name\" : \"m\"", "\"name\" : \"n\"", .invalidModel),
            ("\"kind\" : \"linear\"", "\"kind\" : \"linear\"", nil),
            ("\"head\" : \"identity\"", "\"head\" : \"softmax\"", .wrongPredictions),
        ] as [(String, String, RepositoryError.Code?)] {
            let parts = text.split(separator: old, omittingEmptySubsequences: false)
            try #require(parts.count == 2, "the manifest has \(old) once")
            try Files.writeDurably(manifest, Array(parts.joined(separator: new).utf8))
            #expect(code() == expected, "\(new)")
        }
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", "ü", String(repeating: "a", count: 250)])
    func badNamesAreRefused(name: String) throws {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(6)
        let model = try draw.model([2, 2])
        let error = #expect(throws: RepositoryError.self) {
            try repository.publish(model, as: name, Publication(key: ""))
        }
        #expect(error?.code == .invalidName)
        #expect(throws: RepositoryError.self) { try repository.latest(of: name) }
    }
}
