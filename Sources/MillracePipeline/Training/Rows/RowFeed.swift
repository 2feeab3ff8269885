internal import MillraceModels

/// The rows of one partition in the order of their positions, and nothing else.
final class RowFeed {
    private let reader: any RowReader
    let rule: RowRule
    /// Rows to take, before those that the reader lends.
    private var store: RowStore
    /// Positions of rows to take that the reader lends.
    private var lent: Range<UInt64> = 0..<0
    /// Where the rows are that were taken last.
    private var taken = Place.store(0..<0)
    /// The position of the row that comes next.
    private(set) var nextOffset: UInt64
    /// The position before which the rows end, once that is decided; rows behind it are not read.
    private(set) var end: UInt64?
    /// Whether every row before the end has been read.
    private var hasReadAll = false

    private enum Place {
        case store(Range<Int>)
        case lent(Range<UInt64>)
    }

    /// The rows from a position on; from 0 on, those that are there.
    ///
    /// - Throws: as the rows' readers do, when rows that come next are gone among other things.
    init(
        _ source: any TrainingRows, _ partition: Int, _ objective: Objective, holdOut: HoldOut?,
        from position: UInt64, end: UInt64?
    ) throws {
        rule = RowRule(
            width: source.features, objective: objective, holdOut: holdOut,
            placeBits: source.placeBits)
        self.end = end
        store = RowStore(width: source.features)
        reader = try source.reader(of: partition, from: position)
        nextOffset = reader.start
    }

    private var available: Int { store.count + lent.count }

    /// Whether `count` rows can be taken now, or all that will ever be there.
    ///
    /// When `ended`, nothing will be added to the topic; it must have been asked before the call.
    /// That the rows end is then decided, and stays so.
    func fill(to count: Int, ended: Bool) throws -> Bool {
        try read(to: count)
        if available >= count || hasReachedEnd { return true }
        guard ended, end == nil, reader.isAtEnd else { return false }
        end = readEnd
        hasReadAll = true
        return true
    }

    /// Decides that the rows end where the partition ends now, unless that was decided before.
    func decideEnd() throws {
        if end == nil { end = max(try reader.publishedEnd(), readEnd) }
    }

    /// Whether the rows end and all of them have been read.
    private var hasReachedEnd: Bool {
        guard let end else { return false }
        return hasReadAll || readEnd >= end
    }

    /// Whether rows were appended behind the end that was decided.
    var hasGrown: Bool {
        get throws {
            guard let end else { return false }
            return try reader.publishedEnd() > end
        }
    }

    /// The offset behind the last row that was read.
    private var readEnd: UInt64 {
        lent.isEmpty ? store.end ?? nextOffset : lent.upperBound
    }

    /// Whether the rows end and all of them have been taken.
    var isExhausted: Bool {
        guard let end, available == 0 else { return false }
        return hasReadAll || nextOffset >= end
    }

    private func read(to count: Int) throws {
        guard available < count else { return }
        store.compact()
        while available < count {
            if let end, readEnd >= end { return }
            keepLent(lent.count)
            switch try reader.read(before: end, into: &store) {
            case .lent(let rows): lent = rows
            case .stored: break
            case .none:
                // Offsets that a crash made unusable may lie before the end.
                hasReadAll = end != nil && reader.isAtEnd
                return
            }
        }
    }

    /// Copies the first lent rows behind those of the store.
    private func keepLent(_ count: Int) {
        guard count > 0 else { return }
        let end = lent.lowerBound + UInt64(count)
        reader.withLent(lent.lowerBound..<end) { store.append($0) }
        lent = end..<lent.upperBound
    }

    /// Takes up to `count` rows, each sorted to where it belongs.
    ///
    /// Those of the reader's batch stay where they are; rows on both sides of a seam are copied.
    func take(_ count: Int, into block: inout RowBlock) {
        block.clear()
        let count = min(count, available)
        guard count > 0 else { return }
        if store.count == 0 {
            let end = lent.lowerBound + UInt64(count)
            taken = .lent(lent.lowerBound..<end)
            lent = end..<lent.upperBound
        } else {
            keepLent(max(0, count - store.count))
            taken = .store(store.take(count))
        }
        withTaken { rows in
            block.sort(rows, by: rule, refusingInfinite: false)
            nextOffset = rows.position(count - 1) + 1
        }
        block.refused = store.takeRefused(before: nextOffset).map {
            (rule.offset(of: $0.position), $0.reason)
        }
    }

    /// Sorts the rows taken last anew, those to learn with an infinite feature left out.
    func refuseInfinite(in block: inout RowBlock) {
        withTaken { block.sort($0, by: rule, refusingInfinite: true) }
    }

    /// Calls a body with the rows to learn of the block that was taken last.
    func withRows(of block: borrowing RowBlock, _ body: (borrowing LabelledRows) -> Void) {
        guard block.isInPlace else {
            return body(
                LabelledRows(
                    block.features.span, rows: block.labels.count, stride: rule.width,
                    labels: block.labels.span))
        }
        withTaken { rows in
            body(
                LabelledRows(
                    rows.features, rows: rows.count, stride: rows.stride, labels: rows.labels))
        }
    }

    private func withTaken(_ body: (borrowing RowView) -> Void) {
        switch taken {
        case .store(let rows): store.withRows(rows, body)
        case .lent(let rows): reader.withLent(rows, body)
        }
    }
}
