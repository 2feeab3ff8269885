public import MillraceLog
internal import MillraceSystem
internal import Synchronization

extension ConsumerGroup {
    /// When consuming ends.
    public enum Ending: Sendable {
        /// When everything that was published has been read, or after `drain`.
        case atEnd
        /// After `drain`.
        case whenDrained
    }

    /// When a batch counts as consumed.
    public enum Committing: Sendable {
        /// When the handler has returned.
        case afterEachBatch
        /// When the handler says so: `GroupConsumer.commit`.
        case byHandler
    }

    /// Hands each batch of the group's topics to `handler`, on the pinned thread of its owner.
    ///
    /// The handler borrows the batch: nothing is copied. Rows before `RecordBatch.skippedRows` were
    /// consumed earlier. When the handler throws, the batch is not committed, the consumers on the
    /// other cores finish theirs, and the function throws: the batch comes again, to whoever owns
    /// the partition next. Where several processes work, `atEnd` returns when nothing is left for
    /// this one.
    ///
    /// - Parameters:
    ///   - start: where to begin where nothing was committed.
    ///   - onOutOfRange: what to do where retention has removed rows before they were read.
    /// - Throws: what the handler throws, `LogError`, or `GroupError`.
    public func consume(
        until ending: Ending, from start: StartOffset = .earliest,
        onOutOfRange: OutOfRangePolicy = .error, committing: Committing = .afterEachBatch,
        _ handler:
            @escaping @Sendable (GroupConsumer, GroupConsumer.Claim, borrowing RecordBatch) throws
            -> Void
    ) throws {
        try consume(
            until: ending, from: start, onOutOfRange: onOutOfRange, committing: committing,
            halt: Halt(), handler)
    }

    /// The same, ending early when `halt` is called.
    func consume(
        until ending: Ending, from start: StartOffset, onOutOfRange: OutOfRangePolicy,
        committing: Committing, halt: Halt,
        _ handler:
            @escaping @Sendable (GroupConsumer, GroupConsumer.Claim, borrowing RecordBatch) throws
            -> Void
    ) throws {
        let vote = EndVote(voters: cores.count)
        try run { consumer in
            var loop = ConsumeLoop(
                group: self, consumer: consumer, start: start, onOutOfRange: onOutOfRange,
                commitsEachBatch: committing == .afterEachBatch, halt: halt, handler: handler)
            do { try loop.run(until: ending, vote) } catch {
                // The other consumers would wait for this one's vote for ever.
                halt.call()
                throw error
            }
        }
        try sync()
    }

    /// Reads every partition from where the group stopped to its published end, hands each batch to
    /// `handler` on the owner's pinned thread, and commits after it.
    ///
    /// As `consume(until:from:onOutOfRange:committing:_:)` with its defaults.
    public func consumeToEnd(
        _ handler: @escaping @Sendable (GroupConsumer, borrowing RecordBatch) throws -> Void
    ) throws {
        try consume(until: .atEnd) { consumer, _, batch in try handler(consumer, batch) }
    }
}

/// Tells the consumers of a process to end before their time.
final class Halt: Sendable {
    private let flag = Atomic<Bool>(false)

    var isCalled: Bool { flag.load(ordering: .relaxed) }
    func call() { flag.store(true, ordering: .relaxed) }
}

/// Whether the consumers of a process agree that nothing is left to do.
///
/// One that has nothing left may be given a partition by one that dies; so they end together.
public final class EndVote: Sendable {
    private let voters: Int
    private let ready = Atomic<Int>(0)

    /// A vote of so many consumers.
    public init(voters: Int) { self.voters = voters }

    /// One more is ready to end.
    public func enter() { ready.wrappingAdd(1, ordering: .sequentiallyConsistent) }

    /// One that was ready has found work.
    public func withdraw() { ready.wrappingSubtract(1, ordering: .sequentiallyConsistent) }

    /// Whether all are ready.
    public var isUnanimous: Bool { ready.load(ordering: .sequentiallyConsistent) >= voters }
}
