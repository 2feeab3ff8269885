internal import MillraceKafka
internal import MillraceLog

/// Rows of one partition that were read and not taken yet, in the order of their positions.
struct RowStore {
    private let width: Int
    /// `[rows, width]` and, behind them, what the memory held before.
    private var features: [Float] = []
    private var labels: [Float] = []
    private var positions: [UInt64] = []
    /// What of the topic is no row, and why, by position.
    private var refused: [(position: UInt64, reason: String)] = []
    private var head = 0

    init(width: Int) { self.width = width }

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
    }

    /// Puts rows of a batch behind those read before.
    mutating func append(_ batch: borrowing RecordBatch, _ rows: Range<Int>) {
        let added = room(for: rows.count)
        do {
            var all = features.mutableSpan
            var target = all._mutatingExtracting(added)
            batch.widen(rows: rows, into: &target)
        }
        let given = batch.labels
        let hasLabels = batch.hasLabels
        for row in rows { labels.append(hasLabels ? given[row] : .nan) }
        let first = batch.baseOffset + UInt64(rows.lowerBound)
        positions.append(contentsOf: first..<first + UInt64(rows.count))
    }

    /// Puts copies of rows behind those read before.
    mutating func append(_ rows: borrowing RowView) {
        let added = room(for: rows.count)
        let width = width
        do {
            var all = features.mutableSpan
            var target = all._mutatingExtracting(added)
            rows.copy(0..<rows.count, width: width, to: &target)
        }
        for row in 0..<rows.count {
            labels.append(rows.labels[row])
            positions.append(rows.position(row))
        }
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
        labels += arena.labels[rows]
        positions += places
    }

    /// Takes note of what is no row; it is told with the rows that follow it.
    mutating func refuse(_ position: UInt64, _ reason: String) {
        refused.append((position, reason))
    }

    /// Takes `count` rows, which stay where they are until the store is changed.
    mutating func take(_ count: Int) -> Range<Int> {
        head += count
        return head - count..<head
    }

    /// Takes what is no row before a position.
    mutating func takeRefused(before end: UInt64) -> [(position: UInt64, reason: String)] {
        guard !refused.isEmpty else { return [] }
        let taken = Array(refused.prefix { $0.position < end })
        refused.removeFirst(taken.count)
        return taken
    }

    /// Calls a body with rows that were taken last.
    func withRows(_ rows: Range<Int>, _ body: (borrowing RowView) -> Void) {
        let cells = rows.lowerBound * width..<rows.upperBound * width
        body(
            RowView(
                features.span.extracting(cells), stride: width,
                labels: labels.span.extracting(rows), at: positions.span.extracting(rows)))
    }
}
