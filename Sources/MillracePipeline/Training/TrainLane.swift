internal import MillraceModels
internal import MillraceSystem

/// The work on one partition of a topic that is learnt from: its rows in order, and what is known
/// of them since the last record of metrics.
///
/// A slot owns it while lanes are at work, and whoever completes a round between two rounds.
final class TrainLane {
    let partition: Int
    private let feed: RowFeed
    private let width: Int
    private(set) var block = RowBlock()
    /// What is known of the rows since the last record of metrics.
    var window = BatchEvaluation()

    init(_ partition: Int, feed: RowFeed, width: Int) {
        self.partition = partition
        self.feed = feed
        self.width = width
    }

    var nextOffset: UInt64 { feed.nextOffset }
    var end: UInt64? { feed.end }
    var isExhausted: Bool { feed.isExhausted }

    /// Decides that the rows end where the partition ends now, unless that was decided before.
    func decideEnd() throws { try feed.decideEnd() }

    /// Whether rows were appended behind the end that was decided.
    var hasGrown: Bool { get throws { try feed.hasGrown } }

    /// Waits for the rows of a round and takes them; false when the run is stopped first.
    ///
    /// - Parameter waiting: Called again and again while the rows are not there; what it throws ends
    ///   the wait.
    func fetch(
        _ count: Int, _ upstream: Upstream, _ stop: StopFlag, waiting: () throws -> Void
    ) throws -> Bool {
        guard count > 0 else {
            block.clear()
            return true
        }
        while true {
            let ended = upstream.hasEnded
            if try feed.fill(to: count, ended: ended) { break }
            if stop.isSet { return false }
            try waiting()
            PinnedThread.sleep(nanoseconds: 200_000)
        }
        feed.take(count, into: &block)
        return true
    }

    /// Has the trainer predict and learn the rows taken last, `batchRows` at once.
    func learn(_ trainer: LaneTrainer, lane: Int, batchRows: Int) {
        if !block.heldLabels.isEmpty {
            trainer.judge(
                LabelledRows(
                    block.heldFeatures.span, rows: block.heldLabels.count, stride: width,
                    labels: block.heldLabels.span), on: lane)
        }
        var first = learn(from: 0, trainer, lane: lane, batchRows: batchRows)
        if first < block.learntRows, trainer.takeInfinity(of: lane) {
            // The rows before are as they were; this batch and what follows is made anew.
            feed.refuseInfinite(in: &block)
            first = learn(from: first, trainer, lane: lane, batchRows: batchRows)
        }
        if block.learntRows > 0 { window.add(trainer.evaluation(of: lane)) }
    }

    /// Learns the rows of the block from `first` on; returns where it has come to: short of the last
    /// one when the trainer refuses rows.
    private func learn(
        from first: Int, _ trainer: LaneTrainer, lane: Int, batchRows: Int
    ) -> Int {
        var first = first
        feed.withRows(of: block) { all in
            while first < all.rows {
                let rows = all.rows(first..<min(first + batchRows, all.rows))
                trainer.contribute(rows, to: lane)
                guard trainer.hasTaken(lane) else { break }
                first += rows.rows
            }
        }
        return first
    }
}
