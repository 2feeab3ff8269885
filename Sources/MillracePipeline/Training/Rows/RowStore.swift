internal import MillraceCompute
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels

/// Rows of one partition, sorted by what becomes of them.
struct RowBlock {
    /// Labelled rows to learn from, `[rows, width]` without gaps.
    var features: [Float] = []
    var labels: [Float] = []
    /// Labelled rows that are held out.
    var heldFeatures: [Float] = []
    var heldLabels: [Float] = []
    /// Rows of the topic that the block covers, those without a label included.
    var sourceRows = 0
    /// Rows left out because they cannot be learnt from, and why.
    var rejected: [(offset: UInt64, reason: String)] = []

    mutating func clear() {
        features.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        heldFeatures.removeAll(keepingCapacity: true)
        heldLabels.removeAll(keepingCapacity: true)
        sourceRows = 0
        rejected.removeAll(keepingCapacity: true)
    }
}

/// Rows of one partition that were read and not taken yet, in the order of their positions.
struct RowStore {
    private let width: Int
    /// How many bits of a position are the place of the row in a record, below the offset.
    private let placeBits: Int
    /// `[rows, width]` and, behind them, what the memory held before.
    private var features: [Float] = []
    private var labels: [Float] = []
    private var positions: [UInt64] = []
    /// What of the topic is no row, and why, by position.
    private var refused: [(position: UInt64, reason: String)] = []
    private var head = 0
    /// Whether a row among those read may have an infinite feature.
    private var mayHaveInfinity = false

    init(width: Int, placeBits: Int = 0) {
        self.width = width
        self.placeBits = placeBits
    }

    /// How many rows can be taken.
    var count: Int { labels.count - head }

    /// The position behind the last row that was read; nil without any.
    var end: UInt64? { positions.last.map { $0 + 1 } }

    /// Forgets the rows that were taken.
    mutating func compact() {
        let taken = head * width
        for i in 0..<count * width { features[i] = features[taken + i] }
        labels.removeFirst(head)
        positions.removeFirst(head)
        head = 0
        if labels.isEmpty { mayHaveInfinity = false }
    }

    /// Puts rows of a batch behind those read before.
    mutating func append(_ batch: borrowing RecordBatch, _ rows: Range<Int>) {
        let added = room(for: rows.count)
        widen(batch, rows, to: added)
        if FloatScan.hasInfinity(features.span.extracting(added)) { mayHaveInfinity = true }
        let given = batch.labels
        let hasLabels = batch.hasLabels
        for row in rows { labels.append(hasLabels ? given[row] : .nan) }
        let first = batch.baseOffset + UInt64(rows.lowerBound)
        positions.append(contentsOf: first..<first + UInt64(rows.count))
    }

    /// The place of so many rows behind those read before.
    private mutating func room(for count: Int) -> Range<Int> {
        let base = labels.count * width
        let added = base..<base + count * width
        if features.count < added.upperBound {
            let missing = added.upperBound - features.count
            features.append(contentsOf: repeatElement(0, count: missing))
        }
        return added
    }

    /// Puts decoded rows, which have labels, behind those read before.
    mutating func append(
        _ arena: borrowing FeatureArena, _ rows: Range<Int>, at places: ArraySlice<UInt64>
    ) {
        let added = room(for: rows.count)
        do {
            var all = features.mutableSpan
            var target = all._mutatingExtracting(added)
            arena.copy(rows: rows, into: &target)
        }
        if FloatScan.hasInfinity(features.span.extracting(added)) { mayHaveInfinity = true }
        labels += arena.labels[rows]
        positions += places
    }

    /// Takes note of what is no row; it is told with the rows that follow it.
    mutating func refuse(_ position: UInt64, _ reason: String) {
        refused.append((position, reason))
    }

    private mutating func widen(
        _ batch: borrowing RecordBatch, _ rows: Range<Int>, to place: Range<Int>
    ) {
        var all = features.mutableSpan
        var target = all._mutatingExtracting(place)
        batch.widen(rows: rows, into: &target)
    }

    /// Moves `count` rows into the block, each where it belongs; returns the position behind them.
    mutating func take(
        _ count: Int, _ objective: Objective, _ holdOut: HoldOut?, into block: inout RowBlock
    ) -> UInt64 {
        let end = head + count
        // What no row is asked for where all have labels that can be learnt.
        let areLabelled =
            !mayHaveInfinity
            && objective.firstRefused(labels.span.extracting(head..<end), rows: count) == nil
        // Rows to learn from that stand side by side go together.
        var begin = head
        for row in head..<end {
            if areLabelled {
                guard isHeldOut(row, holdOut) else { continue }
                hold(row, &block)
            } else if isLearnt(row, objective, holdOut, &block) {
                continue
            }
            learn(begin..<row, &block)
            begin = row + 1
        }
        learn(begin..<end, &block)
        block.sourceRows = count
        head = end
        let next = positions[end - 1] + 1
        while let first = refused.first, first.position < next {
            block.rejected.append((first.position >> UInt64(placeBits), first.reason))
            refused.removeFirst()
        }
        return next
    }

    private func isHeldOut(_ row: Int, _ holdOut: HoldOut?) -> Bool {
        guard let holdOut else { return false }
        if placeBits > 0, case .offsets = holdOut { return holdOut.contains(offset(of: row)) }
        return holdOut.contains(positions[row])
    }

    private func offset(of row: Int) -> UInt64 { positions[row] >> UInt64(placeBits) }

    private func learn(_ rows: Range<Int>, _ block: inout RowBlock) {
        guard !rows.isEmpty else { return }
        block.features.append(
            contentsOf: features[rows.lowerBound * width..<rows.upperBound * width])
        block.labels.append(contentsOf: labels[rows])
    }

    private func hold(_ row: Int, _ block: inout RowBlock) {
        block.heldFeatures.append(contentsOf: features[row * width..<(row + 1) * width])
        block.heldLabels.append(labels[row])
    }

    /// Whether a row is learnt from; where it is held out or rejected, puts it where it belongs.
    private func isLearnt(
        _ row: Int, _ objective: Objective, _ holdOut: HoldOut?, _ block: inout RowBlock
    ) -> Bool {
        let label = labels[row]
        guard !label.isNaN else { return false }
        guard objective.accepts(label) else {
            block.rejected.append(
                (offset(of: row), "label \(label) is none that the model can have"))
            return false
        }
        let cells = row * width..<(row + 1) * width
        if mayHaveInfinity, FloatScan.hasInfinity(features.span.extracting(cells)) {
            block.rejected.append((offset(of: row), "a feature is infinite"))
            return false
        }
        guard isHeldOut(row, holdOut) else { return true }
        hold(row, &block)
        return false
    }
}
