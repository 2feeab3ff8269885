/// Rows where they are, in the order of their positions: `stride` floats apart, a label for each, NaN
/// where there is none.
struct RowView: ~Escapable {
    let features: Span<Float>
    let stride: Int
    let labels: Span<Float>
    /// Empty where positions follow each other without gaps.
    private let positions: Span<UInt64>
    private let first: UInt64

    /// Rows at positions without gaps, the first one's given.
    @_lifetime(copy features, copy labels)
    init(_ features: Span<Float>, stride: Int, labels: Span<Float>, from first: UInt64) {
        self.features = features
        self.stride = stride
        self.labels = labels
        self.first = first
        positions = Span()
    }

    /// Rows with a position for each.
    @_lifetime(copy features, copy labels, copy positions)
    init(
        _ features: Span<Float>, stride: Int, labels: Span<Float>, at positions: Span<UInt64>
    ) {
        precondition(positions.count == labels.count && !positions.isEmpty, "a position each")
        self.features = features
        self.stride = stride
        self.labels = labels
        self.positions = positions
        first = 0
    }

    var count: Int { labels.count }

    func position(_ row: Int) -> UInt64 {
        positions.isEmpty ? first + UInt64(row) : positions[row]
    }

    /// Appends the first `width` numbers of rows, without gaps.
    func append(_ range: Range<Int>, width: Int, to numbers: inout [Float]) {
        let begin = numbers.count
        numbers.append(contentsOf: repeatElement(0, count: range.count * width))
        var all = numbers.mutableSpan
        var target = all._mutatingExtracting(begin...)
        copy(range, width: width, to: &target)
    }

    /// Copies the first `width` numbers of rows to the front of `target`, without gaps.
    func copy(_ range: Range<Int>, width: Int, to target: inout MutableSpan<Float>) {
        let isDense = stride == width
        let blocks = isDense ? 1 : range.count
        let count = isDense ? range.count * width : width
        for block in 0..<blocks {
            let from = (range.lowerBound + block) * stride
            let source = features.extracting(from..<from + count)
            var part = target._mutatingExtracting(block * count..<(block + 1) * count)
            for i in 0..<count { part[i] = source[i] }
        }
    }
}
