internal import Millrace
internal import MillracePipeline
internal import MillraceSystem
internal import Synchronization

/// Rows on their way to standard output: how many, and until when.
///
/// **Thread-safety**: `stop` from any thread; everything else from one at a time.
final class Printing: @unchecked Sendable {
    // Sendable: the printer is used by the thread that prints, of which there is one, and by who has
    // started it once it has ended.

    /// Whoever read has gone: the end of the work, and no failure.
    struct Closed: Error {}

    private var printer: RowPrinter
    private var left: Int
    private(set) var printed = 0
    private let interrupted = Atomic<Bool>(false)

    init(_ printer: consuming RowPrinter, most: Int) {
        self.printer = printer
        left = most
    }

    /// Whether `stop` was called.
    var wasInterrupted: Bool { interrupted.load(ordering: .relaxed) }
    /// Whether nothing more is to be printed.
    var isOver: Bool { left == 0 || wasInterrupted }

    /// Asks for an end behind the batch that is being printed.
    func stop() { interrupted.store(true, ordering: .relaxed) }

    /// Prints the rows of a batch, as many as are wanted; returns the offset to go on from.
    func print(_ batch: borrowing RecordBatch, partition: Int) throws -> UInt64 {
        let count = min(batch.rows - batch.skippedRows, left)
        let end = batch.skippedRows + count
        guard
            try printer.print(batch, rows: batch.skippedRows..<end, partition: partition)
        else { throw Closed() }
        left -= count
        printed += count
        return end == batch.rows ? batch.endOffset : batch.baseOffset + UInt64(end)
    }

    /// Writes everything that was printed.
    func flush() throws { if try !printer.flush() { throw Closed() } }

    /// Ends the work: a file of CSV without rows still has its header.
    func finish() throws {
        printer.printHeader()
        try flush()
    }
}

/// Prints partitions of a topic without a group.
struct TopicPrinting {
    private static let sleepNanoseconds: Int64 = 2_000_000
    private static let waitNanoseconds: Int64 = 50_000_000

    private let topic: Topic
    private let partitions: [Int]
    private let start: StartOffset
    private let onOutOfRange: OutOfRangePolicy
    private let follow: Bool
    private let printing: Printing

    init(
        _ topic: Topic, _ partitions: [Int], start: StartOffset, onOutOfRange: OutOfRangePolicy,
        follow: Bool, printing: Printing
    ) {
        self.topic = topic
        self.partitions = partitions
        self.start = start
        self.onOutOfRange = onOutOfRange
        self.follow = follow
        self.printing = printing
    }

    /// A partition that is being printed.
    private final class Source {
        let partition: Int
        private var reader: PartitionReader?

        init(_ partition: Int, _ reader: consuming PartitionReader) {
            self.partition = partition
            self.reader = consume reader
        }

        /// Prints one batch; false when there is none.
        func step(_ printing: Printing) throws -> Bool {
            guard var reader = reader.take() else { return false }
            let worked = try Self.step(&reader, partition, printing)
            self.reader = consume reader
            return worked
        }

        private static func step(
            _ reader: inout PartitionReader, _ partition: Int, _ printing: Printing
        ) throws -> Bool {
            guard let batch = try reader.next() else { return false }
            _ = try printing.print(batch, partition: partition)
            return true
        }

        /// Waits for rows.
        func wait(nanoseconds: Int64) throws {
            guard var reader = reader.take() else { return }
            _ = try reader.wait(.sleep, nanoseconds: nanoseconds)
            self.reader = consume reader
        }
    }

    func run() throws {
        let printing = printing
        Signals.onInterrupt { printing.stop() }
        do {
            // All at once: a partition that is not there is found out before a row is printed.
            let sources = try partitions.map { Source($0, try reader($0)) }
            for source in sources {
                while !printing.isOver, try source.step(printing) {}
            }
            if follow { try keepOn(sources) }
            try printing.finish()
        } catch is Printing.Closed {}
    }

    private func keepOn(_ sources: [Source]) throws {
        while !printing.isOver {
            var hasWorked = false
            for source in sources where !printing.isOver {
                if try source.step(printing) { hasWorked = true }
            }
            guard !hasWorked else { continue }
            try printing.flush()
            if sources.count == 1 {
                try sources[0].wait(nanoseconds: Self.waitNanoseconds)
            } else {
                PinnedThread.sleep(nanoseconds: Self.sleepNanoseconds)
            }
        }
    }

    /// A reader where the printing of a partition begins.
    private func reader(_ partition: Int) throws -> PartitionReader {
        guard case .offset(let offset) = start else {
            if start == .earliest {
                return try topic.reader(partition: partition, onOutOfRange: onOutOfRange)
            }
            return try topic.reader(
                partition: partition, from: start.resolve(in: topic, partition: partition),
                onOutOfRange: onOutOfRange)
        }
        let end = try topic.endOffset(partition: partition)
        let target =
            offset <= end || onOutOfRange == .error
            ? offset : onOutOfRange == .latest ? end : try topic.startOffset(partition: partition)
        return try topic.reader(
            partition: partition, from: target, onOutOfRange: onOutOfRange)
    }
}

/// Prints what a group has not consumed yet, and commits it.
struct GroupPrinting {
    let data: DataDirectory
    let group: String
    let topic: Topic
    let start: StartOffset
    let onOutOfRange: OutOfRangePolicy
    let follow: Bool
    let printing: Printing

    func run() throws {
        // One core: rows of several would have to wait for each other on the way out.
        let used = try GroupCatalog(data).coreUses().map(\.core)
        let cores = CoreList(automaticOn: .current(), avoiding: used).cores
        let consumers = try ConsumerGroup(
            data: data, name: group, topics: [topic], cores: Array(cores.prefix(1)),
            coreSharing: .allowed)
        let printing = printing
        Signals.onInterrupt {
            printing.stop()
            consumers.drain()
        }
        if printing.isOver { return try printing.finish() }
        do {
            try consumers.consume(
                until: follow ? .whenDrained : .atEnd, from: start, onOutOfRange: onOutOfRange,
                committing: .byHandler
            ) { consumer, claim, batch in
                guard !printing.isOver else { return }
                let next = try printing.print(batch, partition: claim.partition.partition)
                // What is not written is not consumed.
                try printing.flush()
                try consumer.commit(claim, next: next)
                if printing.isOver { consumers.drain() }
            }
            try printing.finish()
        } catch is Printing.Closed {}
    }
}
