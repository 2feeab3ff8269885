public import MillraceLog
internal import MillraceSystem

extension ConsumerGroup {
    /// The group's batches as an asynchronous sequence: comfort for nanoseconds.
    ///
    ///     for try await batch in group.batches(until: .whenDrained) {
    ///         await store(batch.partition, batch.features)
    ///     }
    ///
    /// A batch counts as consumed, and is committed, when the next one is asked for. Leaving the
    /// loop, by `break`, an error or the cancellation of the task, leaves the group without
    /// committing the batch that was in hand: it comes again. Batches of a partition come in order;
    /// those of several cores come as they are ready.
    ///
    /// **Bounds**: each core reads one batch and waits until it is consumed; for who is slow nothing
    /// is read. `MemberOptions.hangMilliseconds` is the time that one turn of the loop may take.
    /// **Cost**, beside a handler that borrows the batch on its own core: a copy of the rows, an
    /// allocation for each value and key, and two changes of threads a batch
    /// (`group-record sequence` measures it); the loop's work runs on the tasks' threads, not on the cores of the group.
    /// **Thread-safety**: one loop at a time.
    ///
    /// - Parameters:
    ///   - ending: When the sequence ends.
    ///   - start: Where to begin where nothing was committed.
    ///   - onOutOfRange: What to do where retention has removed rows before they were read.
    public func batches(
        until ending: Ending, from start: StartOffset = .earliest,
        onOutOfRange: OutOfRangePolicy = .error
    ) -> GroupBatches {
        GroupBatches(group: self, ending: ending, start: start, onOutOfRange: onOutOfRange)
    }
}

/// The batches of a group, for `for try await`; see `ConsumerGroup.batches`.
public struct GroupBatches: AsyncSequence, Sendable {
    /// What the sequence is of.
    public typealias Element = ConsumedBatch

    let group: ConsumerGroup
    let ending: ConsumerGroup.Ending
    let start: StartOffset
    let onOutOfRange: OutOfRangePolicy

    /// Begins to consume when the first batch is asked for.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(Loop(BatchFeed(self))) }

    /// Where a loop over the batches is.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let loop: Loop

        fileprivate init(_ loop: Loop) { self.loop = loop }

        /// Commits the batch before and waits for the next; nil at the end and when cancelled.
        ///
        /// - Throws: `LogError` or `GroupError`; the sequence has ended then.
        public mutating func next() async throws -> ConsumedBatch? { try await loop.feed.next() }
    }

    /// Ends the consuming when nobody asks any more.
    fileprivate final class Loop: Sendable {
        let feed: BatchFeed

        init(_ feed: BatchFeed) { self.feed = feed }

        deinit { feed.abandon() }
    }
}

/// Hands batches from the pinned threads, one from each, to whoever asks.
final class BatchFeed: Sendable {
    /// A batch whose reader waits until it is consumed.
    private struct Offer: Sendable {
        let batch: ConsumedBatch
        let gate: Gate
    }

    private typealias Answer = Result<ConsumedBatch?, any Error>
    private typealias Waiter = CheckedContinuation<ConsumedBatch?, any Error>

    private struct State {
        /// Not yet given out, the oldest first.
        var offers: [Offer] = []
        var inHand: Offer?
        var waiter: Waiter?
        var hasBegun = false
        var isAbandoned = false
        /// What is answered from now on: that nothing will come, or why.
        var end: Answer?
    }

    /// The loop was left while the batch was in hand or waited to be.
    private struct Abandoned: Error {}

    private let source: GroupBatches
    private let state = Lock(State())
    private let halt = Halt()

    init(_ source: GroupBatches) { self.source = source }

    /// The next batch, the one before being consumed; nil at the end.
    func next() async throws -> ConsumedBatch? {
        begin()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { ask($0) }
        } onCancel: {
            abandon()
        }
    }

    private func ask(_ waiter: Waiter) {
        let (consumed, answer) = state.withLock { state -> (Offer?, Answer?) in
            let consumed = state.isAbandoned ? nil : state.inHand.take()
            if let end = state.end { return (consumed, end) }
            guard !state.isAbandoned, !state.offers.isEmpty else {
                state.waiter = waiter
                return (consumed, nil)
            }
            let offer = state.offers.removeFirst()
            state.inHand = offer
            return (consumed, .success(offer.batch))
        }
        consumed?.gate.open()
        if let answer { waiter.resume(with: answer) }
    }

    /// Starts the thread that consumes, the first time.
    private func begin() {
        let begins = state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        guard begins else { return }
        do throws(SystemError) {
            _ = try PinnedThread(name: "group-batches", core: nil) {
                do {
                    try self.consume()
                    self.finish(.success(nil))
                } catch {
                    self.finish(.failure(error))
                }
            }
        } catch {
            finish(.failure(GroupError.system(error, group: source.group.name)))
        }
    }

    private func consume() throws {
        // A loop that was left a moment ago is still on its way out of the group.
        source.group.waitUntilIdle()
        do {
            try source.group.consume(
                until: source.ending, from: source.start, onOutOfRange: source.onOutOfRange,
                committing: .afterEachBatch, halt: halt
            ) { consumer, claim, batch in
                guard batch.rows > batch.skippedRows else { return }
                try self.offer(
                    ConsumedBatch(batch, of: claim.partition, core: consumer.core))
            }
        } catch is Abandoned {}
    }

    /// On a pinned thread: offers a batch and waits until it is consumed.
    private func offer(_ batch: ConsumedBatch) throws {
        let gate = Gate()
        let offer = Offer(batch: batch, gate: gate)
        let (isTaken, waiter) = state.withLock { state -> (Bool, Waiter?) in
            guard !state.isAbandoned else { return (false, nil) }
            guard let waiter = state.waiter.take() else {
                state.offers.append(offer)
                return (true, nil)
            }
            state.inHand = offer
            return (true, waiter)
        }
        waiter?.resume(returning: batch)
        guard isTaken else { throw Abandoned() }
        gate.wait()
        // Opened by who has consumed the batch, or by who has left the loop instead.
        if state.withLock(\.isAbandoned) { throw Abandoned() }
    }

    /// Ends the consuming: nobody will ask again, or what is asked for is not wanted any more.
    func abandon() {
        let gates = state.withLock { state in
            state.isAbandoned = true
            defer {
                state.offers = []
                state.inHand = nil
            }
            return (state.offers + [state.inHand].compactMap(\.self)).map(\.gate)
        }
        halt.call()
        for gate in gates { gate.open() }
    }

    private func finish(_ end: Answer) {
        let waiter = state.withLock { state in
            state.end = end
            return state.waiter.take()
        }
        waiter?.resume(with: end)
    }
}
