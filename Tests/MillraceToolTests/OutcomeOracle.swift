import Millrace
import MillraceInput
import MillraceSystem

/// Says what became of every row of the flights pipeline, from the topics alone.
///
/// It shares nothing with the program's own summary but the log's reader.
struct OutcomeOracle {
    /// Everything that must not depend on when the process was killed.
    struct Content: Equatable {
        /// By topic and partition, a checksum of all rows in order.
        var rows: [String: UInt32] = [:]
        /// By topic and partition, the number of rows.
        var counts: [String: Int] = [:]
        /// What the trainer said along the way, versions left out.
        var metrics: [String] = []
        /// The weights of each version, in the order of publication.
        var weights: [[UInt8]] = []
    }

    let data: String
    private(set) var content = Content()
    /// What is wrong; empty when every row has exactly one outcome.
    private(set) var problems: [String] = []

    static let partitions = 2
    static let model = "flights-delay"

    /// Examines a data directory after a run of `models/flights.yaml` over the file `source`.
    init(data: String, source: SourceText) throws {
        self.data = data
        let directory = try DataDirectory(data, create: false)
        let raw = try directory.topic("flights.raw")
        let outputs = try ["flights.train", "flights.live"].map { try directory.topic($0) }
        let scores = try directory.topic("flights.scores")
        for partition in 0..<Self.partitions {
            try readLines(raw, partition, source)
            try readOutcomes(raw, outputs, partition)
            try readScores(outputs[1], scores, partition)
        }
        try readMetrics(directory.topic("learn.metrics"))
        try readModels(scores)
    }

    // MARK: Lines

    /// Every line of the file is in its partition, once and in order.
    private mutating func readLines(_ raw: Topic, _ partition: Int, _ source: SourceText) throws {
        var reader = try raw.reader(partition: partition)
        var checksum: UInt32 = 0
        var rows = 0
        while true {
            guard let batch = try reader.next() else { break }
            if batch.baseOffset != rows { problems.append("raw/\(partition): gap at \(rows)") }
            for index in 0..<batch.rows {
                checksum = SourceText.extend(checksum, batch.value(index))
            }
            if batch.dropCount > 0 { problems.append("raw/\(partition): lines left out") }
            rows += batch.rows
        }
        content.rows["raw/\(partition)"] = checksum
        content.counts["raw/\(partition)"] = rows
        if rows != source.rows[partition] || checksum != source.checksums[partition] {
            problems.append("raw/\(partition): \(rows) rows are not the lines of the file")
        }
    }

    // MARK: Features

    /// Every raw row is a row or a drop of exactly one output.
    private mutating func readOutcomes(_ raw: Topic, _ outputs: [Topic], _ partition: Int) throws {
        let end = Int(try raw.endOffset(partition: partition))
        var seen = [UInt8](repeating: 0, count: end)
        for output in outputs {
            let place = "\(output.name)/\(partition)"
            var reader = try output.reader(partition: partition)
            var features: UInt32 = 0
            var labels: UInt32 = 0
            var rows = 0
            var covered: UInt64 = 0
            var last = -1
            while true {
                guard let batch = try reader.next() else { break }
                guard let origin = batch.origin else {
                    problems.append("\(place): a batch without an origin")
                    break
                }
                let range = Int(origin.begin)..<Int(origin.end)
                if origin.begin != covered { problems.append("\(place): gap at \(covered)") }
                if try output.dictionaryText(origin.source)?.contains(raw.name) != true {
                    problems.append("\(place): another source")
                }
                covered = origin.end
                for index in 0..<batch.rows {
                    let offset = Int(batch.sourceOffset(index))
                    if offset <= last || !range.contains(offset) || offset >= end {
                        problems.append("\(place): row \(rows + index) comes from \(offset)")
                    } else {
                        seen[offset] += 1
                    }
                    last = offset
                }
                for index in 0..<batch.dropCount {
                    let offset = range.lowerBound + Int(batch.drop(index).sourceDelta)
                    if offset >= end { problems.append("\(place): drop of \(offset)") }
                    if offset < end { seen[offset] += 1 }
                }
                features = Self.extend(features, batch.matrix)
                labels = Self.extend(labels, batch.labels)
                rows += batch.rows
            }
            if Int(covered) != end { problems.append("\(place): ends at \(covered), not \(end)") }
            content.counts[place] = rows
            content.rows[place + " features"] = features
            content.rows[place + " labels"] = labels
        }
        for offset in seen.indices where seen[offset] != 1 {
            problems.append("raw row \(partition)/\(offset) has \(seen[offset]) outcomes")
            if problems.count > 20 { return }
        }
    }

    /// Goes on with numbers; where one batch ends and the next begins makes no difference.
    static func extend(_ seed: UInt32, _ values: Span<Float>) -> UInt32 {
        // SAFETY: floats are all bytes, and those of a batch have been written.
        CRC32C.checksum(unsafe values.bytes, seed: seed)
    }

    // MARK: Scores

    /// Every live row has one prediction, in order, by one version.
    private mutating func readScores(_ live: Topic, _ scores: Topic, _ partition: Int) throws {
        let end = Int(try live.endOffset(partition: partition))
        var reader = try scores.reader(partition: partition)
        var next = 0
        var checksum: UInt32 = 0
        while true {
            guard let batch = try reader.next() else { break }
            for index in 0..<batch.rows {
                if Int(batch.sourceOffset(index)) != next {
                    problems.append("score \(partition)/\(next): of \(batch.sourceOffset(index))")
                }
                if batch.mark(index) != 0 { problems.append("score \(partition)/\(next): null") }
                next += 1
            }
            if batch.rows > 0 { versions.insert(Int(batch.origin?.modelVersion ?? 0)) }
            checksum = Self.extend(checksum, batch.matrix)
        }
        if next != end { problems.append("\(next) scores of \(end) rows in \(partition)") }
        content.counts["scores/\(partition)"] = next
        content.rows["scores/\(partition)"] = checksum
    }

    /// The versions that made predictions.
    private(set) var versions: Set<Int> = []

    // MARK: Training

    private mutating func readMetrics(_ topic: Topic) throws {
        var reader = try topic.reader(partition: 0)
        while true {
            guard let batch = try reader.next() else { break }
            for index in 0..<batch.rows {
                let bytes = batch.value(index)
                let text = String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
                // A number that a killed process had taken is not given again.
                content.metrics.append(
                    text.replacing(/"version":[0-9]+/, with: "\"version\":0"))
            }
        }
    }

    private mutating func readModels(_ scores: Topic) throws {
        let models = ModelRepository(path: data + "/models")
        let published = try models.versions(of: Self.model)
        for version in published {
            _ = try models.load(Self.model, version: version)
            content.weights.append(
                try Files.read(
                    "\(data)/models/\(Self.model)/\(version)/model.safetensors",
                    maxBytes: 1 << 24))
        }
        if versions != Set(published.suffix(1)) {
            problems.append("scored by \(versions.sorted()), published are \(published)")
        }
    }
}

/// The lines of a source file, as the oracle reads them.
struct SourceText {
    /// Lines in a chunk: chunk `k` belongs to partition `k` modulo the number of partitions.
    static let chunkLines = 4096

    private(set) var rows = [Int](repeating: 0, count: OutcomeOracle.partitions)
    private(set) var checksums = [UInt32](repeating: 0, count: OutcomeOracle.partitions)

    init(path: String) throws {
        var reader = try LineReader(path: path)
        _ = try reader.next()
        var number = 0
        while try reader.next() != nil {
            let partition = number / Self.chunkLines % rows.count
            rows[partition] += 1
            checksums[partition] = Self.extend(checksums[partition], reader.text)
            number += 1
        }
    }

    /// Goes on with a line and its end.
    static func extend(_ seed: UInt32, _ line: Span<UInt8>) -> UInt32 {
        let newline: [UInt8] = [0x0A]
        return CRC32C.checksum(of: newline.span, seed: CRC32C.checksum(of: line, seed: seed))
    }
}
