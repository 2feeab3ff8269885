import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A small log to be damaged: two batches in a closed segment, three in the newest.
///
/// Of the last two it depends on the flush policy whether they were made durable.
struct DamagedLog {
    /// What the log is like.
    struct Kind: Sendable, CustomTestStringConvertible {
        let codec: Codec
        let flush: FlushChoice
        /// Whether the machine seems to have been restarted since the last append.
        let isRestarted: Bool

        static let all = Codec.allCases.flatMap { codec in
            FlushChoice.allCases.flatMap { flush in
                [false, true].map { Kind(codec: codec, flush: flush, isRestarted: $0) }
            }
        }

        var testDescription: String {
            "\(codec.rawValue), flush \(flush.rawValue), \(isRestarted ? "restarted" : "up")"
        }
    }

    let kind: Kind
    let fixture: TopicFixture
    let whole: [BatchImage]
    let image: PartitionImage
    /// Batches that were durable.
    let durable: Int
    /// Bytes of the newest segment's file at which its batches begin, and the last one ends.
    let boundaries: [Int]
    /// The newest segment's file.
    let path: String

    init(_ kind: Kind) throws {
        self.kind = kind
        fixture =
            kind.codec == .none
            ? try TopicFixture(.features, features: 1, flush: kind.flush.policy, inMemory: true)
            : try TopicFixture(codec: .lz4, flush: kind.flush.policy, inMemory: true)
        var boundaries: [Int] = []
        do {
            var writer = try fixture.topic.writer(partition: 0)
            for batch in 0..<5 {
                if batch == 2 { try writer.closeSegment() }
                if batch >= 2 { boundaries.append(try fixture.usedBytes()) }
                try Self.append(batch, kind.codec, to: &writer)
                if batch == 2 { try writer.flush() }
            }
        }
        boundaries.append(try fixture.usedBytes())
        self.boundaries = boundaries
        durable = kind.flush == .batch ? 5 : 3
        whole = try fixture.images()
        path = try fixture.newest()
        // Some of the zeros are enough, and quicker.
        try Damage.truncate(path, to: boundaries[3] + 256)
        if kind.isRestarted { try fixture.pretendMachineRestarted() }
        image = try PartitionImage(fixture)
    }

    static func append(
        _ number: Int, _ codec: Codec, to writer: inout PartitionWriter
    ) throws(LogError) {
        var builder = BatchBuilder(columns: codec == .none ? 1 : 0)
        if codec == .none {
            var row = builder.nextRow()
            row[0] = Float(number)
            builder.commitRow()
        } else {
            for _ in 0..<2 { builder.append(value: "row of batch \(number)".utf8) }
        }
        try writer.append(&builder)
    }

    /// Batches in the first `size` bytes of the newest segment's file, and in those before it.
    func batches(in size: Int) -> Int {
        2 + boundaries.dropFirst().filter { $0 <= size }.count
    }

    /// The batch that byte `byte` of the newest segment's file belongs to; nil for its header and
    /// what is behind the batches.
    func batch(at byte: Int) -> Int? {
        guard byte >= boundaries[0], byte < boundaries[3] else { return nil }
        return batches(in: byte)
    }

    /// What is made of the files.
    enum Outcome: Equatable {
        /// So many batches from the first on, all right.
        case batches(Int)
        /// A typed error, after right batches.
        case refused
        case wrong(String)
    }

    /// Reads everything; batches behind those of the log are expected to be `appended`.
    func read(appended: Int = 0) -> Outcome {
        var seen = 0
        var added = 0
        do throws(LogError) {
            var reader = try fixture.topic.reader(partition: 0)
            while let batch = try reader.next() {
                let found = BatchImage(batch)
                if added == 0, seen < whole.count, found == whole[seen] {
                    seen += 1
                } else {
                    added += 1
                }
            }
        } catch {
            return isTyped(error) && added <= appended ? .refused : .wrong("\(error)")
        }
        return added == appended ? .batches(seen) : .wrong("\(added) batches more")
    }

    /// Opens a writer, appends a batch and reads; also tells what the writer counted as torn.
    func write() -> (outcome: Outcome, torn: Int) {
        var torn = 0
        do throws(LogError) {
            var writer = try fixture.topic.writer(partition: 0)
            torn = writer.tornBytes
            let end = whole[4].endOffset
            guard writer.nextOffset >= end else { return (.wrong("used offsets"), torn) }
            try Self.append(9, kind.codec, to: &writer)
        } catch {
            return (isTyped(error) ? .refused : .wrong("\(error)"), torn)
        }
        return (read(appended: 1), torn)
    }

    private func isTyped(_ error: LogError) -> Bool {
        error.code == .corrupt || error.code == .unsupportedFormat
    }

    /// Whether damage had an outcome that is allowed; `batch` is the one that was damaged, if any.
    func isAllowed(_ outcome: Outcome, torn: Int, batch: Int?) -> Bool {
        switch outcome {
        case .wrong: return false
        case .batches(5): return torn == 0
        case .refused:
            // A torn tail must not keep anybody from the rest.
            return !kind.isRestarted || (batch ?? 0) < durable
        case .batches(let count):
            return kind.isRestarted && count >= durable && count == batch && torn > 0
        }
    }
}
