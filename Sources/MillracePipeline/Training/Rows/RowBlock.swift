internal import MillraceCompute
internal import MillraceModels

/// Rows of one partition, sorted by what becomes of them.
struct RowBlock {
    /// Labelled rows to learn from, `[rows, width]` without gaps; none where all rows of the block are
    /// to be learnt, and are where they were.
    private(set) var features: [Float] = []
    private(set) var labels: [Float] = []
    private(set) var isInPlace = false
    /// Labelled rows that are held out.
    var heldFeatures: [Float] = []
    var heldLabels: [Float] = []
    /// Rows of the topic that the block covers, those without a label included.
    private(set) var sourceRows = 0
    /// Rows left out because they cannot be learnt from, and why.
    private(set) var rejected: [LeftOut] = []
    /// What of the topic is no row, and why.
    var refused: [LeftOut] = []

    typealias LeftOut = (offset: UInt64, reason: String)

    /// How many rows are to be learnt.
    var learntRows: Int { isInPlace ? sourceRows : labels.count }

    mutating func clear() {
        clearRows()
        refused.removeAll(keepingCapacity: true)
    }

    private mutating func clearRows() {
        features.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        isInPlace = false
        heldFeatures.removeAll(keepingCapacity: true)
        heldLabels.removeAll(keepingCapacity: true)
        sourceRows = 0
        rejected.removeAll(keepingCapacity: true)
    }
}

/// What decides what becomes of a row.
struct RowRule {
    let width: Int
    let objective: Objective
    let holdOut: HoldOut?
    /// How many bits of a position are the place of the row in a record, below the offset.
    let placeBits: Int

    func offset(of position: UInt64) -> UInt64 { position >> UInt64(placeBits) }

    func holdsOut(_ position: UInt64) -> Bool {
        guard let holdOut else { return false }
        if placeBits > 0, case .offsets = holdOut { return holdOut.contains(offset(of: position)) }
        return holdOut.contains(position)
    }
}

extension RowBlock {
    /// Covers other rows, each put where it belongs; where all are to be learnt they stay where they
    /// are.
    ///
    /// Rows to learn with an infinite feature are left out where `refusingInfinite`: a trainer
    /// refuses them too, and few streams have any.
    mutating func sort(_ rows: borrowing RowView, by rule: RowRule, refusingInfinite: Bool) {
        clearRows()
        sourceRows = rows.count
        let areLabelled = rule.objective.firstRefused(rows.labels, rows: rows.count) == nil
        // Rows to learn from that stand side by side go together.
        var begin = 0
        if !areLabelled || rule.holdOut != nil || refusingInfinite {
            for row in 0..<rows.count {
                let isLearnt =
                    (areLabelled || isLabelled(row, of: rows, rule))
                    && !isHeldOut(row, of: rows, rule)
                    && !(refusingInfinite && isRejected(row, of: rows, rule))
                if isLearnt { continue }
                learn(begin..<row, of: rows, rule)
                begin = row + 1
            }
        }
        if begin == 0 {
            isInPlace = true
        } else {
            learn(begin..<rows.count, of: rows, rule)
        }
    }

    private mutating func learn(
        _ range: Range<Int>, of rows: borrowing RowView, _ rule: RowRule
    ) {
        guard !range.isEmpty else { return }
        rows.append(range, width: rule.width, to: &features)
        for row in range { labels.append(rows.labels[row]) }
    }

    /// Whether a row is held out, where it goes unless it is rejected.
    private mutating func isHeldOut(
        _ row: Int, of rows: borrowing RowView, _ rule: RowRule
    ) -> Bool {
        guard rule.holdsOut(rows.position(row)) else { return false }
        if !isRejected(row, of: rows, rule) {
            rows.append(row..<row + 1, width: rule.width, to: &heldFeatures)
            heldLabels.append(rows.labels[row])
        }
        return true
    }

    /// Whether a row has a label that the model can have; takes note of one that it cannot.
    private mutating func isLabelled(
        _ row: Int, of rows: borrowing RowView, _ rule: RowRule
    ) -> Bool {
        let label = rows.labels[row]
        guard !label.isNaN else { return false }
        if rule.objective.accepts(label) { return true }
        rejected.append(
            (
                rule.offset(of: rows.position(row)),
                "label \(label) is none that the model can have"
            ))
        return false
    }

    /// Whether a row has an infinite feature; takes note of it.
    private mutating func isRejected(
        _ row: Int, of rows: borrowing RowView, _ rule: RowRule
    ) -> Bool {
        let begin = row * rows.stride
        let cells = rows.features.extracting(begin..<begin + rule.width)
        guard FloatScan.hasInfinity(cells) else { return false }
        rejected.append((rule.offset(of: rows.position(row)), "a feature is infinite"))
        return true
    }
}
