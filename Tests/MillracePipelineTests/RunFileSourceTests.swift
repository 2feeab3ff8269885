import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// A source that is started again and again moves each line once.
@Suite struct RunFileSourceTests {
    private let directory: TemporaryDirectory
    private let topic: Topic
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("lines.csv")
        topic = try DataDirectory(directory.path, create: true).topic(
            "raw", creating: TopicConfiguration(partitions: 3, kind: .bytes))
    }

    /// Data line `index` of the file; every 97th is blank.
    private static func line(_ index: Int) -> String { index % 97 == 5 ? "" : "\(index),x" }

    private static func text(_ count: Int) -> String {
        "a,b\n" + (0..<count).map { line($0) + "\n" }.joined()
    }

    /// Runs the source over a file with this text; returns lines counted as done.
    @discardableResult
    private func run(_ text: String, stoppingAfter rows: Int? = nil) throws -> Int {
        try Files.writeDurably(path, Array(text.utf8))
        let stop = StopFlag()
        let status = StageStatus(name: "source", kind: "source")
        var watcher: PinnedThread?
        if let rows {
            watcher = try PinnedThread(name: "stopper", core: nil) {
                while status.rowsDone < rows, !stop.isSet { PinnedThread.yield() }
                stop.set()
            }
        }
        defer {
            stop.set()
            watcher?.join()
        }
        var source = try FileSource(
            SourceDefinition(file: "lines.csv", path: path, to: "raw"), topic: topic,
            status: status, stop: stop, rejections: RejectionLog(logger: .silent))
        try source.run()
        return status.rowsDone
    }

    /// The rows of each partition.
    private func rows() throws -> [[String]] {
        try (0..<topic.partitions).map { partition in
            var reader = try topic.reader(partition: partition)
            var values: [String] = []
            while true {
                guard let batch = try reader.next() else { return values }
                for index in 0..<batch.rows {
                    let bytes = batch.value(index)
                    values.append(
                        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self))
                }
            }
        }
    }

    /// Lines by the rule: chunks of 4,096, to partitions in turn, blank ones left out.
    private func expected(_ count: Int) -> [[String]] {
        var rows = [[String]](repeating: [], count: topic.partitions)
        for index in 0..<count where !Self.line(index).isEmpty {
            rows[index / FileSource.chunkLines % rows.count].append(Self.line(index))
        }
        return rows
    }

    @Test func growingFilesAreReadOn() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("file source seed \(seed)")
        var random = SplitMix64(seed: seed)
        var count = 0
        while count < 20_000 {
            try run(Self.text(count))
            #expect(try rows() == expected(count), "seed \(seed), \(count) lines")
            count += 1 + Int(random.next() % 6_000)
        }
        try run(Self.text(count))
        try run(Self.text(count))
        #expect(try rows() == expected(count), "seed \(seed), \(count) lines")
    }

    @Test func stoppedSourcesGoOn() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("file source seed \(seed)")
        var random = SplitMix64(seed: seed)
        let text = Self.text(20_000)
        for _ in 0..<6 { try run(text, stoppingAfter: Int(random.next() % 20_000)) }
        try run(text)
        #expect(try rows() == expected(20_000), "seed \(seed)")
    }

    @Test func changedFilesAreRefused() throws {
        let count = 10_000
        try run(Self.text(count))
        let before = try rows()
        let longer = Self.text(count + 9_000)
        let seed = UInt64.random(in: 0...UInt64.max)
        print("changed file seed \(seed)")
        var random = SplitMix64(seed: seed)
        // The end of what was read, the beginning of the data, and places between.
        let read = Self.text(count).utf8.count
        for place in [4, read - 2] + (0..<6).map({ _ in 4 + Int(random.next() % UInt64(read - 4)) })
        {
            var bytes = Array(longer.utf8)
            bytes[place] = bytes[place] == 0x37 ? 0x38 : 0x37
            let error = #expect(throws: PipelineError.self) {
                try run(String(decoding: bytes, as: UTF8.self))
            }
            #expect(error?.code == .badData, "byte \(place), seed \(seed)")
            #expect(try rows() == before, "byte \(place), seed \(seed)")
        }
        let error = #expect(throws: PipelineError.self) { try run(Self.text(count - 1)) }
        #expect(error?.code == .badData)
        #expect(error?.description.contains("lines.csv") == true)
        #expect(try rows() == before)
        try run(longer)
        #expect(try rows() == expected(count + 9_000))
    }
}
