internal import MillraceModels

/// The rows of one partition in the order of their positions, and nothing else.
final class RowFeed {
    private let reader: any RowReader
    private let objective: Objective
    private let holdOut: HoldOut?
    private var store: RowStore
    /// The position of the row that comes next.
    private(set) var nextOffset: UInt64
    /// The position before which the rows end, once that is decided; rows behind it are not read.
    private(set) var end: UInt64?
    /// Whether every row before the end has been read.
    private var hasReadAll = false

    /// The rows from a position on; from 0 on, those that are there.
    ///
    /// - Throws: as the rows' readers do, when rows that come next are gone among other things.
    init(
        _ source: any TrainingRows, _ partition: Int, _ objective: Objective, holdOut: HoldOut?,
        from position: UInt64, end: UInt64?
    ) throws {
        self.objective = objective
        self.holdOut = holdOut
        self.end = end
        store = RowStore(width: source.features, placeBits: source.placeBits)
        reader = try source.reader(of: partition, from: position)
        nextOffset = reader.start
    }

    private var available: Int { store.count }

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
    private var readEnd: UInt64 { store.end ?? nextOffset }

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
            guard try reader.read(before: end, into: &store) else {
                // Offsets that a crash made unusable may lie before the end.
                hasReadAll = end != nil && reader.isAtEnd
                return
            }
        }
    }

    /// Moves up to `count` rows into the block, each where it belongs.
    func take(_ count: Int, into block: inout RowBlock) {
        block.clear()
        let taken = min(count, available)
        guard taken > 0 else { return }
        nextOffset = store.take(taken, objective, holdOut, into: &block)
    }
}
