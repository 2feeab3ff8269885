import Glibc
import MillraceSystem
import MillraceTestSupport

@testable import MillraceLog

/// What was wrong with a log after calls had failed, in words.
struct FaultedLogError: Error, CustomStringConvertible {
    let description: String
}

/// Does everything that a log can do, step by step, while calls fail, and knows what must be there.
///
/// A step that fails is tried again, by the same writer, as often as the caller says; later steps
/// are done whatever became of earlier ones.
final class FaultedLog {
    /// A batch that is in the log, acknowledged or known to be published.
    private struct Batch {
        let number: Int
        var baseOffset: UInt64?
    }

    private static let configuration = TopicConfiguration(
        kind: .bytes, codec: .none, segmentBytes: 1 << 16,
        retention: RetentionPolicy(bytes: retainedBytes))
    private static let retainedBytes = 100_000

    private let path: String
    private let boot: PretendedBoot
    private let attempts: Int
    private var batches: [Batch] = []
    private var topic: Topic?
    private var writers: [Writer] = [
        Writer(name: "producer", mode: .write), Writer(name: nil, mode: .mapped),
    ]
    /// The append or flush that was told of a failed sync, in this boot.
    private(set) var poisonedBy: String?
    /// What was thrown, and by which step.
    private(set) var errors: [(step: String, error: LogError)] = []
    private var names = 0
    private var numbers = 0

    private final class Writer {
        let name: String?
        let mode: AppendMode
        var writer: PartitionWriter?
        var sequence: UInt64 = 1

        init(name: String?, mode: AppendMode) {
            self.name = name
            self.mode = mode
        }
    }

    init(at path: String, boot: PretendedBoot, attempts: Int) {
        self.path = path
        self.boot = boot
        self.attempts = attempts
    }

    // MARK: Steps

    /// Does all steps.
    func run() throws {
        try step("create") { () throws(LogError) in _ = try self.opened() }
        try append("append", 0, rows: 3)
        try append("append durably", 0, rows: 2, .durable)
        try append("append mapped", 1, rows: 3)
        try flush("flush", 1)
        try read("read")
        for turn in 0..<6 { try append("fill \(turn)", turn % 2, rows: 5, bytes: 7_000) }
        try name("name")
        try close("close", 1)
        try append("append after the other closed", 0, rows: 1)
        try close("close last", 0)
        try read("read what is closed")
        for turn in 0..<4 { try append("fill again \(turn)", turn % 2, rows: 4, bytes: 9_000) }
        try step("retain") { () throws(LogError) in
            try self.open(0)
            try self.writers[0].writer?.applyRetention()
        }
        try append("append durably and mapped", 1, rows: 2, .durable)
        try look("look up")
        restart()
        try read("recover by reading")
        try append("append after recovery", 0, rows: 2)
        try append("append mapped after recovery", 1, rows: 2)
        restart()
        try append("recover by appending", 1, rows: 2, .durable)
        try flush("flush after recovery", 0)
        try close("close after recovery", 1)
    }

    /// Does a step until it succeeds or has been tried often enough.
    private func step(_ name: String, _ body: () throws(LogError) -> Void) throws {
        for _ in 0..<attempts {
            do throws(LogError) { return try body() } catch {
                errors.append((name, error))
                guard [.system, .poisoned].contains(error.code) else {
                    throw FaultedLogError(description: "\(name): \(error)")
                }
                if error.code == .poisoned { poisonedBy = poisonedBy ?? name }
            }
        }
    }

    private func opened() throws(LogError) -> Topic {
        if let topic { return topic }
        let data = try DataDirectory(path, create: true)
        let made = try data.topic("rows", creating: Self.configuration)
        topic = made
        return made
    }

    private func open(_ index: Int) throws(LogError) {
        let writer = writers[index]
        guard writer.writer == nil else { return }
        writer.writer = try opened().writer(
            partition: 0, producer: writer.name, mode: writer.mode)
    }

    private func append(
        _ name: String, _ index: Int, rows: Int, bytes: Int = 40,
        _ acknowledgement: Acknowledgement? = nil
    ) throws {
        numbers += 1
        let number = numbers
        let writer = writers[index]
        let sequence = writer.sequence
        writer.sequence += 1
        var isPublished = false
        let wasPoisoned = poisonedBy
        try step(name) { () throws(LogError) in
            try self.open(index)
            if isPublished {
                try writer.writer?.flush()
            } else {
                try self.append(
                    number, rows, bytes, sequence, acknowledgement, to: writer, &isPublished)
            }
        }
        guard let wasPoisoned, isPublished else { return }
        throw FaultedLogError(
            description: "\(name) succeeded after the failed sync in \(wasPoisoned)")
    }

    private func append(
        _ number: Int, _ rows: Int, _ bytes: Int, _ sequence: UInt64,
        _ acknowledgement: Acknowledgement?, to writer: Writer, _ isPublished: inout Bool
    ) throws(LogError) {
        var builder = BatchBuilder()
        for row in 0..<rows { builder.append(value: Self.value(number, row, bytes).span) }
        builder.sequence = writer.name == nil ? 0 : sequence
        do throws(LogError) {
            let receipt = try writer.writer?.append(&builder, acknowledgement: acknowledgement)
            guard let receipt, !receipt.isDuplicate, let base = receipt.baseOffset else {
                throw LogError(.invalidArgument, "batch \(number) is taken for a duplicate")
            }
            batches.append(Batch(number: number, baseOffset: base))
            isPublished = true
        } catch {
            // An empty builder says that the rows are published, and not known to be durable.
            if builder.rows == 0 {
                batches.append(Batch(number: number, baseOffset: nil))
                isPublished = true
            }
            throw error
        }
    }

    private static func value(_ number: Int, _ row: Int, _ bytes: Int) -> [UInt8] {
        Array("batch \(number) row \(row) ".utf8)
            + [UInt8](repeating: UInt8(truncatingIfNeeded: number * 7 + row), count: bytes)
    }

    private func flush(_ name: String, _ index: Int) throws {
        let wasPoisoned = poisonedBy
        var isDone = false
        try step(name) { () throws(LogError) in
            try self.open(index)
            try self.writers[index].writer?.flush()
            isDone = true
        }
        guard isDone, let wasPoisoned else { return }
        throw FaultedLogError(
            description: "\(name) succeeded after the failed sync in \(wasPoisoned)")
    }

    private func close(_ name: String, _ index: Int) throws {
        try step(name) { () throws(LogError) in
            try self.open(index)
            if let writer = self.writers[index].writer.take() { try writer.close() }
        }
    }

    private func name(_ name: String) throws {
        names += 1
        let text = "name \(names)"
        try step(name) { () throws(LogError) in
            let id = try self.opened().dictionaryID(of: text)
            guard try self.opened().dictionaryText(id) == text else {
                throw LogError(.invalidArgument, "id \(id) is not \(text)")
            }
        }
    }

    private func restart() {
        for writer in writers { writer.writer = nil }
        topic = nil
        poisonedBy = nil
        boot.restart()
    }

    // MARK: Looking

    /// Names in the partition's directory, for reports.
    var partitionFiles: [String] {
        do { return try Files.list(opened().directory + "/0") } catch { return ["\(error)"] }
    }

    private func read(_ name: String) throws {
        var seen: [Seen]?
        try step(name) { () throws(LogError) in seen = try self.seen() }
        if let seen { try check(seen, name) }
    }

    /// A batch as a reader sees it.
    private struct Seen {
        let baseOffset: UInt64
        let storedBytes: Int
        let values: [[UInt8]]
    }

    private func seen() throws(LogError) -> [Seen] {
        var reader = try opened().reader(partition: 0)
        var seen: [Seen] = []
        while let batch = try reader.next() {
            if batch.rows == 0 { continue }
            var values: [[UInt8]] = []
            for row in 0..<batch.rows {
                let value = batch.value(row)
                values.append(unsafe value.withUnsafeBytes { unsafe Array($0) })
            }
            seen.append(
                Seen(
                    baseOffset: batch.baseOffset, storedBytes: batch.storedBytes, values: values))
        }
        return seen
    }

    /// What is seen is the end of what was acknowledged, and as much of it as retention leaves.
    private func check(_ seen: [Seen], _ name: String) throws {
        func require(_ holds: Bool, _ message: String) throws {
            if !holds { throw FaultedLogError(description: "\(name): \(message)") }
        }
        let first = batches.count - seen.count
        try require(first >= 0, "\(seen.count) batches, \(batches.count) were appended")
        for (found, batch) in zip(seen, batches[first...]) {
            let bytes = (found.values.first?.count ?? 0) - "batch \(batch.number) row 0 ".utf8.count
            let values = found.values.indices.map { Self.value(batch.number, $0, max(bytes, 0)) }
            try require(
                found.values == values,
                "offset \(found.baseOffset) is not batch \(batch.number)")
            try require(
                found.baseOffset == batch.baseOffset ?? found.baseOffset,
                "batch \(batch.number) is at \(found.baseOffset)")
        }
        let kept = seen.reduce(0) { $0 + $1.storedBytes }
        try require(
            first == 0 || kept >= Self.retainedBytes, "\(kept) bytes of \(batches.count) batches")
    }

    private func look(_ name: String) throws {
        guard let last = batches.last(where: { $0.baseOffset != nil }), let base = last.baseOffset
        else { return }
        try step(name) { () throws(LogError) in
            var reader = try self.opened().reader(partition: 0, from: base)
            let found = try reader.next()?.baseOffset
            guard found == base else {
                throw LogError(.invalidArgument, "offset \(base) is at \(found ?? 0)")
            }
            let first = try self.opened().offset(partition: 0, atOrAfter: 1)
            guard let first, first <= base else {
                throw LogError(.invalidArgument, "time 1 is nowhere")
            }
        }
    }

    // MARK: Afterwards

    /// Calls succeed again: everything acknowledged is there, once, before and after a restart.
    func verify() throws {
        topic = nil
        try check(seen(), "afterwards")
        for writer in writers { writer.writer = nil }
        try check(seen(), "without writers")
        restart()
        try append("append afterwards", 0, rows: 2, .durable)
        try append("append mapped afterwards", 1, rows: 2, .durable)
        guard errors.last.map({ !$0.step.hasSuffix("afterwards") }) ?? true else {
            throw FaultedLogError(description: "\(errors.suffix(1))")
        }
        try check(seen(), "after a restart")
        let found = try DataDirectory(path, create: false).verifyTopic("rows")
        // An index that could not be written is made again when it is needed.
        let faults = found.faults.filter { $0.effect != .derived }
        guard faults.isEmpty else { throw FaultedLogError(description: "\(faults)") }
    }
}
