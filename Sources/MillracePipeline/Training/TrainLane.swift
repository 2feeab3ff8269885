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
    var window: MetricsWindow

    init(_ partition: Int, feed: RowFeed, width: Int, objective: Objective) {
        self.partition = partition
        self.feed = feed
        self.width = width
        window = MetricsWindow(objective)
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
        var first = 0
        while first < block.labels.count {
            let rows = min(batchRows, block.labels.count - first)
            let features = block.features.span.extracting(
                first * width..<(first + rows) * width)
            let labels = block.labels.span.extracting(first..<first + rows)
            trainer.contribute(
                LabelledRows(features, rows: rows, stride: width, labels: labels), to: lane)
            window.add(trainer.outputs(of: lane), labels: block.labels[first...])
            first += rows
        }
        if !block.labels.isEmpty { window.add(trainer.evaluation(of: lane)) }
    }
}
